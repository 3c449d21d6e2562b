"""What sets of labelled pictures share: parts by a hash of the names, limits, sizes, decoding."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netlab.contracts.dataset import DataRequest, Dropped, LabelledSet
from netlab.data.readers.cache import Decoded, Origin, decoded_once
from netlab.data.readers.parts import OFFICIAL, Official, part_of
from netlab.data.readers.pictures import read_picture, stretch
from netlab.errors import DataError, PictureError, listing

_BLOCK = 32  # pictures that a thread takes at a time; one by one, handing over costs as much


class Example(NamedTuple):
    """A picture in a file."""

    name: str
    """Unique in its set."""
    path: Path
    label: int


class Numbers(NamedTuple):
    """An official part whose pictures stand in one file, or a few."""

    images: NDArray[np.uint8]
    """(N, H, W, C)."""
    labels: NDArray[np.uint8]
    """(N,), class ids."""


def from_numbers(
    read: Callable[[Official], Numbers],
    classes: tuple[str, ...],
    request: DataRequest,
    *,
    mirrors: bool,
) -> LabelledSet:
    """One part of a set with two official parts, named by their places: `train-00017`.

    Raises:
        DataError: from `read`, or nothing left for the part.
    """
    sources = {part: read(part) for part in OFFICIAL[request.split]}
    whole = joined(list(sources.values()))
    names = [f"{part}-{i:05d}" for part, found in sources.items() for i in range(len(found.labels))]
    places = {name: place for place, name in enumerate(names)}
    chosen = part_of(names, request)
    indices = np.array([places[name] for name in chosen])
    return LabelledSet(
        images=resized(whole.images, indices, request.image_size),
        labels=whole.labels[indices].astype(np.int64),
        names=tuple(chosen),
        classes=classes,
        mirrors=mirrors,
    )


def joined(parts: Sequence[Numbers]) -> Numbers:
    """Several files as one."""
    if len(parts) == 1:
        return parts[0]
    return Numbers(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def resized(images: NDArray[np.uint8], chosen: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    """Some of the pictures (N, H, W, C), stretched to a side of `size`: (len(chosen), S, S, C)."""
    if images.shape[1:3] == (size, size):
        return images[chosen]
    out = np.empty((len(chosen), size, size, images.shape[3]), np.uint8)
    for place, index in enumerate(chosen):
        image = images[index, :, :, 0] if images.shape[3] == 1 else images[index]
        out[place] = stretch(Image.fromarray(image), size).reshape(out.shape[1:])
    return out


def from_files(
    examples: Sequence[Example],
    classes: tuple[str, ...],
    request: DataRequest,
    root: Path,
    *,
    gray: bool = False,
    mirrors: bool = True,
) -> LabelledSet:
    """Decode and resize pictures below `root`, or take them from the cache.

    They keep their order; unreadable ones are dropped and counted. With `gray`, one channel of
    three is kept.

    Raises:
        DataError: no picture can be read.
    """
    origin = Origin(
        title=root.resolve().name,
        settings=("labelled", request.image_size, gray),
        places=(root,),
        files=[(example.name, example.path) for example in examples],
        arrays=("images",),
        unit="pictures",
    )
    found = decoded_once(
        origin, len(examples), lambda: _decode_all(examples, request, gray), request
    )
    labels = {example.name: example.label for example in examples}
    return LabelledSet(
        images=np.array(found.arrays["images"]),
        labels=np.array([labels[name] for name in found.names], np.int64),
        names=found.names,
        classes=classes,
        dropped=found.dropped,
        mirrors=mirrors,
    )


def _decode_all(examples: Sequence[Example], request: DataRequest, gray: bool) -> Decoded:
    size = request.image_size
    images = np.empty((len(examples), size, size, 1 if gray else 3), np.uint8)
    names: list[str] = []
    dropped: list[Dropped] = []
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        blocks = [examples[i : i + _BLOCK] for i in range(0, len(examples), _BLOCK)]
        for block in pool.map(lambda some: list(_decode(some, size)), blocks):
            for example, got in block:
                if isinstance(got, PictureError):
                    dropped.append(Dropped(example.name, f"cannot be read: {got}"))
                else:
                    images[len(names)] = got[..., : images.shape[3]]
                    names.append(example.name)
    if not names:
        raise DataError(
            f"none of the {len(examples)} pictures of the {request.split} part can be read: "
            f"{listing([f'{d.name} {d.reason}' for d in dropped], 3)}"
        )
    return Decoded({"images": images[: len(names)]}, tuple(names), tuple(dropped))


def _decode(
    examples: Sequence[Example], size: int
) -> Iterator[tuple[Example, NDArray[np.uint8] | PictureError]]:
    for example in examples:
        try:
            yield example, stretch(read_picture(example.path), size)
        except PictureError as error:
            yield example, error
