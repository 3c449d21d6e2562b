"""No normalisation."""

from torch import nn

from netlab.registry import register


@register("norm")
def none(channels: int) -> nn.Module:  # noqa: ARG001 - the contract of a norm
    """Build a layer that returns its input."""
    return nn.Identity()
