"""Weighted sums of loss terms."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from netlab.losses._contract import Loss


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

    def forward(self, logits: Tensor, target: Tensor) -> Loss:
        """Logits (B, K, H, W) in any float type and ids (B, H, W) to total and parts."""
        logits = logits.float()  # sums over a batch's pixels need more than bf16's 8 bits
        parts = {name: term(logits, target) for name, term in self.terms.items()}
        total = torch.stack(
            [w * p for w, p in zip(self.weights, parts.values(), strict=True)]
        ).sum()
        return Loss(total, {name: part.detach() for name, part in parts.items()})
