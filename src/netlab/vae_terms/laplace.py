"""Laplace likelihood of a VAE's pixels: absolute error, which blurs edges less."""

import math
from typing import Any

from torch import Tensor

from netlab.contracts.likelihood import Likelihood
from netlab.errors import ConfigError
from netlab.registry import register


@register("vae-term")
class Laplace(Likelihood):
    """|x - μ| / b + log 2b, in nats, summed over pixels and channels.

    Args:
        scale: b, in units of the full range.
    """

    def __init__(self, *, scale: float = 0.1, **built: Any) -> None:
        super().__init__(**built)
        if not scale > 0:
            raise ConfigError(f"loss laplace: scale must be above 0, not {scale}")
        self.scale = scale

    def nats(self, output: Tensor, images: Tensor) -> Tensor:
        """See `Likelihood`."""
        error = (images - self.picture(output)).abs()
        return (error / self.scale + math.log(2 * self.scale)).flatten(1).sum(dim=1)
