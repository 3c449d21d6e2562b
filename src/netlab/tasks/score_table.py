"""Scores out of results, and as lines of text."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from netlab.contracts.report import Measure
from netlab.errors import counted
from netlab.figures.html.table import ScoreRow, score


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
    columns: Sequence[str], rows: Sequence[ScoreRow], *, label: int = 22, cell: int = 12
) -> list[str]:
    """A table of scores, a column each method; `label` and `cell` are widths in characters."""
    names = [name.replace("_", " ")[: cell - 1] for name in columns]
    lines = [f"{'':<{label}}" + "".join(f"{name:>{cell}}" for name in names)]
    return lines + [
        f"{row.label:<{label}}" + "".join(f"{score(value):>{cell}}" for value in row.values)
        for row in rows
    ]


def count_line(result: Mapping[str, Any]) -> str:
    """How many pictures were scored, and how fast."""
    return (
        f"{counted(result['count'], 'picture')} of {result['split']}, {result['dropped']} dropped, "
        f"{result['images_per_second']:.0f} images/s"
    )
