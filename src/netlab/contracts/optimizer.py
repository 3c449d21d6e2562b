"""How weights move down their gradients."""

from collections.abc import Iterable
from typing import Any, Protocol

from torch import nn
from torch.optim import Optimizer

Parameters = Iterable[nn.Parameter] | Iterable[dict[str, Any]]
"""What torch's optimisers take: parameters, or groups of them with settings of their own."""


class OptimizerBuilder(Protocol):
    """A component of the kind `optimizer`: a class or function that builds one of torch's kind.

    A run resumes exactly only if all that the optimiser remembers is in its `state_dict`.
    """

    def __call__(self, parameters: Parameters, /, *, lr: float, weight_decay: float) -> Optimizer:
        """Build it for `parameters`; the training loop sets the rate of each step."""
