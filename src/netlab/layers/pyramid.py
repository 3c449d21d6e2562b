"""The pyramid of levels that netlab's encoders share; they differ in how they halve."""

from collections.abc import Sequence

from torch import Tensor, nn

from netlab.contracts.block import Block


class Pyramid(nn.Module):
    """Levels of convolutions with a halving after each (see `contracts.encoder.Encoder`).

    Args:
        in_channels: channels of the input.
        widths: channels of each level.
        block: makes the layers of one level.
    """

    def __init__(self, *, in_channels: int, widths: Sequence[int], block: Block) -> None:
        super().__init__()
        sources = [in_channels, *widths[:-1]]
        self.levels = nn.ModuleList(block(a, b) for a, b in zip(sources, widths, strict=True))
        self.halvings = nn.ModuleList(self.halve(width) for width in widths)
        self.out_channels = (*widths, widths[-1])
        self.strides = tuple(2**level for level in range(len(widths) + 1))

    def halve(self, channels: int) -> nn.Module:
        """Build the layer that halves height and width and keeps the channels."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, in_channels, H, W) to n levels and the halved last one, finest first."""
        maps = []
        for level, halve in zip(self.levels, self.halvings, strict=True):
            x = level(x)
            maps.append(x)
            x = halve(x)
        return [*maps, x]
