"""The one object that a training is in at any moment, and its two files.

Order, augmentation and dropout derive from (seed, epoch, index) and the step, and the learning rate
is a function of the step, so that nothing else has to be stored to go on bit by bit.
"""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from netlab.components import task_class
from netlab.config import TrainConfig, changes
from netlab.device import Machine
from netlab.errors import UsageError, WeightsError
from netlab.expressions import parse_sum
from netlab.files import write_text
from netlab.runs.folder import RunDir
from netlab.weights.file import read_tensors, save_weights
from netlab.weights.header import FORMAT, read_header


@dataclass
class Progress:
    """Where a run stands."""

    epoch: int = 0
    """Finished epochs."""
    batch: int = 0
    """Finished batches of the epoch that is under way."""
    step: int = 0
    """Finished batches of the whole run."""
    sums: dict[str, float] = field(default_factory=dict)
    """Running sums of the epoch that is under way, by picture."""
    best: float | None = None
    best_epoch: int = 0
    stale: int = 0
    """Epochs since the best one."""
    seconds: float = 0.0
    """Time spent training, over all sessions."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """The rows of metrics.csv."""
    rate_factor: float = 1.0
    """On the learning rate that the schedule gives; each rollback halves it."""
    command: str = ""
    """What started the run."""
    data: str = ""
    """Fingerprint of the pictures it is trained on."""
    altered: bool = False
    """Whether it went on with more epochs or other settings than it began with: it is no longer
    what its config would train."""

    def add(self, values: Mapping[str, float], count: int) -> None:
        """Add the means of a batch of `count` pictures to the sums of the epoch."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value * count
        self.sums["count"] = self.sums.get("count", 0.0) + count

    def finish_epoch(self, row: dict[str, Any], reached: float, *, best: bool) -> None:
        """Go on to the next epoch.

        Args:
            row: of metrics.csv.
            reached: the score.
            best: whether no epoch before was as good.
        """
        self.rows.append(row)
        self.epoch, self.batch, self.sums = self.epoch + 1, 0, {}
        if best:
            self.best, self.best_epoch, self.stale = reached, self.epoch, 0
        else:
            self.stale += 1


class State:
    """Network, its helpers, moving average, optimiser, loss scaling and progress.

    Args:
        network: placed on its device.
        helpers: networks that are trained with it and are no part of the result, such as an
            adversary; on the same device.
        optimizer: over the parameters of both.
        scaler: of the machine.
        ema: decay of the moving average of the weights; 0 is none.
    """

    def __init__(
        self,
        network: nn.Module,
        helpers: nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        ema: float,
    ) -> None:
        self.network, self.helpers = network, helpers
        self.optimizer, self.scaler = optimizer, scaler
        self.decay = ema
        self.average = copy.deepcopy(network).requires_grad_(False) if ema else None
        self.progress = Progress()
        # The tensors stay the same ones for the whole run; listing them costs more than averaging.
        kept = {} if self.average is None else self.average.state_dict()
        new = network.state_dict()
        self._pairs = [(tensor, new[name]) for name, tensor in kept.items()]

    @property
    def best_network(self) -> nn.Module:
        """What is scored, saved and used: the moving average where there is one."""
        return self.network if self.average is None else self.average

    @property
    def trained_modules(self) -> list[nn.Module]:
        """Those of network and helpers that have weights; gradients are clipped one by one."""
        return [m for m in (self.network, self.helpers) if next(m.parameters(), None) is not None]

    def copy_buffers(self) -> list[tuple[Tensor, Tensor]]:
        """Each tensor that a forward pass may change, with a copy of it."""
        modules = (self.network, self.helpers)
        return [(buffer, buffer.clone()) for module in modules for buffer in module.buffers()]

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the average towards the weights (Polyak and Juditsky 1992), after a step.

        The decay grows from 0.1 in the first steps, so that the random start is soon forgotten.
        """
        if self.average is None:
            return
        step = self.progress.step + 1  # counts the one that has just changed the weights
        decay = min(self.decay, (1 + step) / (10 + step))
        floats = [pair for pair in self._pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_([kept for kept, _ in floats], [new for _, new in floats], 1 - decay)
        for kept, new in self._pairs:
            if not kept.is_floating_point():
                kept.copy_(new)

    def save(self, run: RunDir, config: TrainConfig) -> None:
        """Write all that resume needs; the state before stays beside it."""
        progress = asdict(self.progress)
        about = {
            "format": FORMAT,
            "task": "state",
            "config": config.to_dict(),
            "progress": progress,
            "scaler": self.scaler.state_dict(),
            "helper_parameters": [name for name, _ in self.helpers.named_parameters()],
        }
        save_weights(run.state, self.tensors(), about, keep=run.older_state)
        brief = {k: v for k, v in progress.items() if k not in ("rows", "sums", "data")}
        write_text(
            run.progress,
            json.dumps(
                {"format": FORMAT, "score": task_class(config).score._asdict(), **brief}, indent=2
            )
            + "\n",
        )

    def restore(
        self, run: RunDir, config: TrainConfig, *, allow_changes: bool = False
    ) -> list[str]:
        """Take up what `save` wrote, or what it wrote before if that is damaged.

        Returns:
            What a person should know: damage, and the settings that have changed since, on which
            equal bits depend.

        Raises:
            WeightsError: both states are damaged, or the state is of another network.
            UsageError: such settings, where they are not allowed.
        """
        path, about, tensors, damage = _newest_whole(run)
        # A setting that is younger than the state had the value that it now has by default.
        old, new = {**TrainConfig().to_dict(), **about.get("config", {})}, config.to_dict()
        changed = changes(old, new)
        if changed and not allow_changes:
            raise UsageError(
                f"{run.config}: changed since the run was stopped: {'; '.join(changed)}; "
                "to go on all the same, add --allow-changes"
            )
        try:
            self.network.load_state_dict(_under("network.", tensors))
            self.helpers.load_state_dict(_under("helpers.", tensors))
            if self.average is not None:
                self.average.load_state_dict(_under("average.", tensors))
            names = about.get("helper_parameters") or _typed_order(self.helpers, old["loss"])
            self._restore_optimizer(_under("optimizer.", tensors), names)
            self.scaler.load_state_dict(about["scaler"])
            self.progress = Progress(**about["progress"])
            lengths = [(old[n], new[n]) for n in ("epochs", "early_stop")]
            if self.progress.step and (changed or any(a != b for a, b in lengths)):
                self.progress.altered = True
            if config.epochs > old["epochs"] or config.early_stop != old["early_stop"]:
                self.progress.stale = 0  # more was asked for: look again
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise WeightsError(f"{path}: does not fit its run: {reason}") from error
        notes = []
        if damage:
            notes.append(f"{damage}; going on from the state before, {run.older_state.name}")
            run.older_state.replace(run.state)  # the next save must not put damage in its place
        if changed:
            notes.append(f"going on with other settings, as allowed: {'; '.join(changed)}")
        return notes

    def tensors(self) -> dict[str, Tensor]:
        """All of a state file, by name; they share memory with network, average and optimiser."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"helpers.{k}": v for k, v in self.helpers.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        for index, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": v for k, v in slots.items()}
        return tensors

    def _restore_optimizer(self, tensors: dict[str, Tensor], helper_names: Sequence[str]) -> None:
        """Take up the optimiser's tensors of each parameter.

        Args:
            tensors: by `INDEX.SLOT`.
            helper_names: the helpers' parameters in the order of the file's indices, which come
                behind those of the network.
        """
        helpers = dict(self.helpers.named_parameters())
        stored = [*self.network.parameters(), *(helpers[name] for name in helper_names)]
        ours = [p for group in self.optimizer.param_groups for p in group["params"]]
        indices = {id(parameter): index for index, parameter in enumerate(ours)}
        slots: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            index, _, slot = name.partition(".")
            parameter = stored[int(index)]
            if tensor.shape == parameter.shape and tensor.dim():
                # Same memory layout as the weights: fused kernels want it, and so do equal bits.
                tensor = torch.empty_like(parameter).copy_(tensor)
            slots.setdefault(indices[id(parameter)], {})[slot] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": slots})


def new_state(
    network: nn.Module,
    helpers: nn.Module,
    config: TrainConfig,
    machine: Machine,
    optimizer: Callable[..., torch.optim.Optimizer],
) -> State:
    """The state before the first step; `optimizer` is a component of that kind."""
    network, helpers = machine.place(network), machine.place(helpers)
    groups = [
        {"params": list(module.parameters()), "share": share}
        for module, share in ((network, 1.0), (helpers, config.helper_lr))
    ]
    built = optimizer(groups, lr=config.lr, weight_decay=config.weight_decay)
    return State(network, helpers, built, machine.scaler(), config.ema)


def _typed_order(helpers: nn.Module, loss: str) -> list[str]:
    """The helpers' parameters in the order of files that do not tell it: by term, as typed."""
    typed = [term.name for term in parse_sum(loss)]

    def rank(name: str) -> int:
        term = name.split(".")[1] if name.startswith("terms.") else ""
        return typed.index(term) if term in typed else 0

    return sorted((name for name, _ in helpers.named_parameters()), key=rank)


def _newest_whole(run: RunDir) -> tuple[Path, dict[str, Any], dict[str, Tensor], str]:
    """The newest state that is whole: file, header, tensors, and what is wrong with a newer one."""
    damage: list[str] = []
    for path in (run.state, run.older_state):
        try:
            return path, read_header(path).about, read_tensors(path), "; ".join(damage)
        except WeightsError as error:
            damage.append(str(error))
    raise WeightsError("; ".join(damage))


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
