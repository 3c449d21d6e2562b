"""Train a network from a config into a run folder, and go on with one that was stopped."""

import gc
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
from netlab.components import component, network_words
from netlab.config import TrainConfig
from netlab.data._fingerprint import fingerprint
from netlab.data._random import derive
from netlab.engine.device import Machine, forget_peak_memory, peak_memory, resolve
from netlab.engine.events import Reporter, Silent
from netlab.engine.logs import check_logs, logged
from netlab.engine.loop import NotFinite, Trainer, score, train_epoch
from netlab.engine.report import write_training_page
from netlab.engine.saves import Saves, failure_noted
from netlab.engine.state import Progress, State, new_state
from netlab.engine.weights import describe, save_weights
from netlab.errors import DataError, Interrupted, UsageError, counted, out_of_memory
from netlab.figures.curves import training_curves
from netlab.figures.png import save_png
from netlab.rundir import RunDir, create_run, remove_parts, write_rows, write_text

_WEIGHTS, _HELPERS = 3, 4  # what a derived seed is for; the loop has the first two
_SAMPLES = 6
_TRIED = 3  # steps


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
        UsageError: a device, an arithmetic or a package for logs that is not there.
    """
    check_logs(config)
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
        UsageError: a package for logs that is not there.
    """
    check_logs(config)
    _factory(config).check(config)


def load(config: TrainConfig, report: Reporter) -> tuple[Any, Any]:
    """The training and the validation part of the data, in the form of the task.

    Raises:
        ConfigError, DataError: settings or data that do not fit.
    """
    factory = _factory(config)
    factory.check(config)
    return tuple(factory.load(config, part, report.message) for part in ("train", "val"))


def prepare(
    config: TrainConfig,
    machine: Machine,
    report: Reporter | None = None,
    stopped: Callable[[], bool] = lambda: False,
    data: tuple[Any, Any] | None = None,
) -> tuple[Trainer, State]:
    """Load the data and build everything that a training needs, before its first step.

    Args:
        config, machine: from `settle`.
        report: hears what is said of the data, and later how it goes.
        stopped: asked after every batch; true ends the training.
        data: what `load` gave, if it is there already.

    Raises:
        ConfigError, DataError: settings or data that do not fit.
    """
    report = report or Silent()
    forget_peak_memory(machine.device)
    train, val = data or load(config, report)
    factory = _factory(config)
    torch.manual_seed(derive(config.seed, _HELPERS))
    task = factory.create(config, train)
    task.place(machine.device)
    torch.manual_seed(derive(config.seed, _WEIGHTS))
    network = task.build_network()
    state = new_state(network, task.helpers(), config, machine, component(config, "optimizer"))
    schedule = component(config, "schedule")
    schedule(0, steps=1, warmup=0)  # refuses arguments it does not take
    return Trainer(config, task, machine, schedule, train, val, report, stopped), state


def fit_batch(config: TrainConfig, machine: Machine, report: Reporter | None = None) -> TrainConfig:
    """Halve the batch until training has room in memory; after that, a quarter less.

    Three steps are tried, as the optimiser keeps its sums from the first one on, and a batch of the
    validation part. On a CPU, systems that promise more memory than they have end the process
    before it can be asked for less: this is for GPUs, and for limits on a process.

    Raises:
        ConfigError, DataError: see `prepare`.
    """
    report = report or Silent()
    data = load(config, report)
    size, halved = min(config.batch_size, len(data[0])), False
    while True:
        try:
            _try_batch(replace(config, batch_size=size), machine, data)
        except (RuntimeError, MemoryError) as error:
            if size == 1 or not out_of_memory(error):
                raise
        else:
            size = max(1, size * 3 // 4) if halved else config.batch_size
            return replace(config, batch_size=size)
        gc.collect()
        size, halved = size // 2, True
        report.message(f"out of memory: trying --batch-size {size}")


def _try_batch(config: TrainConfig, machine: Machine, data: tuple[Any, Any]) -> None:
    asked = iter(range(_TRIED - 1))
    trainer, state = prepare(config, machine, None, lambda: next(asked, None) is None, data)
    train_epoch(trainer, state)
    few = np.arange(min(2 * config.batch_size, len(trainer.val)))
    batch = trainer.task.eval_batch(trainer.val, few, trainer.place)
    with torch.inference_mode(), machine.autocast():
        trainer.task.evaluation().update(state.best_network.eval(), batch)


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
        path = Path(run)
        run = RunDir(path) if resume else create_run(Path(), "", trainer.config.to_yaml(), path)
    how: dict[str, Any] = {"resume": resume, "allow_changes": allow_changes}
    with run.locked():
        return fit(trainer, state, run, command=command, **how)


def fit(
    trainer: Trainer,
    state: State,
    run: RunDir,
    *,
    command: str,
    resume: bool = False,
    allow_changes: bool = False,
) -> dict[str, Any]:
    """Train what `prepare` made to its last epoch, in a folder that the caller has locked."""
    remove_parts(run)
    if resume and (run.state.is_file() or run.older_state.is_file()):
        for text in state.restore(run, trainer.config, allow_changes=allow_changes):
            trainer.report.message(text)
        _check_resumed(trainer, state, run, allow_changes=allow_changes)
    else:
        state.progress.command = command
        state.progress.data = fingerprint(trainer.train, trainer.val)
    write_text(run.config, trainer.config.to_yaml())
    with logged(trainer.report, run, trainer.config, state) as report:
        trainer = replace(trainer, report=report)
        trainer.report.plan(_plan(trainer, state))
        run.samples.mkdir(exist_ok=True)
        before = state.progress.epoch
        if _goes_on(trainer.config, state):
            run.report.unlink(missing_ok=True)  # it would tell of fewer epochs
        with failure_noted(run):
            _to_the_end(trainer, state, run)
            _show(trainer, state, run, "last")
        if state.progress.epoch > before or not run.report.is_file():
            write_training_page(trainer, run)
    return state.progress.rows[state.progress.best_epoch - 1]


def _to_the_end(trainer: Trainer, state: State, run: RunDir) -> None:
    config, saves = trainer.config, Saves(state, run, trainer.config)
    if config.on_nan == "rollback":
        saves.save()  # something to go back to, from the first batch on
    while _goes_on(config, state):
        try:
            finished = train_epoch(trainer, state, saves.if_due)
            if finished:
                _finish_epoch(trainer, state, run)
        except NotFinite as error:
            if config.on_nan != "rollback":
                raise
            saves.go_back(error, trainer.report)
            continue
        saves.save()
        if not finished or (trainer.stopped() and state.progress.epoch < config.epochs):
            raise Interrupted(
                f"stopped in epoch {min(state.progress.epoch + 1, config.epochs)}, state saved; "
                f"go on with: netlab train --resume {shlex.quote(str(run.path))}"
            )
    if saves.seconds:
        trainer.report.message(saves.cost())


def _check_resumed(trainer: Trainer, state: State, run: RunDir, *, allow_changes: bool) -> None:
    progress = state.progress
    if trainer.config.epochs < progress.epoch:
        raise UsageError(
            f"{run.path}: {counted(progress.epoch, 'epoch')} done already; "
            f"--epochs {trainer.config.epochs} would take some back"
        )
    found = fingerprint(trainer.train, trainer.val)
    if progress.data == found:
        return
    said = (
        f"{run.path}: the data are not those that the run was started on "
        f"(here {len(trainer.train)} to train, {len(trainer.val)} to validate)"
    )
    if not allow_changes:
        raise DataError(
            f"{said}; name their folder with --data-dir, or --images and --masks; "
            "to go on all the same, add --allow-changes"
        )
    progress.data = found
    trainer.report.message(f"{said}; going on all the same")


def _factory(config: TrainConfig) -> Any:
    """The `tasks._contract.TaskFactory` of a config's architecture."""
    return registry.get("task", registry.get("architecture", config.arch).task)


def _finish_epoch(trainer: Trainer, state: State, run: RunDir) -> None:
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
    monitor = None if task.lower_is_better else task.monitor
    curves = training_curves(progress.rows, run.name, monitor, progress.best_epoch)
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


def _show(trainer: Trainer, state: State, run: RunDir, name: str) -> None:
    """Write a picture of what the network does with a few validation pictures."""
    indices = np.linspace(0, len(trainer.val) - 1, min(_SAMPLES, len(trainer.val))).astype(np.int64)
    batch = trainer.task.eval_batch(trainer.val, indices, trainer.place)
    title = f"{run.name} · epoch {state.progress.epoch} · validation"
    network = state.best_network.eval()
    with torch.inference_mode(), trainer.machine.autocast():
        figure = trainer.task.sample_figure(network, trainer.val, indices, batch, title)
    save_png(figure, run.samples / f"{name}.png")


def _goes_on(config: TrainConfig, state: State) -> bool:
    """Whether there are epochs left, and scores have not gone stale."""
    stale = bool(config.early_stop) and state.progress.stale >= config.early_stop
    return state.progress.epoch < config.epochs and not stale


def _plan(trainer: Trainer, state: State) -> dict[str, Any]:
    return {
        "network": network_words(trainer.config.to_dict()),
        "weights": sum(p.numel() for p in state.network.parameters()),
        "loss": trainer.config.loss,
        "data": trainer.config.dataset,
        "train": len(trainer.train),
        "val": len(trainer.val),
        "epochs": trainer.config.epochs,
        "first_epoch": state.progress.epoch,
        "first_batch": state.progress.batch,
        "rows": list(state.progress.rows),
        "batches": trainer.batches,
        "batch_size": trainer.batch_size,
        "machine": trainer.machine.describe(),
    }
