"""Figures of swapped pictures; see `netlab.figures.swaps`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from netlab.figures.gif import save_gif
from netlab.figures.grid import draw_captioned
from netlab.figures.png import save_png
from netlab.figures.swaps import Shown, label_sheet, lesson_grid, sheet_cell, strips, swap_rows
from netlab.swap.sources import Source
from netlab.swap.swap import Swapped
from netlab.swap.swapper import Pictures

MOST = {"rows": 64, "lesson": 25, "all-labels": 24}
"""Pictures that a figure of each layout shows."""


def right_of(told: Sequence[dict[str, Any]]) -> int:
    """How many swapped pictures a judge reads as asked."""
    return sum(record["read"] == record["asked_label"] for record in told)


def verdict(told: Sequence[dict[str, Any]]) -> str:
    """A judge's findings in words; without one, nothing."""
    if not told or "read" not in told[0]:
        return ""
    return f"judge reads {right_of(told)} of {len(told)} as asked"


def draw_swaps(swapped: Swapped, classes: Sequence[str], layout: str, title: str) -> Image.Image:
    """The figure of a layout."""
    if layout == "all-labels":
        return _sheet(swapped, classes, title)
    source, read = swapped.source, swapped.read
    shown = Shown(
        source.pictures,
        swapped.again,
        swapped.pictures[0],
        _names(source.labels, classes),
        _names(swapped.asked[0], classes),
        None if read is None else _names(read[0], classes),
    )
    return (lesson_grid if layout == "lesson" else swap_rows)(shown, title)


def draw_strips(
    steps: Pictures, source: Source, told: Sequence[dict[str, Any]], title: str
) -> Image.Image:
    """Steps (T, N, S, S, C) as rows, beside the pictures that they start from and end at."""
    count = steps.shape[1]
    sides = [] if source.pictures is None else np.split(source.pictures[: 2 * count], [count])
    ends = [(name, side) for name, side in zip(("input", "to"), sides, strict=False) if len(side)]
    return strips(steps, ends, _captions(count, told), title)


def draw_frames(steps: Pictures, told: Sequence[dict[str, Any]], title: str) -> list[Image.Image]:
    """Steps (T, N, S, S, C) as frames, each with all pictures."""
    count, side, last = steps.shape[1], steps.shape[2], len(steps) - 1
    # A whole multiple of the pictures' side; few pictures are so large that a title fits.
    cell = side * max(1, max(112, 360 // count) // side)
    captions = _captions(count, told)
    return [
        draw_captioned(step, captions, f"{title} · {100 * t / last:.0f} %", columns=4, cell=cell)
        for t, step in enumerate(steps)
    ]


def save_figure(frames: Sequence[Image.Image], path: Path) -> None:
    """Write one picture as PNG, several as a moving GIF."""
    if len(frames) > 1:
        save_gif(frames, path)
    else:
        save_png(frames[0], path)


def _sheet(swapped: Swapped, classes: Sequence[str], title: str) -> Image.Image:
    source = swapped.source
    captions = []
    for number, name in enumerate(source.names):
        text = name if source.drawn else f"{name}: {classes[source.labels[number]]}"
        if swapped.read is not None:
            asked = swapped.real[number]
            hits = (swapped.read == swapped.asked)[:, number][asked].sum()
            text += f"; judge reads {hits} of {asked.sum()} as asked"
        captions.append(text)
    pictures = swapped.pictures.swapaxes(0, 1)
    return label_sheet(
        source.pictures,
        None if source.drawn else swapped.again,
        pictures,
        captions,
        classes,
        title,
        cell=sheet_cell(pictures.shape[2], classes),
    )


def _captions(count: int, told: Sequence[dict[str, Any]]) -> list[str]:
    """A line for each of the rows: of one picture (morph), or of two (between)."""
    pairs = zip(told[:count], told[count:] or [{}] * count, strict=True)
    return [_caption(first, second) for first, second in pairs]


def _caption(first: dict[str, Any], second: dict[str, Any]) -> str:
    asked = first["asked_label"]
    if second:
        return f"{_named(first)} to {_named(second)}, both as {asked}"
    read = f", read as {first['read']}" if "read" in first else ""
    return f"{first['source']}: {first['from_label']} to {asked}{read}"


def _named(record: dict[str, Any]) -> str:
    label = record["true_label"]
    return str(record["source"]) if label is None else f"{record['source']} ({label})"


def _names(labels: Any, classes: Sequence[str]) -> list[str]:
    return [classes[label] for label in labels]
