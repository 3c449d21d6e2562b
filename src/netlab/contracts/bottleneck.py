"""What stands between encoder and decoder."""

from typing import Protocol

from torch import Tensor

from netlab.contracts.block import Block


class Bottleneck(Protocol):
    """Works on the coarsest map; keeps its size."""

    @property
    def out_channels(self) -> int:
        """Channels of the output."""

    def forward(self, x: Tensor, /) -> Tensor:
        """(B, in_channels, h, w) to (B, out_channels, h, w)."""

    def __call__(self, x: Tensor, /) -> Tensor:
        """As `forward`; `nn.Module` brings it."""


class BottleneckBuilder(Protocol):
    """A component of the kind `bottleneck`."""

    def __call__(self, *, in_channels: int, out_channels: int, block: Block) -> Bottleneck:
        """Build the layers; `out_channels` is a wish that the attribute of that name answers."""
