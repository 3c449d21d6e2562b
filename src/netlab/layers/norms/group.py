"""Group normalisation, independent of the batch size (Wu and He 2018)."""

import math

from torch import nn

from netlab.registry import register


@register("norm")
def group(channels: int, *, groups: int = 8) -> nn.Module:
    """Build the layer for (B, channels, H, W); fewer groups where `groups` does not divide."""
    return nn.GroupNorm(math.gcd(groups, channels), channels)
