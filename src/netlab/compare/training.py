"""Train the methods of a comparison, as far as they are not trained yet."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from netlab.compare.methods import find_training, method_names
from netlab.config import FREE_ON_RESUME, TrainConfig
from netlab.data.readers.fingerprint import fingerprint
from netlab.errors import Interrupted, NetlabError, WeightsError, WorkFailed, out_of_memory
from netlab.runs.folder import RunDir
from netlab.runs.pictures import trained_on
from netlab.runs.summary import RunSummary
from netlab.settings import Layer, merge
from netlab.tasks.data import data_request
from netlab.training import prepare
from netlab.training.fit import on_the_machine_of
from netlab.training.listener import Silent
from netlab.weights.file import read_tensors

Train = Callable[[TrainConfig, RunDir | None], RunDir]
"""Trains a config in a new folder, or goes on with a run."""


def train_methods(
    configs: Sequence[TrainConfig],
    runs_dir: Path,
    train: Train,
    *,
    note: Callable[[str], None],
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[dict[RunDir, str], list[str]]:
    """Train what is not there yet; a run that fails does not stop the others.

    Args:
        configs: of every training.
        runs_dir: where runs are looked for.
        train: does one training.
        note: called with a line for each training, and with why an existing run is not taken.
        stopped: asked before each training; true ends the work.

    Returns:
        The runs with the names of their methods, and a line for each training that failed.

    Raises:
        WorkFailed: all failed.
        Interrupted: by `stopped`, or within a training, whose state is saved.
    """
    names = method_names(configs, [f"method {i}" for i, _ in enumerate(configs, 1)])
    runs: dict[RunDir, str] = {}
    failures: list[str] = []
    pictures = _Pictures(note)
    for number, (name, config) in enumerate(zip(names, configs, strict=True), start=1):
        title = f"{number} of {len(configs)}: {name}, seed {config.seed}"
        try:
            if stopped():  # too late for the training before, which had ended
                raise Interrupted(f"stopped before {title}")
            config = _on_the_machine_of_the_first(config, runs)
            runs[_train_or_take(config, title, runs_dir, train, pictures, note)] = name
        except Interrupted as error:
            raise Interrupted(f"{error}; the same netlab compare does the rest") from error
        except Exception as error:
            if not isinstance(error, NetlabError) and not out_of_memory(error):
                raise
            reason = str(error) if isinstance(error, NetlabError) else "out of memory"
            failures.append(f"{name}, seed {config.seed}: {reason}")
            note(failures[-1])
    if not runs:
        raise WorkFailed("no method could be trained")
    return runs, failures


def _on_the_machine_of_the_first(config: TrainConfig, runs: Iterable[RunDir]) -> TrainConfig:
    """A config with what it leaves to `auto` as the first method has it.

    It is measured once, so that methods differ in nothing else. A run that was trained on another
    device than there is here says nothing.
    """
    for run in runs:
        shared = on_the_machine_of(run, config)
        return shared if shared.device == prepare.settle(config)[0].device else config
    return config


def _train_or_take(
    config: TrainConfig,
    title: str,
    runs_dir: Path,
    train: Train,
    pictures: "_Pictures",
    note: Callable[[str], None],
) -> RunDir:
    """The run of a config: there already, or gone on with, or begun."""

    def accept(summary: RunSummary) -> bool:
        fault = _fault(config, pictures, summary)
        if fault:
            note(f"{summary.path}: {fault}; not taken")
        return not fault

    earlier = find_training(config, runs_dir, accept)
    if earlier is None:
        note(title)
        return train(config, None)
    run = RunDir(earlier.path)
    if earlier.state == "done":
        note(f"{title}: there already, {run.path}")
        return run
    note(title)
    # What no finished step depends on is what is wanted now; the machine is that of the run.
    wanted = {name: getattr(config, name) for name in FREE_ON_RESUME}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    return train(merge({}, [Layer("", earlier.config), Layer("", wanted)]), run)


def _fault(config: TrainConfig, pictures: "_Pictures", summary: RunSummary) -> str:
    """Why a run with the settings of a config cannot be taken; empty if it can."""
    run, done = RunDir(summary.path), summary.state == "done"
    if done:
        try:
            read_tensors(run.best)
        except WeightsError as error:
            return str(error)
    own_pictures = trained_on(run)
    if own_pictures and own_pictures != pictures.fingerprint(config):
        return "trained on other pictures than are there now"
    # One that has saved nothing yet begins anew; built-in data sets are what they were.
    if not own_pictures and done and config.images is not None:
        return "does not tell on which pictures it was trained"
    return ""


class _Pictures:
    """Fingerprints of the pictures that configs name, which are read once for all methods."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self.note = note
        self.fingerprints: dict[object, str] = {}

    def fingerprint(self, config: TrainConfig) -> str:
        request = (
            config.dataset,
            str(config.parts.get("dataset")),
            data_request(config, "train", self.note),
        )
        if request not in self.fingerprints:
            self.note("reading the pictures, to see whether they are those of earlier runs")
            self.fingerprints[request] = fingerprint(*prepare.load(config, Silent()))
        return self.fingerprints[request]
