"""What the run folders hold, read without torch; damage is reported, and never an error."""

import contextlib
import csv
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from netlab.config import TrainConfig
from netlab.contracts.score import Score, former_score, read_score
from netlab.errors import ConfigError, UsageError, WeightsError, counted
from netlab.files import is_locked
from netlab.runs.folder import STAMP, RunDir, age, find_run
from netlab.settings import Layer, merge, read_config_file
from netlab.weights.header import read_header

RunState = Literal["running", "done", "interrupted", "failed"]
Row = dict[str, float | None]
COMPARISON = "comparison.json"
"""The file that makes a folder that of a comparison."""


@dataclass(frozen=True)
class RunSummary:
    """One run, as its folder shows it."""

    path: Path
    name: str
    config: dict[str, Any]
    """All settings; of a damaged file those that are whole."""
    state: RunState
    epoch: int
    """Finished epochs."""
    epochs: int
    """Epochs that were asked for; 0 if the settings cannot be read."""
    score: Score | None
    """What it is judged by; None before the first epoch, or if no file says."""
    best: float | None
    """Its score in its best epoch."""
    seconds: float
    """Time spent training, up to the last save."""
    started: datetime
    best_epoch: int = 0
    failure: str = ""
    """Why the run failed."""
    altered: bool = False
    """Whether it was extended, or went on with other settings than it began with."""
    faults: tuple[str, ...] = ()
    """What is wrong with the folder."""


def summarise(run: RunDir) -> RunSummary:
    """Read a run's folder; whatever is damaged is named in `faults`."""
    faults: list[str] = []
    config = _config(run, faults)
    progress = _progress(run, faults)
    rows = epoch_rows(run, faults)
    finished = progress.get("epoch", len(rows))
    if finished and not run.metrics.is_file():
        faults.append("metrics.csv: missing")
    about = _weights(run, faults) if finished else {}
    score = _score(rows, progress, about)
    best, best_epoch = _best(rows, progress, score)
    failure = _text(run.failure, faults).strip()
    epochs = config.get("epochs", 0)
    state: RunState = "interrupted"
    if is_locked(run.lock):
        state = "running"
    elif failure or not epochs:
        state = "failed"
    elif 0 < epochs <= finished or 0 < config.get("early_stop", 0) <= progress.get("stale", 0):
        state = "done"
    return RunSummary(
        path=run.path,
        name=run.path.name or run.path.resolve().name,
        config=config,
        state=state,
        epoch=finished,
        epochs=epochs,
        score=score,
        best=best,
        best_epoch=best_epoch,
        seconds=progress.get("seconds", (rows[-1].get("seconds") or 0.0) if rows else 0.0),
        started=_started(run),
        failure=failure,
        altered=progress.get("altered", False),
        faults=tuple(faults),
    )


def list_runs(runs_dir: Path) -> list[RunSummary]:
    """All runs of a folder, the one last started or resumed (`--resume last`) at the end.

    Raises:
        UsageError: the folder cannot be read; one that is not there holds no runs.
    """
    try:
        folders = [path for path in runs_dir.iterdir() if is_run(path)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{runs_dir}: cannot be read ({error.strerror})") from error
    by_age = []
    for folder in folders:
        with contextlib.suppress(OSError):  # removed meanwhile
            by_age.append((age(folder), summarise(RunDir(folder))))
    return [summary for _, summary in sorted(by_age, key=lambda pair: pair[0])]


def list_comparisons(runs_dir: Path) -> list[Path]:
    """The folders that `netlab compare` made among the runs, the newest last."""
    with contextlib.suppress(OSError):  # a folder that is not there, or may not be read
        return sorted(path for path in runs_dir.iterdir() if is_comparison(path))
    return []


def find_folder(which: str, runs_dir: Path, *, comparisons: bool = False) -> RunDir:
    """As `find_run`; also finds runs that ended before their settings were written.

    Args:
        which, runs_dir: see there.
        comparisons: take the folder of a comparison as well.

    Raises:
        UsageError: there is no such run.
    """
    for path in (Path(which), runs_dir / which):
        if which != "last" and (is_run(path) or (comparisons and is_comparison(path))):
            return RunDir(path)
    return find_run(which, runs_dir)


def no_weights(run: RunDir) -> str:
    """Why a run has no `best.safetensors`, for a message."""
    if not (finished := summarise(run).epoch):
        return f"{run.path}: no weights yet; the first epoch has not ended"
    other = f"; there is {run.last}" if run.last.is_file() else ""
    return f"{run.best}: missing, after {counted(finished, 'epoch')}{other}"


def is_run(path: Path) -> bool:
    """Whether a folder looks like a run's: it has settings, or the lock that comes before them."""
    with contextlib.suppress(OSError):  # a folder that may not be looked into
        return (path / "config.yaml").is_file() or (path / ".lock").is_file()
    return False


def is_comparison(path: Path) -> bool:
    """Whether `netlab compare` made a folder."""
    try:
        read = json.loads((path / COMPARISON).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(read, dict) and {"methods", "differences"} <= read.keys()


def epoch_rows(run: RunDir, faults: list[str] | None = None) -> list[Row]:
    """The rows of metrics.csv as numbers; fields that are none are None.

    Args:
        run: its folder.
        faults: takes what is wrong with the file.
    """
    faults = [] if faults is None else faults
    try:
        read = list(csv.DictReader(_text(run.metrics, faults).splitlines(), strict=True))
    except csv.Error as error:
        faults.append(f"metrics.csv: no table ({error})")
        return []
    if any(None in row or None in row.values() for row in read):
        faults.append("metrics.csv: a row of another length than the first")
    return [{str(k): _number(v) for k, v in row.items() if k is not None} for row in read]


def _config(run: RunDir, faults: list[str]) -> dict[str, Any]:
    if not run.config.is_file():
        faults.append("config.yaml: missing")
        return {}
    layer = Layer("", {})
    try:
        layer = read_config_file(run.config)
        return merge({}, [Layer("config.yaml", layer.values)]).to_dict()
    except ConfigError as error:
        fault = str(error).replace(str(run.config), "config.yaml")
        faults.append(fault if fault.startswith("config.yaml") else f"config.yaml: {fault}")
    plain = TrainConfig().to_dict()
    kinds = {f.name: type(plain[f.name]) for f in fields(TrainConfig)}
    return {k: v for k, v in layer.values.items() if type(v) is kinds.get(k) and k != "parts"}


def _progress(run: RunDir, faults: list[str]) -> dict[str, Any]:
    """The numbers of state.json; empty before the first save."""
    if not run.progress.is_file():
        return {}
    try:
        read = json.loads(_text(run.progress, faults))
        whole = {name: int(read[name]) for name in ("epoch", "best_epoch", "stale")}
        return {
            **whole,
            "seconds": float(read["seconds"]),
            "best": _number(read.get("best")),
            "altered": read.get("altered") is True,
            "score": read_score(read.get("score")),
        }
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        faults.append("state.json: damaged")
        return {}


def _weights(run: RunDir, faults: list[str]) -> dict[str, Any]:
    """The header of the best weights, which are there once an epoch has ended."""
    if not run.best.is_file():
        faults.append(f"{run.best.name}: missing")
        return {}
    try:
        return read_header(run.best).about
    except WeightsError as error:
        faults.append(f"{run.best.name}: {str(error).removeprefix(f'{run.best}: ')}")
        return {}


def _score(
    rows: Sequence[Row], progress: Mapping[str, Any], about: Mapping[str, Any]
) -> Score | None:
    """What a run is judged by, as state.json or its best weights say; older files do not."""
    metrics = about.get("metrics")
    columns = {*(metrics if isinstance(metrics, dict) else ()), *(rows[0] if rows else ())}
    return progress.get("score") or read_score(about.get("score")) or former_score(columns)


def _best(
    rows: Sequence[Row], progress: Mapping[str, Any], score: Score | None
) -> tuple[float | None, int]:
    """Value and epoch of the best row: as state.json says, or by the rows themselves."""
    if progress.get("best") is not None:
        return progress["best"], progress["best_epoch"]
    best, best_epoch = None, 0
    if score is not None:
        for epoch, row in enumerate(rows, start=1):
            value = row.get(score.column)
            if value is not None and score.better(value, best):
                best, best_epoch = value, epoch
    return best, best_epoch


def _started(run: RunDir) -> datetime:
    """By the name of the folder, or the file that was made first."""
    stamp = run.path.name[: len(time.strftime(STAMP))]
    with contextlib.suppress(ValueError):
        return datetime.strptime(stamp, STAMP).astimezone()
    first = run.lock if run.lock.is_file() else run.path
    return datetime.fromtimestamp(first.stat().st_mtime).astimezone()


def _text(path: Path, faults: list[str]) -> str:
    """The text of a file; empty if there is none."""
    if not path.is_file():
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        faults.append(f"{path.name}: cannot be read ({reason})")
        return ""


def _number(value: Any) -> float | None:
    """A finite number, or None; whole ones stay whole: `3` is an epoch, `3.0` a loss."""
    if isinstance(value, bool):
        return None
    try:
        whole = isinstance(value, str) and value.isdecimal()
        number = int(value) if whole else float(value)
        return number if math.isfinite(number) else None
    except (TypeError, ValueError, OverflowError):
        return None
