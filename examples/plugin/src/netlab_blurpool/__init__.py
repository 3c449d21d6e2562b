"""An encoder for netlab from another package: nothing in netlab is edited for it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netlab.contracts.block import Block
from netlab.registry import register


class BlurPool(nn.Module):
    """Blur with the binomial filter 1 3 3 1 and keep every second pixel: (B, C, H, W) to half."""

    kernel: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0])
        square = torch.outer(line, line) / 64
        self.register_buffer("kernel", square.expand(channels, 1, 4, 4).clone(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Height and width are multiples of two."""
        padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
        return F.conv2d(padded, self.kernel.to(x.dtype), stride=2, groups=x.shape[1])


@register("encoder")
class BlurPoolEncoder(nn.Module):
    """Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019."""

    def __init__(self, *, in_channels: int, widths: Sequence[int], block: Block) -> None:
        super().__init__()
        sources = [in_channels, *widths[:-1]]
        self.levels = nn.ModuleList(block(a, b) for a, b in zip(sources, widths, strict=True))
        self.halvings = nn.ModuleList(BlurPool(width) for width in widths)
        self.out_channels = (*widths, widths[-1])
        self.strides = tuple(2**level for level in range(len(widths) + 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, in_channels, H, W) to the levels and the halved last one, finest first."""
        maps = []
        for level, halve in zip(self.levels, self.halvings, strict=True):
            x = level(x)
            maps.append(x)
            x = halve(x)
        return [*maps, x]
