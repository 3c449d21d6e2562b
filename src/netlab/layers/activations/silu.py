"""Sigmoid-weighted linear unit (Elfwing et al. 2018)."""

from torch import nn

from netlab.registry import register


@register("activation")
def silu() -> nn.Module:
    """Build the layer."""
    return nn.SiLU(inplace=True)
