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


@dataclass(frozen=True)
class RunDir:
    """The files of one training run; see the contract in the README."""

    path: Path

    @property
    def name(self) -> str:
        """Of the folder, also where it is called `.` or `..`."""
        return self.path.resolve().name

    @property
    def config(self) -> Path:
        """The whole configuration; written first."""
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        """One row an epoch."""
        return self.path / "metrics.csv"

    @property
    def best(self) -> Path:
        """Weights of the best epoch on the validation part."""
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        """Weights of the last epoch."""
        return self.path / "last.safetensors"

    @property
    def state(self) -> Path:
        """All that resume needs."""
        return self.path / "state.safetensors"

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Keep other processes out of this folder; see `locked`."""
        taken = (
            f"{self.path}: another process is training in this folder; "
            "wait for it, stop it, or choose another --run-dir"
        )
        return locked(self.lock, taken)

    @property
    def older_state(self) -> Path:
        """The state saved before, for the day on which the newest is damaged."""
        return self.path / "state-before.safetensors"

    @property
    def progress(self) -> Path:
        """Where the run stands, for people to read."""
        return self.path / "state.json"

    @property
    def data(self) -> Path:
        """Which pictures the run is trained on, and where they lie on this machine."""
        return self.path / "data.json"

    @property
    def curves(self) -> Path:
        """Loss and score by epoch, as a picture."""
        return self.path / "curves.png"

    @property
    def page(self) -> Path:
        """Settings, curves, scores and pictures as one page."""
        return self.path / "report.html"

    @property
    def samples(self) -> Path:
        """Pictures of inputs, targets and predictions."""
        return self.path / "samples"

    @property
    def events(self) -> Path:
        """What happened while training, a JSON object a line; with `--log events`."""
        return self.path / "events.jsonl"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard's files; with `--log tensorboard`."""
        return self.path / "tensorboard"

    @property
    def log(self) -> Path:
        """What was said while training."""
        return self.path / "log.txt"

    @property
    def failure(self) -> Path:
        """Why the training ended, if that was an error; gone once it goes on."""
        return self.path / "failed.txt"

    @property
    def lock(self) -> Path:
        """Held by the process that trains here."""
        return self.path / ".lock"


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
    run = RunDir(_new_folder(runs_dir, name, run_dir))
    write_text(run.config, config)
    return run


def safe_name(name: str) -> str:
    """A name as it stands in a folder's name: letters and digits of any script, and `._+-`.

    Behind a date it is a file name on all systems: without separators, control characters and what
    is invisible, composed (NFC), and of at most 100 bytes.

    >>> safe_name("../mein Lauf é"), safe_name("日本語"), safe_name("???")
    ('mein-Lauf-é', '日本語', 'run')
    """
    kept = "".join(c if _in_names(c) else " " for c in _composed(name))
    text = re.sub(" +", "-", kept).strip("-.")
    how: tuple[str, str] = sys.getfilesystemencoding(), "ignore"
    return text.encode(*how)[:_LONGEST_NAME].decode(*how).strip("-.") or "run"


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
    found = runs_called(which, runs_dir)
    if len(found) == 1:
        return RunDir(found[0])
    if found:
        names = listing([path.name for path in reversed(found)], limit=3)
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


def _in_names(char: str) -> bool:
    return char in "._+-" or unicodedata.category(char)[0] in "LMN"


def _new_folder(runs_dir: Path, name: str, run_dir: Path | None) -> Path:
    if run_dir is not None:
        if run_dir.exists() and (not run_dir.is_dir() or any(run_dir.iterdir())):
            raise UsageError(
                f"{run_dir} exists already: choose another --run-dir, or go on with "
                f"netlab train --resume {run_dir}"
            )
        _make(run_dir)
        return run_dir
    stem = stamped(safe_name(name))
    for number in range(1, 1000):
        path = runs_dir / (stem if number == 1 else f"{stem}-{number}")
        with contextlib.suppress(FileExistsError):
            _make(path, new=True)
            return path
    raise UsageError(f"{runs_dir}: too many runs named {stem}")


def _make(path: Path, *, new: bool = False) -> None:
    try:
        path.mkdir(parents=True, exist_ok=not new)
    except OSError as error:
        if new and path.is_dir():
            raise FileExistsError(path) from error
        raise UsageError(f"{path}: cannot be made ({error.strerror}); choose another") from error
