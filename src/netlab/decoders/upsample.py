"""Enlarge by interpolation, free of checkerboard patterns (Odena et al. 2016)."""

from collections.abc import Sequence
from typing import Literal

from torch import nn

from netlab.decoders._ladder import Ladder
from netlab.layers.conv import Block
from netlab.registry import register


@register("decoder")
class UpsampleDecoder(Ladder):
    """Interpolate, then mix channels with a 1 × 1 convolution.

    Odena, Dumoulin, Olah, "Deconvolution and Checkerboard Artifacts", Distill 2016. The 1 × 1
    convolution stands before the interpolation: the two commute exactly (one mixes channels, the
    other positions, with weights that sum to one), and it costs a quarter of the time there.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        skip_channels: Sequence[int],
        strides: Sequence[int],
        block: Block,
        mode: Literal["nearest", "bilinear"] = "bilinear",
    ) -> None:
        super().__init__(
            in_channels=in_channels,
            skip_channels=skip_channels,
            strides=strides,
            block=block,
            enlarge=lambda a, b, factor: nn.Sequential(
                nn.Conv2d(a, b, kernel_size=1), nn.Upsample(scale_factor=factor, mode=mode)
            ),
        )
