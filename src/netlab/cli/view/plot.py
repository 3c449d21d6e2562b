"""Lines over the epochs, drawn with the dots of Braille characters; plain ASCII where need be."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from rich.text import Text

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of each dot of a Braille character, by row and column."""
_BLANK = 0x2800
_NARROWEST = 8  # columns between the axis and the right edge


class Series(NamedTuple):
    """A line; its values lie at the epochs 1, 2, …"""

    name: str
    values: Sequence[float | None]
    style: str
    dotted: bool = False
    """So that two lines can be told apart without colours."""


def plot(
    series: Sequence[Series], width: int, height: int, *, ascii_only: bool = False
) -> list[Text]:
    """Draw lines over the epochs, with a legend above and numbers at both axes.

    Args:
        series: all over the same epochs; what is no finite number leaves a gap.
        width: of every row, in characters.
        height: rows of the drawing; the legend and the epochs add one each.
        ascii_only: no Braille, one point a character.
    """
    finite = [v for s in series for v in s.values if v is not None and math.isfinite(v)]
    if not finite:
        return []
    low, high = min(finite), max(finite)
    middle = (height - 1) // 2
    marks = {0: high, height - 1: low} if high > low else {}
    if height > 4 or not marks:
        marks[middle] = high - (high - low) * middle / max(height - 1, 1)
    labels = {row: number(value) for row, value in marks.items()}
    left = max(map(len, labels.values()))
    columns = max(width - left - 2, _NARROWEST)
    drawn = _drawn(series, (low, high), columns, height, ascii_only=ascii_only)
    rows = [_legend(series, ascii_only=ascii_only)]
    for row, line in enumerate(drawn):
        tick = ("+" if ascii_only else "┤") if row in labels else ("|" if ascii_only else "│")
        axis = Text().append(f"{labels.get(row, ''):>{left}} {tick}", "dim")
        rows.append(axis.append_text(line))
    epochs = _epochs(max(len(s.values) for s in series), columns)
    rows.append(Text(" " * (left + 2) + epochs, "dim"))
    for line in rows:
        line.truncate(width)
    return rows


def number(value: float) -> str:
    """A number in few characters.

    >>> number(0.61823), number(12.345), number(-2295.05), number(0.00012)
    ('0.618', '12.3', '-2295', '1.2e-04')
    """
    size = abs(value)
    if not size:
        return "0"
    if size < 1e-3 or size >= 1e6:
        return f"{value:.1e}"
    return f"{value:.{0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3}f}"


def _epochs(last: int, columns: int) -> str:
    """The axis below: the first epoch and the last."""
    return f"1{'epoch':^{columns - 1 - len(str(last))}}{last}" if last > 1 else "1 epoch"


def _legend(series: Sequence[Series], *, ascii_only: bool) -> Text:
    text = Text()
    for line in series:
        last = next((v for v in reversed(line.values) if v is not None), None)
        sample = (". ." if line.dotted else "ooo") if ascii_only else "⠂⠂" if line.dotted else "⠒⠒"
        label = f"{line.name} {'' if last is None else number(last)}".rstrip()
        text.append(f"{'  ' if text else ''}{sample} {label}", line.style)
    return text


def _drawn(
    series: Sequence[Series],
    limits: tuple[float, float],
    columns: int,
    rows: int,
    *,
    ascii_only: bool,
) -> list[Text]:
    """The rows of the drawing; where lines share a character, the later one gives the colour."""
    wide, tall = (1, 1) if ascii_only else (2, 4)
    bits = [[0] * columns for _ in range(rows)]
    owner: list[list[Series | None]] = [[None] * columns for _ in range(rows)]
    for line in series:
        for x, y in _points(line, limits, wide * columns, tall * rows):
            bits[y // tall][x // wide] |= _DOTS[y % tall][x % wide]
            owner[y // tall][x // wide] = line
    drawn = []
    for values, owners in zip(bits, owner, strict=True):
        text = Text()
        # A style for each stretch, not for each character: the view is written often.
        for line_, cells in groupby(zip(values, owners, strict=True), key=lambda cell: cell[1]):
            if line_ is None:
                text.append(" " * len(list(cells)))
                continue
            mark = "." if line_.dotted else "o"
            chars = (mark if ascii_only else chr(_BLANK + value) for value, _ in cells)
            text.append("".join(chars), line_.style)
        drawn.append(text)
    return drawn


def _points(
    series: Series, limits: tuple[float, float], columns: int, rows: int
) -> list[tuple[int, int]]:
    """The dots of a line on a grid: its values, and what joins them."""
    low, high = limits
    step = (columns - 1) / max(len(series.values) - 1, 1)
    dots: list[tuple[int, int]] = []
    before: tuple[int, int] | None = None
    for index, value in enumerate(series.values):
        if value is None or not math.isfinite(value):
            before = None
            continue
        share = (high - value) / (high - low) if high > low else 0.5
        point = round(index * step), round(share * (rows - 1))
        dots += [] if before is None else _joined(before, point, every=3 if series.dotted else 1)
        dots.append(point)
        before = point
    return dots


def _joined(a: tuple[int, int], b: tuple[int, int], *, every: int) -> list[tuple[int, int]]:
    """Each `every`-th dot between two."""
    steps = max(abs(b[0] - a[0]), abs(b[1] - a[1]))
    return [
        (round(a[0] + (b[0] - a[0]) * i / steps), round(a[1] + (b[1] - a[1]) * i / steps))
        for i in range(every, steps, every)
    ]
