"""Weighted sums of loss terms."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

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
        """What the terms take (logits and target, or a VAE's finished step) to total and parts."""
        # sums over a batch's pixels need more than bf16's 8 bits
        inputs = tuple(
            x.float() if isinstance(x, Tensor) and x.is_floating_point() else x for x in inputs
        )
        parts = {name: term(*inputs) for name, term in self.terms.items()}
        total = torch.stack(
            [w * p for w, p in zip(self.weights, parts.values(), strict=True)]
        ).sum()
        return Loss(total, {name: part.detach() for name, part in parts.items()})
