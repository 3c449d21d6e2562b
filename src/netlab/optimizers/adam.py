"""Adam (Kingma and Ba 2015); weight decay is added to the gradient."""

from collections.abc import Iterable

import torch
from torch import nn

from netlab.registry import register


@register("optimizer")
def adam(
    parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Build the optimiser; one fused kernel updates all weights."""
    return torch.optim.Adam(parameters, lr=lr, weight_decay=weight_decay, fused=True)
