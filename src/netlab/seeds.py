"""Random numbers that derive from (seed, epoch, index) alone, so that nothing has to be stored."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Purpose(IntEnum):
    """What a seed of a training is derived for: the second number in `derive`."""

    ORDER = 1
    """Of the pictures in an epoch."""
    STEP = 2
    """Dropout, and samples of the latent."""
    WEIGHTS = 3
    """Of the network, at the start."""
    HELPERS = 4
    """Weights of the networks that are trained beside it."""


def uniforms(seed: int, epoch: int, indices: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """`count` numbers in [0, 1) for each index: (len(indices), count) float64.

    SplitMix64 over the three keys (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
    Generators", OOPSLA 2014): a few vectorised operations instead of a generator per picture.
    """
    keys = _mix(_mix(np.full(len(indices), seed, np.uint64)) + np.uint64(epoch))
    keys = _mix(keys + indices.astype(np.uint64))
    steps = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
    bits = _mix(keys[:, None] + steps[None, :])
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def derive(seed: int, *keys: int) -> int:
    """One 63-bit seed from several numbers, for generators that want one."""
    value = np.array([seed], np.uint64)
    for key in keys:
        value = _mix(_mix(value) + np.uint64(key))
    return int(_mix(value)[0] >> np.uint64(1))


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = x + _GOLDEN  # wraps around by design
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
