"""Weighted sums of loss terms."""

from collections.abc import Mapping, Sequence
from typing import TypeGuard

import torch
from torch import Tensor, nn

from netlab.components import breach
from netlab.contracts.loss import Loss


class WeightedSum(nn.Module):
    """Adds terms, each times its weight.

    Args:
        terms: the terms by name.
        weights: one for each term, in the same order.
    """

    def __init__(self, terms: Mapping[str, nn.Module], weights: Sequence[float]) -> None:
        super().__init__()
        self.terms = nn.ModuleDict(terms)
        self.weights = tuple(weights)

    def forward(self, *inputs: object) -> Loss:
        """What the terms take (logits and target, or a VAE's finished step) to their sum."""
        # sums over a batch's pixels need more than bf16's 8 bits
        inputs = tuple(x.float() if _is_float(x) else x for x in inputs)
        values = {name: _scalar(term, term(*inputs)) for name, term in self.terms.items()}
        total = torch.stack(
            [w * v for w, v in zip(self.weights, values.values(), strict=True)]
        ).sum()
        return Loss(total, {name: value.detach() for name, value in values.items()})


def _scalar(term: nn.Module, value: object) -> Tensor:
    """What a term gave, if it can be learnt from; ComponentFault if it cannot."""
    if _is_float(value) and not value.ndim:
        return value
    shown = f"a {value.dtype} of shape {tuple(value.shape)}" if isinstance(value, Tensor) else value
    raise breach(term, f"a loss is one floating-point number in a tensor, not {shown}")


def _is_float(x: object) -> TypeGuard[Tensor]:
    return isinstance(x, Tensor) and x.is_floating_point()
