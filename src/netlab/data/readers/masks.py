"""Pictures with masks: from pairs of files to a segmentation set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netlab.contracts.dataset import DataRequest, SegmentationSet
from netlab.data.readers.cache import Source, decoded_once
from netlab.data.readers.decoding import Decoded, LeftOut, Pixels, decode_all
from netlab.data.readers.pictures import read_mask, read_picture, stretch, stretch_mask
from netlab.errors import DataError, listing


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

    def ids(self, values: NDArray[np.int64]) -> Pixels:
        """Class ids (H, W) of raw pixel values.

        Raises:
            LeftOut: the required class is missing.
            _BadMask: values that belong to no class.
        """
        present = [int(value) for value in np.unique(values)]
        if unknown := [value for value in present if value not in self.values]:
            allowed = ", ".join(map(str, self.values))
            raise _BadMask(
                f"has the value {listing([str(value) for value in unknown], 3)} (not {allowed})"
            )
        ids = np.zeros(values.shape, np.uint8)
        for value in present:
            ids[values == value] = self.values.index(value)
        # Before resizing, so that whether a pair counts does not depend on the size asked for.
        if self.required is not None and not (ids == self.required).any():
            raise LeftOut(f"has no {self.required_name} pixel")
        return ids


class _BadMask(LeftOut):
    """A mask that its owner should mend, unless bad ones are to be dropped."""


def load_pairs(
    pairs: Sequence[Pair], rule: MaskRule, classes: tuple[str, ...], request: DataRequest
) -> SegmentationSet:
    """Decode and resize pairs, or take them from the cache.

    Undecodable pairs and those without the required class are dropped and counted; masks with
    values outside the classes are an error unless `request.skip_bad`.

    Raises:
        DataError: bad masks (named), or nothing left.
    """
    source = Source(
        title=pairs[0].image.parent.parent.name,
        settings=(rule, request.image_size, request.skip_bad),
        files=[(path.name, path) for pair in pairs for path in (pair.image, pair.mask)],
        unit="pairs",
    )
    decoded = decoded_once(source, len(pairs), lambda: _decode_pairs(pairs, rule, request), request)
    images, masks = decoded.arrays["images"], decoded.arrays["masks"]
    return SegmentationSet(images, masks, decoded.names, classes, decoded.dropped)


def _decode_pairs(pairs: Sequence[Pair], rule: MaskRule, request: DataRequest) -> Decoded:
    size = request.image_size
    bad: dict[Path, str] = {}

    def decode(pair: Pair) -> tuple[Pixels, Pixels]:
        picture, values = read_picture(pair.image), read_mask(pair.mask)
        try:
            if (picture.height, picture.width) != values.shape:
                raise _BadMask(
                    f"is {values.shape[1]} × {values.shape[0]}, "
                    f"its picture {picture.width} × {picture.height}"
                )
            ids = rule.ids(values)
        except _BadMask as error:
            bad[pair.mask] = str(error)
            raise
        return stretch(picture, size), stretch_mask(ids, size)

    shapes = {"images": (size, size, 3), "masks": (size, size)}
    decoded = decode_all(pairs, decode, shapes)
    if bad and not request.skip_bad:
        faults = [f"{pair.mask.name} {bad[pair.mask]}" for pair in pairs if pair.mask in bad]
        raise DataError(
            f"{len(bad)} bad mask{'s' if len(bad) > 1 else ''} in {pairs[0].mask.parent}: "
            f"{listing(faults, 3)}; mend them, name your values with --mask-values, "
            "or drop them with --skip-bad"
        )
    if not decoded.names:
        reasons = listing(sorted({d.reason for d in decoded.dropped}), 3)
        raise DataError(
            f"no usable pair among {len(pairs)} of the {request.split} split: {reasons}"
        )
    return decoded
