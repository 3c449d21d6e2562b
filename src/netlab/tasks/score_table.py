"""Scores out of results, and as lines of text."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from netlab.contracts.report import Measure
from netlab.errors import counted
from netlab.figures.html.table import ScoreRow, score
from netlab.figures.text_table import text_table


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
