"""Is one score really higher than another? Paired bootstrap over the pictures of a test split."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Draws = NDArray[np.int64]
Scores = NDArray[np.float64]

DRAWS = 2000
LEVEL = 0.95


class Difference(NamedTuple):
    """How much higher the first of two scores is, and how sure that is."""

    value: float
    """On the pictures as they are."""
    low: float
    high: float
    """Ends of the percentile interval at `LEVEL`."""

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out, on the side where the difference is."""
        return (self.low > 0 and self.value > 0) or (self.high < 0 and self.value < 0)


def draw_pictures(count: int, draws: int = DRAWS, seed: int = 0) -> Draws:
    """How often each picture is in each resample: (draws, count), each row sums to `count`.

    Raises:
        ValueError: no picture to draw from.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    shares = np.full(count, 1 / count)
    return np.random.default_rng(seed).multinomial(count, shares, size=draws)


def draw_runs(scores: Sequence[Scores], seed: int = 1) -> Scores:
    """One score a resample, of runs that are drawn anew in each: (R,) for each of S runs to (R,).

    With several seeds the chance of a seed is a part of the interval; with one it is not.
    """
    every = np.stack(scores, axis=1)  # (R, S)
    chosen = np.random.default_rng(seed).integers(every.shape[1], size=every.shape)
    drawn: Scores = np.take_along_axis(every, chosen, axis=1).mean(axis=1)
    return drawn


def paired_difference(first: Scores, second: Scores, value: float) -> Difference | None:
    """The interval of a difference from both scores on the same resamples.

    The percentile interval of the paired bootstrap (Efron and Tibshirani, "An Introduction to the
    Bootstrap", 1993, chapter 13; for scores of whole data sets Koehn, EMNLP 2004). It speaks of the
    choice of test pictures; of the training's seed only where `draw_runs` made the scores.
    Resamples on which a score is not a number are left out; None if none is left.

    Args:
        first, second: (R,), scores of two methods; equal rows are equal resamples.
        value: difference on the pictures as they are.

    Raises:
        ValueError: different numbers of resamples.
    """
    if first.shape != second.shape:
        raise ValueError(f"scores need equal resamples, got {first.shape} and {second.shape}")
    with np.errstate(invalid="ignore"):
        gaps = first - second
    gaps = gaps[np.isfinite(gaps)]
    if not gaps.size:
        return None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(gaps, (tail, 1 - tail))
    return Difference(value, float(low), float(high))
