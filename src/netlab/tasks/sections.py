"""Parts of a page that several tasks show."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from netlab.contracts.report import Html, Section
from netlab.figures.curves import Panel
from netlab.figures.html.chart import charts
from netlab.figures.html.markup import join
from netlab.figures.html.page import details, paragraph
from netlab.figures.html.table import heat_table, plain_table
from netlab.figures.lines import Line
from netlab.figures.palette import FAINT
from netlab.metrics.calibration import CalibrationError

SHOWN = 8
"""Pictures in each group of examples."""

_MOST = 50  # classes of a matrix, and pairs of classes instead of a larger one


def best_first(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of (N,) scores from the best to the worst, those without one at the end."""
    return np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")


def ranked(scores: NDArray[np.float64], count: int = SHOWN) -> dict[str, NDArray[np.int64]]:
    """Indices of the best, the median and the worst of (N,) scores, each from best to worst.

    No picture is in two groups: of a few pictures, each group gets a third.
    """
    order = best_first(scores)
    count = max(1, min(count, len(order) // 3))
    middle = max(count, (len(order) - count) // 2)
    parts = {
        "Best": order[:count],
        "Median": order[middle : middle + count],
        "Worst": order[max(middle + count, len(order) - count) :],
    }
    return {name: part for name, part in parts.items() if len(part)}


def confusion_section(counts: Tensor, classes: Sequence[str], unit: str) -> Section:
    """Confusion matrix (K, K), rows the truth, as shares of each row and as counts.

    Of very many classes, whose matrix nobody could read, the classes that are confused most.

    Args:
        counts: whole numbers.
        classes: their names.
        unit: what is counted, in the plural.
    """
    show = _matrix if len(classes) <= _MOST else _most_confused
    return Section("confusion", "Confusion matrix", show(counts, classes, unit))


def _most_confused(counts: Tensor, classes: Sequence[str], unit: str) -> Html:
    totals = counts.sum(dim=1).tolist()
    wrong = counts.clone().fill_diagonal_(0)
    confusions, cells = wrong.flatten().sort(descending=True, stable=True)
    rows = []
    for count, cell in zip(confusions[:_MOST].tolist(), cells[:_MOST].tolist(), strict=True):
        true, taken = divmod(cell, len(classes))
        if count:
            share = f"{100 * count / totals[true]:.1f} %"
            rows.append([f"{classes[true]} as {classes[taken]}", f"{count:,}", share])
    caption = f"Of {len(classes)} classes, those most often taken (first) for another (second)"
    return plain_table(["", unit, "of the true class"], rows, caption, numeric=True)


def _matrix(counts: Tensor, classes: Sequence[str], unit: str) -> Html:
    totals = counts.sum(dim=1, keepdim=True)
    shares = (counts.double() / totals).tolist()  # nan, an empty row, where a class is nowhere
    numbers = [
        [name, *(f"{count:,}" for count in row)]
        for name, row in zip(classes, counts.tolist(), strict=True)
    ]
    corner = "true \\ predicted"
    caption = f"Of the {unit} of each true class (row), percent taken for each class (column)"
    return join(
        heat_table(classes, classes, shares, caption, corner=corner),
        details(
            f"Counts of {unit}",
            plain_table([corner, *classes], numbers, f"{unit.capitalize()} counted", numeric=True),
        ),
    )


def calibration_section(calibration: CalibrationError, unit: str) -> Section:
    """How often a confidence is right: a curve that should be the diagonal, and its numbers."""
    bins = calibration.bins()
    ideal = Line("ideal", (0.0, 1.0), (0.0, 1.0), dashed=True, colour=FAINT)
    curve = Line("network", [b.confidence for b in bins], [b.accuracy for b in bins], marker="dot")
    error = calibration.compute()
    panel = Panel("Calibration", "confidence", "share right", [ideal, curve], y_range=(0.0, 1.0))
    rows = [[f"{b.confidence:.3f}", f"{b.accuracy:.3f}", f"{100 * b.share:.2f} %"] for b in bins]
    columns = ["confidence", "share right", f"of all {unit}"]
    body = join(
        paragraph(
            f"Calibration error {error:.4f}: the mean distance of the curve from the diagonal, "
            f"weighted by the {unit} at each confidence."
        ),
        charts([panel]),
        details("The same as a table", plain_table(columns, rows, "Calibration", numeric=True)),
    )
    return Section("calibration", "Calibration", body)
