"""Blocks, and the normalisation and activation layers that they are made of."""

from collections.abc import Callable
from typing import Protocol

from torch import nn

NormLayer = Callable[[int], nn.Module]
ActivationLayer = Callable[[], nn.Module]


class Norm(Protocol):
    """A component of the kind `norm`: a class or function that builds a layer."""

    def __call__(self, channels: int, /) -> nn.Module:
        """Build the layer: (B, channels, H, W) to the same shape."""


class Activation(Protocol):
    """A component of the kind `activation`: a class or function that builds a layer."""

    def __call__(self) -> nn.Module:
        """Build the layer: any shape to the same shape."""


class Block(Protocol):
    """Builds the layers of one level; what encoders, bottlenecks and decoders are given.

    A decoder hands whatever condition it is called with on to its blocks.
    """

    def __call__(self, in_channels: int, out_channels: int, /) -> nn.Module:
        """Build the layers: (B, in_channels, H, W) to (B, out_channels, H, W)."""


class BlockBuilder(Protocol):
    """A component of the kind `block`."""

    def __call__(
        self,
        in_channels: int,
        out_channels: int,
        /,
        *,
        norm: NormLayer,
        activation: ActivationLayer,
    ) -> nn.Module:
        """Build the layers: (B, in_channels, H, W) to (B, out_channels, H, W)."""
