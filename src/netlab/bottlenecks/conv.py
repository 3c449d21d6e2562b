"""One block of convolutions at the coarsest size (Ronneberger et al. 2015)."""

from torch import Tensor, nn

from netlab.contracts.block import Block
from netlab.registry import register


@register("bottleneck")
class ConvBottleneck(nn.Module):
    """The U-Net's lowest level."""

    def __init__(self, *, in_channels: int, out_channels: int, block: Block) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.block = block(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, w) to (B, out_channels, h, w)."""
        out: Tensor = self.block(x)
        return out
