"""Line charts as SVG; `page.js` shows the values under the pointer, a finger or the arrow keys."""

import json
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from netlab.contracts.report import Html
from netlab.figures.axis import Axis, Values, numbers
from netlab.figures.curves import Panel, line_shades
from netlab.figures.html.markup import element, join
from netlab.figures.html.page import Swatch, colour_style, legend
from netlab.figures.lines import Line, runs
from netlab.figures.palette import Colour

_WIDTH, _HEIGHT = 420, 260  # in the chart's own units, about the pixels of a telephone
_TOP, _RIGHT, _BELOW = 10, 14, 40  # room around the plot
_LETTER = 6.8  # width of a digit at the ticks
_DOT, _RING = 3, 5

Shaded = tuple[Line, Colour]


class _Plot(NamedTuple):
    """Where the plot lies in the chart, and what it shows."""

    left: float
    right: float
    bottom: float
    across: Axis
    upwards: Axis

    def xs(self, values: Values) -> Values:
        """Places of numbers (N,) from the left."""
        return self.left + self.across.positions(values) * (self.right - self.left)

    def ys(self, values: Values) -> Values:
        """Places of numbers (N,) from the top; what is out of range lies on the edge."""
        return self.bottom - np.clip(self.upwards.positions(values), 0, 1) * (self.bottom - _TOP)


def line_chart(panel: Panel) -> Html:
    """A chart with its title, its legend and its values for the pointer.

    A line of one point is a mark: it is drawn and stands in the legend, but is not read out.
    """
    shaded = list(zip(panel.lines, line_shades(panel.lines), strict=True))
    plot = _plot(panel)
    data = _data(panel, shaded, plot)
    drawing = element(
        "svg",
        _axes(plot, panel),
        *(_curve(plot, line, colour) for line, colour in shaded),
        _cursor(plot, [colour for line, colour in shaded if _is_curve(line)]),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=_in_words(panel),
    )
    tip = element("div", class_="tip", role="status", hidden=True)
    return element(
        "figure",
        element("figcaption", panel.title),
        legend([(n.label, c, _swatch(n)) for n, c in shaded if n.label]),
        element("div", drawing, tip, class_="plot", role="group", aria_label=panel.title),
        class_="chart",
        data_chart=json.dumps(data, allow_nan=False, ensure_ascii=False),
    )


def charts(panels: Sequence[Panel]) -> Html:
    """Charts side by side, as many as there is room for."""
    return element("div", *map(line_chart, panels), class_="charts")


def _plot(panel: Panel) -> _Plot:
    across, upwards = panel.axes(7)
    widest = max(len(label) for label in upwards.labels())
    left = 12 + widest * _LETTER + (16 if panel.y_label else 0)
    return _Plot(left, _WIDTH - _RIGHT, _HEIGHT - _BELOW, across, upwards)


def _data(panel: Panel, shaded: Sequence[Shaded], plot: _Plot) -> dict[str, object]:
    """What the script needs: every x with its place, and each curve's values and places there."""
    curves = [line for line, _ in shaded if _is_curve(line)]
    xs = sorted({float(x) for line in curves for x in line.xs if math.isfinite(x)})
    return {
        "label": panel.x_label,
        "x": xs,
        "px": _rounded(plot.xs(numbers(xs))),
        "lines": [_line_data(line, xs, plot, panel.title) for line in curves],
    }


def _line_data(line: Line, xs: Sequence[float], plot: _Plot, title: str) -> dict[str, object]:
    known = {float(x): float(y) for x, y in zip(line.xs, line.ys, strict=True)}
    values = [known.get(x, math.nan) for x in xs]
    return {
        "name": line.label or title,
        "y": [value if math.isfinite(value) else None for value in values],
        "py": _rounded(plot.ys(numbers(values))),
    }


def _axes(plot: _Plot, panel: Panel) -> Html:
    parts = []
    upwards, across = plot.upwards, plot.across
    for y, text in zip(plot.ys(numbers(upwards.ticks())), upwards.labels(), strict=True):
        parts.append(_segment(plot.left, y, plot.right, y, "grid"))
        parts.append(_text(plot.left - 6, y + 4, text, "tick end"))
    for x, text in zip(plot.xs(numbers(across.ticks())), across.labels(), strict=True):
        parts.append(_segment(x, plot.bottom, x, plot.bottom + 4, "axis"))
        parts.append(_text(x, plot.bottom + 17, text, "tick"))
    parts.append(_segment(plot.left, plot.bottom, plot.right, plot.bottom, "axis"))
    parts.append(_text((plot.left + plot.right) / 2, _HEIGHT - 7, panel.x_label, "tick"))
    if panel.y_label:
        middle = (plot.bottom + _TOP) / 2
        turned = f"rotate(-90 11 {middle:g})"
        parts.append(_text(11, middle, panel.y_label, "tick", transform=turned))
    return element("g", *parts, aria_hidden="true")


def _curve(plot: _Plot, line: Line, colour: Colour) -> Html:
    points = np.stack([plot.xs(numbers(line.xs)), plot.ys(numbers(line.ys))], axis=1)
    parts = []
    for run in runs(points):
        if len(run) > 1:
            path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in run)
            parts.append(element("path", d=path, class_="dashed" if line.dashed else None))
        if line.marker is not None or len(run) == 1:
            ring = line.marker == "ring"
            parts += [
                _circle(x, y, _RING if ring else _DOT, "ring" if ring else "dot") for x, y in run
            ]
    return element("g", *parts, class_="curve", style=colour_style(colour))


def _cursor(plot: _Plot, colours: Sequence[Colour]) -> Html:
    """The cross-hair, which the script moves; unseen until then."""
    dots = [
        element("circle", r=_DOT + 1, cx=0, cy=0, style=colour_style(colour)) for colour in colours
    ]
    upright = element("line", x1=0, x2=0, y1=_TOP, y2=f"{plot.bottom:g}")
    return element("g", upright, *dots, class_="cursor", aria_hidden="true")


def _is_curve(line: Line) -> bool:
    return len(line.xs) != 1 or line.marker is None


def _swatch(line: Line) -> Swatch:
    if not _is_curve(line):
        return "ring"
    return "dashed" if line.dashed else "line"


def _in_words(panel: Panel) -> str:
    """A description for readers who cannot see the chart: where each curve starts and ends."""
    curves = []
    for line in panel.lines:
        known = [y for y in line.ys if math.isfinite(y)]
        if not _is_curve(line):
            curves.append(line.label)
        elif known:
            curves.append(f"{line.label or panel.title} from {known[0]:.4g} to {known[-1]:.4g}")
    return f"{panel.title} by {panel.x_label}: {'; '.join(curves) or 'no values'}"


def _segment(x1: float, y1: float, x2: float, y2: float, kind: str) -> Html:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return element("line", **{k: f"{v:.1f}" for k, v in ends.items()}, class_=kind)


def _circle(x: float, y: float, radius: float, kind: str) -> Html:
    return element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=radius, class_=kind)


def _text(x: float, y: float, text: str, kind: str, **attributes: object) -> Html:
    return element("text", join(text), x=f"{x:.1f}", y=f"{y:.1f}", class_=kind, **attributes)


def _rounded(values: Values) -> list[float | None]:
    return [None if math.isnan(value) else round(float(value), 1) for value in values]
