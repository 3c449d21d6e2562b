"""An independent classifier that reads what a conditional VAE makes; never used in its training."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from netlab.layers.disturb import TESTS
from netlab.models.classifier import Classifier
from netlab.tasks.pixels import normalise

_BATCH = 256


class Seen(NamedTuple):
    """What a judge sees in N pictures; it follows from each picture alone."""

    ids: Tensor
    """(N,), classes."""
    features: Tensor
    """(N, F), penultimate."""
    disturbed: dict[str, Tensor]
    """(N,) classes under each disturbance of `layers.disturb.TESTS`."""

    def at(self, indices: Tensor) -> "Seen":
        """What it sees in the pictures at these indices."""
        disturbed = {name: ids[indices] for name, ids in self.disturbed.items()}
        return Seen(self.ids[indices], self.features[indices], disturbed)


@dataclass(frozen=True)
class Judge:
    """A classifier's network with what is needed to use it.

    Args:
        network: in evaluation mode.
        name: what people call its weights.
        size: side of the pictures it takes; others are resized to it.
        accuracy: on the real pictures of its own test split, if its weights say so.
    """

    network: Classifier
    name: str
    size: int
    accuracy: float | None = None

    @torch.inference_mode()
    def read(self, pictures: Tensor) -> Tensor:
        """Class ids (N,) of pictures (N, C, H, W) in [0, 1], on the CPU."""
        return self._look(pictures)[0]

    @torch.inference_mode()
    def see(self, pictures: Tensor) -> Seen:
        """All that it sees in pictures (N, C, H, W) in [0, 1], on the CPU."""
        disturbed = {name: self.read(change(pictures)) for name, change in TESTS.items()}
        return Seen(*self._look(pictures), disturbed)

    def _look(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Class ids (N,) and penultimate features (N, F)."""
        device = next(self.network.parameters()).device
        if pictures.shape[-1] != self.size:
            pictures = F.interpolate(pictures, (self.size, self.size), mode="bilinear")
        ids, features = [], []
        for part in torch.split(pictures, _BATCH):
            penultimate = self.network.features(normalise(part.to(device)))
            ids.append(self.network.logits(penultimate).argmax(dim=1))
            features.append(penultimate.float())
        return torch.cat(ids).cpu(), torch.cat(features).cpu()  # waits for the GPU
