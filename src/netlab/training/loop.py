"""The training loop; it knows no task, no terminal and no files."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netlab.config import TrainConfig
from netlab.contracts.task import Task
from netlab.device import Machine
from netlab.errors import WorkFailed, listing
from netlab.seeds import derive
from netlab.training.reporter import Reporter
from netlab.training.state import Progress, State

_ORDER, _STEP = 1, 2  # what a derived seed is for


_LEAST_SCALE = 2.0**-10  # of a loss; below it, it is not the scale that is wrong


class NotFinite(WorkFailed):
    """A loss or gradient that is no number; what was saved before is not touched.

    Args:
        what: and where.
        advice: what else to try.
    """

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(
            f"{what}; weights saved before are kept: try a lower --lr, --clip 1, "
            f"or --precision fp32{advice}"
        )
        self.what = what


@dataclass(frozen=True)
class Trainer:
    """What stays the same over a run."""

    config: TrainConfig
    task: Task
    machine: Machine
    schedule: Callable[..., float]
    train: Any
    """Training part of the data, in the form of the task."""
    val: Any
    report: Reporter
    stopped: Callable[[], bool] = lambda: False
    """Asked after every batch; true ends the training with its state whole."""

    @property
    def batch_size(self) -> int:
        """Pictures per step: what the config says, or all there are."""
        return min(self.config.batch_size, len(self.train))

    @property
    def batches(self) -> int:
        """Steps of an epoch; a last batch that is not full is left out."""
        return len(self.train) // self.batch_size

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0 over the whole run."""
        steps = self.config.epochs * self.batches
        warmup = round(self.config.warmup * steps)
        return self.config.lr * self.schedule(step, steps=steps, warmup=warmup)

    def done(self, step: int) -> float:
        """Share of the run, from 0 to 1, that lies before a step; loss terms may change by it."""
        return step / (self.config.epochs * self.batches)

    def place(self, tensor: Tensor) -> Tensor:
        """To the device of the network."""
        return tensor.to(self.machine.device, non_blocking=True)


def train_epoch(trainer: Trainer, state: State, between: Callable[[], None] = lambda: None) -> bool:
    """Train to the end of the epoch that is under way; False if stopped before.

    Args:
        trainer: what stays the same.
        state: trained in place.
        between: called after each batch but the last, when the state is whole.

    Raises:
        NotFinite: loss or gradient is no longer a finite number, and that is not to be skipped.
    """
    progress, started, first = state.progress, time.perf_counter(), state.progress.batch
    before = progress.seconds
    state.network.train()
    state.helpers.train()
    for indices in epoch_batches(trainer, progress.epoch, first):
        _step(trainer, state, indices)
        spent = time.perf_counter() - started
        progress.seconds = before + spent
        rate = (progress.batch - first) * len(indices) / spent
        loss = progress.sums["loss"] / progress.sums["count"] if progress.sums else math.nan
        trainer.report.batch(progress.epoch, progress.batch, trainer.batches, loss, rate)
        stopped = trainer.stopped()
        if progress.batch < trainer.batches:
            if stopped:
                return False
            between()
    if not progress.sums:
        raise NotFinite(f"every batch of epoch {progress.epoch + 1} was skipped")
    return True


def epoch_batches(trainer: Trainer, epoch: int, first: int) -> Iterator[NDArray[np.int64]]:
    """Indices of the batches of an epoch from `first` on; the order derives from (seed, epoch)."""
    generator = torch.Generator().manual_seed(derive(trainer.config.seed, _ORDER, epoch))
    order = torch.randperm(len(trainer.train), generator=generator).numpy()
    size = trainer.batch_size
    for batch in range(first, trainer.batches):
        yield order[batch * size : (batch + 1) * size]


def _step(trainer: Trainer, state: State, indices: NDArray[np.int64]) -> None:
    progress = state.progress
    kept = _buffers(state) if trainer.config.on_nan == "skip" else []
    try:
        sums = _learn(trainer, state, indices)
    except NotFinite as error:
        if trainer.config.on_nan != "skip":
            raise
        for buffer, value in kept:  # batch norm has seen it already
            buffer.copy_(value)
        trainer.report.message(f"skipped: {error.what}")
        sums = {}
    progress.step += 1
    progress.batch += 1
    if sums:
        state.update_average()
        _add(progress.sums, sums, len(indices))


def _learn(trainer: Trainer, state: State, indices: NDArray[np.int64]) -> dict[str, float]:
    """One step of the optimiser: the loss and its terms before it."""
    config, progress = trainer.config, state.progress
    torch.manual_seed(derive(config.seed, _STEP, progress.step))  # dropout, if a component has it
    for group in state.optimizer.param_groups:
        group["lr"] = trainer.rate(progress.step) * group["share"] * progress.rate_factor
    batch = trainer.task.train_batch(trainer.train, indices, progress.epoch, trainer.place)
    with trainer.machine.autocast():
        loss = trainer.task.loss(state.network, batch, trainer.done(progress.step))
    value = float(loss.total.detach())  # waits for the GPU
    if not math.isfinite(value):
        raise _not_finite(trainer, progress, indices, f"loss became {value}")
    state.optimizer.zero_grad(set_to_none=True)
    learnt = loss.total if loss.helpers is None else loss.total + loss.helpers
    state.scaler.scale(learnt).backward()  # type: ignore[no-untyped-call]
    state.scaler.unscale_(state.optimizer)
    for module in (state.network, state.helpers):
        norm = float(_clip(module, config.clip))
        # Loss scaling finds its scale by gradients that overflow, and leaves such steps out itself.
        scaled = state.scaler.is_enabled() and state.scaler.get_scale() > _LEAST_SCALE
        if not math.isfinite(norm) and not scaled:
            raise _not_finite(trainer, progress, indices, f"gradient became {norm}")
    state.scaler.step(state.optimizer)
    state.scaler.update()
    return {"loss": value, **{name: float(part) for name, part in loss.parts.items()}}


def _clip(module: nn.Module, most: float) -> Tensor:
    """The norm of a module's gradients, which are scaled down to `most` if that is not 0."""
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if most:
        torch.nn.utils.clip_grads_with_norm_(module.parameters(), most, norm)
    return norm


def _buffers(state: State) -> list[tuple[Tensor, Tensor]]:
    """Each tensor that a forward pass may change, with a copy of it."""
    modules = (state.network, state.helpers)
    return [(buffer, buffer.clone()) for module in modules for buffer in module.buffers()]


def _not_finite(
    trainer: Trainer, progress: Progress, indices: NDArray[np.int64], what: str
) -> NotFinite:
    names = listing([trainer.train.names[i] for i in indices])
    return NotFinite(
        f"the {what} in epoch {progress.epoch + 1}, batch {progress.batch + 1} ({names})",
        ", or --on-nan skip",
    )


def _add(sums: dict[str, float], values: dict[str, float], count: int) -> None:
    for name, value in values.items():
        sums[name] = sums.get(name, 0.0) + value * count
    sums["count"] = sums.get("count", 0.0) + count
