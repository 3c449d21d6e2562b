"""Curves by epoch: panels side by side, and the panels of training runs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw

from netlab.contracts.score import Score
from netlab.figures import canvas
from netlab.figures.axis import Axis, numbers, x_axis, y_axis
from netlab.figures.canvas import HEADING, LABEL, MARGIN, TICK, TITLE, Key, line_height, text_width
from netlab.figures.lines import Box, Line, draw_lines, draw_swatch
from netlab.figures.palette import FAINT, FRAME, GRID, Colour, line_colours

Rows = Sequence[Mapping[str, object]]

_PANEL, _PLOT = 360, 240  # width of a whole panel, height of its plot
_PAD, _ROOM = 8, 14  # below the plot, and between legend and plot
_ROW = 3.4  # shares of panels in a row
_WIDE = 1.1  # share of a panel in which methods stand together
_LOSS = Score("val_loss", "val loss", higher_is_better=False)


@dataclass(frozen=True)
class Panel:
    """One plot with its axes; `share` is its width beside other panels, 1 being usual."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    y_range: tuple[float, float] | None = None
    share: float = 1.0

    def axes(self, count: int) -> tuple[Axis, Axis]:
        """The x axis, with about `count` ticks, and the y axis."""
        xs = numbers([x for line in self.lines for x in line.xs])
        ys = numbers([y for line in self.lines for y in line.ys])
        return x_axis(xs, count), y_axis(ys, self.y_range, count=5)


def draw_panels(panels: Sequence[Panel], *, title: str = "") -> Image.Image:
    """Draw panels side by side, in further rows where the text would get small in a page.

    Legends stand above the plots, where they cover nothing.
    """
    if not panels:
        raise ValueError("draw_panels needs one panel or more")
    rows = [_draw_row(row) for row in _in_rows(panels)]
    whole = max(row.width for row in rows)
    titles = canvas.wrap(title, whole - 2 * MARGIN, TITLE)
    top = MARGIN + len(titles) * line_height(TITLE) + (6 if titles else 0)
    image = canvas.blank(whole, top + sum(row.height for row in rows))
    canvas.write_title(image, titles)
    for row in rows:
        image.paste(row, (0, top))
        top += row.height
    return image


def line_shades(lines: Sequence[Line]) -> list[Colour]:
    """The colour of each line: its own, or the next of `line_colours`."""
    usual = line_colours(len(lines))
    return [line.colour or colour for line, colour in zip(lines, usual, strict=True)]


def training_curves(
    rows: Rows, title: str, score: Score = _LOSS, best_epoch: int | None = None
) -> Image.Image:
    """Draw a run's losses, its score with the best epoch marked, and its learning rate.

    Where the loss is the score, what validation alone measures stands beside it, such as ELBO.

    Args:
        rows, score, best_epoch: see `training_panels`.
        title: stands above all panels.
    """
    panels = training_panels(rows, score, best_epoch)
    if not _has_panel(score, _columns(rows)[1]):
        panels[1:1] = [
            replace(panel, title=f"Validation {panel.title}", share=0.8)
            for panel in other_panels(rows, score)
            if [line.label for line in panel.lines] == ["validation"]
        ]
    return draw_panels(panels, title=title)


def training_panels(rows: Rows, score: Score = _LOSS, best_epoch: int | None = None) -> list[Panel]:
    """The panels of a run: losses, score with the best epoch marked, learning rate.

    Where the loss is the score, or the rows have no score, the lowest `val_loss` is marked instead.

    Args:
        rows: one mapping an epoch, as in metrics.csv: numbers or their text; what is missing or
            empty leaves a gap. Without `epoch`, rows count from 1.
        score: what the run is judged by.
        best_epoch: the one that is marked, whatever its value: a run may have other reasons.
    """
    epochs, columns = _columns(rows)
    own_panel = _has_panel(score, columns)
    losses = _both("loss", epochs, columns)
    if not own_panel and "val_loss" in columns:
        losses += _best(epochs, columns["val_loss"], -1, best_epoch)
    panels = [Panel("Loss", "epoch", "loss", losses)]
    if own_panel:
        panels.append(_score_panel(epochs, columns[score.column], score, best_epoch))
    if "lr" in columns:
        rate = Line("", epochs, columns["lr"], colour=FAINT)
        panels.append(Panel("Learning rate", "epoch", "", [rate], share=0.7))
    return panels


def other_panels(rows: Rows, score: Score = _LOSS) -> list[Panel]:
    """A panel for each further quantity of training and validation, with its own axis.

    Args:
        rows, score: see `training_panels`.
    """
    epochs, columns = _columns(rows)
    shown = {"train_loss", "val_loss", score.column}
    names = [n for n in columns if n.startswith(("train_", "val_")) and n not in shown]
    keys = dict.fromkeys(map(_key, names))
    return [Panel(_words(key), "epoch", "", _both(key, epochs, columns)) for key in keys]


def method_panels(
    names: Sequence[str], runs: Sequence[Sequence[Rows]], score: Score
) -> list[Panel]:
    """Training loss, validation loss (on one scale) and the score, a line a run.

    The score's axis begins near the lowest value: methods often lie close together. From the
    eighth method on lines are dashed, in the colours of the first; from the fifteenth on they look
    like others.

    Args:
        names: of the methods, each of which has a colour.
        runs: of each method its runs, of each run its rows (see `training_panels`).
        score: what the runs are judged by; without a panel where it is the loss.
    """
    shades = line_colours(len(names))

    def lines(column: str) -> list[Line]:
        methods = enumerate(zip(names, shades, runs, strict=True))
        return [
            Line(
                "" if repeat else name,
                epochs,
                columns.get(column, [math.nan] * len(epochs)),
                dashed=shade in shades[:index],
                colour=shade,
            )
            for index, (name, shade, seeds) in methods
            for repeat, (epochs, columns) in enumerate(map(_columns, seeds))
        ]

    losses = {"Training loss": lines("train_loss"), "Validation loss": lines("val_loss")}
    values = numbers([y for drawn in losses.values() for line in drawn for y in line.ys])
    axis = y_axis(values, None, count=5)
    panels = [
        Panel(title, "epoch", "loss", drawn, (axis.low, axis.high), share=_WIDE)
        for title, drawn in losses.items()
    ]
    scores = lines(score.column)
    if not score.is_loss and any(math.isfinite(y) for line in scores for y in line.ys):
        scale = f"{score.label} ({score.unit})" if score.unit else score.label
        panels.append(Panel(f"Validation {score.label}", "epoch", scale, scores, share=_WIDE))
    return panels


def _columns(rows: Rows) -> tuple[list[float], dict[str, list[float]]]:
    """The epochs, and the numbers of each column."""
    epochs = [_number(row.get("epoch", index)) for index, row in enumerate(rows, start=1)]
    names = dict.fromkeys(name for row in rows for name in row)
    return epochs, {name: [_number(row.get(name)) for row in rows] for name in names}


def _has_panel(score: Score, columns: Mapping[str, object]) -> bool:
    """Whether a score has a panel beside that of the losses."""
    return score.column in columns and not score.is_loss


def _both(key: str, epochs: list[float], columns: Mapping[str, list[float]]) -> list[Line]:
    """Training and validation of a quantity, each where it has a column."""
    sides = {f"train_{key}": "training", f"val_{key}": "validation"}
    return [
        Line(label, epochs, columns[name], colour=colour)
        for (name, label), colour in zip(sides.items(), line_colours(2), strict=True)
        if name in columns
    ]


def _score_panel(
    epochs: list[float], scores: list[float], score: Score, best_epoch: int | None
) -> Panel:
    lines = [Line("validation", epochs, scores, colour=line_colours(2)[1])]
    lines += _best(epochs, scores, 1 if score.higher_is_better else -1, best_epoch)
    inside = not score.unit and all(0 <= value <= 1 for value in scores if math.isfinite(value))
    # The whole range, so that the pictures of two runs can be laid side by side.
    limits, scale = (
        ((0.0, 1.0), " (0 to 1)") if inside else (None, score.unit and f" ({score.unit})")
    )
    return Panel(f"Validation {score.label}", "epoch", f"{score.label}{scale}", lines, limits)


def _best(
    epochs: list[float], values: list[float], sign: int, best_epoch: int | None
) -> list[Line]:
    """A ring at a given epoch or the first best value, its number in the legend; or nothing."""
    points = [(sign * v, -e, e, v) for e, v in zip(epochs, values, strict=True) if math.isfinite(v)]
    if best_epoch is not None:
        points = [point for point in points if point[2] == best_epoch]
    if not points:
        return []
    _, _, epoch, value = max(points)
    label = f"best: {value:.3f} at epoch {epoch:g}"
    return [Line(label, [epoch], [value], marker="ring", colour=line_colours(2)[1])]


def _number(value: object) -> float:
    """A cell of metrics.csv as a number; NaN if it holds none."""
    try:
        return float(str(value))
    except ValueError:
        return math.nan


def _key(column: str) -> str:
    """A column's quantity, without the split it is of."""
    return column.removeprefix("train_").removeprefix("val_")


def _words(key: str) -> str:
    words = key.split("_")
    return " ".join(word.upper() if word in ("elbo", "kl") else word for word in words)


def _in_rows(panels: Sequence[Panel]) -> list[list[Panel]]:
    rows: list[list[Panel]] = []
    taken = math.inf
    for panel in panels:
        if taken + panel.share > _ROW:
            rows.append([])
            taken = 0.0
        rows[-1].append(panel)
        taken += panel.share
    return rows


def _draw_row(panels: Sequence[Panel]) -> Image.Image:
    widths = [round(_PANEL * panel.share) for panel in panels]
    legends = [
        canvas.place_keys([line.label for line in panel.lines if line.label], width - MARGIN)
        for panel, width in zip(panels, widths, strict=True)
    ]
    plot_top = line_height(HEADING) + max(height for _, height in legends) + _ROOM
    below = line_height(TICK) + line_height(LABEL) + _PAD
    image = canvas.blank(sum(widths) + 2 * MARGIN, plot_top + _PLOT + below + MARGIN // 2)
    left = MARGIN
    for panel, width, (keys, _) in zip(panels, widths, legends, strict=True):
        _draw_panel(image, panel, keys, (left, 0, left + width, plot_top))
        left += width
    return image


def _draw_panel(image: Image.Image, panel: Panel, keys: Sequence[Key], head: Box) -> None:
    """Draw one panel; `head` holds its title and legend, and the plot hangs below."""
    left, top, right, bottom = head
    across, upwards = panel.axes(max(3, (right - left) // 60))
    inner = left + max(text_width(label, TICK) for label in upwards.labels()) + 8
    inner += line_height(LABEL) if panel.y_label else 0
    box = (inner, bottom, right - MARGIN, bottom + _PLOT)
    heading = canvas.shorten(panel.title, right - MARGIN - left, HEADING)
    canvas.write(image, (left, top + line_height(HEADING) / 2), heading, HEADING)
    _draw_axes(image, box, across, upwards)
    _draw_labels(image, box, panel, left)
    colours = line_shades(panel.lines)
    draw_lines(image, box, panel.lines, colours, (across, upwards))
    shown = [(n, c) for n, c in zip(panel.lines, colours, strict=True) if n.label]
    for key, (line, colour) in zip(keys, shown, strict=True):
        swatch = canvas.write_key(image, key, (left, top + line_height(HEADING)))
        draw_swatch(image, swatch, line, colour)


def _draw_axes(image: Image.Image, box: Box, across: Axis, upwards: Axis) -> None:
    left, top, right, bottom = box
    draw = ImageDraw.Draw(image)
    heights = upwards.positions(np.asarray(upwards.ticks()))
    for height, label in zip(heights, upwards.labels(), strict=True):
        y = round(bottom - height * (bottom - top))
        draw.line((left, y, right, y), fill=GRID)
        canvas.write(image, (left - 7, y), label, TICK, FAINT, "rm")
    shares = across.positions(np.asarray(across.ticks()))
    for share, label in zip(shares, across.labels(), strict=True):
        x = round(left + share * (right - left))
        draw.line((x, bottom, x, bottom + 4), fill=FRAME)
        canvas.write(image, (x, bottom + 6 + line_height(TICK) / 2), label, TICK, FAINT, "mm")
    draw.line((left, bottom, right, bottom), fill=FRAME)


def _draw_labels(image: Image.Image, box: Box, panel: Panel, edge: int) -> None:
    left, top, right, bottom = box
    below = bottom + _PAD + line_height(TICK) + line_height(LABEL) / 2 - 2
    text = canvas.shorten(panel.x_label, right - left, LABEL)
    canvas.write(image, ((left + right) / 2, below), text, LABEL, FAINT, "mm")
    if panel.y_label:
        text = canvas.shorten(panel.y_label, bottom - top, LABEL)
        at = (edge + line_height(LABEL) // 2, (top + bottom) // 2)
        canvas.write_upwards(image, at, text, LABEL, FAINT)
