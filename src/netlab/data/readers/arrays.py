"""Labelled pictures that stand as arrays in one file or a few: MNIST's, CIFAR's."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netlab.contracts.dataset import DataRequest, LabelledSet
from netlab.data.readers.pictures import stretch
from netlab.data.readers.splits import OFFICIAL, Official, names_in_split


class LabelledArrays(NamedTuple):
    """Pictures and their labels, as the files hold them."""

    images: NDArray[np.uint8]
    """(N, H, W, C)."""
    labels: NDArray[np.uint8]
    """(N,), class ids."""


def load_arrays(
    read: Callable[[Official], Sequence[LabelledArrays]],
    classes: tuple[str, ...],
    request: DataRequest,
    *,
    mirrors: bool,
) -> LabelledSet:
    """One split of a set with two official ones; pictures are called by their index: `train-00017`.

    Args:
        read: gives the files of an official split, in their order.
        classes: names of the classes.
        request: names the split.
        mirrors: see `LabelledSet`.

    Raises:
        DataError: from `read`, or nothing left for the split.
    """
    files: list[LabelledArrays] = []
    names: list[str] = []
    for official in OFFICIAL[request.split]:
        own = list(read(official))
        files += own
        names += [f"{official}-{i:05d}" for i in range(sum(len(file.labels) for file in own))]
    images = np.concatenate([file.images for file in files])
    labels = np.concatenate([file.labels for file in files])
    index_of = {name: index for index, name in enumerate(names)}
    chosen = names_in_split(names, request)
    indices = np.array([index_of[name] for name in chosen])
    return LabelledSet(
        images=_resized(images, indices, request.image_size),
        labels=labels[indices].astype(np.int64),
        names=tuple(chosen),
        classes=classes,
        mirrors=mirrors,
    )


def _resized(images: NDArray[np.uint8], chosen: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    """The chosen pictures (N, H, W, C), stretched to a side of `size`: (len(chosen), S, S, C)."""
    if images.shape[1:3] == (size, size):
        return images[chosen]
    resized = np.empty((len(chosen), size, size, images.shape[3]), np.uint8)
    for row, index in enumerate(chosen):
        image = images[index, :, :, 0] if images.shape[3] == 1 else images[index]
        resized[row] = stretch(Image.fromarray(image), size).reshape(resized.shape[1:])
    return resized
