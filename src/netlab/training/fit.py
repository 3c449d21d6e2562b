"""Train a network from a config into a run folder, and go on with one that was stopped."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from netlab.components import network_words
from netlab.config import TrainConfig
from netlab.data.readers.fingerprint import fingerprint
from netlab.errors import DataError, Interrupted, UsageError, counted
from netlab.files import write_text
from netlab.runs.folder import RunDir, create_run, remove_parts
from netlab.training.epoch import finish_epoch, save_samples
from netlab.training.logs import logged
from netlab.training.loop import NotFinite, Trainer, train_epoch
from netlab.training.page import write_training_page
from netlab.training.prepare import prepare, settle
from netlab.training.reporter import Reporter
from netlab.training.saves import Saves, failure_noted
from netlab.training.state import State


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
            save_samples(trainer, state, run, "last")
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
                finish_epoch(trainer, state, run)
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


def _goes_on(config: TrainConfig, state: State) -> bool:
    """Whether there are epochs left, and scores have not gone stale."""
    stale = bool(config.early_stop) and state.progress.stale >= config.early_stop
    return state.progress.epoch < config.epochs and not stale


def _plan(trainer: Trainer, state: State) -> dict[str, Any]:
    return {
        "network": network_words(trainer.config.to_dict()),
        "weights": sum(p.numel() for p in state.network.parameters()),
        "loss": trainer.config.loss,
        "score": trainer.task.score,
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
