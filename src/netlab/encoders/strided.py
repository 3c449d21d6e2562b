"""Halve with a learnt 2 × 2 convolution of stride 2 (Springenberg et al. 2015)."""

from torch import nn

from netlab.layers.pyramid import Pyramid
from netlab.registry import register


@register("encoder")
class StridedEncoder(Pyramid):
    """Downsampling that is learnt (Springenberg et al., "Striving for Simplicity", ICLR 2015)."""

    def halve(self, channels: int) -> nn.Module:
        """See `Pyramid`."""
        return nn.Conv2d(channels, channels, kernel_size=2, stride=2)
