"""Losses: weighted sums of terms."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from netlab import registry
from netlab.components import breach, find_component
from netlab.config import TrainConfig
from netlab.contracts.loss import Loss
from netlab.errors import ConfigError
from netlab.expressions import parse_sum


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


def build_criterion(
    config: TrainConfig,
    task: str,
    kind: str,
    order: Callable[[list[str]], list[str]],
    **built: Any,
) -> WeightedSum:
    """The loss of a config, whose terms are built with `built` and with their own arguments.

    Args:
        config: of the run.
        task: its name.
        kind: of the task's terms, `loss` or `vae-term`.
        order: brings the names of the terms, as typed, into the order in which they are added.
        built: arguments that all terms take.

    Raises:
        ConfigError: a term for another task, or arguments for a term that is not there.
    """
    weights = {term.name: term.weight for term in parse_sum(config.loss)}
    if unknown := [name for name in config.parts.get("loss", {}) if name not in weights]:
        raise ConfigError(
            f"loss has no term '{unknown[0]}' (its terms: {', '.join(weights)}); "
            "write --set loss.TERM.ARGUMENT=VALUE"
        )
    for name in weights:
        tasks = registry.get("loss", name).tasks if name in registry.names("loss") else ("vae",)
        if task not in tasks:
            raise ConfigError(f"loss '{name}' is for {' and '.join(tasks)}, not for {config.arch}")
    names = order([*weights])
    terms = {name: find_component(config, kind, name)(**built) for name in names}
    return WeightedSum(terms, [weights[name] for name in names])
