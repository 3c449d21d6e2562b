"""Which trainings a comparison is made of, what they are called, and which are there already.

Nothing here imports torch.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from itertools import product
from pathlib import Path
from typing import Any

from netlab.config import AUTO, FREE_ON_RESUME, MACHINE_FIELDS, TrainConfig, flag_of, setting_of
from netlab.errors import UsageError, WeightsError
from netlab.runs.folder import RunDir, find_run
from netlab.runs.summary import RunSummary, list_runs, no_weights, summarise
from netlab.settings import (
    Layer,
    choose_arch,
    flat,
    merge,
    read_config_file,
    read_settings,
    recipe,
    user_layers,
)
from netlab.weights.header import read_header

FOUR_METHODS: tuple[Mapping[str, Any], ...] = (
    {"encoder": "maxpool", "decoder": "transpose", "loss": "ce"},
    {"encoder": "maxpool", "decoder": "transpose", "loss": "dice"},
    {"encoder": "strided", "decoder": "transpose", "loss": "ce"},
    {"encoder": "strided", "decoder": "upsample", "loss": "dice"},
)
"""The lesson's four ways to build and train one network."""

_NO_MATTER = {"data_dir", *FREE_ON_RESUME} - {"epochs", "early_stop"}
"""Fields in which two runs may differ and still be the same training."""
_NO_METHOD = ("seed", "data_dir", *MACHINE_FIELDS, *_NO_MATTER)
"""Fields that make no method: runs that differ in them alone are runs of one."""
_COMPONENTS = {f.name for f in fields(TrainConfig) if setting_of(f).kind or setting_of(f).sum_of}


def method_configs(
    arch: str | None,
    preset: str | None,
    config: Path | None,
    pairs: Sequence[str],
    flags: Mapping[str, Any],
    axes: Sequence[str],
    seeds: int,
) -> list[TrainConfig]:
    """The config of every training that a comparison wants.

    Args:
        arch: architecture; that of `config`, or unet, without.
        preset, config, pairs, flags: what all share: `--preset`, `--config`, `--set` and flags.
        axes: `--grid` words; the four methods without any.
        seeds: for each method.

    Raises:
        ConfigError, UsageError: see `grid` and `span`.
    """
    file = read_config_file(config) if config else Layer("", {})
    arch = choose_arch(file, arch) or "unet"
    if arch != "unet" and not axes:
        raise UsageError(f"the four methods are unets: say with --grid what {arch} differ in")
    methods = grid(axes) if axes else [Layer("the four methods", m) for m in FOUR_METHODS]
    shared = user_layers(pairs, flags)

    def build(method: Layer) -> TrainConfig:
        return merge({}, recipe(arch, [file, method, *shared], preset))

    return span(methods, build, {key for layer in shared for key in layer.values}, seeds)


def named_runs(words: Sequence[str], runs_dir: Path, note: Callable[[str], None]) -> list[RunDir]:
    """The run folders that words name, each once and with weights.

    Args:
        words: see `netlab.runs.folder.find_run`.
        runs_dir: the folder of runs.
        note: called with a line for runs that are named twice or have not ended.

    Raises:
        UsageError: no such run, one without weights, or runs of different tasks.
    """
    named = [find_run(word, runs_dir) for word in words]
    runs = list({run.path.resolve(): run for run in named}.values())
    if len(runs) < len(named):
        note("a run that is named twice is taken once")
    for run in runs:
        if not run.best.is_file():
            raise UsageError(no_weights(run))
        summary = summarise(run)
        if summary.state != "done":
            note(f"{run.path}: {summary.state}, {summary.epoch} of {summary.epochs} epochs")
    tasks = {task: run.path for run in runs if (task := task_of_run(run))}
    if len(tasks) > 1:
        listed = ", ".join(f"{path} ({task})" for task, path in tasks.items())
        raise UsageError(f"runs of different tasks have no scores in common: {listed}")
    return runs


def task_of_run(run: RunDir) -> str:
    """The task of a run's weights; empty if they cannot be read."""
    try:
        return str(read_header(run.best).about["task"])
    except (WeightsError, KeyError, TypeError):
        return ""


def grid(words: Sequence[str]) -> list[Layer]:
    """All combinations of `key=a,b` words, as layers of settings; the last word turns fastest.

    Raises:
        UsageError: a word without a key or without values, a key or a value given twice, a key
            that makes no method, such as seed or device, or a list: commas separate values.
        ConfigError: a value that is not YAML.
    """
    axes: list[list[str]] = []
    keys: list[str] = []
    for word in words:
        key, _, values = word.partition("=")
        key = key.replace("-", "_")
        choices = [value.strip() for value in values.split(",") if value.strip()]
        if not key or not choices:
            raise UsageError(f"--grid {word}: write key=a,b such as --grid encoder=maxpool,strided")
        if key in keys or len(set(choices)) < len(choices):
            raise UsageError(f"--grid {word}: given twice; write each value once, behind one key")
        if key in _NO_METHOD:
            raise UsageError(f"--grid {word}: runs that differ in {key} alone are not compared")
        if any(choice[0] in "[{" for choice in choices):
            raise UsageError(
                f"--grid {word}: no lists, as each comma separates two values; train each with "
                "--set and name the runs: netlab compare RUN RUN"
            )
        keys.append(key)
        axes.append([f"{key}={choice}" for choice in choices])
    return [Layer("--grid", read_settings(chosen).values) for chosen in product(*axes)]


def span(
    methods: Iterable[Layer], build: Callable[[Layer], TrainConfig], shared: set[str], seeds: int
) -> list[TrainConfig]:
    """The config of every training: each method under each seed, all else shared.

    Args:
        methods: what differs.
        build: the config of a method, with all that is shared.
        shared: names of the shared settings that the user typed.
        seeds: number of seeds, counted up from that of the shared settings.

    Raises:
        ConfigError: settings that are wrong by themselves or together.
        UsageError: a setting that is shared and differs at once, or two methods that are the same.
    """
    configs: list[TrainConfig] = []
    for method in methods:
        if both := sorted(shared & set(method.values) - {"parts"}):
            raise UsageError(
                f"{', '.join(map(flag_of, both))}: this is what the methods differ in; "
                "give its values with --grid, or leave it out"
            )
        config = build(method)
        if config in configs:
            values = ", ".join(f"{k}={v}" for k, v in flat(dict(method.values)).items())
            raise UsageError(f"{values}: the same method as one before; write each value once")
        configs += [replace(config, seed=config.seed + number) for number in range(seeds)]
    return configs


def same_training(wanted: TrainConfig, run: TrainConfig) -> bool:
    """Whether a run's config is what would be trained, wherever the data lie.

    No config identifies the data: see `netlab.runs.pictures.trained_on`. Device, precision and
    threads matter only where they are named. Nor does it matter what was to be done about numbers
    that go wrong, as long as the run would have stopped at them.
    """
    if run.on_nan not in ("stop", wanted.on_nan):
        return False
    for f in fields(TrainConfig):
        asked = getattr(wanted, f.name)
        if f.name in _NO_MATTER or (f.name in MACHINE_FIELDS and asked in AUTO):
            continue
        if asked != getattr(run, f.name):
            return False
    return True


def find_training(
    wanted: TrainConfig, runs_dir: Path, accept: Callable[[RunSummary], bool] = lambda _: True
) -> RunSummary | None:
    """The run in a folder that is what would be trained: a finished one, else the newest.

    Runs that were extended or went on with other settings are not, nor those of a damaged config.

    Args:
        wanted: complete.
        runs_dir: the folder of runs.
        accept: has the last word, the best candidate first.
    """
    candidates = []
    for summary in list_runs(runs_dir):
        if summary.altered or any(fault.startswith("config.yaml") for fault in summary.faults):
            continue
        if same_training(wanted, merge({}, [Layer("", summary.config)])):
            candidates.append(summary)
    candidates.reverse()  # the newest first
    candidates.sort(key=lambda summary: summary.state != "done")  # stable: finished ones first
    return next(filter(accept, candidates), None)


def method_key(config: TrainConfig) -> TrainConfig:
    """A config without what does not make a method: its seed, paths and machine."""
    plain = TrainConfig()
    return replace(config, **{name: getattr(plain, name) for name in _NO_METHOD})


def method_names(configs: Sequence[TrainConfig], fallback: Sequence[str]) -> list[str]:
    """What methods are called: by the settings in which they differ.

    Args:
        configs: of each method, or of each training.
        fallback: names for all, should the settings not tell them apart; numbered where they are
            equal.
    """
    plain = [flat(method_key(config).to_dict()) for config in configs]
    different = len({str(values) for values in plain})  # the same method under other seeds is one
    keys = list(dict.fromkeys(key for values in plain for key in values))
    differing = [k for k in keys if len({str(values.get(k)) for values in plain}) > 1]
    # Arguments of a component that differs itself, and settings that are left open, rarely tell.
    telling = [k for k in differing if "." not in k or k.partition(".")[0] not in differing]
    short = [[_setting(k, v[k]) for k in telling if v.get(k) is not None] for v in plain]
    whole = [[_setting(k, values.get(k)) for k in differing] for values in plain]
    for settings in (short, whole):
        names = [" + ".join(words) for words in settings]
        if all(names) and len(set(names)) == different:
            return names
    return [
        name if fallback.count(name) == 1 else f"{name} ({fallback[:index].count(name) + 1})"
        for index, name in enumerate(fallback)
    ]


def _setting(key: str, value: Any) -> str:
    """A setting as a part of a name: components by their name alone."""
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if key in _COMPONENTS else f"{key.replace('_', ' ')} {text}"
