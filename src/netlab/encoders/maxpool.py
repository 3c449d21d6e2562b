"""Halve with 2 × 2 max pooling, without weights (Ronneberger et al. 2015)."""

from torch import nn

from netlab.layers.pyramid import Pyramid
from netlab.registry import register


@register("encoder")
class MaxPoolEncoder(Pyramid):
    """The U-Net's own encoder (Ronneberger, Fischer, Brox, MICCAI 2015)."""

    def halve(self, channels: int) -> nn.Module:  # noqa: ARG002 - pooling keeps any number
        """See `Pyramid`."""
        return nn.MaxPool2d(kernel_size=2)
