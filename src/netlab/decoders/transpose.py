"""Enlarge with a transposed convolution (Ronneberger et al. 2015)."""

from collections.abc import Sequence

from torch import nn

from netlab.decoders._ladder import Ladder
from netlab.layers.conv import Block
from netlab.registry import register


@register("decoder")
class TransposeDecoder(Ladder):
    """The U-Net's "up-convolution": kernel and stride are the factor, so that nothing overlaps."""

    def __init__(
        self,
        *,
        in_channels: int,
        skip_channels: Sequence[int],
        strides: Sequence[int],
        block: Block,
    ) -> None:
        super().__init__(
            in_channels=in_channels,
            skip_channels=skip_channels,
            strides=strides,
            block=block,
            enlarge=lambda a, b, factor: nn.ConvTranspose2d(
                a, b, kernel_size=factor, stride=factor
            ),
        )
