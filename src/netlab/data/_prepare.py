"""From pairs of files to arrays: decoded and resized once, kept as one mapped file each."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
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


class _Decoded(NamedTuple):
    image: NDArray[np.uint8] | None
    mask: NDArray[np.uint8] | None
    dropped: str = ""
    fault: str = ""


def hashed_order(names: Sequence[str]) -> list[str]:
    """Names in an order that is fixed by their hashes, so that any first part is a fair sample."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())


def prepare(
    pairs: Sequence[Pair], rule: MaskRule, classes: tuple[str, ...], request: DataRequest
) -> SegmentationSet:
    """Decode and resize pairs, or take them from the cache.

    Undecodable pairs and those without the required class are dropped and counted; masks with
    values outside the classes are an error unless `request.skip_bad`.

    Raises:
        DataError: bad masks (named), or nothing left.
    """
    folder = _cache_folder(pairs, rule, request)
    cached = _cached(folder, classes)
    if cached is None:
        images, masks, names, dropped = _decode_all(pairs, rule, request)
        _tell(dropped, request)
        if folder is not None and _store(folder, images, masks, names, dropped, request):
            cached = _cached(folder, classes)  # mapped, so that the copy in memory can go
    return cached or SegmentationSet(images, masks, names, classes, dropped)


def _cached(folder: Path | None, classes: tuple[str, ...]) -> SegmentationSet | None:
    """What an earlier run decoded; None if nothing, and what is damaged is removed."""
    if folder is None or not folder.is_dir():
        return None
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        found = SegmentationSet(
            images=np.load(folder / "images.npy", mmap_mode="r"),
            masks=np.load(folder / "masks.npy", mmap_mode="r"),
            names=tuple(index["names"]),
            classes=classes,
            dropped=tuple(Dropped(*d) for d in index["dropped"]),
        )
        if not len(found.images) == len(found.masks) == len(found.names):
            raise ValueError("lengths differ")
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return found


def _decode_all(
    pairs: Sequence[Pair], rule: MaskRule, request: DataRequest
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], tuple[str, ...], tuple[Dropped, ...]]:
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
    return images[: len(names)], masks[: len(names)], tuple(names), tuple(dropped)


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


def _cache_folder(pairs: Sequence[Pair], rule: MaskRule, request: DataRequest) -> Path | None:
    base = cache_dir()
    if base is None or len(pairs) < _WORTH_CACHING:
        return None
    digest = hashlib.sha256(repr((_VERSION, rule, request.image_size, request.skip_bad)).encode())
    # Modification times repeat where an archive was unpacked: the places count too.
    digest.update(repr((pairs[0].image.parent.resolve(), pairs[0].mask.parent.resolve())).encode())
    try:
        for pair in pairs:
            for path in (pair.image, pair.mask):
                facts = path.stat()
                digest.update(f"{path.name}|{facts.st_size}|{facts.st_mtime_ns}\n".encode())
    except OSError as error:
        raise DataError(f"{error.filename}: {error.strerror}") from error
    return base / f"{pairs[0].image.parent.parent.name}-{digest.hexdigest()[:24]}"


def _store(
    folder: Path,
    images: NDArray[np.uint8],
    masks: NDArray[np.uint8],
    names: Sequence[str],
    dropped: Sequence[Dropped],
    request: DataRequest,
) -> bool:
    """Write the arrays aside and rename the folder; False where that is not possible."""
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        np.save(part / "images.npy", images)
        np.save(part / "masks.npy", masks)
        index = json.dumps({"names": names, "dropped": dropped})
        (part / "index.json").write_text(index, encoding="utf-8")
        part.rename(folder)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        if folder.is_dir():  # another process was faster
            return True
        request.note(f"not cached ({error.strerror}); set NETLAB_CACHE to a folder with room")
        return False
    mebibytes = (images.nbytes + masks.nbytes) / 2**20
    request.note(
        f"{request.split}: {len(names)} pairs decoded once, {mebibytes:.0f} MiB in {folder}"
    )
    return True
