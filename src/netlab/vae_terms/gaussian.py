"""Gaussian likelihood of a VAE's pixels with a fixed standard deviation."""

import math
from typing import Any

from torch import Tensor

from netlab.contracts.likelihood import Likelihood
from netlab.errors import ConfigError
from netlab.registry import register


@register("vae-term")
class Gaussian(Likelihood):
    """½ ((x - μ) / σ)² + log σ + ½ log 2π, in nats, summed over pixels and channels.

    Args:
        sigma: standard deviation σ, in units of the full range; smaller weighs the picture more
            against the KL (Rybkin, Daniilidis, Levine, "σ-VAE", ICML 2021).
    """

    def __init__(self, *, sigma: float = 0.1, **built: Any) -> None:
        super().__init__(**built)
        if not sigma > 0:
            raise ConfigError(f"loss gaussian: sigma must be above 0, not {sigma}")
        self.sigma = sigma

    def nats(self, output: Tensor, images: Tensor) -> Tensor:
        """See `Likelihood`."""
        scaled = (images - self.picture(output)) / self.sigma
        constant = math.log(self.sigma) + 0.5 * math.log(2 * math.pi)
        return (0.5 * scaled.square() + constant).flatten(1).sum(dim=1)
