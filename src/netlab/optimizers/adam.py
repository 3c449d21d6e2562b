"""Adam (Kingma and Ba 2015); weight decay is added to the gradient."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from netlab.registry import register


@register("optimizer")
def adam(
    parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
    *,
    lr: float,
    weight_decay: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
) -> torch.optim.Optimizer:
    """Build the optimiser; one fused kernel updates all weights.

    `beta1` and `beta2` are the decays of the gradient's mean and square; networks that are trained
    against each other like a lower `beta1`.
    """
    betas = (beta1, beta2)
    return torch.optim.Adam(parameters, lr=lr, betas=betas, weight_decay=weight_decay, fused=True)
