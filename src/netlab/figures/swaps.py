"""Pictures under other labels, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netlab.figures.canvas import HEADING, LABEL, text_width
from netlab.figures.grid import Row, draw_grid

Pictures = NDArray[np.uint8]

_SMALL, _LARGE = 56, 96  # sides that `sheet_cell` keeps between


@dataclass(frozen=True)
class LabelSwaps:
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


def swap_rows(shown: LabelSwaps, title: str) -> Image.Image:
    """A column for each picture: itself, its reconstruction, itself under the asked label.

    What stands in a row is said on its left; more than eight pictures take several bands.
    """
    real = shown.originals is not None
    rows = []
    for start in range(0, len(shown), 8):
        band = slice(start, start + 8)
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
    return draw_grid(rows, title=title, cell=84)


def lesson_grid(shown: LabelSwaps, title: str) -> Image.Image:
    """Swapped pictures, above each its wrong label and its right one, below what a judge reads."""
    wrong, right = "Incorrect label", "correct label"
    if shown.originals is None:
        wrong, right = "label", "drawn with"
    asked = [f"{wrong}: {name}" for name in shown.asked]
    first = [f"{right}: {name}" for name in shown.first]
    rows = []
    for start in range(0, len(shown), 5):
        band = slice(start, start + 5)
        rows += [Row(asked[band]), Row(first[band])]
        rows.append(Row([*shown.swapped[band]], ends_block=shown.read is None))
        if shown.read is not None:
            rows.append(_read(shown, band, [f"read as {name}" for name in shown.read]))
    widest = max(text_width(text, LABEL) for text in (*asked, *first))
    return draw_grid(rows, title=title, cell=140, column=widest)


def sheet_cell(side: int, headings: Sequence[str] = ()) -> int:
    """Side of pictures in a figure: a whole multiple of theirs, as wide as the headings need."""
    wanted = max([_SMALL, *(text_width(text, HEADING) for text in headings)])
    return side * max(1, min(-(-wanted // side), _LARGE // side))


def _read(shown: LabelSwaps, band: slice, texts: Sequence[str], heading: str = "") -> Row:
    """What a judge reads, each with a tick if that is what was asked."""
    assert shown.read is not None
    pairs = zip(shown.read[band], shown.asked[band], strict=True)
    marks = [read == asked for read, asked in pairs]
    return Row(texts[band], heading=heading, marks=marks, ends_block=True)
