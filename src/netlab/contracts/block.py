"""What every block keeps."""

from collections.abc import Callable
from typing import Protocol

from torch import nn

NormLayer = Callable[[int], nn.Module]
ActivationLayer = Callable[[], nn.Module]


class Block(Protocol):
    """Builds the layers of one level: (B, in, H, W) to (B, out, H, W).

    A component of this kind is built as `Block(in, out, norm=…, activation=…)`; encoders,
    bottlenecks and decoders get it with norm and activation filled in. A decoder hands whatever
    condition it is called with on to its blocks.
    """

    def __call__(self, in_channels: int, out_channels: int) -> nn.Module:
        """Build the layers: (B, in_channels, H, W) to (B, out_channels, H, W)."""
