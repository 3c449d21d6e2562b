"""Enlarge with a transposed convolution (Ronneberger et al. 2015)."""

from torch import nn

from netlab.layers.ladder import Ladder
from netlab.registry import register


@register("decoder")
class TransposeDecoder(Ladder):
    """The U-Net's "up-convolution": kernel and stride are the factor, so that nothing overlaps."""

    def enlarge(self, in_channels: int, out_channels: int, factor: int) -> nn.Module:
        """See `Ladder`."""
        return nn.ConvTranspose2d(in_channels, out_channels, kernel_size=factor, stride=factor)
