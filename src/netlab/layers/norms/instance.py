"""Instance normalisation of each picture and channel (Ulyanov et al. 2016)."""

from torch import nn

from netlab.registry import register


@register("norm")
def instance(channels: int) -> nn.Module:
    """Build the layer for (B, channels, H, W)."""
    # One group a channel: nn.InstanceNorm2d refuses the 1 × 1 maps that small pictures lead to.
    return nn.GroupNorm(channels, channels)
