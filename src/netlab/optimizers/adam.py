"""Adam (Kingma and Ba 2015); weight decay is added to the gradient."""

import torch

from netlab.optimizers._adam import Fused
from netlab.registry import register


@register("optimizer")
class Adam(Fused, torch.optim.Adam):
    """Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015."""
