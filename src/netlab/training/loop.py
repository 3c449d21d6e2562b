"""The training loop; it knows no task, no terminal and no files."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netlab.config import TrainConfig
from netlab.contracts.dataset import PictureSet
from netlab.contracts.schedule import Schedule
from netlab.contracts.task import Task
from netlab.device import Machine, read_together
from netlab.errors import WorkFailed, listing
from netlab.seeds import Purpose, derive
from netlab.training.listener import Listener
from netlab.training.state import State

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
    schedule: Schedule
    train: PictureSet
    """Training split, in the form of the task."""
    val: PictureSet
    listener: Listener
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

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.config.epochs * self.batches

    def learning_rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0 over the whole run."""
        warmup = round(self.config.warmup * self.steps)
        return self.config.lr * self.schedule(step, steps=self.steps, warmup=warmup)

    def to_device(self, tensor: Tensor) -> Tensor:
        """Move a tensor to where the network is."""
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
    progress, first = state.progress, state.progress.batch
    started, earlier = time.perf_counter(), progress.seconds
    state.network.train()
    state.helpers.train()
    for indices in epoch_batches(trainer, progress.epoch, first):
        train_step(trainer, state, indices)
        spent = time.perf_counter() - started
        progress.seconds = earlier + spent
        rate = (progress.batch - first) * len(indices) / spent
        loss = progress.sums["loss"] / progress.sums["count"] if progress.sums else math.nan
        trainer.listener.batch(progress.epoch, progress.batch, trainer.batches, loss, rate)
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
    generator = torch.Generator().manual_seed(derive(trainer.config.seed, Purpose.ORDER, epoch))
    order = torch.randperm(len(trainer.train), generator=generator).numpy()
    size = trainer.batch_size
    for batch in range(first, trainer.batches):
        yield order[batch * size : (batch + 1) * size]


def train_step(trainer: Trainer, state: State, indices: NDArray[np.int64]) -> None:
    """One step of the optimiser: batch, forward, loss, backward, clip, step.

    Loss, terms and norms are read in one transfer, the only time that a step waits for a GPU.

    Raises:
        NotFinite: loss or gradient is no finite number; weights are as before. With
            `on_nan: skip`, the batch is left out instead.
    """
    config, task, progress = trainer.config, trainer.task, state.progress
    network, optimizer, scaler = state.network, state.optimizer, state.scaler
    torch.manual_seed(derive(config.seed, Purpose.STEP, progress.step))  # for dropout and sampling
    learning_rate = trainer.learning_rate(progress.step) * progress.rate_factor
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["share"]
    buffers = state.copy_buffers() if config.on_nan == "skip" else []

    batch = task.train_batch(trainer.train, indices, progress.epoch, trainer.to_device)
    with trainer.machine.autocast():
        loss = task.loss(network, batch, progress.step / trainer.steps)
    optimizer.zero_grad(set_to_none=True)
    total = loss.total if loss.helpers is None else loss.total + loss.helpers
    scaler.scale(total).backward()  # type: ignore[no-untyped-call]
    scaler.unscale_(optimizer)
    norms = [clip_gradients(module, config.clip) for module in state.trained_modules]
    losses = {"loss": loss.total, **loss.terms}
    values = read_together([*losses.values(), *norms])  # waits for the GPU
    sums, norms_read = dict(zip(losses, values, strict=False)), values[len(losses) :]

    if fault := _fault(sums["loss"], norms_read, scaler):
        scaler.update(scaler.get_scale())  # ends this step; its batch is at fault, not the scale
        names = listing([trainer.train.names[i] for i in indices])
        where = f"epoch {progress.epoch + 1}, batch {progress.batch + 1} ({names})"
        error = NotFinite(f"the {fault} in {where}", ", or --on-nan skip")
        if config.on_nan != "skip":
            raise error
        for buffer, value in buffers:  # batch norm has seen the batch already
            buffer.copy_(value)
        trainer.listener.message(f"skipped: {error.what}")
    else:
        scaler.step(optimizer)
        scaler.update()
        state.update_average()
        progress.add(sums, len(indices))
    progress.step += 1
    progress.batch += 1


def clip_gradients(module: nn.Module, most: float) -> Tensor:
    """The norm of a module's gradients, which are scaled down to `most` if that is not 0."""
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if most:
        torch.nn.utils.clip_grads_with_norm_(module.parameters(), most, norm)
    return norm


def _fault(loss: float, norms: Sequence[float], scaler: torch.amp.GradScaler) -> str:
    """What of a step is no finite number; empty if all is well."""
    if not math.isfinite(loss):
        return f"loss became {loss}"
    norm = next((norm for norm in norms if not math.isfinite(norm)), None)
    # Loss scaling finds its scale by gradients that overflow, and leaves such steps out itself.
    if norm is None or (scaler.is_enabled() and scaler.get_scale() > _LEAST_SCALE):
        return ""
    return f"gradient became {norm}"
