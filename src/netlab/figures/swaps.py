"""Pictures under other labels, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from netlab.figures import canvas as _canvas
from netlab.figures.canvas import HEADING, LABEL, MARGIN, TITLE, line_height, text_width
from netlab.figures.labelled import as_rgb
from netlab.figures.palette import FAINT, line_colours
from netlab.figures.rows import Row, draw_rows

Pictures = NDArray[np.uint8]

_GAP = 8
_BAND_GAP = 16
_MARK = 10  # side of a tick or cross
_FEWEST = 4  # columns that a title gets room for
_SMALL, _LARGE = 56, 96  # sides of a picture in a sheet
_LESSON = ("Incorrect label", "correct label")
_BLUE, _VERMILION = line_colours(2)


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


class _Line(NamedTuple):
    """One line of a figure: pictures or names, a cell for each column."""

    heading: str
    pictures: Pictures | None = None
    names: Sequence[str] = ()
    asked: Sequence[str] = ()
    """Given, each name gets a tick if it is the asked one, else a cross."""


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
    """A row a picture: itself, its reconstruction, and itself under every label.

    Args:
        images: (N, H, W, C), C 1 or 3; None leaves their column out.
        reconstructions: (N, H, W, C), with the true label; None leaves their column out.
        swaps: (N, K, H, W, C), a picture for each label.
        captions: one for each row.
        classes: names of the K labels.
        title: stands above.
        cell: side of a picture in the figure, in pixels.
    """
    unswapped = {"input": images, "again": reconstructions}
    columns = {name: as_rgb(stack) for name, stack in unswapped.items() if stack is not None}
    rows = [
        Row([*(stack[index] for stack in columns.values()), *as_rgb(swapped)], caption)
        for index, (swapped, caption) in enumerate(zip(swaps, captions, strict=True))
    ]
    return draw_rows([*columns, *classes], rows, title=title, cell=cell)


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
    """A row a picture on its way from one side to the other.

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
        Row([as_rgb(stack[index]) for _, stack in columns], caption)
        for index, caption in enumerate(captions)
    ]
    headings = [heading for heading, _ in columns]
    return draw_rows(headings, rows, title=title, cell=sheet_cell(steps.shape[2]))


def swap_rows(shown: Shown, title: str, *, columns: int = 8, cell: int = 84) -> Image.Image:
    """A column a picture: itself, its reconstruction, itself under the asked label.

    What stands in a line is said on its left; more than `columns` pictures take several bands.
    """
    lines = _lines(shown)
    left = MARGIN + max(text_width(line.heading, LABEL) for line in lines) + 12
    width = max(min(columns, len(shown)), _FEWEST) * (cell + _GAP) - _GAP
    titles = _canvas.wrap(title, left - MARGIN + width, TITLE)
    top = MARGIN + len(titles) * line_height(TITLE) + 8
    band = sum(_height(line, cell) for line in lines) + _BAND_GAP
    bands = -(-len(shown) // columns)
    image = _canvas.blank(left + width + MARGIN, top + bands * band - _BAND_GAP + MARGIN)
    _canvas.write_title(image, titles)
    for start in range(0, len(shown), columns):
        for line in lines:
            _draw_line(image, line, slice(start, start + columns), (left, top), cell)
            top += _height(line, cell)
        top += _BAND_GAP
    return image


def lesson_grid(shown: Shown, title: str, *, columns: int = 5, cell: int = 140) -> Image.Image:
    """Swapped pictures, above each its wrong label and its right one, below what a judge reads."""
    words = ("label", "drawn with") if shown.originals is None else _LESSON
    names = [*zip(shown.asked, shown.first, strict=True)]
    above = [[f"{words[0]}: {asked}", f"{words[1]}: {first}"] for asked, first in names]
    step = max([cell, *(text_width(text, LABEL) for lines in above for text in lines)]) + 12
    row = cell + line_height(LABEL) * (2 + (shown.read is not None)) + _BAND_GAP
    width = max(min(columns, len(shown)), _FEWEST) * step - 12
    titles = _canvas.wrap(title, width, TITLE)
    top = MARGIN + len(titles) * line_height(TITLE) + 8
    rows = -(-len(shown) // columns)
    image = _canvas.blank(width + 2 * MARGIN, top + rows * row - _BAND_GAP + MARGIN)
    _canvas.write_title(image, titles)
    for number, picture in enumerate(shown.swapped):
        middle = MARGIN + number % columns * step + (step - 12) // 2
        down = top + number // columns * row
        for text in above[number]:
            _write_name(image, (middle, down), text, step)
            down += line_height(LABEL)
        image.paste(_enlarged(picture, cell), (middle - cell // 2, down))
        if shown.read is not None:
            read = shown.read[number]
            below = (middle, down + cell)
            _write_name(image, below, f"read as {read}", step, right=read == shown.asked[number])
    return image


def _lines(shown: Shown) -> list[_Line]:
    """The lines of `swap_rows`, from above to below."""
    real = shown.originals is not None
    lines = [_Line("original", shown.originals)] * real
    lines += [
        _Line("true label" if real else "label", names=shown.first),
        _Line("reconstruction" if real else "z from the prior", shown.reconstructions),
        _Line("swapped" if real else "same z", shown.swapped),
        _Line("asked label", names=shown.asked),
    ]
    if shown.read is not None:
        lines.append(_Line("judge reads", names=shown.read, asked=shown.asked))
    return lines


def _height(line: _Line, cell: int) -> int:
    return line_height(LABEL) if line.pictures is None else cell + _GAP


def _draw_line(
    image: Image.Image, line: _Line, some: slice, corner: tuple[int, int], cell: int
) -> None:
    """Draw a line's heading, and its cells `some` from `corner` on to the right."""
    left, top = corner
    top -= _GAP // 2 * (line.pictures is None)  # names are closer to what is above them
    middle = top + (line_height(LABEL) if line.pictures is None else cell) / 2
    _canvas.write(image, (MARGIN, middle), line.heading, LABEL, FAINT)
    if line.pictures is not None:
        for number, picture in enumerate(line.pictures[some]):
            image.paste(_enlarged(picture, cell), (left + number * (cell + _GAP), top))
    asked = line.asked[some]
    for number, name in enumerate(line.names[some]):
        at = (left + number * (cell + _GAP) + cell // 2, top)
        right = name == asked[number] if asked else None
        _write_name(image, at, name, cell + _GAP, right=right)


def _write_name(
    image: Image.Image, at: tuple[int, int], text: str, width: int, *, right: bool | None = None
) -> None:
    """Write a line whose upper middle is `at`; `right` adds a tick or a cross after it."""
    taken = 0 if right is None else _MARK + 5
    text = _canvas.shorten(text, width - taken, LABEL)
    middle = at[1] + line_height(LABEL) // 2
    start = at[0] - (text_width(text, LABEL) + taken) // 2
    _canvas.write(image, (start, middle), text, LABEL)
    if right is not None:
        _mark(image, (start + text_width(text, LABEL) + 5, middle - _MARK // 2), right)


def _mark(image: Image.Image, corner: tuple[int, int], right: bool) -> None:
    x, y = corner
    far = _MARK - 1
    draw = ImageDraw.Draw(image)
    if right:
        points = [(x, y + far // 2 + 1), (x + far // 3, y + far), (x + far, y)]
        draw.line(points, fill=_BLUE, width=2, joint="curve")
        return
    draw.line([(x, y), (x + far, y + far)], fill=_VERMILION, width=2)
    draw.line([(x, y + far), (x + far, y)], fill=_VERMILION, width=2)


def _enlarged(picture: Pictures, cell: int) -> Image.Image:
    """A picture (H, W, C) as a square of `cell` pixels; at whole multiples its pixels stay."""
    image = Image.fromarray(np.ascontiguousarray(as_rgb(picture)))
    whole = cell % image.width == 0
    return image.resize(
        (cell, cell), Image.Resampling.NEAREST if whole else Image.Resampling.BICUBIC
    )
