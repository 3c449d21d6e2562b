"""What the figures and the page of a comparison both show."""

from typing import Any, NamedTuple

import numpy as np

from netlab.compare.comparison import Comparison
from netlab.contracts.report import Shown
from netlab.figures.comparison import method_panels
from netlab.figures.curves import Panel
from netlab.tasks.build import score_of


class Pictures(NamedTuple):
    """The same pictures under every method."""

    common: Shown
    by_method: list[Shown]

    def caption(self, place: int) -> str:
        """The name of a picture, and how well each method does on it."""
        scores = " / ".join(shown.scores[place] for shown in self.by_method)
        return f"{self.common.names[place]} · {scores}"


def panels(comparison: Comparison) -> list[Panel]:
    """Training and validation loss and the score, a colour a method."""
    names = [method.name for method in comparison.methods]
    runs = [[entry.rows for entry in method.entries] for method in comparison.methods]
    return method_panels(names, runs, score_of(comparison.first.config))


def scales(comparison: Comparison) -> str:
    """A remark where methods are trained with losses of different kinds."""
    losses = sorted({entry.config.loss for entry in comparison.entries})
    return f"{' and '.join(losses)} have scales of their own" if len(losses) > 1 else ""


def ranks(comparison: Comparison) -> Any:
    """How well each picture goes (N,), mean over the methods; None for different pictures."""
    if not comparison.same_pictures:
        return None
    reports = [method.entries[0].report for method in comparison.methods]
    return np.mean([report.by_rank() for report in reports], axis=0)


def pictures(comparison: Comparison, indices: Any) -> Pictures | None:
    """Some pictures under every method; None where a method makes no pictures."""
    shown = [method.entries[0].report.shown(indices) for method in comparison.methods]
    there = [one for one in shown if one is not None]
    return Pictures(there[0], there) if len(there) == len(shown) else None
