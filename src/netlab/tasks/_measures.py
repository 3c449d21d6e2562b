"""What runs are compared by: measures of a result, and pictures of what a network makes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.uint8]


class Measure(NamedTuple):
    """One row of a comparison."""

    label: str
    keys: tuple[str, ...]
    """Place in a result: `("iou", "pet")`."""
    higher_is_better: bool | None
    """None where neither is."""

    @property
    def name(self) -> str:
        """The place as one word, for CSV and JSON: `iou_pet`."""
        return "_".join(self.keys)

    def of(self, result: Mapping[str, Any]) -> float | None:
        """The value in a result, or in that of a trivial predictor; None where there is no number.

        Args:
            result: JSON-able, with numbers at this place.
        """
        found: Any = result
        for key in self.keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return float(found) if found is not None and math.isfinite(found) else None


class Shown(NamedTuple):
    """Some pictures, for a figure in which networks stand side by side; all (n, H, W, 3)."""

    common: Sequence[tuple[str, Pictures]]
    """What is the same for every network, with its heading: input, target."""
    own: Pictures
    """What this network makes of them."""
    names: Sequence[str]
    scores: Sequence[str]
    """How well, in few characters."""
    legend: Sequence[tuple[str, tuple[int, int, int]]] = ()
    """Classes and their colours."""
