"""Distances between pictures, in pixel values of [0, 1]."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_QUERIES = 1024  # pictures in a block of distances: with 32 × 32 × 3 pixels about 60 MB in all
_POOL = 2048


def as_unit(pictures: NDArray[Any]) -> NDArray[np.float32]:
    """Bytes to [0, 1]; other types are there already. Same shape."""
    scale = np.float32(1 / 255 if pictures.dtype == np.uint8 else 1)
    return pictures.astype(np.float32) * scale


def rms(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Root mean square difference of each pair of pictures: (N, …) twice to (N,), in [0, 1].

    Either side may be bytes or floats of [0, 1].

    Raises:
        ValueError: different shapes.
    """
    if a.shape != b.shape:
        raise ValueError(f"a is {a.shape}, b {b.shape}: both must be (N, …)")
    out = np.zeros(len(a))
    for start in range(0, len(a), _QUERIES):
        block = slice(start, start + _QUERIES)
        gap = (as_unit(a[block]) - as_unit(b[block])).reshape(len(a[block]), -1)
        out[block] = np.sqrt(np.square(gap).mean(axis=1, dtype=np.float64))
    return out


def nearest_real(
    images: NDArray[np.uint8],
    asked: NDArray[np.integer],
    pool: NDArray[np.uint8],
    pool_labels: NDArray[np.integer],
) -> NDArray[np.int64]:
    """Index of the nearest pool picture of the asked class, (N,): what an output may be a copy of.

    Nearest by `rms`, searched through |a|² + |b|² - 2 ab in float32: of pool pictures that are
    equally near within rounding (about 1e-3 between copies, far less between others) it is any.

    Args:
        images, asked: (N, H, W, C), and (N,) class ids.
        pool, pool_labels: (M, H, W, C) real pictures, and (M,) class ids.

    Raises:
        ValueError: shapes that do not fit, or an asked class that the pool lacks.
    """
    shape = images.shape[1:]
    for name, x, y in (("images", images, asked), ("pool", pool, pool_labels)):
        if x.shape[1:] != shape or y.shape != x.shape[:1]:
            raise ValueError(f"{name} {x.shape}, labels {y.shape}: expected (N, *{shape}) and (N,)")
    index = np.zeros(len(images), dtype=np.int64)
    for id_ in np.unique(asked):
        ours, theirs = np.flatnonzero(asked == id_), np.flatnonzero(pool_labels == id_)
        if not len(theirs):
            raise ValueError(f"the pool has no picture of class {id_}")
        index[ours] = theirs[_search(images, ours, pool, theirs)]
    return index


def _search(
    images: NDArray[np.uint8],
    ours: NDArray[np.int64],
    pool: NDArray[np.uint8],
    theirs: NDArray[np.int64],
) -> NDArray[np.int64]:
    """For each of `images[ours]`, the index in `theirs` of the nearest of `pool[theirs]`."""
    best = torch.full((len(ours),), torch.inf)
    index = torch.zeros(len(ours), dtype=torch.int64)
    for low in range(0, len(theirs), _POOL):
        keys = _rows(pool[theirs[low : low + _POOL]])  # (P, D)
        lengths = keys.square().sum(dim=1)
        for start in range(0, len(ours), _QUERIES):
            block = slice(start, start + _QUERIES)
            # |a|² is the same for all of a row and moves no minimum
            gaps = torch.addmm(lengths, _rows(images[ours[block]]), keys.T, alpha=-2)  # (Q, P)
            smallest, nearest = gaps.min(dim=1)
            closer = smallest < best[block]
            best[block] = torch.where(closer, smallest, best[block])
            index[block] = torch.where(closer, nearest + low, index[block])
    return index.numpy()


def _rows(pictures: NDArray[np.uint8]) -> Tensor:
    """Pictures as rows of values around 0, whose products round less: (N, …) to (N, D)."""
    return torch.from_numpy(as_unit(pictures) - np.float32(0.5)).flatten(start_dim=1)
