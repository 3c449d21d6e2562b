"""Gaussian error linear unit (Hendrycks and Gimpel 2016)."""

from torch import nn

from netlab.registry import register


@register("activation")
def gelu() -> nn.Module:
    """Build the layer."""
    return nn.GELU()
