"""One curve: its data, and how it is drawn over a plot and in a legend."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from netlab.figures.axis import Axis, Values, numbers
from netlab.figures.canvas import blank
from netlab.figures.palette import WHITE, Colour

Box = tuple[int, int, int, int]
Marker = Literal["dot", "ring"]

_PAD = 8  # room around the plot for markers and line ends
_FINE = 4  # PIL's lines have hard edges: drawn this many times larger, then averaged
_WIDTH, _DOT = 2, 4  # line width, marker radius
_DASH, _SPACE = 7.0, 5.0


@dataclass(frozen=True)
class Line:
    """One curve; NaN and infinite values leave a gap, a point between gaps becomes a dot.

    Attributes:
        label: its text in the legend; none is shown for an empty one.
        xs: (N,) numbers.
        ys: (N,) numbers.
        dashed: draw dashes.
        marker: a filled `dot` or an open `ring` at every point.
        colour: the next line colour if not given.
    """

    label: str
    xs: Sequence[float]
    ys: Sequence[float]
    dashed: bool = False
    marker: Marker | None = None
    colour: Colour | None = None

    def __post_init__(self) -> None:
        if len(self.xs) != len(self.ys):
            raise ValueError(
                f"line '{self.label}' needs as many ys as xs, got {len(self.ys)} and {len(self.xs)}"
            )


def draw_lines(
    image: Image.Image,
    box: Box,
    lines: Sequence[Line],
    colours: Sequence[Colour],
    axes: tuple[Axis, Axis],
) -> None:
    """Draw curves over the plot in `box`, its grid kept sharp below them."""
    left, top, right, bottom = box
    around = (left - _PAD, top - _PAD, right + _PAD, bottom + _PAD)
    size = (around[2] - around[0], around[3] - around[1])
    fine = image.crop(around).resize((size[0] * _FINE, size[1] * _FINE), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(fine)
    for line, colour in zip(lines, colours, strict=True):
        xs = axes[0].positions(numbers(line.xs)) * (right - left) + _PAD
        # Points far outside a given y_range: PIL counts in 32 bits, and dashes cost time.
        ys = (1 - np.clip(axes[1].positions(numbers(line.ys)), -1, 2)) * (bottom - top) + _PAD
        _draw_line(draw, np.stack([xs, ys], axis=1) * _FINE, line, colour)
    image.paste(fine.reduce(_FINE), around[:2])


def _draw_line(draw: ImageDraw.ImageDraw, points: Values, line: Line, colour: Colour) -> None:
    """Draw points (N, 2) in pixels of the enlarged plot, in which NaN makes gaps."""
    for run in runs(points):
        if len(run) == 1 and line.marker is None:
            _draw_marker(draw, run[0], "dot", colour)
        for part in _dashes(run) if line.dashed else [run]:
            draw.line([(x, y) for x, y in part], fill=colour, width=_WIDTH * _FINE, joint="curve")
        if line.marker is not None:
            for point in run:
                _draw_marker(draw, point, line.marker, colour)


def _draw_marker(draw: ImageDraw.ImageDraw, at: Values, marker: Marker, colour: Colour) -> None:
    radius = (_DOT if marker == "dot" else _DOT + 1) * _FINE
    box = (at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius)
    inside = colour if marker == "dot" else WHITE
    draw.ellipse(box, fill=inside, outline=colour, width=_WIDTH * _FINE)


def draw_swatch(image: Image.Image, box: Box, line: Line, colour: Colour) -> None:
    """Draw a short piece of the line, or its marker alone if it has but one point."""
    left, top, right, bottom = box
    fine = blank((right - left) * _FINE, (bottom - top) * _FINE)
    ends = np.array([[0, fine.height / 2], [fine.width, fine.height / 2]])
    middle = ends.mean(axis=0, keepdims=True)
    draw = ImageDraw.Draw(fine)
    if len(line.xs) != 1:
        _draw_line(draw, ends, Line("", (0, 1), (0, 1), line.dashed), colour)
    if len(line.xs) == 1 or line.marker is not None:
        _draw_line(draw, middle, Line("", (0,), (0,), marker=line.marker), colour)
    image.paste(fine.reduce(_FINE), (left, top))


def runs(points: Values) -> list[Values]:
    """The stretches of points (N, 2) without NaN between."""
    good = ~np.isnan(points).any(axis=1)
    cuts = np.flatnonzero(np.diff(good)) + 1
    return [run for run in np.split(points, cuts) if run.size and not np.isnan(run).any()]


def _dashes(run: Values) -> Iterator[Values]:
    """Cut a stretch (N, 2) into dashes of equal length along it, corners kept."""
    lengths = np.hypot(*np.diff(run, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    starts = np.arange(0, along[-1], (_DASH + _SPACE) * _FINE)
    for start in starts:
        end = min(start + _DASH * _FINE, along[-1])
        corners = along[(along > start) & (along < end)]
        marks = np.concatenate([[start], corners, [end]])
        yield np.stack([np.interp(marks, along, run[:, axis]) for axis in (0, 1)], axis=1)
