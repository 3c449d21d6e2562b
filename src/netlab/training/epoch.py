"""What a finished epoch leaves behind: its row, weights, curves and samples."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from netlab.device import peak_memory
from netlab.figures.curves import training_curves
from netlab.figures.png import save_png
from netlab.files import write_rows
from netlab.runs.folder import RunDir
from netlab.scoring.score import score
from netlab.tasks.load import describe
from netlab.training.loop import NotFinite, Trainer
from netlab.training.state import Progress, State
from netlab.weights.file import save_weights

_SAMPLES = 6


def finish_epoch(trainer: Trainer, state: State, run: RunDir) -> None:
    """Score the epoch, keep its row, and write weights, curves and samples."""
    config, progress, task = trainer.config, state.progress, trainer.task
    evaluation = task.evaluation()
    score(evaluation, task, state.best_network, trainer.val, trainer.machine, 2 * config.batch_size)
    scores = evaluation.row()
    if not math.isfinite(scores["val_loss"] or 0.0):
        raise NotFinite(
            f"the loss became {scores['val_loss']} in the validation of epoch {progress.epoch + 1}"
        )
    row = _row(trainer, progress, scores)
    progress.rows.append(row)
    progress.epoch, progress.batch, progress.sums = progress.epoch + 1, 0, {}
    reached = scores[task.score.column] or 0.0
    best = task.last_is_best or task.score.better(reached, progress.best)
    if best:
        progress.best, progress.best_epoch, progress.stale = reached, progress.epoch, 0
    else:
        progress.stale += 1
    about = describe(config, state.network, _facts(trainer, state, row))
    tensors = state.best_network.state_dict()
    if best:
        save_weights(run.best, tensors, about)
        save_samples(trainer, state, run, "best")
    save_weights(run.last, tensors, about)
    write_rows(run.metrics, progress.rows)
    curves = training_curves(progress.rows, run.name, task.score, progress.best_epoch)
    save_png(curves, run.curves)
    trainer.report.epoch(row, best)


def _row(
    trainer: Trainer, progress: Progress, scores: Mapping[str, float | None]
) -> dict[str, Any]:
    count = progress.sums["count"]
    losses = {f"train_{k}": v / count for k, v in progress.sums.items() if k != "count"}
    # Of the whole run, so that a stop in the middle of an epoch does not distort it.
    trained = progress.step * trainer.batch_size
    return {
        "epoch": progress.epoch + 1,
        "step": progress.step,
        **{name: round(value, 6) for name, value in losses.items()},
        **{name: None if v is None else round(v, 6) for name, v in scores.items()},
        "lr": float(f"{trainer.rate(progress.step - 1) * progress.rate_factor:.4g}"),
        "seconds": round(progress.seconds, 2),
        "images_per_second": round(trained / max(progress.seconds, 1e-9), 2),
        "memory_mib": peak_memory(trainer.machine.device),
    }


def _facts(trainer: Trainer, state: State, row: Mapping[str, Any]) -> dict[str, Any]:
    progress = state.progress
    return {
        **trainer.task.facts(),
        "data": {
            "dataset": trainer.config.dataset,
            "train": len(trainer.train),
            "val": len(trainer.val),
        },
        "progress": {
            "epoch": progress.epoch,
            "epochs": trainer.config.epochs,
            "seconds": row["seconds"],
        },
        "metrics": {k: v for k, v in row.items() if k.startswith(("train_", "val_"))},
        "ema": bool(trainer.config.ema),
        "seed": trainer.config.seed,
        "command": progress.command,
    }


def save_samples(trainer: Trainer, state: State, run: RunDir, name: str) -> None:
    """Write a picture of what the network does with a few validation pictures."""
    indices = np.linspace(0, len(trainer.val) - 1, min(_SAMPLES, len(trainer.val))).astype(np.int64)
    batch = trainer.task.eval_batch(trainer.val, indices, trainer.place)
    title = f"{run.name} · epoch {state.progress.epoch} · validation"
    network = state.best_network.eval()
    with torch.inference_mode(), trainer.machine.autocast():
        figure = trainer.task.sample_figure(network, trainer.val, indices, batch, title)
    save_png(figure, run.samples / f"{name}.png")
