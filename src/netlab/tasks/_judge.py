"""An independent classifier that reads what a conditional VAE makes; never used in its training."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from netlab.data._disturb import TESTS
from netlab.tasks._parts import normalise

_BATCH = 256


@dataclass(frozen=True)
class Judge:
    """A classifier's network with what is needed to use it.

    Args:
        network: a `netlab.models.classifier.Classifier` in evaluation mode.
        name: what people call its weights.
        size: side of the pictures it takes; others are resized to it.
        accuracy: on the real pictures of its own test part, if its weights say so.
    """

    network: Any
    name: str
    size: int
    accuracy: float | None = None

    @torch.inference_mode()
    def read(self, pictures: Tensor) -> Tensor:
        """Class ids (N,) of pictures (N, C, H, W) in [0, 1], on the CPU."""
        return self._by_batch(pictures, lambda x: self.network(x).argmax(dim=1))

    @torch.inference_mode()
    def features(self, pictures: Tensor) -> Tensor:
        """Penultimate features (N, F) of pictures (N, C, H, W) in [0, 1], on the CPU."""
        return self._by_batch(pictures, self.network.features).float()

    def read_disturbed(self, pictures: Tensor) -> dict[str, Tensor]:
        """What it reads under each disturbance of `data._disturb.TESTS`."""
        return {name: self.read(change(pictures)) for name, change in TESTS.items()}

    def _by_batch(self, pictures: Tensor, apply: Callable[[Tensor], Tensor]) -> Tensor:
        device = next(self.network.parameters()).device
        if pictures.shape[-1] != self.size:
            pictures = F.interpolate(pictures, (self.size, self.size), mode="bilinear")
        parts = torch.split(pictures, _BATCH)
        return torch.cat([apply(normalise(part.to(device))).cpu() for part in parts])
