"""Train a network from a config into a run folder, and go on with one that was stopped."""

import hashlib
import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from netlab import registry
from netlab.components import component
from netlab.config import TrainConfig
from netlab.data._random import derive
from netlab.engine.device import Machine, resolve
from netlab.engine.events import Reporter, Silent
from netlab.engine.loop import Trainer, not_finite, score, train_epoch
from netlab.engine.state import Progress, State, new_state
from netlab.engine.weights import describe, save_weights
from netlab.errors import DataError, Interrupted, UsageError
from netlab.figures.curves import training_curves
from netlab.figures.png import save_png
from netlab.rundir import RunDir, create_run, write_rows, write_text

_WEIGHTS, _HELPERS = 3, 4  # what a derived seed is for; the loop has the first two
_SAMPLES = 6


def build_model(config: TrainConfig, classes: int | None = None, channels: int = 3) -> nn.Module:
    """A network with random weights that derive from `config.seed`.

    Args:
        config: names the components.
        classes: number of classes; without it, that of the config's class names or 3.
        channels: of the pictures, 3 for RGB or 1 for gray; a unet takes RGB alone.

    Raises:
        ConfigError: components that do not fit each other.
    """
    torch.manual_seed(derive(config.seed, _WEIGHTS))
    names = config.classes or ("pet", "background", "border")
    about = {
        "classes": list(names) if classes is None else [str(i) for i in range(classes)],
        "input": {"channels": channels},
    }
    network: nn.Module = _factory(config).build(config, about)
    return network


def settle(config: TrainConfig) -> tuple[TrainConfig, Machine]:
    """Replace `auto` in device, precision and threads by what is there; done once a run.

    Raises:
        UsageError: a device or arithmetic that is not there.
    """
    machine = resolve(config.device, config.precision, config.threads)
    settled = replace(
        config,
        device=str(machine.device),
        precision=machine.precision,
        threads=machine.threads,
    )
    return settled, machine


def check(config: TrainConfig) -> None:
    """Refuse a config whose network cannot be trained, before data are fetched or read.

    Raises:
        ConfigError: settings that do not fit each other.
    """
    _factory(config).check(config)


def prepare(
    config: TrainConfig,
    machine: Machine,
    report: Reporter | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Trainer, State]:
    """Load the data and build everything that a training needs, before its first step.

    Raises:
        ConfigError, DataError: settings or data that do not fit.
    """
    report = report or Silent()
    factory = _factory(config)
    factory.check(config)
    train = factory.load(config, "train", report.message)
    val = factory.load(config, "val", report.message)
    torch.manual_seed(derive(config.seed, _HELPERS))
    task = factory.create(config, train)
    task.place(machine.device)
    torch.manual_seed(derive(config.seed, _WEIGHTS))
    network = task.build_network()
    state = new_state(network, task.helpers(), config, machine, component(config, "optimizer"))
    schedule = component(config, "schedule")
    schedule(0, steps=1, warmup=0)  # refuses arguments it does not take
    return Trainer(config, task, machine, schedule, train, val, report, stopped), state


def train(
    config: TrainConfig,
    run: RunDir | str | Path,
    *,
    command: str = "netlab.train",
    report: Reporter | None = None,
    stopped: Callable[[], bool] = lambda: False,
    resume: bool = False,
    allow_changes: bool = False,
) -> dict[str, Any]:
    """Train, or go on, to the last epoch: `settle`, `prepare` and `fit` in one.

    Args:
        config: complete; written to the run folder first.
        run: a new or empty folder, or that of the run to go on with.
        command: what started it, for the weights files.
        report: hears how it goes.
        stopped: asked after every batch; true saves the state and ends.
        resume: take up the saved state, if there is one.
        allow_changes: also with settings that keep it from ending as it would have.

    Returns:
        The row of metrics.csv of the best epoch.

    Raises:
        Interrupted: `stopped` said so; the state is saved.
        WorkFailed: numbers that went wrong, or a file that could not be written.
        ConfigError, DataError, UsageError: settings, data or device that do not fit.
    """
    config, machine = settle(config)
    trainer, state = prepare(config, machine, report, stopped)
    if not isinstance(run, RunDir):
        run = RunDir(Path(run)) if resume else create_run(Path(), "", Path(run))
    return fit(trainer, state, run, command=command, resume=resume, allow_changes=allow_changes)


def fit(
    trainer: Trainer,
    state: State,
    run: RunDir,
    *,
    command: str,
    resume: bool = False,
    allow_changes: bool = False,
) -> dict[str, Any]:
    """Train what `prepare` made to its last epoch; see `train`."""
    config = trainer.config
    if resume and run.state.is_file():
        changed = state.restore(run, config, allow_changes=allow_changes)
        _check_resumed(trainer, state, run)
        if changed:
            said = "; ".join(changed)
            trainer.report.message(f"going on with other settings, as allowed: {said}")
    else:
        state.progress.command, state.progress.data = command, _fingerprint(trainer)
    write_text(run.config, config.to_yaml())
    trainer.report.plan(_plan(trainer, state))
    run.samples.mkdir(exist_ok=True)
    while state.progress.epoch < config.epochs and not _gone_stale(config, state):
        finished = train_epoch(trainer, state)
        if finished:
            _finish_epoch(trainer, state, run)
        state.save(run, config)
        if not finished or (trainer.stopped() and state.progress.epoch < config.epochs):
            raise Interrupted(
                f"stopped in epoch {min(state.progress.epoch + 1, config.epochs)}, state saved; "
                f"go on with: netlab train --resume {shlex.quote(str(run.path))}"
            )
    _show(trainer, state, run, "last")
    return state.progress.rows[state.progress.best_epoch - 1]


def _check_resumed(trainer: Trainer, state: State, run: RunDir) -> None:
    progress = state.progress
    if trainer.config.epochs < progress.epoch:
        raise UsageError(
            f"{run.path}: {progress.epoch} epochs are done already; "
            f"--epochs {trainer.config.epochs} would take some back"
        )
    if progress.data != _fingerprint(trainer):
        raise DataError(
            f"{run.path}: the data are not those that the run was started on "
            f"(here {len(trainer.train)} to train, {len(trainer.val)} to validate); "
            "name their folder with --data-dir, or --images and --masks"
        )


def _factory(config: TrainConfig) -> Any:
    """The `tasks._contract.TaskFactory` of a config's architecture."""
    return registry.get("task", registry.get("architecture", config.arch).task)


def _fingerprint(trainer: Trainer) -> str:
    """Tells one list of pictures from another, wherever they are kept."""
    names = [*trainer.train.names, "", *trainer.val.names]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _finish_epoch(trainer: Trainer, state: State, run: RunDir) -> None:
    """Score the epoch, keep its row, and write weights, curves and samples."""
    config, progress, task = trainer.config, state.progress, trainer.task
    evaluation = task.evaluation()
    score(evaluation, task, state.best_network, trainer.val, trainer.machine, 2 * config.batch_size)
    scores = evaluation.row()
    if not math.isfinite(scores["val_loss"] or 0.0):
        raise not_finite(scores["val_loss"] or 0.0, f"the validation of epoch {progress.epoch + 1}")
    row = _row(trainer, progress, scores)
    progress.rows.append(row)
    progress.epoch, progress.batch, progress.sums = progress.epoch + 1, 0, {}
    reached = scores[task.monitor] or 0.0
    best = (
        task.last_is_best
        or progress.best is None
        or (reached < progress.best if task.lower_is_better else reached > progress.best)
    )
    if best:
        progress.best, progress.best_epoch, progress.stale = reached, progress.epoch, 0
    else:
        progress.stale += 1
    about = describe(config, state.network, _facts(trainer, state, row))
    tensors = state.best_network.state_dict()
    if best:
        save_weights(run.best, tensors, about)
        _show(trainer, state, run, "best")
    save_weights(run.last, tensors, about)
    write_rows(run.metrics, progress.rows)
    curves = training_curves(
        progress.rows, run.path.name, None if task.lower_is_better else task.monitor
    )
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
        "lr": float(f"{trainer.rate(progress.step - 1):.4g}"),
        "seconds": round(progress.seconds, 2),
        "images_per_second": round(trained / max(progress.seconds, 1e-9), 2),
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


def _show(trainer: Trainer, state: State, run: RunDir, name: str) -> None:
    """Write a picture of what the network does with a few validation pictures."""
    indices = np.linspace(0, len(trainer.val) - 1, min(_SAMPLES, len(trainer.val))).astype(np.int64)
    batch = trainer.task.eval_batch(trainer.val, indices, trainer.place)
    title = f"{run.path.name} · epoch {state.progress.epoch} · validation"
    network = state.best_network.eval()
    with torch.inference_mode(), trainer.machine.autocast():
        figure = trainer.task.sample_figure(network, trainer.val, indices, batch, title)
    save_png(figure, run.samples / f"{name}.png")


def _gone_stale(config: TrainConfig, state: State) -> bool:
    return bool(config.early_stop) and state.progress.stale >= config.early_stop


def _network_words(config: TrainConfig, network: nn.Module) -> str:
    decoder = f" + {config.decoder}" if hasattr(network, "decoder") else ""
    return f"{config.arch}: {config.encoder}{decoder}"


def _plan(trainer: Trainer, state: State) -> dict[str, Any]:
    return {
        "network": _network_words(trainer.config, state.network),
        "weights": sum(p.numel() for p in state.network.parameters()),
        "loss": trainer.config.loss,
        "data": trainer.config.dataset,
        "train": len(trainer.train),
        "val": len(trainer.val),
        "epochs": trainer.config.epochs,
        "first_epoch": state.progress.epoch,
        "first_batch": state.progress.batch,
        "batches": trainer.batches,
        "batch_size": trainer.batch_size,
        "machine": trainer.machine.describe(),
    }
