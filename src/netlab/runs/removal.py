"""All files of the folder of a run or a comparison: what there is, and how it is removed."""

import contextlib
import os
import shutil
from pathlib import Path

from netlab.errors import UsageError
from netlab.files import is_locked
from netlab.runs.folder import RunDir
from netlab.runs.summary import COMPARISON, is_comparison, is_run, summarise

_LAST = ("config.yaml", COMPARISON)
"""What a folder is known by."""


def files(run: RunDir) -> list[tuple[str, int]]:
    """Name within the folder, and bytes, of all its files; links are none of them."""
    sizes = []
    for folder, _, names in os.walk(run.path):
        for name in names:
            path = Path(folder, name)
            with contextlib.suppress(OSError):  # removed meanwhile
                if not path.is_symlink():
                    sizes.append((path.relative_to(run.path).as_posix(), path.lstat().st_size))
    return sorted(sizes)


def check_removable(run: RunDir) -> None:
    """Refuse to remove what is in use, is a link, or is not surely a run or a comparison alone.

    Raises:
        UsageError: the reason.
    """
    path = run.path
    if path.is_symlink() or run.lock.is_symlink():
        raise UsageError(f"{path}: is a link, or is locked by one; nothing is removed through it")
    locked_once = run.lock.is_file() and (run.config.is_file() or run.log.is_file())
    if not (locked_once or is_comparison(path) or "arch" in summarise(run).config):
        raise UsageError(f"{path}: no folder of netlab train or compare, as far as can be seen")
    if inner := [p for p in path.glob("*/**/config.yaml") if is_run(p.parent)]:
        raise UsageError(f"{path}: holds other runs, such as {inner[0].parent}")
    if Path.cwd().resolve().is_relative_to(path.resolve()):
        raise UsageError(f"{path}: is the folder you are in")
    if is_locked(run.lock):
        raise UsageError(f"{path}: is being trained; stop it first")


def remove(run: RunDir) -> tuple[int, int]:
    """Remove the folder of a run or a comparison; links in it are removed, what they lead to stays.

    Returns:
        Files, and their bytes.

    Raises:
        UsageError: see `check_removable`.
        OSError: something cannot be removed; what is left can still be named.
    """
    check_removable(run)
    sizes = files(run)
    with run.locked():
        for entry in sorted(run.path.iterdir(), key=lambda p: p.name in _LAST):
            if entry == run.lock:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    run.lock.unlink()
    run.path.rmdir()
    return len(sizes), sum(size for _, size in sizes)
