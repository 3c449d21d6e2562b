"""What a finished epoch leaves behind: its row, weights, samples and curves."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from netlab.device import peak_memory
from netlab.figures.curves import training_curves
from netlab.figures.saving import save_png
from netlab.files import write_rows
from netlab.runs.folder import RunDir
from netlab.scoring.score import score
from netlab.tasks.load import describe
from netlab.training.loop import NotFinite, Trainer
from netlab.training.state import State
from netlab.weights.file import save_weights

_SAMPLES = 6  # pictures

Row = Mapping[str, Any]


@dataclass(frozen=True)
class FinishedEpoch:
    """The facts that everything an epoch leaves behind is made of."""

    trainer: Trainer
    run: RunDir
    network: nn.Module
    """As it is scored, saved and used."""
    about: Mapping[str, Any]
    """Description for weights files."""
    rows: Sequence[Row]
    """Of metrics.csv; the last one is of this epoch."""
    best: bool
    """Whether it is the best so far."""
    best_epoch: int
    """Counted from 1."""


def finish_epoch(trainer: Trainer, state: State, run: RunDir) -> None:
    """Score the network, count the epoch as finished, and leave behind what `LEFT_BEHIND` says.

    Raises:
        NotFinite: the validation loss; nothing is written.
    """
    config, progress, task = trainer.config, state.progress, trainer.task
    evaluation = task.evaluation()
    score(evaluation, task, state.best_network, trainer.val, trainer.machine, 2 * config.batch_size)
    scores = evaluation.row()
    if not math.isfinite(scores["val_loss"] or 0.0):
        raise NotFinite(
            f"the loss became {scores['val_loss']} in the validation of epoch {progress.epoch + 1}"
        )
    row = _row(trainer, state, scores)
    reached = scores[task.score.column] or 0.0
    best = task.last_is_best or task.score.better(reached, progress.best)
    progress.finish_epoch(row, reached, best=best)
    about = describe(config, state.network, _facts(trainer, state, row))
    epoch = FinishedEpoch(
        trainer, run, state.best_network, about, progress.rows, best, progress.best_epoch
    )
    for leave in LEFT_BEHIND:
        leave(epoch)


def write_weights(epoch: FinishedEpoch) -> None:
    """The weights as those of the last epoch, and with a sample as the best if they are."""
    tensors = epoch.network.state_dict()
    if epoch.best:
        save_weights(epoch.run.best, tensors, epoch.about)
        save_samples(epoch.trainer, epoch.network, epoch.run, len(epoch.rows), "best")
    save_weights(epoch.run.last, tensors, epoch.about)


def write_metrics(epoch: FinishedEpoch) -> None:
    """metrics.csv, a row for each epoch."""
    write_rows(epoch.run.metrics, epoch.rows)


def draw_curves(epoch: FinishedEpoch) -> None:
    """Losses and scores over the epochs, as a picture."""
    score = epoch.trainer.task.score
    curves = training_curves(epoch.rows, epoch.run.name, score, epoch.best_epoch)
    save_png(curves, epoch.run.curves)


def tell_listener(epoch: FinishedEpoch) -> None:
    """Say how the epoch went, once all else is there to be looked at."""
    epoch.trainer.listener.epoch(epoch.rows[-1], epoch.best)


LEFT_BEHIND: Sequence[Callable[[FinishedEpoch], None]] = (
    write_weights,
    write_metrics,
    draw_curves,
    tell_listener,
)
"""What is done after every epoch, in this order."""


def save_samples(trainer: Trainer, network: nn.Module, run: RunDir, epoch: int, name: str) -> None:
    """Write a picture of what a network does with a few validation pictures."""
    indices = np.linspace(0, len(trainer.val) - 1, min(_SAMPLES, len(trainer.val))).astype(np.int64)
    batch = trainer.task.eval_batch(trainer.val, indices, trainer.to_device)
    title = f"{run.name} · epoch {epoch} · validation"
    network.eval()
    with torch.inference_mode(), trainer.machine.autocast():
        figure = trainer.task.sample_figure(network, trainer.val, indices, batch, title)
    save_png(figure, run.samples / f"{name}.png")


def _row(trainer: Trainer, state: State, scores: Mapping[str, float | None]) -> dict[str, Any]:
    progress = state.progress
    count = progress.sums["count"]
    losses = {f"train_{k}": v / count for k, v in progress.sums.items() if k != "count"}
    learning_rate = trainer.learning_rate(progress.step - 1) * progress.rate_factor
    # Of the whole run, so that a stop in the middle of an epoch does not distort it.
    trained = progress.step * trainer.batch_size
    return {
        "epoch": progress.epoch + 1,
        "step": progress.step,
        **{name: round(value, 6) for name, value in losses.items()},
        **{name: None if v is None else round(v, 6) for name, v in scores.items()},
        "lr": float(f"{learning_rate:.4g}"),
        "seconds": round(progress.seconds, 2),
        "images_per_second": round(trained / max(progress.seconds, 1e-9), 2),
        "memory_mib": peak_memory(trainer.machine.device),
    }


def _facts(trainer: Trainer, state: State, row: Row) -> dict[str, Any]:
    config, progress = trainer.config, state.progress
    return {
        **trainer.task.facts(),
        "data": {
            "dataset": config.dataset,
            "train": len(trainer.train),
            "val": len(trainer.val),
        },
        "progress": {
            "epoch": progress.epoch,
            "epochs": config.epochs,
            "seconds": row["seconds"],
        },
        "metrics": {k: v for k, v in row.items() if k.startswith(("train_", "val_"))},
        "ema": bool(config.ema),
        "seed": config.seed,
        "command": progress.command,
    }
