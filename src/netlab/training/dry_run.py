"""What a training would be: shapes, weights, memory and time, without a run folder."""

import dataclasses
import time
from typing import Any

import numpy as np
import torch

from netlab.config import TrainConfig
from netlab.device import peak_memory
from netlab.inspect.trace import trace
from netlab.training.listener import Listener, Silent
from netlab.training.loop import Trainer, train_epoch
from netlab.training.prepare import set_up
from netlab.training.state import State

_WARM, _TIMED = 3, 5  # steps


def dry_run(
    config: TrainConfig, listener: Listener, *, fitting_batch: bool = False
) -> dict[str, Any]:
    """Train a few steps in memory and say what they cost.

    Args:
        config, listener, fitting_batch: see `set_up`.

    Returns:
        JSON-able facts: shapes by layer, weights, counts, peak memory in MiB, seconds.

    Raises:
        ConfigError, DataError, UsageError: as training would.
    """
    trainer, state = set_up(config, listener, fitting_batch=fitting_batch)
    machine = trainer.machine
    shapes = _shapes(trainer, state)
    seconds = _epoch_seconds(trainer, state)
    return {
        "weights": sum(p.numel() for p in state.network.parameters()),
        "train": len(trainer.train),
        "val": len(trainer.val),
        "batches": trainer.batches,
        "machine": machine.describe(),
        "peak_memory_mib": peak_memory(machine.device),
        "seconds_per_epoch": round(seconds, 1),
        "seconds": round(seconds * config.epochs),
        "shapes": shapes,
    }


def _shapes(trainer: Trainer, state: State) -> dict[str, list[int]]:
    """Output shape of each unit, from one pass of a batch through network and loss."""
    count = min(trainer.config.batch_size, len(trainer.val))
    batch = trainer.task.eval_batch(trainer.val, np.arange(count), trainer.to_device)
    network = state.network.eval()
    state.helpers.eval()
    with torch.inference_mode(), trainer.machine.autocast():
        traced = trace(network, lambda: trainer.task.loss(network, batch, 0.0))
    shapes = {unit.name: list(unit.shape) for unit in traced.units if unit.shape}
    return {"input": list(batch[0].shape), **shapes}


def _epoch_seconds(trainer: Trainer, state: State) -> float:
    """Time of an epoch from a few steps; the first ones, which set things up, do not count."""
    steps = min(_WARM + _TIMED, trainer.batches)
    marks: list[float] = []

    def stopped() -> bool:
        marks.append(time.perf_counter())
        return len(marks) >= steps

    train_epoch(dataclasses.replace(trainer, stopped=stopped, listener=Silent()), state)
    warm = min(_WARM, len(marks) - 1)
    if warm == 0:
        return state.progress.seconds
    return (marks[-1] - marks[warm - 1]) / (len(marks) - warm) * trainer.batches
