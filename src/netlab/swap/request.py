"""What a label swap is asked for. Nothing here imports torch."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Asked = int | Literal["any", "all"]
"""One label for all pictures, any wrong one for each, or every one for each."""

MOST_STRIPS = 24
"""Rows of a morph at most."""


class Layout(NamedTuple):
    """How swapped pictures are arranged in a figure."""

    default: int
    """Pictures that are taken unless another number is asked for."""
    most: int
    """Pictures that the figure has room for."""


LAYOUTS = {"rows": Layout(8, 64), "lesson": Layout(25, 25), "all-labels": Layout(8, 24)}


@dataclass(frozen=True, kw_only=True)
class SwapRequest:
    """What is asked for; labels are class ids."""

    asked: Asked = "any"
    layout: str = "rows"
    count: int | None = 8
    """Pictures, z, or pairs of them; None is the whole test split."""
    seed: int = 0
    morph_to: int | None = None
    """The label that the weights move to, from `asked` or the true label, at the same z."""
    between: bool = False
    """From one picture's z to another's, under the label `asked`."""
    from_prior: bool = False
    animated: bool = False
    """Frames instead of strips, for a morph or between."""

    @property
    def total(self) -> int | None:
        """How many pictures or z it takes: two for each pair."""
        return None if self.count is None else self.count * (1 + self.between)

    @property
    def excluded(self) -> int | None:
        """The label whose pictures are left out: they would be no swap."""
        if self.morph_to is not None:
            return self.morph_to
        return self.asked if isinstance(self.asked, int) else None
