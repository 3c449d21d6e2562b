"""Squared error of a VAE's pixels: a Gaussian of variance one half."""

import math

from torch import Tensor

from netlab.contracts.likelihood import Likelihood
from netlab.registry import register


@register("vae-term")
class SquaredError(Likelihood):
    """Σ (x - μ)² + ½ log π a pixel, in nats: -log of a Gaussian with σ² = ½."""

    def nats(self, output: Tensor, images: Tensor) -> Tensor:
        """See `Likelihood`."""
        error = (images - self.picture(output)).square() + 0.5 * math.log(math.pi)
        return error.flatten(1).sum(dim=1)
