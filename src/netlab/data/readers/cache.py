"""Decoded once: arrays kept as mapped files, found again by all that they depend on."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netlab.contracts.dataset import DataRequest, Dropped
from netlab.errors import DataError, listing
from netlab.files import cache_dir

_VERSION = 2  # raise it when decoding or resizing changes


_WORTH_CACHING = 256  # pictures; fewer are decoded in a moment


class Decoded(NamedTuple):
    """Arrays of the same length by name, what a person calls their entries, what was left out."""

    arrays: dict[str, NDArray[np.uint8]]
    names: tuple[str, ...]
    dropped: tuple[Dropped, ...]


@dataclass(frozen=True)
class Origin:
    """All that decoded arrays depend on: where any of it changes, they are decoded again."""

    title: str
    """First part of the name of the folder in the cache."""
    settings: tuple[object, ...]
    """How the files are decoded; compared by their `repr`."""
    places: tuple[Path, ...]
    """Folders: modification times repeat where an archive was unpacked."""
    files: Sequence[tuple[str, Path]]
    """A name for each file, unique where the order is not; size and time are looked up."""
    arrays: tuple[str, ...]
    """Names of the arrays."""
    unit: str = "pairs"
    """What an entry is called in messages."""


def decoded_once(
    origin: Origin, count: int, decode: Callable[[], Decoded], request: DataRequest
) -> Decoded:
    """What `decode` returns, from the cache if an earlier run decoded it (then mapped, read-only).

    Says what was dropped and what was written. Fewer entries than `_WORTH_CACHING` are not kept.

    Raises:
        DataError: a file that is not there, and whatever `decode` raises.
    """
    folder = _cache_folder(origin) if count >= _WORTH_CACHING else None
    cached = _cached(folder, origin)
    if cached is not None:
        return cached
    decoded = decode()
    _tell(decoded.dropped, request)
    if folder is not None and _store(folder, decoded, origin, request):
        cached = _cached(folder, origin)  # mapped, so that the copy in memory can go
    return cached or decoded


def _cached(folder: Path | None, origin: Origin) -> Decoded | None:
    """What an earlier run decoded; None if nothing, and what is damaged is removed."""
    if folder is None or not folder.is_dir():
        return None
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        arrays = {n: np.load(folder / f"{n}.npy", mmap_mode="r") for n in origin.arrays}
        found = Decoded(arrays, tuple(index["names"]), tuple(Dropped(*d) for d in index["dropped"]))
        if any(len(array) != len(found.names) for array in arrays.values()):
            raise ValueError("lengths differ")
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return found


def _tell(dropped: Sequence[Dropped], request: DataRequest) -> None:
    for reason in sorted({d.reason for d in dropped}):
        names = [d.name for d in dropped if d.reason == reason]
        request.note(f"{request.split}: dropped {len(names)} ({reason}): {listing(names, 8)}")


def _cache_folder(origin: Origin) -> Path | None:
    base = cache_dir()
    if base is None:
        return None
    digest = hashlib.sha256(repr((_VERSION, *origin.settings)).encode())
    digest.update(repr(tuple(place.resolve() for place in origin.places)).encode())
    try:
        for name, path in origin.files:
            facts = path.stat()
            digest.update(
                f"{name}|{facts.st_size}|{facts.st_mtime_ns}\n".encode(errors="surrogateescape")
            )
    except OSError as error:
        raise DataError(f"{error.filename}: {error.strerror}") from error
    return base / f"{origin.title}-{digest.hexdigest()[:24]}"


def _store(folder: Path, decoded: Decoded, origin: Origin, request: DataRequest) -> bool:
    """Write the arrays aside and rename the folder; False where that is not possible."""
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        for name, array in decoded.arrays.items():
            np.save(part / f"{name}.npy", array)
        index = json.dumps({"names": decoded.names, "dropped": decoded.dropped})
        (part / "index.json").write_text(index, encoding="utf-8")
        part.rename(folder)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        if folder.is_dir():  # another process was faster
            return True
        request.note(f"not cached ({error.strerror}); set NETLAB_CACHE to a folder with room")
        return False
    mebibytes = sum(array.nbytes for array in decoded.arrays.values()) / 2**20
    request.note(
        f"{request.split}: {len(decoded.names)} {origin.unit} decoded once, "
        f"{mebibytes:.0f} MiB in {folder}"
    )
    return True
