"""Decoded once: arrays kept as mapped files, looked up by the contents of what they come from."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netlab.contracts.dataset import DataRequest, Dropped
from netlab.data.readers.decoding import Decoded
from netlab.errors import DataError, listing
from netlab.files import cache_dir

_VERSION = 3  # raise it when decoding or resizing changes
_WORTH_CACHING = 256  # entries; fewer are decoded in a moment


@dataclass(frozen=True)
class Source:
    """All that decoded arrays depend on: where any of it changes, they are decoded anew."""

    title: str
    """First part of the name of the folder in the cache."""
    settings: tuple[object, ...]
    """How the files are decoded; compared by their `repr`."""
    files: Sequence[tuple[str, Path]]
    """A name for each file; name and contents count, its place and times do not."""
    unit: str
    """What an entry is called in messages, in the plural."""

    def digest(self) -> str:
        """Of settings, names and contents.

        The contents are read whole: names, sizes and times stay the same where a file is corrected
        and its time set back, or two files change places. For small JPEG pictures that costs about
        3 % of decoding them, for larger ones less.

        Raises:
            DataError: a file that cannot be read.
        """
        digest = hashlib.sha256(repr((_VERSION, *self.settings)).encode())
        try:
            for name, path in self.files:
                contents = path.read_bytes()
                digest.update(f"\n{name}|{len(contents)}|".encode(errors="surrogateescape"))
                digest.update(contents)
        except OSError as error:
            raise DataError(f"{error.filename}: {error.strerror}") from error
        return digest.hexdigest()


def decoded_once(
    source: Source, count: int, decode: Callable[[], Decoded], request: DataRequest
) -> Decoded:
    """What `decode` returns, from the cache if an earlier run decoded it (then mapped, read-only).

    Says what was dropped and what was written. Few entries, by their `count`, are not kept.

    Raises:
        DataError: a file that cannot be read, and whatever `decode` raises.
    """
    base = cache_dir() if count >= _WORTH_CACHING else None
    folder = base / f"{source.title}-{source.digest()[:24]}" if base else None
    if folder is not None and (cached := _cached(folder)) is not None:
        return cached
    decoded = decode()
    for reason in sorted({d.reason for d in decoded.dropped}):
        names = [d.name for d in decoded.dropped if d.reason == reason]
        request.note(f"{request.split}: dropped {len(names)} ({reason}): {listing(names, 8)}")
    if folder is not None and _store(folder, decoded, source, request):
        return _cached(folder) or decoded  # mapped, so that the copy in memory can go
    return decoded


def _cached(folder: Path) -> Decoded | None:
    """What an earlier run decoded; None if nothing, and what is damaged is removed."""
    if not folder.is_dir():
        return None
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in index["arrays"]}
        names = tuple(index["names"])
        if any(len(array) != len(names) for array in arrays.values()):
            raise ValueError("lengths differ")
        return Decoded(arrays, names, tuple(Dropped(*d) for d in index["dropped"]))
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        shutil.rmtree(folder, ignore_errors=True)
        return None


def _store(folder: Path, decoded: Decoded, source: Source, request: DataRequest) -> bool:
    """Write the arrays aside and rename the folder; False where that is not possible."""
    aside = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    index = {"arrays": list(decoded.arrays), "names": decoded.names, "dropped": decoded.dropped}
    try:
        aside.mkdir(parents=True)
        for name, array in decoded.arrays.items():
            np.save(aside / f"{name}.npy", array)
        (aside / "index.json").write_text(json.dumps(index), encoding="utf-8")
        aside.rename(folder)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        if folder.is_dir():  # another process was faster
            return True
        request.note(f"not cached ({error.strerror}); set NETLAB_CACHE to a folder with room")
        return False
    mebibytes = sum(array.nbytes for array in decoded.arrays.values()) / 2**20
    request.note(
        f"{request.split}: {len(decoded.names)} {source.unit} decoded once, "
        f"{mebibytes:.0f} MiB in {folder}"
    )
    return True
