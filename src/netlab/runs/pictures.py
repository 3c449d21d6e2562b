"""Which pictures a run is trained on: where they lie on this machine, and what they are.

A run's config says where its data are as the user typed it, perhaps relative to the folder in which
the training was started, or not at all, where the usual data folder was meant. `data.json` in the
run folder keeps what is needed to find the same pictures from anywhere. Weights files know nothing
of it. Nothing here imports torch.
"""

import contextlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from netlab.components import component
from netlab.config import MACHINE_PATHS, TrainConfig
from netlab.data.readers.folders import data_dir
from netlab.errors import WeightsError
from netlab.files import write_text
from netlab.runs.folder import RunDir
from netlab.settings import Layer, merge, read_config_file
from netlab.weights.header import read_header

_FORMAT = 1


@dataclass(frozen=True)
class PictureRecord:
    """What `data.json` says; empty where it says nothing, as in folders of older runs."""

    started_in: str = ""
    """The folder that relative paths of the config are taken from, absolute."""
    data_dir: str = ""
    """The data folder where the config names none, absolute."""
    val: str = ""
    """Fingerprint of the validation split; of data sets that are read from files."""


def record_pictures(run: RunDir, config: TrainConfig, val: str) -> None:
    """Write down which pictures a run is trained on, where they come from files.

    Args:
        run: its folder.
        config: as it stands in the folder; its relative paths are taken from the current folder.
        val: fingerprint of the validation split.

    Raises:
        WorkFailed: the file cannot be written.
    """
    from netlab.contracts.dataset import Downloadable

    published = isinstance(component(config, "dataset")(), Downloadable)
    if not published and not any(getattr(config, name) for name in MACHINE_PATHS):
        return
    default = str(data_dir(None).absolute()) if published and config.data_dir is None else ""
    about = {
        "format": _FORMAT,
        "started_in": str(Path.cwd()),
        "data_dir": default,
        "val": val,
    }
    write_text(run.data, json.dumps(about, indent=2) + "\n")


def recorded_pictures(run: RunDir) -> PictureRecord:
    """What `record_pictures` wrote; nothing where it is missing or damaged."""
    try:
        about = json.loads(run.data.read_text(encoding="utf-8"))
        return PictureRecord(*(str(about[name]) for name in ("started_in", "data_dir", "val")))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return PictureRecord()


def trained_on(run: RunDir) -> str:
    """Fingerprint of the training and validation splits of a run; empty if none was saved."""
    for state in (run.state, run.older_state):
        with contextlib.suppress(WeightsError, KeyError, TypeError):
            return str(read_header(state).about["progress"]["data"])
    return ""


def with_own_paths(config: TrainConfig, run: RunDir) -> TrainConfig:
    """The config of a run, with paths that lead to its own pictures from the current folder.

    What is not where it was at the start, or not recorded, stays as the config says.
    """
    recorded = recorded_pictures(run)
    own: dict[str, Any] = {}
    for name in MACHINE_PATHS:
        stated = getattr(config, name)
        if stated is not None and recorded.started_in:
            own[name] = str(Path(recorded.started_in, stated))
    if config.data_dir is None and recorded.data_dir:
        own["data_dir"] = recorded.data_dir
    usual = {"data_dir": data_dir(None)}
    moved = {
        name: path
        for name, path in own.items()
        if Path(path) != Path(getattr(config, name) or usual[name]).absolute()
        and Path(path).exists()
    }
    return replace(config, **moved)


def with_paths(config: TrainConfig, weights: Path) -> TrainConfig:
    """The config of weights, with the paths of the data from the run folder that they lie in.

    Raises:
        ConfigError: the folder's config is damaged.
    """
    run = RunDir(weights.parent)
    if not run.config.is_file():
        return config
    stored = read_config_file(run.config).values
    paths = {name: stored[name] for name in MACHINE_PATHS if name in stored}
    return with_own_paths(merge(config.to_dict(), [Layer(str(run.config), paths)]), run)
