"""A block of convolutions, and the mean of the whole map added back (Liu et al. 2015)."""

from torch import Tensor, nn

from netlab.contracts.block import Block
from netlab.registry import register


@register("bottleneck")
class PooledBottleneck(nn.Module):
    """Gives every position the context of the whole picture (Liu et al., "ParseNet", 2015).

    The mean over the map passes a 1 × 1 convolution and is added at every position.
    """

    def __init__(self, *, in_channels: int, out_channels: int, block: Block) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.block = block(in_channels, out_channels)
        self.context = nn.Conv2d(out_channels, out_channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, w) to (B, out_channels, h, w)."""
        x = self.block(x)
        out: Tensor = x + self.context(x.mean(dim=(2, 3), keepdim=True))
        return out
