"""Batch normalisation over a batch's pixels (Ioffe and Szegedy 2015)."""

from torch import nn

from netlab.registry import register


@register("norm")
def batch(channels: int) -> nn.Module:
    """Build the layer for (B, channels, H, W)."""
    return nn.BatchNorm2d(channels)
