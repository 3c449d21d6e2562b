"""One pass of a conditional VAE over a batch, from which the terms of its loss are taken."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from netlab.contracts.likelihood import Likelihood
from netlab.layers.reader import in_use


@dataclass
class VaeStep:
    """Pictures, labels and, computed when first asked for, what the network makes of them."""

    network: Any
    """A `netlab.models.vae.ConditionalVAE`."""
    likelihood: Likelihood
    images: Tensor
    """(B, C, S, S) in [0, 1]."""
    labels: Tensor
    """(B,), true labels."""
    wrong: Tensor
    """(B,), another label for each picture."""
    classes: int
    done: float = 1.0
    """Share of the run that is behind, 0 to 1."""
    generator: torch.Generator | None = None
    """What the noise comes from; None is the global one."""
    swaps: bool = False
    """Whether pictures under the wrong label will be asked for in training: they are then decoded
    in one batch with the others, so that batch norm's running statistics describe both."""

    @cached_property
    def true_weights(self) -> Tensor:
        """True labels one-hot, (B, K)."""
        return F.one_hot(self.labels, self.classes).float()

    @cached_property
    def wrong_weights(self) -> Tensor:
        """Wrong labels one-hot, (B, K)."""
        return F.one_hot(self.wrong, self.classes).float()

    @cached_property
    def posterior(self) -> Any:
        """q(z | x, y) under the true label."""
        return self.network.encode(self.images, self.true_weights)

    @cached_property
    def z(self) -> Tensor:
        """A draw from the posterior, (B, D)."""
        drawn: Tensor = self.posterior.sample(self.generator)
        return drawn

    @cached_property
    def output(self) -> Tensor:
        """The likelihood's parameters under the true label, (B, out, S, S)."""
        return self._decoded[0]

    @cached_property
    def swapped(self) -> Tensor:
        """The pictures under the wrong label, (B, C, S, S) in [0, 1]."""
        alone = not self.swaps
        decoded = self.network.decode(self.z, self.wrong_weights) if alone else self._decoded[1]
        return self.likelihood.picture(decoded)

    @cached_property
    def swapped_posterior(self) -> Any:
        """q(z | x', y') of the swapped pictures under their new label, as in use.

        With the running statistics of batch norm, which are those of real pictures.
        """
        with in_use(self.network):
            return self.network.encode(self.swapped, self.wrong_weights)

    @cached_property
    def _decoded(self) -> tuple[Tensor, ...]:
        """What z is decoded to under the true labels and, if there will be swaps, the wrong."""
        if not self.swaps:
            return (self.network.decode(self.z, self.true_weights),)
        weights = torch.cat([self.true_weights, self.wrong_weights])
        both: Tensor = self.network.decode(self.z.repeat(2, 1), weights)
        return both.chunk(2)


def draw_wrong(labels: Tensor, classes: int, generator: torch.Generator | None = None) -> Tensor:
    """Another label for each picture, all others equally likely: (B,) to (B,)."""
    step = torch.randint(1, max(classes, 2), labels.shape, generator=generator).to(labels)
    return (labels + step) % classes
