"""What a comparison shows: curves on shared axes, and the same pictures under every method."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netlab.compare.comparison import Comparison
from netlab.contracts.report import Shown
from netlab.figures.comparison import method_panels, method_pictures
from netlab.figures.curves import Panel
from netlab.tasks.build import score_of
from netlab.tasks.sections import best_first

_SHOWN = 6  # pictures in the figure


class Pictures(NamedTuple):
    """The same pictures under every method."""

    common: Shown
    by_method: list[Shown]

    def caption(self, index: int) -> str:
        """The name of a picture, and how well each method does on it."""
        scores = " / ".join(shown.scores[index] for shown in self.by_method)
        return f"{self.common.names[index]} · {scores}"


def panels(comparison: Comparison) -> list[Panel]:
    """Training and validation loss and the score, a colour a method."""
    names = [method.name for method in comparison.methods]
    runs = [[entry.rows for entry in method.entries] for method in comparison.methods]
    return method_panels(names, runs, score_of(comparison.first.config))


def scales(comparison: Comparison) -> str:
    """A remark where methods are trained with losses of different kinds."""
    losses = sorted({entry.config.loss for entry in comparison.entries})
    return f"{' and '.join(losses)} have scales of their own" if len(losses) > 1 else ""


def ranks(comparison: Comparison) -> NDArray[np.float64] | None:
    """How well each picture goes (N,), mean over the methods; None for different pictures."""
    if not comparison.same_pictures:
        return None
    reports = [method.entries[0].report for method in comparison.methods]
    means: NDArray[np.float64] = np.mean([report.by_rank() for report in reports], axis=0)
    return means


def pictures(comparison: Comparison, indices: NDArray[np.int64]) -> Pictures | None:
    """Some pictures under every method; None where a method makes no pictures."""
    by_method = []
    for method in comparison.methods:
        shown = method.entries[0].report.shown(indices)
        if shown is None:
            return None
        by_method.append(shown)
    return Pictures(by_method[0], by_method)


def pictures_figure(comparison: Comparison) -> Image.Image | None:
    """A few pictures, from the best to the worst; None where there are none to put side by side."""
    by_rank = ranks(comparison)
    if by_rank is None:
        return None
    order = best_first(by_rank)
    spread = np.linspace(0, len(order) - 1, min(_SHOWN, len(order)))
    chosen = pictures(comparison, order[np.unique(spread.astype(np.int64))])
    if chosen is None:
        return None
    common, split = chosen.common, comparison.first.values["split"]
    return method_pictures(
        [method.name for method in comparison.methods],
        common.common,
        [shown.own for shown in chosen.by_method],
        [chosen.caption(index) for index in range(len(common.names))],
        f"{split} pictures, evenly spread from the best to the worst; numbers by method",
        common.legend,
    )
