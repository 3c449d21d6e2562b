"""Takes the label out of z: what ridge regression on random features of z says of it."""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from netlab.contracts.vae_term import VaeStep, risen
from netlab.registry import register

_RIDGE = 1e-2


@register("vae-term")
class Dependence(nn.Module):
    """Share of the label's variance that a regression on the posterior's mean explains; 0 is best.

    One-hot labels are regressed on z and on random Fourier features of it (Rahimi and Recht, NIPS
    2007), as in the randomised dependence coefficient (Lopez-Paz, Hennig, Schölkopf, NIPS 2013).
    The regression is solved anew in every step, from sums over recent batches, so that unlike a
    trained adversary it never lags behind the encoder.

    Args:
        classes: number of classes.
        latent: numbers of z, each of about unit variance.
        features: random features.
        width: bandwidth of the kernel that they stand for, in units of z.
        memory: pictures over which the sums fade.
        ramp: share of the run over which the term rises from 0.
        built: see `contracts.vae_term.VaeTerm`.
    """

    adversarial: ClassVar[bool] = False
    swaps: ClassVar[bool] = False
    reencodes: ClassVar[bool] = False
    directions: Tensor
    phases: Tensor
    moments: Tensor
    count: Tensor

    def __init__(
        self,
        *,
        classes: int,
        latent: int,
        features: int = 512,
        width: float = 1.5,
        memory: int = 20000,
        ramp: float = 0.1,
        **built: Any,  # noqa: ARG002
    ) -> None:
        super().__init__()
        self.classes, self.memory, self.ramp = classes, memory, ramp
        self.register_buffer("directions", torch.randn(latent, features) / width)
        self.register_buffer("phases", 2 * math.pi * torch.rand(features))
        size = 1 + latent + features
        self.register_buffer("moments", torch.zeros(size, size + classes))
        """Sums of products: of the features with each other, and with the one-hot labels."""
        self.register_buffer("count", torch.zeros(()))

    def forward(self, step: VaeStep) -> Tensor:
        """See `VaeTerm`; at least 0, and 0 before the first batch is summed."""
        features = self._features(step.posterior.mean)
        # of each class in the sums: the labels' products with the constant
        shares = self.moments[0, -self.classes :] / self.count.clamp(min=1)
        deviations = features @ self._solution() - shares
        explained = deviations.square().sum(dim=1).mean() / (1 - 1 / self.classes)
        return explained * risen(step.done, self.ramp)

    @torch.no_grad()
    def helper_loss(self, step: VaeStep) -> Tensor:
        """Take a batch into the sums; there is nothing to learn, so the loss is 0."""
        features = self._features(step.posterior.mean.detach())
        columns = torch.cat([features, step.true_weights], dim=1)
        decay = math.exp(-len(features) / self.memory)
        self.moments.mul_(decay).add_(features.T @ columns)
        self.count.mul_(decay).add_(len(features))
        return features.new_zeros(())

    def _features(self, z: Tensor) -> Tensor:
        """z (B, D) to (B, 1 + D + features): a constant, z itself, waves over z."""
        with torch.autocast(z.device.type, enabled=False):
            waves = math.sqrt(2) * (z.float() @ self.directions + self.phases).cos()
        return torch.cat([torch.ones_like(z[:, :1]), z, waves], dim=1)

    @torch.no_grad()
    def _solution(self) -> Tensor:
        """Coefficients (1 + D + features, K) of the ridge regression."""
        size = len(self.moments)
        means = self.moments / self.count.clamp(min=1)
        products, labels = means[:, :size], means[:, size:]
        ridge = torch.full((size,), _RIDGE, device=products.device)
        ridge[0] = 1e-6  # the constant is not shrunk
        solution: Tensor = torch.linalg.solve(products + ridge.diag(), labels)
        return solution
