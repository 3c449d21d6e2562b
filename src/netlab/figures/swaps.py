"""Pictures under other labels, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netlab.figures.canvas import HEADING, LABEL, text_width
from netlab.figures.grid import Row, draw_grid

Pictures = NDArray[np.uint8]

_SMALL, _LARGE = 56, 96  # sides of a picture in a sheet


@dataclass(frozen=True)
class Shown:
    """Swapped pictures (N, H, W, C), C 1 or 3, with what belongs to each."""

    originals: Pictures | None
    """None where z was drawn from the prior."""
    reconstructions: Pictures
    """Decoded with the first label."""
    swapped: Pictures
    first: Sequence[str]
    """The true label, or from the prior any."""
    asked: Sequence[str]
    read: Sequence[str] | None = None
    """What a judge sees in the swapped pictures."""

    def __len__(self) -> int:
        return len(self.swapped)


def swap_rows(shown: Shown, title: str, *, columns: int = 8, cell: int = 84) -> Image.Image:
    """A column for each picture: itself, its reconstruction, itself under the asked label.

    What stands in a row is said on its left; more than `columns` pictures take several bands.
    """
    real = shown.originals is not None
    rows = []
    for start in range(0, len(shown), columns):
        band = slice(start, start + columns)
        if shown.originals is not None:
            rows.append(Row([*shown.originals[band]], heading="original"))
        first = Row(shown.first[band], heading="true label" if real else "label")
        reconstructions = Row(
            [*shown.reconstructions[band]],
            heading="reconstruction" if real else "z from the prior",
        )
        swapped = Row([*shown.swapped[band]], heading="swapped" if real else "same z")
        asked = Row(shown.asked[band], heading="asked label", ends_block=shown.read is None)
        rows += [first, reconstructions, swapped, asked]
        if shown.read is not None:
            rows.append(_read(shown, band, shown.read, "judge reads"))
    return draw_grid(rows, title=title, cell=cell)


def lesson_grid(shown: Shown, title: str, *, columns: int = 5, cell: int = 140) -> Image.Image:
    """Swapped pictures, above each its wrong label and its right one, below what a judge reads."""
    wrong, right = "Incorrect label", "correct label"
    if shown.originals is None:
        wrong, right = "label", "drawn with"
    asked = [f"{wrong}: {name}" for name in shown.asked]
    first = [f"{right}: {name}" for name in shown.first]
    rows = []
    for start in range(0, len(shown), columns):
        band = slice(start, start + columns)
        rows += [Row(asked[band]), Row(first[band])]
        rows.append(Row([*shown.swapped[band]], ends_block=shown.read is None))
        if shown.read is not None:
            rows.append(_read(shown, band, [f"read as {name}" for name in shown.read]))
    widest = max(text_width(text, LABEL) for text in (*asked, *first))
    return draw_grid(rows, title=title, cell=cell, column=widest)


def label_sheet(
    images: Pictures | None,
    reconstructions: Pictures | None,
    swaps: Pictures,
    captions: Sequence[str],
    classes: Sequence[str],
    title: str,
    *,
    cell: int = 80,
) -> Image.Image:
    """A row for each picture: itself, its reconstruction, and itself under every label.

    Args:
        images: (N, H, W, C), C 1 or 3; None leaves their column out.
        reconstructions: (N, H, W, C), with the true label; None leaves their column out.
        swaps: (N, K, H, W, C), a picture for each label.
        captions: one for each row.
        classes: names of the K labels.
        title: stands above.
        cell: side of a picture in the figure, in pixels.
    """
    unswapped = {"input": images, "decoded": reconstructions}
    columns = {name: stack for name, stack in unswapped.items() if stack is not None}
    rows = [
        Row([*(stack[index] for stack in columns.values()), *swapped], caption)
        for index, (swapped, caption) in enumerate(zip(swaps, captions, strict=True))
    ]
    return draw_grid(rows, columns=[*columns, *classes], title=title, cell=cell)


def sheet_cell(side: int, headings: Sequence[str] = ()) -> int:
    """Side of a sheet's pictures: a whole multiple of theirs, wide enough for the headings."""
    wanted = max([_SMALL, *(text_width(text, HEADING) for text in headings)])
    return side * max(1, min(-(-wanted // side), _LARGE // side))


def strips(
    steps: Pictures,
    ends: Sequence[tuple[str, Pictures]],
    captions: Sequence[str],
    title: str,
) -> Image.Image:
    """A row for each picture on its way from one side to the other.

    Args:
        steps: (T, N, H, W, C), C 1 or 3.
        ends: headings and pictures (N, H, W, C) that stand beside the first and the last step;
            one of them stands beside the first.
        captions: one for each row.
        title: stands above.
    """
    last = len(steps) - 1
    shares = [(f"{100 * t / last:.0f} %", step) for t, step in enumerate(steps)]
    columns = [*ends[:1], *shares, *ends[1:]]
    rows = [
        Row([stack[index] for _, stack in columns], caption)
        for index, caption in enumerate(captions)
    ]
    headings = [heading for heading, _ in columns]
    return draw_grid(rows, columns=headings, title=title, cell=sheet_cell(steps.shape[2]))


def _read(shown: Shown, band: slice, texts: Sequence[str], heading: str = "") -> Row:
    """What a judge reads, each with a tick if that is what was asked."""
    assert shown.read is not None
    pairs = zip(shown.read[band], shown.asked[band], strict=True)
    marks = [read == asked for read, asked in pairs]
    return Row(texts[band], heading=heading, marks=marks, ends_block=True)
