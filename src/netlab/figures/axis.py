"""Where an axis begins and ends, and what stands at its ticks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_LARGEST = 1e30  # beyond it, a diverged run's numbers would overflow the arithmetic of the axis
_ZERO_BELOW = 0.4  # data whose lowest value is below this share of the highest get an axis from 0


@dataclass(frozen=True)
class Axis:
    """A range of numbers and the distance between its ticks."""

    low: float
    high: float
    step: float

    def ticks(self) -> list[float]:
        """Multiples of the step within the range."""
        first = math.ceil(self.low / self.step - 1e-6)
        last = math.floor(self.high / self.step + 1e-6)
        return [number * self.step for number in range(first, last + 1)]

    def labels(self) -> list[str]:
        """The ticks as text, all to the same digit."""
        largest = max(abs(self.low), abs(self.high))
        short = _power if largest >= 1e5 or largest < 1e-2 else _decimal
        return [short(tick, self.step) for tick in self.ticks()]

    def positions(self, values: Values) -> Values:
        """0 for values at the low end, 1 at the high end; NaN stays NaN."""
        return (values - self.low) / (self.high - self.low)


def numbers(values: Sequence[float]) -> Values:
    """`values` as floats (N,), with NaN for all that cannot be drawn."""
    array = np.asarray(values, dtype=np.float64)
    array = np.where(np.abs(array) < 1 / _LARGEST, 0.0, array)
    return np.where(np.abs(array) < _LARGEST, array, np.nan)


def x_axis(values: Values, count: int) -> Axis:
    """An axis from the least to the greatest value; whole numbers get whole ticks."""
    known = values[~np.isnan(values)]
    if not known.size:
        return Axis(0, 1, 1)
    low, high = float(known.min()), float(known.max())
    if _constant(low, high):
        pad = max(0.5, abs(low) * 1e-3)
        return Axis(low - pad, high + pad, max(1, _nice(pad / 2)))
    step = _nice((high - low) / count)
    integers = bool((known == np.rint(known)).all())
    return Axis(low, high, max(step, 1) if integers else step)


def y_axis(values: Values, limits: tuple[float, float] | None, count: int) -> Axis:
    """An axis with the given limits, or one between ticks that holds all values."""
    if limits is not None:
        if not limits[0] < limits[1]:
            raise ValueError(f"y_range must rise, got {limits}")
        return Axis(*limits, _nice((limits[1] - limits[0]) / count))
    known = values[~np.isnan(values)]
    if not known.size:
        return Axis(0, 1, 0.2)
    low, high = float(known.min()), float(known.max())
    if _constant(low, high):
        pad = abs(low) / 2 or 1.0
        low, high = low - pad, high + pad
    elif 0 <= low < _ZERO_BELOW * high:
        low = 0.0
    step = _nice((high - low) / count)
    return Axis(math.floor(low / step + 1e-6) * step, math.ceil(high / step - 1e-6) * step, step)


def _constant(low: float, high: float) -> bool:
    # Differences below a millionth are rounding, and ticks could not name them.
    return high - low <= 1e-6 * max(abs(low), abs(high))


def _nice(step: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is not below `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(nice * power for nice in (1, 2, 5, 10) if nice * power >= step * (1 - 1e-9))


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value)) + 1e-9)


def _decimal(value: float, step: float) -> str:
    return f"{value:.{max(0, -_exponent(step))}f}"


def _power(value: float, step: float) -> str:
    if value == 0:
        return "0"
    digits = max(0, _exponent(value) - _exponent(step))
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if digits else mantissa
    return f"{mantissa}e{int(exponent)}"
