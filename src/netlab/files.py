"""Files that are either whole or not there, and locks. Nothing here imports torch."""

import contextlib
import csv
import errno
import io
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from netlab.errors import UsageError, WorkFailed

_TRIES, _LOOK = 5, 0.02  # seconds; far longer than a look at the lock takes


@contextlib.contextmanager
def locked(path: Path, message: str) -> Iterator[None]:
    """Keep other processes out; the lock ends with the process, however that ends.

    Args:
        path: the lock's file, which stays.
        message: what to say when another process has it.

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
            raise UsageError(message)
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
