"""From files to arrays: decoded and resized once, kept as one mapped file for each array."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netlab.data._contract import DataRequest, Dropped, SegmentationSet
from netlab.data._pictures import read_mask, read_picture, stretch, stretch_mask
from netlab.errors import DataError, PictureError, listing
from netlab.rundir import cache_dir

_VERSION = 2  # raise it when decoding or resizing changes
_WORTH_CACHING = 256  # pictures; fewer are decoded in a moment


class Pair(NamedTuple):
    """A picture, its mask, and the name that both share."""

    name: str
    image: Path
    mask: Path


@dataclass(frozen=True)
class MaskRule:
    """How pixel values become class ids, and which masks are of no use."""

    values: tuple[int, ...]
    """Pixel value of each class, in the order of the ids."""
    required: int | None = None
    """A class without which a picture is dropped."""
    required_name: str = ""


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


class _Decoded(NamedTuple):
    image: NDArray[np.uint8] | None
    mask: NDArray[np.uint8] | None
    dropped: str = ""
    fault: str = ""


def hashed_order(names: Sequence[str]) -> list[str]:
    """Names in an order that is fixed by their hashes, so that any first part is a fair sample."""
    return sorted(names, key=lambda name: hashlib.sha256(_bytes(name)).digest())


def _bytes(name: str) -> bytes:
    return name.encode(errors="surrogateescape")  # names of files need not be text


def prepare(
    pairs: Sequence[Pair], rule: MaskRule, classes: tuple[str, ...], request: DataRequest
) -> SegmentationSet:
    """Decode and resize pairs, or take them from the cache.

    Undecodable pairs and those without the required class are dropped and counted; masks with
    values outside the classes are an error unless `request.skip_bad`.

    Raises:
        DataError: bad masks (named), or nothing left.
    """
    parents = pairs[0].image.parent, pairs[0].mask.parent
    origin = Origin(
        title=parents[0].parent.name,
        settings=(rule, request.image_size, request.skip_bad),
        places=parents,
        files=[(path.name, path) for pair in pairs for path in (pair.image, pair.mask)],
        arrays=("images", "masks"),
    )
    found = decoded_once(origin, len(pairs), lambda: _decode_all(pairs, rule, request), request)
    images, masks = found.arrays["images"], found.arrays["masks"]
    return SegmentationSet(images, masks, found.names, classes, found.dropped)


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


def _decode_all(pairs: Sequence[Pair], rule: MaskRule, request: DataRequest) -> Decoded:
    size = request.image_size
    images = np.empty((len(pairs), size, size, 3), np.uint8)
    masks = np.empty((len(pairs), size, size), np.uint8)
    table = {value: id_ for id_, value in enumerate(rule.values)}
    names: list[str] = []
    dropped: list[Dropped] = []
    faults: list[str] = []
    # Pillow decodes and resizes without the interpreter's lock.
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for pair, got in zip(
            pairs, pool.map(lambda p: _decode(p, table, rule, size), pairs), strict=True
        ):
            if got.fault and not request.skip_bad:
                faults.append(f"{pair.mask.name} {got.fault}")
            elif got.image is None or got.mask is None:
                dropped.append(Dropped(pair.name, got.dropped or got.fault))
            else:
                images[len(names)], masks[len(names)] = got.image, got.mask
                names.append(pair.name)
    if faults:
        raise DataError(
            f"{len(faults)} bad mask{'s' if len(faults) > 1 else ''} in {pairs[0].mask.parent}: "
            f"{listing(faults, 3)}; mend them, name your values with --mask-values, "
            "or drop them with --skip-bad"
        )
    if not names:
        reasons = listing(sorted({d.reason for d in dropped}), 3)
        raise DataError(f"no usable pair among {len(pairs)} of the {request.split} part: {reasons}")
    arrays = {"images": images[: len(names)], "masks": masks[: len(names)]}
    return Decoded(arrays, tuple(names), tuple(dropped))


def _decode(pair: Pair, table: dict[int, int], rule: MaskRule, size: int) -> _Decoded:
    try:
        picture = read_picture(pair.image)
        values = read_mask(pair.mask)
    except PictureError as error:
        return _Decoded(None, None, dropped=f"cannot be read: {error}")
    if (picture.height, picture.width) != values.shape:
        sizes = (
            f"{values.shape[1]} × {values.shape[0]}, its picture {picture.width} × {picture.height}"
        )
        return _Decoded(None, None, fault=f"is {sizes}")
    found = np.unique(values)
    if odd := [int(v) for v in found if int(v) not in table]:
        allowed = ", ".join(map(str, rule.values))
        return _Decoded(
            None, None, fault=f"has the value {listing([*map(str, odd)], 3)} (not {allowed})"
        )
    ids = np.zeros(values.shape, np.uint8)
    for value in found:
        ids[values == value] = table[int(value)]
    # Before resizing, so that whether a pair counts does not depend on the size that is asked for.
    if rule.required is not None and not (ids == rule.required).any():
        return _Decoded(None, None, dropped=f"has no {rule.required_name} pixel")
    return _Decoded(stretch(picture, size), stretch_mask(ids, size))


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
            digest.update(_bytes(f"{name}|{facts.st_size}|{facts.st_mtime_ns}\n"))
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
