"""Train a network from a config into a run folder, and go on with one that was stopped."""

import contextlib
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from netlab.components import network_words
from netlab.config import AUTO, MACHINE_FIELDS, TrainConfig
from netlab.data.readers.fingerprint import fingerprint
from netlab.errors import ConfigError, DataError, Interrupted, UsageError, counted
from netlab.files import write_text
from netlab.runs.folder import RunDir, create_run, remove_parts
from netlab.runs.pictures import record_pictures
from netlab.settings import Layer, merge, read_config_file
from netlab.training.epoch import finish_epoch, save_samples
from netlab.training.listener import Listener
from netlab.training.logs import logged
from netlab.training.loop import NotFinite, Trainer, train_epoch
from netlab.training.page import write_training_page
from netlab.training.prepare import set_up
from netlab.training.saves import Saves, failure_noted
from netlab.training.state import State


def train(
    config: TrainConfig,
    run: RunDir | str | Path,
    *,
    command: str = "netlab.train",
    listener: Listener | None = None,
    stopped: Callable[[], bool] = lambda: False,
    resume: bool = False,
    allow_changes: bool = False,
) -> dict[str, Any]:
    """Train, or go on, to the last epoch: `set_up` and `fit` in one.

    Args:
        config: complete; written to the run folder first. What it leaves to `auto` is measured, or
            taken from the run that is to go on.
        run: a new or empty folder, or that of the run to go on with.
        command: what started it, for the weights files.
        listener: hears how it goes.
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
    if resume:
        run = run if isinstance(run, RunDir) else RunDir(Path(run))
        config = on_the_machine_of(run, config)  # a new measurement might choose otherwise
    trainer, state = set_up(config, listener, stopped)
    if not isinstance(run, RunDir):
        run = create_run(Path(), "", trainer.config.to_yaml(), Path(run))
    with run.locked():
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
    """Train what `set_up` made to its last epoch, in a folder that the caller has locked."""
    config, progress = trainer.config, state.progress
    remove_parts(run)
    if resume and (run.state.is_file() or run.older_state.is_file()):
        for text in state.restore(run, config, allow_changes=allow_changes):
            trainer.listener.message(text)
        progress = state.progress
        _check_resumed(trainer, state, run, allow_changes=allow_changes)
    else:
        progress.command = command
        progress.data = fingerprint(trainer.train, trainer.val)
    _write_config(run, config, anew=resume)
    record_pictures(run, config, fingerprint(trainer.val))
    saves = Saves(state, run, config)
    with logged(trainer.listener, run, config, state) as listener:
        trainer = replace(trainer, listener=listener)
        listener.plan(_plan(trainer, state))
        run.samples.mkdir(exist_ok=True)
        finished_before = progress.epoch
        if _goes_on(config, state):
            run.page.unlink(missing_ok=True)  # it would tell of fewer epochs
        with failure_noted(run):
            _train_to_the_end(trainer, state, run, saves)
            save_samples(trainer, state.best_network, run, state.progress.epoch, "last")
        if state.progress.epoch > finished_before or not run.page.is_file():
            write_training_page(trainer, run)
    return state.progress.rows[state.progress.best_epoch - 1]


def _train_to_the_end(trainer: Trainer, state: State, run: RunDir, saves: Saves) -> None:
    config = trainer.config
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
            saves.go_back(error, trainer.listener)
            continue
        saves.save()
        if not finished or (trainer.stopped() and state.progress.epoch < config.epochs):
            raise Interrupted(
                f"stopped in epoch {min(state.progress.epoch + 1, config.epochs)}, state saved; "
                f"go on with: netlab train --resume {shlex.quote(str(run.path))}"
            )
    if saves.seconds:
        trainer.listener.message(saves.cost())


def _goes_on(config: TrainConfig, state: State) -> bool:
    """Whether there are epochs left, and scores have not gone stale."""
    stale = bool(config.early_stop) and state.progress.stale >= config.early_stop
    return state.progress.epoch < config.epochs and not stale


def on_the_machine_of(run: RunDir, config: TrainConfig) -> TrainConfig:
    """A config with what it leaves to `auto` in device, precision and threads as a run has it."""
    left_open = [name for name in MACHINE_FIELDS if getattr(config, name) in AUTO]
    if left_open and run.config.is_file():
        with contextlib.suppress(ConfigError):  # a damaged one is written anew
            source, values = read_config_file(run.config)
            own = {name: values[name] for name in left_open if name in values}
            return merge(config.to_dict(), [Layer(source, own)])
    return config


def _write_config(run: RunDir, config: TrainConfig, *, anew: bool) -> None:
    """Write the settings, unless the new folder has them; their time says when it was started."""
    text = config.to_yaml()
    if anew or not run.config.is_file() or run.config.read_text(encoding="utf-8") != text:
        write_text(run.config, text)


def _check_resumed(trainer: Trainer, state: State, run: RunDir, *, allow_changes: bool) -> None:
    progress = state.progress
    if trainer.config.epochs < progress.epoch:
        raise UsageError(
            f"{run.path}: {counted(progress.epoch, 'epoch')} done already; "
            f"--epochs {trainer.config.epochs} would take some back"
        )
    present = fingerprint(trainer.train, trainer.val)
    if progress.data == present:
        return
    fault = (
        f"{run.path}: the data are not those that the run was started on "
        f"(here {len(trainer.train)} to train, {len(trainer.val)} to validate)"
    )
    if not allow_changes:
        raise DataError(
            f"{fault}; name their folder with --data-dir, or --images and --masks; "
            "to go on all the same, add --allow-changes"
        )
    progress.data = present
    trainer.listener.message(f"{fault}; going on all the same")


def _plan(trainer: Trainer, state: State) -> dict[str, Any]:
    config, progress = trainer.config, state.progress
    return {
        "network": network_words(config.to_dict()),
        "weights": sum(p.numel() for p in state.network.parameters()),
        "loss": config.loss,
        "score": trainer.task.score,
        "data": config.dataset,
        "train": len(trainer.train),
        "val": len(trainer.val),
        "epochs": config.epochs,
        "first_epoch": progress.epoch,
        "first_batch": progress.batch,
        "rows": list(progress.rows),
        "batches": trainer.batches,
        "batch_size": trainer.batch_size,
        "machine": trainer.machine.describe(),
    }
