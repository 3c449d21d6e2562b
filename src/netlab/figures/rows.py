"""A grid of pictures: one row an example, one column a kind of picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from netlab.figures import canvas as _canvas
from netlab.figures.canvas import HEADING, LABEL, MARGIN, TITLE, Key, line_height
from netlab.figures.palette import FAINT, FRAME, Colour, Picture
from netlab.figures.png import tell_cells

_GAP = 8
_FEW = 256  # pictures with no more colours are masks or coarse: enlarged, they keep their pixels


@dataclass(frozen=True)
class Row:
    """Pictures (H, W, 3) of one example, 0 to 255, and the line below them."""

    cells: Sequence[Picture]
    caption: str


def draw_rows(
    columns: Sequence[str],
    rows: Sequence[Row],
    *,
    title: str,
    legend: Sequence[tuple[str, Colour]] = (),
    cell: int = 144,
) -> Image.Image:
    """Draw a grid of pictures with a title above each column and a caption below each row.

    Pictures keep their aspect and fill squares of `cell` pixels; rows of wide pictures are lower.
    Text that is too long is shortened in its middle, so that a score at its end stays.

    Raises:
        ValueError: a row without exactly one uint8 picture (H, W, 3) a column.
    """
    _check(columns, rows)
    inner = len(columns) * (cell + _GAP) - _GAP
    titles = _canvas.wrap(title, inner, TITLE)
    keys, legend_height = _canvas.place_keys([name for name, _ in legend], inner)
    fitted = [[_fit(picture, cell) for picture in row.cells] for row in rows]
    heights = [max(picture.height for picture in row) for row in fitted]
    top = MARGIN + len(titles) * line_height(TITLE)
    headings = [_canvas.wrap(text, cell, HEADING, lines=3) for text in columns]
    grid = top + max(map(len, headings)) * line_height(HEADING) + 6
    bottom = grid + sum(heights) + len(rows) * _caption_height()
    image = _canvas.blank(inner + 2 * MARGIN, bottom + legend_height + MARGIN)
    _canvas.write_title(image, titles)
    _draw_headings(image, headings, grid - 6, cell)
    boxes = []
    for row, pictures, height in zip(rows, fitted, heights, strict=True):
        boxes.append(_draw_row(image, pictures, row.caption, (grid, height), cell))
        grid += height + _caption_height()
    tell_cells(image, columns, boxes)
    _draw_legend(image, keys, [colour for _, colour in legend], bottom)
    return image


def _draw_legend(
    image: Image.Image, keys: Sequence[Key], colours: Sequence[Colour], top: int
) -> None:
    for key, colour in zip(keys, colours, strict=True):
        swatch = _canvas.write_key(image, key, (MARGIN, top))
        ImageDraw.Draw(image).rectangle(swatch, fill=colour, outline=FRAME)


def _draw_headings(
    image: Image.Image, headings: Sequence[Sequence[str]], bottom: int, cell: int
) -> None:
    """Write each column's heading, its last line just above the pictures."""
    for index, lines in enumerate(headings):
        middle = MARGIN + index * (cell + _GAP) + cell / 2
        for number, text in enumerate(reversed(lines)):
            at = (middle, bottom - (number + 0.5) * line_height(HEADING) + 2)
            _canvas.write(image, at, text, HEADING, anchor="mm")


def _draw_row(
    image: Image.Image,
    pictures: Sequence[Image.Image],
    caption: str,
    span: tuple[int, int],
    cell: int,
) -> list[tuple[int, int, int, int]]:
    """Paste a row's pictures, centred in their squares; `span` is its top and its height.

    Returns:
        Where they are.
    """
    top, height = span
    boxes = []
    for index, picture in enumerate(pictures):
        left = MARGIN + index * (cell + _GAP) + (cell - picture.width) // 2
        upper = top + (height - picture.height) // 2
        image.paste(picture, (left, upper))
        boxes.append((left, upper, left + picture.width, upper + picture.height))
    text = _canvas.shorten(caption, image.width - 2 * MARGIN, LABEL)
    _canvas.write(image, (MARGIN, top + height + line_height(LABEL) / 2 + 3), text, LABEL, FAINT)
    return boxes


def _fit(picture: Picture, cell: int) -> Image.Image:
    """The picture so large that its longer side is `cell`."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    scale = cell / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if scale < 1:
        return image.resize(size, Image.Resampling.BOX)
    few = image.getcolors(_FEW) is not None
    return image.resize(size, Image.Resampling.NEAREST if few else Image.Resampling.BICUBIC)


def _caption_height() -> int:
    return line_height(LABEL) + 14


def _check(columns: Sequence[str], rows: Sequence[Row]) -> None:
    if not columns:
        raise ValueError("draw_rows needs one column or more")
    for number, row in enumerate(rows, start=1):
        if len(row.cells) != len(columns):
            raise ValueError(f"row {number} needs {len(columns)} cells, got {len(row.cells)}")
        for cell in row.cells:
            if cell.dtype != np.uint8 or cell.ndim != 3 or cell.shape[2] != 3 or not cell.size:
                raise ValueError(
                    f"row {number} needs uint8 (H, W, 3), got {cell.dtype} {cell.shape}"
                )
