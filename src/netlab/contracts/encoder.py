"""The way from a picture to feature maps."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from netlab.contracts.block import Block


class Encoder(Protocol):
    """Turns a picture into feature maps, finest first.

    For `widths` of length n it returns n + 1 maps: the n levels (the skips) and the halved last
    level, which goes into the bottleneck.
    """

    @property
    def out_channels(self) -> Sequence[int]:
        """Channels of each returned map."""

    @property
    def strides(self) -> Sequence[int]:
        """Input size over the size of each returned map; the input is a multiple of the last."""

    def forward(self, x: Tensor, /) -> list[Tensor]:
        """(B, in_channels, H, W) to maps (B, out_channels[i], H / strides[i], W / strides[i])."""

    def __call__(self, x: Tensor, /) -> list[Tensor]:
        """As `forward`; `nn.Module` brings it."""


class EncoderBuilder(Protocol):
    """A component of the kind `encoder`."""

    def __call__(self, *, in_channels: int, widths: Sequence[int], block: Block) -> Encoder:
        """Build one level for each width, each followed by a halving.

        Args:
            in_channels: of the input.
            widths: channels of the levels, finest first.
            block: makes the layers of one level.
        """
