"""Run folders, and files that are either whole or not there. Nothing here imports torch."""

import contextlib
import csv
import difflib
import errno
import io
import math
import os
import re
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from netlab.errors import UsageError, WorkFailed, listing

STAMP = "%Y%m%d-%H%M%S"
"""The date at the start of a run folder's name, as `time.strftime` writes it."""
SCORES = {"val_miou": "mIoU", "val_accuracy": "accuracy"}
"""Columns of metrics.csv of which more is better, and their names, in the order in which a run is
judged by them; without any, by `val_loss`."""
_DATE = re.compile(r"^\d{8}-\d{6}-(?=.)")
_LONGEST_NAME = 100  # bytes
_TRIES, _LOOK = 5, 0.02  # seconds; far longer than a look at the lock takes


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
    def curves(self) -> Path:
        """Loss and score by epoch, as a picture."""
        return self.path / "curves.png"

    @property
    def report(self) -> Path:
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


@contextlib.contextmanager
def locked(path: Path, taken: str) -> Iterator[None]:
    """Keep other processes out; the lock ends with the process, however that ends.

    Args:
        path: the lock's file, which stays.
        taken: what to say when another process has it.

    Raises:
        UsageError: another process has it.
        WorkFailed: the folder cannot be written to.
    """
    try:
        handle = path.open("a")
    except OSError as error:
        raise WorkFailed(f"{path}: cannot be written ({error.strerror})") from error
    with handle:
        for _ in range(_TRIES):
            if _lock(handle):
                break
            time.sleep(_LOOK)
        else:
            raise UsageError(taken)
        yield


def is_locked(path: Path) -> bool:
    """Whether a living process holds a lock, without keeping anyone from it.

    To look is to share the lock for a moment, which `locked` waits out; where nobody has ever held
    it, nothing is made.
    """
    if not path.is_file():
        return False
    try:
        with path.open("rb") as handle:
            return not _lock(handle, shared=True)
    except OSError:
        return False


def remove_parts(run: RunDir) -> None:
    """Remove files that a killed process left half-written; only under the run's lock."""
    for part in run.path.rglob(".*.part"):
        part.unlink(missing_ok=True)


def replace_file(path: Path, write: Callable[[Path], object], *, keep: Path | None = None) -> None:
    """Let `write` fill a temporary file beside `path`, sync it, and rename it to `path`.

    Readers see the old file or the new one, never half of one.

    Args:
        path: what to replace.
        write: fills the file that it is given.
        keep: where the old file goes, instead of nowhere.

    Raises:
        WorkFailed: the file cannot be written (disk full, read-only folder).
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(part)
        with part.open("rb+") as handle:
            _sync(handle.fileno())
        if keep is not None and path.exists():
            path.replace(keep)
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise WorkFailed(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        part.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes, *, keep: Path | None = None) -> None:
    """Write a whole file, or none (see `replace_file`)."""
    replace_file(path, lambda part: part.write_bytes(data), keep=keep)


def write_text(path: Path, text: str) -> None:
    """Write a whole UTF-8 file, or none (see `replace_file`)."""
    write_bytes(path, text.encode("utf-8"))


def finite(value: Any) -> Any:
    """A value for JSON, which has neither paths nor numbers that are not finite: those are null."""
    if isinstance(value, Mapping):
        return {str(key): finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | None) else str(value)


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV whose columns are all keys, in the order in which they first appear."""
    rows = list(rows)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, buffer.getvalue())


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows that `write_rows` wrote, as text; an empty cell is empty text."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def free_path(path: Path) -> Path:
    """`path`, or the first of `path-2`, `path-3`, … that does not exist yet."""
    candidate, number = path, 2
    while candidate.exists():
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return candidate


def output_path(given: Path | None, default: Path, overwrite: bool) -> Path:
    """Where an output goes: a given path as it is, a default one never over an existing file.

    Raises:
        UsageError: the given path exists and `overwrite` is off, or its folder does not exist.
    """
    if given is None:
        return default if overwrite else free_path(default)
    if given.exists() and not overwrite:
        raise UsageError(f"{given} exists already: choose another name or add --overwrite")
    if not given.parent.is_dir():
        raise UsageError(f"{given}: the folder {given.parent} does not exist; make it first")
    return given


def cache_dir() -> Path | None:
    """Where prepared data are kept: $NETLAB_CACHE, else the user's cache folder; None if `off`."""
    chosen = os.environ.get("NETLAB_CACHE")
    if chosen:
        return None if chosen == "off" else Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or tempfile.gettempdir()
    with contextlib.suppress(RuntimeError):
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "netlab"


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


def _lock(handle: IO[Any], *, shared: bool = False) -> bool:
    """Whether the lock was free; it is held until `handle` is closed."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        # Any other fault is a file system without locks: better unguarded than unusable.
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
    return True


def _sync(handle: int) -> None:
    if sys.platform == "darwin":  # where fsync leaves the drive's own memory alone
        import fcntl

        with contextlib.suppress(OSError):  # not on every file system
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
            return
    os.fsync(handle)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # Windows cannot open folders; its rename is synced by the file system
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
