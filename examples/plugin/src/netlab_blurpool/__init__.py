"""An encoder for netlab from another package: nothing in netlab is edited for it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netlab.layers.pyramid import Pyramid
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
class BlurPoolEncoder(Pyramid):
    """Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019."""

    def halve(self, channels: int) -> nn.Module:
        """See `Pyramid`."""
        return BlurPool(channels)
