"""Halve with 2 × 2 max pooling, without weights (Ronneberger et al. 2015)."""

from collections.abc import Sequence

from torch import nn

from netlab.encoders._pyramid import Pyramid
from netlab.layers.conv import Block
from netlab.registry import register


@register("encoder")
class MaxPoolEncoder(Pyramid):
    """The U-Net's own encoder (Ronneberger, Fischer, Brox, MICCAI 2015)."""

    def __init__(self, *, in_channels: int, widths: Sequence[int], block: Block) -> None:
        super().__init__(
            in_channels=in_channels,
            widths=widths,
            block=block,
            halve=lambda channels: nn.MaxPool2d(kernel_size=2),  # noqa: ARG005
        )
