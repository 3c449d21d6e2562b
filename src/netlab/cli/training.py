"""One training from the command line, from missing data to its last epoch."""

import contextlib
import shlex
import sys
from pathlib import Path
from typing import Any, NamedTuple

import typer

from netlab.cli.signals import StopSignal
from netlab.cli.view.training import TerminalView
from netlab.components import component, parts_of
from netlab.config import TrainConfig
from netlab.errors import DataError
from netlab.runs.folder import RunDir, create_run

_SHORT = 16  # characters; longer losses stay out of the name of the run's folder


class NewRun(NamedTuple):
    """Where the folder of a new run is made, and what it is called."""

    runs_dir: Path
    name: str | None = None
    """Stands behind the date; made of the components without."""
    run_dir: Path | None = None
    """The folder itself, instead of one in `runs_dir`."""


def ensure_data(config: TrainConfig, download: bool | None) -> None:
    """Fetch a missing data set if the user wants it; without an answer, its own error speaks.

    Args:
        config: names the data set and its folder.
        download: fetch without asking, never, or (None) ask on a terminal.

    Raises:
        DataError: `--download` for a data set that is not published for download.
        WorkFailed: the download failed.
    """
    from netlab.contracts.dataset import Downloadable

    dataset = component(config, "dataset")()
    if not isinstance(dataset, Downloadable):
        if download:
            raise DataError(f"--download: '{config.dataset}' is no data set that can be fetched")
        return
    from netlab.data.readers.folders import data_dir

    folder = data_dir(config.data_dir)
    if dataset.present(folder) or download is False:
        return
    if download is None:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return
        question = f"{config.dataset}: download {dataset.download_size} into {folder}?"
        if not typer.confirm(question, default=True, err=True):
            return
    dataset.download(folder)


def train_run(
    config: TrainConfig,
    target: RunDir | NewRun,
    *,
    allow_changes: bool = False,
    fitting_batch: bool = False,
    preview: bool = False,
    stop: StopSignal | None = None,
) -> tuple[RunDir, dict[str, Any]]:
    """Train into a new folder, or go on with a run; shown on the terminal and in its log.

    Args:
        config: complete.
        target: the folder of the run, or where a new one is made.
        allow_changes: go on also with settings that keep a run from ending as it would have.
        fitting_batch: make the batch smaller where memory has no room for it.
        preview: show the newest sample on the terminal, too.
        stop: hears Ctrl-C and SIGTERM; the caller may ask it afterwards.

    Returns:
        The run's folder, and the row of metrics.csv of its best epoch.

    Raises:
        Interrupted: Ctrl-C or SIGTERM; the state is saved.
        NetlabError: see `netlab.training.fit`.
    """
    from netlab.training.fit import fit
    from netlab.training.prepare import set_up

    run = target if isinstance(target, RunDir) else None
    stop = stop or StopSignal()
    with contextlib.ExitStack() as held:
        if run is not None:
            held.enter_context(run.locked())  # before anything is added to its log
        view = held.enter_context(
            TerminalView(run.log if run else None, preview=preview, stop=stop)
        )
        # Whatever is wrong with settings, data or device shows here, before a folder is made.
        trainer, state = set_up(config, view, stop, fitting_batch=fitting_batch)
        held.enter_context(stop)  # from here on there is something to go on with
        if isinstance(target, NewRun):
            name, text = target.name or _name(config), trainer.config.to_yaml()
            run = create_run(target.runs_dir, name, text, target.run_dir)
            held.enter_context(run.locked())
        assert run is not None
        view.message(f"run folder {run.path}")
        view.log_to(run.log)
        best = fit(
            trainer,
            state,
            run,
            command=command_line(),
            resume=run is target,
            allow_changes=allow_changes,
        )
        view.message(f"best epoch {best['epoch']}: {run.best}")
    return run, best


def _name(config: TrainConfig) -> str:
    parts = [config.arch, config.dataset, config.encoder]
    parts += [config.decoder] * ("decoder" in parts_of(config.arch))
    parts += [config.loss] * (len(config.loss) <= _SHORT)
    return "-".join(parts)


def command_line() -> str:
    """The command line, without the paths of this machine."""
    return shlex.join(["netlab", *map(_without_folders, sys.argv[1:])])


def _without_folders(word: str) -> str:
    """A word with only the last name of an absolute path in it: `--data-dir=/a/b` to `…=b`."""
    flag, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    if not equals and flag:
        return word
    return f"{flag}{equals}{Path(value).name}" if Path(value).is_absolute() else word
