"""Discretised logistic likelihood of a VAE's 256 levels (Salimans et al. 2017)."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from netlab.contracts.likelihood import Likelihood
from netlab.registry import register

_HALF = 0.5 / 255  # half the distance between two levels
_LOG_SCALE = (-7.0, 1.0)


@register("vae-term")
class DiscretisedLogistic(Likelihood):
    """-log of the logistic mass between a level's two edges, in nats.

    Salimans, Karpathy, Chen, Kingma, "PixelCNN++", ICLR 2017, equation 2, with one component whose
    mean and scale the decoder gives for each pixel; the first and last level take the tails.
    """

    numbers: ClassVar[int] = 2
    levels: ClassVar[bool] = True

    def picture(self, output: Tensor) -> Tensor:
        """See `Likelihood`."""
        return output.chunk(2, dim=1)[0].sigmoid()

    def nats(self, output: Tensor, images: Tensor) -> Tensor:
        """See `Likelihood`."""
        mean, log_scale = self.picture(output), output.chunk(2, dim=1)[1]
        inverse = (3 - log_scale).clamp(-_LOG_SCALE[1], -_LOG_SCALE[0]).exp()  # 1/s, about 20
        levels = (images * 255).round() / 255
        upper = (levels + _HALF - mean) * inverse
        lower = (levels - _HALF - mean) * inverse
        # log(σ(u) - σ(l)) = logσ(u) + logσ(-l) + log(1 - exp(l - u)), without cancellation
        inside = F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log(-torch.expm1(lower - upper))
        log_p = torch.where(levels < _HALF, F.logsigmoid(upper), inside)
        log_p = torch.where(levels > 1 - _HALF, F.logsigmoid(-lower), log_p)
        return -log_p.flatten(1).sum(dim=1)
