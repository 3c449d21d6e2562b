"""Run folders, and files that are either whole or not there. Nothing here imports torch."""

import contextlib
import difflib
import re
import sys
import time
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from netlab.errors import UsageError, listing
from netlab.files import locked, write_text

STAMP = "%Y%m%d-%H%M%S"
"""The date at the start of a run folder's name, as `time.strftime` writes it."""
_DATE = re.compile(r"^\d{8}-\d{6}-(?=.)")
_LONGEST_NAME = 100  # bytes


class _File:
    """A file or folder of a run, which knows where it lies: `run.config` is its path."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, run: "RunDir", _: type) -> Path:
        return run.path / self.name


@dataclass(frozen=True)
class RunDir:
    """The files of one training run; see the contract in the README."""

    path: Path

    config = _File("config.yaml")
    """The whole configuration; written first."""
    metrics = _File("metrics.csv")
    """One row an epoch."""
    best = _File("best.safetensors")
    """Weights of the best epoch on the validation split."""
    last = _File("last.safetensors")
    """Weights of the last epoch."""
    state = _File("state.safetensors")
    """All that resume needs."""
    older_state = _File("state-before.safetensors")
    """The state saved before, for the day on which the newest is damaged."""
    progress = _File("state.json")
    """Where the run stands, for people to read."""
    data = _File("data.json")
    """Which pictures the run is trained on, and where they lie on this machine."""
    curves = _File("curves.png")
    """Loss and score by epoch, as a picture."""
    page = _File("report.html")
    """Settings, curves, scores and pictures as one page."""
    samples = _File("samples")
    """Pictures of inputs, targets and predictions."""
    events = _File("events.jsonl")
    """What happened while training, a JSON object a line; with `--log events`."""
    tensorboard = _File("tensorboard")
    """TensorBoard's files; with `--log tensorboard`."""
    log = _File("log.txt")
    """All messages of the training."""
    failure = _File("failed.txt")
    """Why the training ended, if that was an error; gone once it goes on."""
    lock = _File(".lock")
    """Held by the process that trains here."""

    @property
    def name(self) -> str:
        """Of the folder, also where it is called `.` or `..`."""
        return self.path.resolve().name

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Keep other processes out of this folder; see `netlab.files.locked`."""
        taken = (
            f"{self.path}: another process is training in this folder; "
            "wait for it, stop it, or choose another --run-dir"
        )
        return locked(self.lock, taken)


def create_run(runs_dir: Path, name: str, config: str, run_dir: Path | None = None) -> RunDir:
    """Make a new run folder with its settings: `run_dir`, or `runs_dir/YYYYMMDD-HHMMSS-NAME`.

    Args:
        runs_dir, name: where and what it is called.
        config: text of `config.yaml`, without which the folder would be no run.
        run_dir: the folder itself, instead of one in `runs_dir`.

    Raises:
        UsageError: the given folder exists and is not empty, or cannot be made.
        WorkFailed: the settings cannot be written.
    """
    if run_dir is not None:
        if run_dir.exists() and (not run_dir.is_dir() or any(run_dir.iterdir())):
            raise UsageError(
                f"{run_dir} exists already: choose another --run-dir, or go on with "
                f"netlab train --resume {run_dir}"
            )
        _make(run_dir)
    else:
        stem = stamped(safe_name(name))
        paths = (runs_dir / (stem if n == 1 else f"{stem}-{n}") for n in range(1, 1000))
        run_dir = next(filter(_make, paths), None)
    if run_dir is None:
        raise UsageError(f"{runs_dir}: too many runs named {stem}")
    run = RunDir(run_dir)
    write_text(run.config, config)
    return run


def _make(path: Path) -> bool:
    """Make a folder; false if there is one already."""
    try:
        path.mkdir(parents=True)
    except OSError as error:
        if path.is_dir():
            return False
        raise UsageError(f"{path}: cannot be made ({error.strerror}); choose another") from error
    return True


def safe_name(name: str) -> str:
    """A name as it stands in a folder's name: letters and digits of any script, and `._+-`.

    Behind a date it is a file name on all systems: without separators, control characters and what
    is invisible, composed (NFC), and of at most 100 bytes.

    >>> safe_name("../mein Lauf é"), safe_name("日本語"), safe_name("???")
    ('mein-Lauf-é', '日本語', 'run')
    """
    kept = "".join(
        c if c in "._+-" or unicodedata.category(c)[0] in "LMN" else " " for c in _composed(name)
    )
    text = re.sub(" +", "-", kept).strip("-.")
    encoding = sys.getfilesystemencoding()
    cut = text.encode(encoding, "ignore")[:_LONGEST_NAME].decode(encoding, "ignore")
    return cut.strip("-.") or "run"


def stamped(name: str) -> str:
    """A name behind the date and time: `YYYYMMDD-HHMMSS-NAME`."""
    return f"{time.strftime(STAMP)}-{name}"


def find_run(which: str, runs_dir: Path) -> RunDir:
    """The run folder that `which` names: a path, a name in `runs_dir`, its part behind the date,
    or `last`.

    Raises:
        UsageError: there is no such run, or several are called so.
    """
    if which == "last":
        runs = [p for p in runs_dir.glob("*/config.yaml") if p.is_file()]
        if not runs:
            raise UsageError(f"no run in {runs_dir} yet: start one with netlab train")
        return RunDir(max((p.parent for p in runs), key=age))
    for path in (Path(which), runs_dir / which):
        if (path / "config.yaml").is_file():
            return RunDir(path)
    folders = runs_called(which, runs_dir)
    if len(folders) == 1:
        return RunDir(folders[0])
    if folders:
        names = listing([path.name for path in reversed(folders)], limit=3)
        raise UsageError(f"{which}: several runs are called so, give the whole name: {names}")
    near = difflib.get_close_matches(which, names_of_runs(runs_dir), n=2)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UsageError(
        f"{which} is no run folder (no config.yaml in it); runs are in {runs_dir}{hint}"
    )


def runs_called(name: str, runs_dir: Path) -> list[Path]:
    """The run folders that are called so; see `names_of_runs`."""
    return names_of_runs(runs_dir).get(_composed(name), [])


def names_of_runs(runs_dir: Path) -> dict[str, list[Path]]:
    """What runs are called, and the folders that are called so, the oldest first.

    A run is called by its whole name and, for short, by the part behind the date.
    """
    called: dict[str, list[Path]] = {}
    for folder in sorted(path.parent for path in runs_dir.glob("*/config.yaml")):
        name = _composed(folder.name)
        for word in dict.fromkeys((name, _DATE.sub("", name))):
            called.setdefault(word, []).append(folder)
    return called


def age(folder: Path) -> tuple[int, str]:
    """Orders run folders by when their training was last started; the newest is the largest."""
    # By the clock of the file first: folders given with --run-dir carry no date in their name.
    config = folder / "config.yaml"
    return (config if config.exists() else folder).stat().st_mtime_ns, folder.name


def remove_parts(run: RunDir) -> None:
    """Remove files that a killed process left half-written; only under the run's lock."""
    for part in run.path.rglob(".*.part"):
        part.unlink(missing_ok=True)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)  # some file systems take names apart
