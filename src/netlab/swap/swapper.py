"""A conditional VAE that is ready to decode pictures under other labels."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netlab import registry
from netlab.device import Machine, resolve
from netlab.errors import UsageError
from netlab.models.vae import ConditionalVAE
from netlab.runs.find import find_weights, name_of
from netlab.tasks.load import Loaded, load_weights
from netlab.tasks.pixels import to_bytes, to_unit
from netlab.tasks.vae.task import build_likelihood

Pictures = NDArray[np.uint8]
Labels = NDArray[np.int64]

BATCH = 256
"""Pictures at a time."""


class Swapper:
    """Pictures to z and back, with any weights of the labels; z is the posterior's mean.

    Args:
        loaded: weights of a conditional VAE.
        machine: where it runs.
        name: of its weights, for titles and messages.
    """

    def __init__(self, loaded: Loaded, machine: Machine, name: str) -> None:
        self.network = cast(ConditionalVAE, machine.place(loaded.network.eval()))
        self.about, self.config = loaded.about, loaded.config
        self.machine, self.name = machine, name
        self.classes = tuple(loaded.about["classes"])
        self.size = int(loaded.about["input"]["size"])
        self.channels = int(loaded.about["input"]["channels"])
        self.likelihood = build_likelihood(loaded.config, self.channels)

    @classmethod
    def load(
        cls, weights: str | Path | Loaded, *, device: str = "auto", threads: int = 0
    ) -> "Swapper":
        """A swapper from weights: a file, a run folder, `last`, or a bundled name.

        Raises:
            UsageError: no such weights, or a device that is not there.
            WeightsError: weights that are damaged or for another task.
        """
        if isinstance(weights, Loaded):
            loaded, name = weights, weights.config.arch
        else:
            path = find_weights(str(weights), Path("runs"))
            loaded, name = load_weights(path, task="vae"), name_of(path)
        return cls(loaded, resolve(device, "fp32", threads), name)

    @property
    def dataset(self) -> str:
        """What the weights were trained on."""
        return self.config.dataset

    def label(self, text: str | int, what: str = "label") -> int:
        """The id of a class, given by its name or its number.

        Raises:
            UsageError: neither; the message lists the names.
        """
        text = str(text)
        if text in self.classes:
            return self.classes.index(text)
        if text.isdecimal() and int(text) < len(self.classes):
            return int(text)
        raise UsageError(registry.unknown(what, text, [*self.classes]))

    def one_hot(self, labels: Labels) -> Tensor:
        """Labels (N,) as weights (N, K), on the network's device."""
        identity = torch.eye(len(self.classes), device=self.machine.device)
        return identity[torch.from_numpy(labels).to(identity.device)]

    @torch.inference_mode()
    def encode(self, pictures: Pictures, labels: Labels) -> Tensor:
        """Pictures (N, S, S, C) and their labels (N,) to z (N, D)."""
        weights = self.one_hot(labels)
        return torch.cat(
            [
                self.network.encode(self.floats(pictures[batch]), weights[batch]).mean
                for batch in _batches(len(pictures))
            ]
        )

    @torch.inference_mode()
    def decode(self, z: Tensor, weights: Tensor) -> Pictures:
        """z (N, D) and weights of the labels (N, K), rows summing to 1, to (N, S, S, C)."""
        return np.concatenate(
            [
                to_bytes(self.likelihood.picture(self.network.decode(z[batch], weights[batch])))
                for batch in _batches(len(z))
            ]
        )

    def floats(self, pictures: Pictures) -> Tensor:
        """Pictures (N, S, S, C) as (N, C, S, S) in [0, 1], on the network's device."""
        return to_unit(torch.from_numpy(pictures).to(self.machine.device))

    def prior(self, count: int, seed: int) -> Tensor:
        """z (N, D) from N(0, I); drawn on the CPU, the same for every device."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(count, self.network.latent, generator=generator).to(self.machine.device)

    def on_dark(self) -> bool:
        """Whether the pictures it was trained on have a dark border: its typical ones have."""
        classes = len(self.classes)
        z = torch.zeros(classes, self.network.latent, device=self.machine.device)
        typical = self.decode(z, torch.eye(classes, device=self.machine.device))
        return border(typical) < 128


def border(pictures: Pictures) -> float:
    """The median of the outermost pixels of pictures (N, S, S, C)."""
    rows, sides = pictures[:, [0, -1]], pictures[:, 1:-1, [0, -1]]
    return float(np.median(np.concatenate([rows.ravel(), sides.ravel()])))


def _batches(count: int) -> Iterator[slice]:
    return (slice(start, start + BATCH) for start in range(0, count, BATCH))
