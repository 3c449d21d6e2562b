"""Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

import torch

from netlab.optimizers._adam import Fused
from netlab.registry import register


@register("optimizer")
class AdamW(Fused, torch.optim.AdamW):
    """Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019."""
