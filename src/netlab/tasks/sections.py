"""Parts of a page and of a table that several tasks show."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from netlab.contracts.report import Html, Measure, Section
from netlab.errors import counted
from netlab.figures.curves import Panel
from netlab.figures.html.chart import charts
from netlab.figures.html.markup import join
from netlab.figures.html.page import details, paragraph
from netlab.figures.html.table import ScoreRow, heat_table, plain_table, score
from netlab.figures.lines import Line
from netlab.figures.palette import FAINT
from netlab.figures.text_table import text_table
from netlab.metrics.calibration import CalibrationError

SHOWN = 8
"""Pictures in each group of examples."""

_MOST = 50  # classes of a matrix, and pairs of classes instead of a larger one


def best_first(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places of (N,) scores from the best to the worst, those without a score behind all others."""
    return np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")


def ranked(scores: NDArray[np.float64], count: int = SHOWN) -> dict[str, NDArray[np.int64]]:
    """Places of the best, the median and the worst of (N,) scores, each from best to worst.

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
    found, places = wrong.flatten().sort(descending=True, stable=True)
    rows = []
    for count, place in zip(found[:_MOST].tolist(), places[:_MOST].tolist(), strict=True):
        true, taken = divmod(place, len(classes))
        if count:
            share = f"{100 * count / totals[true]:.1f} %"
            rows.append([f"{classes[true]} as {classes[taken]}", f"{count:,}", share])
    said = f"Of {len(classes)} classes, those most often taken (first) for another (second)"
    return plain_table(["", unit, "of the true class"], rows, said, numeric=True)


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
    found = Line("network", [b.confidence for b in bins], [b.accuracy for b in bins], marker="dot")
    error = calibration.compute()
    panel = Panel("Calibration", "confidence", "share right", [ideal, found], y_range=(0.0, 1.0))
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


def score_row(
    label: str,
    results: Sequence[Mapping[str, Any]],
    *keys: str,
    best: Literal["highest", "lowest"] | None = None,
) -> ScoreRow:
    """The score under `keys`, one inside the other, of each result; None where there is none."""
    measure = Measure(label, keys, None)
    return ScoreRow(label, [measure.of(result) for result in results], best)


def score_lines(
    columns: Sequence[str], rows: Sequence[ScoreRow], width: int | None = None
) -> list[str]:
    """A table of scores as lines of text, a column each method; see `text_table` for `width`."""
    names = [name.replace("_", " ") for name in columns]
    cells = [[row.label, *map(score, row.values)] for row in rows]
    return text_table(cells, ["", *names], width=width)


def count_line(result: Mapping[str, Any]) -> str:
    """How many pictures were scored, and how fast."""
    return (
        f"{counted(result['count'], 'picture')} of {result['split']}, {result['dropped']} dropped, "
        f"{result['images_per_second']:.0f} images/s"
    )
