"""Halve with a learnt 2 × 2 convolution of stride 2 (Springenberg et al. 2015)."""

from collections.abc import Sequence

from torch import nn

from netlab.encoders._pyramid import Pyramid
from netlab.layers.conv import Block
from netlab.registry import register


@register("encoder")
class StridedEncoder(Pyramid):
    """Downsampling that is learnt (Springenberg et al., "Striving for Simplicity", ICLR 2015)."""

    def __init__(self, *, in_channels: int, widths: Sequence[int], block: Block) -> None:
        super().__init__(
            in_channels=in_channels,
            widths=widths,
            block=block,
            halve=lambda channels: nn.Conv2d(channels, channels, kernel_size=2, stride=2),
        )
