"""From files to arrays: decoded and resized once, kept as one mapped file for each array."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netlab.contracts.dataset import DataRequest, Dropped, SegmentationSet
from netlab.data.readers.cache import Decoded, Origin, decoded_once
from netlab.data.readers.pictures import read_mask, read_picture, stretch, stretch_mask
from netlab.errors import DataError, PictureError, listing


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
