"""Rectified linear unit (Nair and Hinton 2010)."""

from torch import nn

from netlab.registry import register


@register("activation")
def relu() -> nn.Module:
    """Build the layer."""
    return nn.ReLU(inplace=True)
