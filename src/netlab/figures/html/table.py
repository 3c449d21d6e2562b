"""Tables: scores with the best ones marked, shares as shades, text, and pictures."""

import math
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from netlab.contracts.report import Html
from netlab.figures.html.images import image
from netlab.figures.html.markup import element

_INNER = "  "
"""Labels that begin so belong to the one above them."""


class ScoreRow(NamedTuple):
    """One kind of score, of each column's method."""

    label: str
    values: Sequence[float | None]
    best: Literal["highest", "lowest"] | None = None
    """Which value is marked; none if that would say nothing."""
    marked: Collection[int] | None = None
    """Columns that are marked instead."""


class PictureRow(NamedTuple):
    """A row of pictures that belong together."""

    name: str
    pictures: Sequence[str]
    """Data URIs, one for each column."""
    marked: int | None = None
    """The column that gets a frame."""


def score(value: float | None) -> str:
    """A score in the digits that matter; nothing where there is none.

    >>> score(0.73125), score(-103.456), score(None)
    ('0.7312', '-103.46', '')
    """
    if value is None or math.isnan(value):
        return ""
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"


def score_table(columns: Sequence[str], rows: Sequence[ScoreRow], caption: str) -> Html:
    """Scores, a column each method, the best of a row in bold.

    Raises:
        ValueError: a row without exactly one value a column.
    """
    body = []
    for row in rows:
        _check(row.label, len(row.values), len(columns), "values")
        cells = map(_score_cell, row.values, _best(row))
        body.append(element("tr", _row_head(row.label), *cells))
    return _table(caption, ["", *columns], body, "scores")


def heat_table(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    caption: str,
    *,
    corner: str = "",
) -> Html:
    """Shares from 0 to 1 as percentages on a shade of that depth; None leaves a cell empty."""
    body = [
        element("tr", _row_head(name), *map(_shade, line))
        for name, line in zip(rows, values, strict=True)
    ]
    return _table(caption, [corner, *columns], body, "heat")


def plain_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], caption: str, *, numeric: bool = False
) -> Html:
    """Text in columns, numbers on their right edge; the first one names the row."""
    body = [
        element("tr", _row_head(row[0]), *(element("td", cell) for cell in row[1:])) for row in rows
    ]
    return _table(caption, columns, body, "plain figures" if numeric else "plain")


def picture_table(columns: Sequence[str], rows: Sequence[PictureRow], caption: str) -> Html:
    """Pictures in rows and columns, such as each of some under every label.

    Raises:
        ValueError: a row without exactly one picture a column.
    """
    body = []
    for row in rows:
        _check(row.name, len(row.pictures), len(columns), "pictures")
        cells = [
            element(
                "td",
                image(uri, f"{column}: {row.name}"),
                class_="marked" if index == row.marked else None,
            )
            for index, (column, uri) in enumerate(zip(columns, row.pictures, strict=True))
        ]
        body.append(element("tr", _row_head(row.name), *cells))
    return _table(caption, ["", *columns], body, "pictures")


def _check(name: str, count: int, needed: int, unit: str) -> None:
    if count != needed:
        raise ValueError(f"row '{name}' needs {needed} {unit}, got {count}")


def _table(caption: str, columns: Sequence[str], body: Sequence[Html], kind: str) -> Html:
    heads = [element("th", name, scope="col") if name else element("td") for name in columns]
    head = element("thead", element("tr", *heads)) if any(columns) else None
    table = element("table", element("caption", caption), head, element("tbody", *body))
    # A wide table scrolls by itself, with the keyboard as well.
    return element(
        "div", table, class_=f"scroll {kind}", tabindex=0, role="region", aria_label=caption
    )


def _row_head(label: str) -> Html:
    inner = "inner" if label.startswith(_INNER) else None
    return element("th", label.strip(), scope="row", class_=inner)


def _best(row: ScoreRow) -> list[bool]:
    """Which values of a row are the best; none where there is no other to compare with."""
    if row.marked is not None:
        return [index in row.marked for index in range(len(row.values))]
    known = [v for v in row.values if v is not None and not math.isnan(v)]
    if row.best is None or len(set(known)) < 2:
        return [False] * len(row.values)
    top = max(known) if row.best == "highest" else min(known)
    return [value == top for value in row.values]


def _score_cell(value: float | None, best: bool) -> Html:
    text = score(value)
    if not best:
        return element("td", text)
    aloud = element("span", " (best)", class_="unseen")
    return element("td", element("strong", text), aloud, class_="best")


def _shade(value: float | None) -> Html:
    if value is None or math.isnan(value):
        return element("td")
    return element("td", f"{100 * value:.1f}", style=f"--share:{value:.3f}")
