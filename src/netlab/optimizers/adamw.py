"""Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

from collections.abc import Iterable

import torch
from torch import nn

from netlab.registry import register


@register("optimizer")
def adamw(
    parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Build the optimiser; one fused kernel updates all weights."""
    return torch.optim.AdamW(parameters, lr=lr, weight_decay=weight_decay, fused=True)
