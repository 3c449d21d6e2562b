"""Which trainings a comparison is made of, what they are called, and which are there already.

Nothing here imports torch.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from itertools import product
from pathlib import Path
from typing import Any

from netlab.config import AUTO, FREE_ON_RESUME, MACHINE_FIELDS, TrainConfig, flag_of
from netlab.errors import UsageError
from netlab.runs.summary import RunSummary, list_runs
from netlab.settings import Layer, flat, merge, read_settings

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
_COMPONENTS = {f.name for f in fields(TrainConfig) if f.metadata["kind"] or f.metadata["sum_of"]}


def grid(words: Sequence[str]) -> list[Layer]:
    """All combinations of `key=a,b` words, as layers of settings; the last word turns fastest.

    Raises:
        UsageError: a word without a key or without values, a key or a value given twice, a key
            that makes no method, such as seed or device, or a list, whose commas part no values.
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
                f"--grid {word}: no lists, as each comma parts two values; train each with --set "
                "and name the runs: netlab compare RUN RUN"
            )
        keys.append(key)
        axes.append([f"{key}={choice}" for choice in choices])
    return [Layer("--grid", read_settings(chosen).values) for chosen in product(*axes)]


def span(
    methods: Iterable[Layer], build: Callable[[Layer], TrainConfig], own: set[str], seeds: int
) -> list[TrainConfig]:
    """The config of every training: each method under each seed, all else shared.

    Args:
        methods: what differs.
        build: the config of a method, with all that is shared.
        own: shared settings that the user typed.
        seeds: number of seeds, counted up from that of the shared settings.

    Raises:
        ConfigError: settings that are wrong by themselves or together.
        UsageError: a setting that is shared and differs at once, or two methods that are the same.
    """
    configs: list[TrainConfig] = []
    for method in methods:
        if both := sorted(own & set(method.values) - {"parts"}):
            raise UsageError(
                f"{', '.join(map(flag_of, both))}: this is what the methods differ in; "
                "give its values with --grid, or leave it out"
            )
        config = build(method)
        if config in configs:
            said = ", ".join(f"{k}={v}" for k, v in flat(dict(method.values)).items())
            raise UsageError(f"{said}: the same method as one before; write each value once")
        configs += [replace(config, seed=config.seed + number) for number in range(seeds)]
    return configs


def same_training(wish: TrainConfig, run: TrainConfig) -> bool:
    """Whether a run's config is what a wish would train, wherever the data lie.

    What the data are no config tells: see `netlab.runs.pictures.trained_on`. Device, precision and
    threads matter only where the wish names them. Nor does it matter what was to be done about
    numbers that go wrong, as long as the run would have stopped at them.
    """
    if run.on_nan not in ("stop", wish.on_nan):
        return False
    for f in fields(TrainConfig):
        asked, there = getattr(wish, f.name), getattr(run, f.name)
        if f.name in _NO_MATTER or (f.name in MACHINE_FIELDS and asked in AUTO):
            continue
        if asked != there:
            return False
    return True


def find_training(
    wish: TrainConfig, runs_dir: Path, accept: Callable[[RunSummary], bool] = lambda _: True
) -> RunSummary | None:
    """The run in a folder that is what a wish would train: a finished one, else the newest.

    Runs that were extended or went on with other settings are not, nor those of a damaged config.

    Args:
        wish: complete.
        runs_dir: the folder of runs.
        accept: has the last word, the best candidate first.
    """
    found = []
    for summary in list_runs(runs_dir):
        if summary.altered or any(fault.startswith("config.yaml") for fault in summary.faults):
            continue
        if same_training(wish, merge({}, [Layer("", summary.config)])):
            found.append(summary)
    done = [summary for summary in found if summary.state == "done"]
    others = [summary for summary in found if summary.state != "done"]
    return next(filter(accept, [*reversed(done), *reversed(others)]), None)


def method_key(config: TrainConfig) -> TrainConfig:
    """A config without what does not make a method: its seed, places and machine."""
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
    short = [[_said(k, v[k]) for k in telling if v.get(k) is not None] for v in plain]
    whole = [[_said(k, values.get(k)) for k in differing] for values in plain]
    for parts in (short, whole):
        names = [" + ".join(words) for words in parts]
        if all(names) and len(set(names)) == different:
            return names
    return [
        name if fallback.count(name) == 1 else f"{name} ({fallback[:place].count(name) + 1})"
        for place, name in enumerate(fallback)
    ]


def _said(key: str, value: Any) -> str:
    """A setting as a part of a name: components by their name alone."""
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if key in _COMPONENTS else f"{key.replace('_', ' ')} {text}"
