"""The runs of a comparison: taken by name, or trained where they are not there yet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from netlab.cli._report import note
from netlab.cli._signals import StopSignal
from netlab.cli._training import NewRun, train_run
from netlab.comparison import FOUR_METHODS, find_training, grid, method_names, span
from netlab.config import FREE_ON_RESUME, TrainConfig
from netlab.errors import Interrupted, NetlabError, UsageError, WorkFailed, out_of_memory
from netlab.rundir import RunDir, find_run
from netlab.runs import summarise
from netlab.settings import Layer, choose_arch, merge, read_config_file, recipe, user_layers


def named_runs(words: Sequence[str], runs_dir: Path) -> list[RunDir]:
    """The run folders that words name, each with weights.

    Raises:
        UsageError: no such run, or one whose first epoch has not ended.
    """
    folders = [find_run(word, runs_dir) for word in words]
    for run in folders:
        if not run.best.is_file():
            raise UsageError(f"{run.path}: no weights yet; the first epoch has not ended")
        found = summarise(run)
        if found.state != "done":
            note(f"{run.path}: {found.state}, {found.epoch} of {found.epochs} epochs")
    return list({run.path.resolve(): run for run in folders}.values())


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
        ConfigError, UsageError: see `netlab.comparison`.
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
        ConfigError, DataError, UsageError: see `netlab.engine.train.check` and `settle`.
    """
    from netlab.cli._data import ensure_data
    from netlab.engine.train import check, settle

    for config in configs:
        check(config)
        settle(config)
    for dataset in dict.fromkeys(config.dataset for config in configs):
        ensure_data(next(c for c in configs if c.dataset == dataset), download)


def train_methods(
    configs: Sequence[TrainConfig], runs_dir: Path, failed: list[str]
) -> list[RunDir]:
    """Train what is not there yet; a run that fails does not stop the others.

    Args:
        configs: of every training.
        runs_dir: where runs are looked for and made.
        failed: takes a line for each training that failed.

    Raises:
        WorkFailed: all failed.
        Interrupted: Ctrl-C or SIGTERM; the state is saved.
    """
    names = method_names(configs, [f"method {i}" for i, _ in enumerate(configs, 1)])
    folders, stop = [], StopSignal()
    for number, (name, config) in enumerate(zip(names, configs, strict=True), start=1):
        title = f"{number} of {len(configs)}: {name}, seed {config.seed}"
        try:
            if stop():  # too late for the training before, which had ended
                raise Interrupted(f"stopped before {title}")
            folders.append(_trained(config, title, runs_dir, stop))
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


def _trained(config: TrainConfig, title: str, runs_dir: Path, stop: StopSignal) -> RunDir:
    """The run of a config: there already, or gone on with, or begun."""
    there = find_training(config, runs_dir)
    if there is None:
        note(title)
        return train_run(config, NewRun(runs_dir), stop=stop)[0]
    run = RunDir(there.path)
    if there.state == "done" and run.best.is_file():
        note(f"{title}: there already, {there.path}")
        return run
    note(title)
    # What no finished step depends on is taken from the wish; the machine is that of the run.
    wished = {name: getattr(config, name) for name in FREE_ON_RESUME}
    wished = {name: value for name, value in wished.items() if value is not None}
    return train_run(merge({}, [Layer("", there.config), Layer("", wished)]), run, stop=stop)[0]
