"""The picture grid: rows of pictures and of short texts under a title, with headings and captions.

All figures that show pictures side by side are such grids.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from netlab.figures import canvas
from netlab.figures.canvas import HEADING, LABEL, MARGIN, TITLE, line_height, text_width
from netlab.figures.palette import FAINT, FRAME, Colour, Picture, line_colours
from netlab.figures.saving import Cell, cells_of, set_cells

_GAP = 8
_BLOCK_GAP = 14
_NARROWEST = 360  # room for a title
_FEW = 256  # pictures with no more colours are masks or coarse: enlarged, they keep their pixels
_MARK = 10  # side of a tick or cross
_BLUE, _VERMILION = line_colours(2)


@dataclass(frozen=True)
class Row:
    """One line of a grid: pictures, or short texts.

    Attributes:
        cells: for each column a picture (H, W, C), C 1 or 3, 0 to 255, or a text.
        caption: stands below, over the whole width.
        heading: stands on the left.
        marks: behind each text a tick (true) or a cross (false).
        ends_block: leaves more room below.
    """

    cells: Sequence[Picture] | Sequence[str]
    caption: str = ""
    heading: str = ""
    marks: Sequence[bool] = ()
    ends_block: bool = False


def draw_grid(
    rows: Sequence[Row],
    *,
    title: str,
    columns: Sequence[str] = (),
    legend: Sequence[tuple[str, Colour]] = (),
    cell: int = 144,
    column: int = 0,
) -> Image.Image:
    """Draw rows below each other; the picture notes where its cells are (see `saving.set_cells`).

    Pictures keep their aspect and fill squares of `cell` pixels; rows of wide pictures are lower.
    Text that is too long is wrapped or shortened in its middle, so that a score at its end stays.

    Args:
        rows: from above to below.
        title: stands above all.
        columns: headings of the columns; given, each row needs a cell for each.
        legend: names and colours, below all.
        cell: side of a picture, in pixels.
        column: least width of a column; a picture stands in its middle.

    Raises:
        ValueError: rows that do not fit the columns, or pictures that are none.
    """
    _check(rows, columns)
    column = max(column, cell)
    step = column + _GAP
    headings_width = max(text_width(row.heading, LABEL) for row in rows)
    left = MARGIN + (headings_width + 12 if headings_width else 0)
    count = max(len(columns), *(len(row.cells) for row in rows))
    inner = max(left - MARGIN + count * step - _GAP, _NARROWEST)
    titles = canvas.wrap(title, inner, TITLE)
    headings = [canvas.wrap(text, column, HEADING, lines=3) for text in columns]
    keys, legend_height = canvas.place_keys([name for name, _ in legend], inner)
    lines = [_fit(row, cell, column) for row in rows]
    top = MARGIN + len(titles) * line_height(TITLE) + 6
    top += max(map(len, headings), default=0) * line_height(HEADING)
    spaces = _spaces(rows)
    bottom = top + sum(map(_height, lines)) + sum(spaces)
    image = canvas.blank(inner + 2 * MARGIN, bottom + legend_height + MARGIN)
    canvas.write_title(image, titles)
    for index, heading in enumerate(headings):
        for number, text in enumerate(reversed(heading)):
            at = (left + index * step + column / 2, top - 4 - (number + 0.5) * line_height(HEADING))
            canvas.write(image, at, text, HEADING, anchor="mm")
    cells: list[list[Cell]] = []
    for row, line, space in zip(rows, lines, spaces, strict=True):
        height = _height(line)
        canvas.write(image, (MARGIN, top + height / 2), row.heading, LABEL, FAINT)
        boxes = []
        for index, content in enumerate(line):
            middle = left + index * step + column // 2
            if isinstance(content, Image.Image):
                boxes.append(_paste(image, content, (middle, top + height // 2)))
            else:
                _write_texts(image, content, (middle, top), row.marks[index : index + 1])
        cells += [boxes] * bool(boxes)
        top += height
        if row.caption:
            text = canvas.shorten(row.caption, inner, LABEL)
            canvas.write(image, (MARGIN, top + 3 + line_height(LABEL) / 2), text, LABEL, FAINT)
        top += space
    set_cells(image, columns, cells)
    for key, (_, colour) in zip(keys, legend, strict=True):
        swatch = canvas.write_key(image, key, (MARGIN, bottom))
        ImageDraw.Draw(image).rectangle(swatch, fill=colour, outline=FRAME)
    return image


def draw_stacks(
    stacks: Sequence[tuple[str, NDArray[np.uint8]]],
    captions: Sequence[str],
    *,
    title: str,
    legend: Sequence[tuple[str, Colour]] = (),
    cell: int = 144,
) -> Image.Image:
    """Draw a row for each picture, a column a stack of pictures; see `draw_grid`.

    Args:
        stacks: headings and pictures (N, H, W, C), C 1 or 3.
        captions: one for each row.
        title, legend, cell: see `draw_grid`.
    """
    columns = [heading for heading, _ in stacks]
    rows = [
        Row([*row], caption)
        for *row, caption in zip(*(s for _, s in stacks), captions, strict=True)
    ]
    return draw_grid(rows, columns=columns, title=title, legend=legend, cell=cell)


def draw_captioned(
    images: NDArray[np.uint8],
    captions: Sequence[str],
    title: str,
    *,
    columns: int = 6,
    cell: int = 128,
) -> Image.Image:
    """Draw pictures (N, H, W, C), C 1 or 3, in rows of `columns`, each with its caption."""
    columns = max(1, min(columns, len(images)))
    rows = []
    for start in range(0, len(images), columns):
        chosen = slice(start, start + columns)
        rows += [Row([*images[chosen]]), Row(captions[chosen], ends_block=True)]
    image = draw_grid(rows, title=title, cell=cell)
    set_cells(image, captions, [[box for row in cells_of(image).rows for box in row]])
    return image


def as_rgb(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Gray or colour pictures (…, C) as RGB (…, 3)."""
    return np.broadcast_to(images, (*images.shape[:-1], 3)) if images.shape[-1] == 1 else images


def _check(rows: Sequence[Row], columns: Sequence[str]) -> None:
    if not rows:
        raise ValueError("a grid needs one row or more")
    for number, row in enumerate(rows, start=1):
        if columns and len(row.cells) != len(columns):
            raise ValueError(f"row {number} needs {len(columns)} cells, got {len(row.cells)}")
        for cell in row.cells:
            if isinstance(cell, str):
                continue
            if cell.dtype != np.uint8 or cell.ndim != 3 or cell.shape[2] not in (1, 3):
                raise ValueError(
                    f"row {number} needs uint8 (H, W, 1 or 3), got {cell.dtype} {cell.shape}"
                )
            if not cell.size:
                raise ValueError(f"row {number} has an empty picture {cell.shape}")


def _fit(row: Row, cell: int, column: int) -> list[Image.Image | list[str]]:
    """A row's pictures in the size in which they are drawn, or its texts in lines."""
    if row.marks:
        return [[canvas.shorten(str(text), column - _MARK - 5, LABEL)] for text in row.cells]
    return [
        canvas.wrap(content, column, LABEL) if isinstance(content, str) else _scaled(content, cell)
        for content in row.cells
    ]


def _scaled(picture: Picture, cell: int) -> Image.Image:
    """The picture so large that its longer side is `cell`."""
    image = Image.fromarray(np.ascontiguousarray(as_rgb(picture)))
    scale = cell / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if scale < 1:
        return image.resize(size, Image.Resampling.BOX)
    keeps_pixels = scale == int(scale) or image.getcolors(_FEW) is not None
    return image.resize(
        size, Image.Resampling.NEAREST if keeps_pixels else Image.Resampling.BICUBIC
    )


def _height(line: Sequence[Image.Image | list[str]]) -> int:
    return max(
        content.height if isinstance(content, Image.Image) else len(content) * line_height(LABEL)
        for content in line
    )


def _spaces(rows: Sequence[Row]) -> list[int]:
    """Pixels below each row: captions, and more or less air."""
    spaces = []
    for row, below in zip(rows, [*rows[1:], None], strict=True):
        if row.caption:
            spaces.append(line_height(LABEL) + 14)
        elif below is None:
            spaces.append(0)
        elif row.ends_block:
            spaces.append(_BLOCK_GAP)
        else:  # texts stand close to the pictures above them, which they are of
            air = {(False, False): _GAP, (False, True): 2, (True, False): 4, (True, True): 0}
            spaces.append(air[_is_text(row), _is_text(below)])
    return spaces


def _is_text(row: Row) -> bool:
    return isinstance(row.cells[0], str)


def _paste(image: Image.Image, picture: Image.Image, middle: tuple[int, int]) -> Cell:
    left, top = middle[0] - picture.width // 2, middle[1] - picture.height // 2
    image.paste(picture, (left, top))
    return left, top, left + picture.width, top + picture.height


def _write_texts(
    image: Image.Image, texts: Sequence[str], at: tuple[int, int], marks: Sequence[bool]
) -> None:
    """Write lines whose upper middle is `at`; a mark stands behind the last one."""
    for number, text in enumerate(texts):
        width = text_width(text, LABEL)
        start = at[0] - (width + (_MARK + 5) * len(marks)) // 2
        middle = at[1] + number * line_height(LABEL) + line_height(LABEL) // 2
        canvas.write(image, (start, middle), text, LABEL)
        for right in marks:
            _draw_mark(image, (start + width + 5, middle - _MARK // 2), right=right)


def _draw_mark(image: Image.Image, corner: tuple[int, int], *, right: bool) -> None:
    x, y = corner
    far = _MARK - 1
    draw = ImageDraw.Draw(image)
    if right:
        points = [(x, y + far // 2 + 1), (x + far // 3, y + far), (x + far, y)]
        draw.line(points, fill=_BLUE, width=2, joint="curve")
    else:
        draw.line([(x, y), (x + far, y + far)], fill=_VERMILION, width=2)
        draw.line([(x, y + far), (x + far, y)], fill=_VERMILION, width=2)
