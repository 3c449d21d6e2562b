"""What every bottleneck keeps."""

from typing import Protocol

from torch import Tensor

from netlab.contracts.block import Block


class Bottleneck(Protocol):
    """Works on the coarsest map; keeps its size."""

    out_channels: int

    def __init__(self, *, in_channels: int, out_channels: int, block: Block) -> None:
        """Build the layers; `out_channels` is a wish that the attribute of that name answers."""

    def __call__(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, w) to (B, out_channels, h, w)."""
