"""Methods side by side: their curves on shared axes, and the same pictures under each of them."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netlab.contracts.score import Score
from netlab.figures.axis import numbers, y_axis
from netlab.figures.curves import Line, Panel
from netlab.figures.grid import Row, draw_grid
from netlab.figures.palette import line_colours

Rows = Sequence[Mapping[str, float | None]]
_WIDE = 1.1  # share of a panel


def method_panels(
    names: Sequence[str], runs: Sequence[Sequence[Rows]], score: Score
) -> list[Panel]:
    """Training loss, validation loss (on one scale) and the score, a line for each method.

    The score's axis begins near the lowest value: methods often lie close together. From the
    eighth method on lines are dashed, in the colours of the first; from the fifteenth on they look
    like others.

    Args:
        names: of the methods.
        runs: of each method its runs, of each run its rows of metrics.csv; None leaves a gap.
        score: what the runs are judged by; without a panel where it is the loss.
    """
    losses = ("train_loss", "val_loss")
    seen = numbers([v for n in losses for rows in _all(runs) for v in _column(rows, n)])
    axis = y_axis(seen, None, count=5)
    panels = [
        Panel(heading, "epoch", "loss", _lines(names, runs, column), (axis.low, axis.high), _WIDE)
        for column, heading in zip(losses, ("Training loss", "Validation loss"), strict=True)
    ]
    column, label = score.column, score.label
    values = [v for rows in _all(runs) for v in _column(rows, column)]
    if not score.is_loss and any(map(math.isfinite, values)):
        lines = _lines(names, runs, column)
        scale = f"{label} ({score.unit})" if score.unit else label
        panels.append(Panel(f"Validation {label}", "epoch", scale, lines, share=_WIDE))
    return panels


def method_pictures(
    names: Sequence[str],
    common: Sequence[tuple[str, NDArray[np.uint8]]],
    own: Sequence[NDArray[np.uint8]],
    captions: Sequence[str],
    title: str,
    legend: Sequence[tuple[str, tuple[int, int, int]]] = (),
) -> Image.Image:
    """A row for each picture, a column for each method.

    Args:
        names: of the methods.
        common: headings and pictures (n, H, W, 3) that stand left of all methods.
        own: what each method makes of them, (n, H, W, 3).
        captions: one for each picture.
        title: stands above.
        legend: classes and their colours.
    """
    stacks = [*(pictures for _, pictures in common), *own]
    rows = [Row([stack[i] for stack in stacks], caption) for i, caption in enumerate(captions)]
    headings = [*(heading for heading, _ in common), *names]
    return draw_grid(rows, columns=headings, title=title, legend=legend)


def _lines(names: Sequence[str], runs: Sequence[Sequence[Rows]], column: str) -> list[Line]:
    lines = []
    colours = line_colours(len(names))
    for index, (name, seeds) in enumerate(zip(names, runs, strict=True)):
        colour = colours[index]
        for number, rows in enumerate(seeds):
            epochs, values = _column(rows, "epoch"), _column(rows, column)
            label = name if number == 0 else ""
            repeats = colour in colours[:index]
            lines.append(Line(label, epochs, values, dashed=repeats, colour=colour))
    return lines


def _all(runs: Sequence[Sequence[Rows]]) -> list[Rows]:
    return [rows for seeds in runs for rows in seeds]


def _column(rows: Rows, name: str) -> list[float]:
    return [math.nan if (value := row.get(name)) is None else value for row in rows]
