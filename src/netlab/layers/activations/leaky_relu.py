"""Rectifier with a slope of 0.01 below zero (Maas et al. 2013)."""

from torch import nn

from netlab.registry import register


@register("activation")
def leaky_relu() -> nn.Module:
    """Build the layer."""
    return nn.LeakyReLU(0.01, inplace=True)
