"""The runs of a comparison: taken by name, or trained where they are not there yet."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from netlab.cli.signals import StopSignal
from netlab.cli.training import NewRun, train_run
from netlab.cli.view.messages import note
from netlab.compare.methods import FOUR_METHODS, data_of, find_training, grid, method_names, span
from netlab.config import FREE_ON_RESUME, TrainConfig
from netlab.errors import (
    Interrupted,
    NetlabError,
    UsageError,
    WeightsError,
    WorkFailed,
    out_of_memory,
)
from netlab.runs.folder import RunDir, find_run
from netlab.runs.summary import RunSummary, no_weights, summarise
from netlab.settings import Layer, choose_arch, merge, read_config_file, recipe, user_layers
from netlab.weights.header import read_header


def named_runs(words: Sequence[str], runs_dir: Path) -> list[RunDir]:
    """The run folders that words name, each once and with weights.

    Raises:
        UsageError: no such run, one without weights, or runs of different tasks.
    """
    named = [find_run(word, runs_dir) for word in words]
    folders = list({run.path.resolve(): run for run in named}.values())
    if len(folders) < len(named):
        note("a run that is named twice is taken once")
    for run in folders:
        if not run.best.is_file():
            raise UsageError(no_weights(run))
        found = summarise(run)
        if found.state != "done":
            note(f"{run.path}: {found.state}, {found.epoch} of {found.epochs} epochs")
    tasks = {task: run.path for run in folders if (task := task_of_run(run))}
    if len(tasks) > 1:
        said = ", ".join(f"{path} ({task})" for task, path in tasks.items())
        raise UsageError(f"runs of different tasks have no scores in common: {said}")
    return folders


def task_of_run(run: RunDir) -> str:
    """The task of a run's weights; empty if they cannot be read."""
    try:
        return str(read_header(run.best).about["task"])
    except (WeightsError, KeyError, TypeError):
        return ""


def method_configs(
    arch: str | None,
    preset: str | None,
    config: Path | None,
    words: Sequence[str],
    typed: dict[str, Any],
    axes: Sequence[str],
    seeds: int,
) -> list[TrainConfig]:
    """The config of every training that a comparison wants.

    Args:
        arch: architecture; that of `config`, or unet, without.
        preset, config, words, typed: what all share: --preset, --config, --set and flags.
        axes: `--grid` words; the four methods without any.
        seeds: for each method.

    Raises:
        ConfigError, UsageError: see `netlab.compare.methods`.
    """
    file = read_config_file(config) if config else Layer("", {})
    arch = choose_arch(file, arch) or "unet"
    if arch != "unet" and not axes:
        raise UsageError(f"the four methods are unets: say with --grid what {arch} differ in")
    methods = grid(axes) if axes else [Layer("the four methods", m) for m in FOUR_METHODS]
    own = user_layers(words, typed)

    def build(method: Layer) -> TrainConfig:
        return merge({}, recipe(arch, [file, method, *own], preset))

    return span(methods, build, {key for layer in own for key in layer.values}, seeds)


def check_methods(configs: Sequence[TrainConfig], download: bool | None) -> None:
    """Refuse what cannot be trained, and fetch what is missing, before anything is trained.

    Raises:
        ConfigError, DataError, UsageError: see `netlab.training.prepare.check` and `settle`.
    """
    from netlab.cli.missing_data import ensure_data
    from netlab.training.prepare import check, settle

    for config in configs:
        check(config)
        settle(config)
    for dataset in dict.fromkeys(config.dataset for config in configs):
        ensure_data(next(c for c in configs if c.dataset == dataset), download)


def train_methods(
    configs: Sequence[TrainConfig], runs_dir: Path, failed: list[str]
) -> dict[RunDir, str]:
    """Train what is not there yet; a run that fails does not stop the others.

    Args:
        configs: of every training.
        runs_dir: where runs are looked for and made.
        failed: takes a line for each training that failed.

    Returns:
        The runs, and the names of their methods.

    Raises:
        WorkFailed: all failed.
        Interrupted: Ctrl-C or SIGTERM; the state is saved.
    """
    names = method_names(configs, [f"method {i}" for i, _ in enumerate(configs, 1)])
    folders: dict[RunDir, str] = {}
    seen: dict[Any, str] = {}
    stop = StopSignal()
    for number, (name, config) in enumerate(zip(names, configs, strict=True), start=1):
        title = f"{number} of {len(configs)}: {name}, seed {config.seed}"
        try:
            if stop():  # too late for the training before, which had ended
                raise Interrupted(f"stopped before {title}")
            there = find_training(config, runs_dir, partial(_accept, config, seen))
            folders[_trained(config, there, title, runs_dir, stop)] = name
        except Interrupted as error:
            raise Interrupted(f"{error}; the same netlab compare does the rest") from error
        except Exception as error:
            if not isinstance(error, NetlabError) and not out_of_memory(error):
                raise
            said = str(error) if isinstance(error, NetlabError) else "out of memory"
            failed.append(f"{name}, seed {config.seed}: {said}")
            note(failed[-1])
    if not folders:
        raise WorkFailed("no method could be trained")
    return folders


def _accept(config: TrainConfig, seen: dict[Any, str], run: RunSummary) -> bool:
    """Whether a run with the settings of a config can be taken; says why not.

    Args:
        config: what is to be trained.
        seen: fingerprints of the pictures that were read before; takes those that are read now.
        run: finished or not.
    """
    fault = _fault(config, seen, run)
    if fault:
        note(f"{run.path}: {fault}; not taken")
    return not fault


def _fault(config: TrainConfig, seen: dict[Any, str], summary: RunSummary) -> str:
    from netlab.weights.file import read_tensors

    run, done = RunDir(summary.path), summary.state == "done"
    if done:
        try:
            read_tensors(run.best)
        except WeightsError as error:
            return str(error)
    told = data_of(run)
    if told and told != _fingerprint(config, seen):
        return "trained on other pictures than are there now"
    # One that has saved nothing yet begins anew; built-in data sets are what they were.
    if not told and done and config.images is not None:
        return "does not tell on which pictures it was trained"
    return ""


def _fingerprint(config: TrainConfig, seen: dict[Any, str]) -> str:
    """Of the pictures that a config names, which are read once for all methods."""
    from netlab.data.readers.fingerprint import fingerprint
    from netlab.tasks.data import data_request
    from netlab.training.prepare import load
    from netlab.training.reporter import Silent

    asked = config.dataset, data_request(config, "train", note)
    if asked not in seen:
        note("reading the pictures, to see whether they are those of earlier runs")
        seen[asked] = fingerprint(*load(config, Silent()))
    return seen[asked]


def _trained(
    config: TrainConfig,
    there: RunSummary | None,
    title: str,
    runs_dir: Path,
    stop: StopSignal,
) -> RunDir:
    """The run of a config: there already, or gone on with, or begun."""
    if there is None:
        note(title)
        return train_run(config, NewRun(runs_dir), stop=stop)[0]
    run = RunDir(there.path)
    if there.state == "done":
        note(f"{title}: there already, {run.path}")
        return run
    note(title)
    # What no finished step depends on is taken from the wish; the machine is that of the run.
    wished = {name: getattr(config, name) for name in FREE_ON_RESUME}
    wished = {name: value for name, value in wished.items() if value is not None}
    return train_run(merge({}, [Layer("", there.config), Layer("", wished)]), run, stop=stop)[0]
