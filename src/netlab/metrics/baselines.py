"""Trivial predictors for segmentation: scores that a network has to beat.

Both are fitted to training masks and look at no picture. Equally frequent classes: the lowest id.
"""

import numpy as np
from numpy.typing import NDArray

_CHUNK = 128  # pictures: comparisons make copies, and more than 255 would overflow uint8 sums


def constant_prediction(masks: NDArray[np.uint8], classes: int) -> NDArray[np.uint8]:
    """The most frequent class everywhere: (N, H, W) ids to (H, W) ids."""
    pixels = _frequencies(masks, classes).sum(axis=(1, 2))  # (K,)
    return np.full(masks.shape[1:], pixels.argmax(), dtype=np.uint8)


def mean_mask(masks: NDArray[np.uint8], classes: int) -> NDArray[np.uint8]:
    """The most frequent class at each position: (N, H, W) ids to (H, W) ids."""
    modes: NDArray[np.uint8] = _frequencies(masks, classes).argmax(axis=0).astype(np.uint8)
    return modes


def _frequencies(masks: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """How many masks have each class at each position: (N, H, W) to (K, H, W)."""
    counts = np.zeros((classes, *masks.shape[1:]), dtype=np.int64)
    for start in range(0, len(masks), _CHUNK):
        chunk = masks[start : start + _CHUNK]
        for id_ in range(classes):
            counts[id_] += (chunk == id_).sum(axis=0, dtype=np.uint8)
    return counts
