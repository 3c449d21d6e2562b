"""What every encoder keeps."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from netlab.contracts.block import Block


class Encoder(Protocol):
    """Turns a picture into feature maps, finest first.

    Built as `Encoder(in_channels=…, widths=…, block=…)`: one level for each width, each followed by
    a halving. For `widths` of length n it returns n + 1 maps: the n levels (the skips) and the
    halved last level, which goes into the bottleneck.
    """

    out_channels: Sequence[int]
    """Channels of each returned map."""
    strides: Sequence[int]
    """Size of the input over the size of each returned map; the input is a multiple of the last."""

    def __init__(self, *, in_channels: int, widths: Sequence[int], block: Block) -> None:
        """Build the layers; `block` makes those of one level."""

    def __call__(self, x: Tensor) -> list[Tensor]:
        """(B, in_channels, H, W) to maps (B, out_channels[i], H / strides[i], W / strides[i])."""
