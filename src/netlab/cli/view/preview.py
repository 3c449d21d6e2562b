"""Sample pictures in the terminal: two pixels a character, one above the other."""

import contextlib
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.color import Color
from rich.style import Style
from rich.text import Text

if TYPE_CHECKING:
    from PIL import Image

_GAP = 1  # pixels
_SMALLEST = 6  # pixels a picture


class Sample(NamedTuple):
    """Pictures of a figure that netlab drew, an inner list for each example."""

    names: tuple[str, ...]
    rows: "list[list[Image.Image]]"


def newest_sample(folder: Path) -> Sample | None:
    """The pictures of the newest figure in a run's `samples`; None if there is none to show."""
    from PIL import Image

    from netlab.figures.saving import cells_of

    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, SyntaxError):
        path = max(folder.glob("*.png"), key=lambda p: p.stat().st_mtime_ns)
        with Image.open(path) as image:
            cells = cells_of(image)
            rows = [[image.crop(box).convert("RGB") for box in row] for row in cells.rows]
        return Sample(tuple(cells.names), [row for row in rows if row])
    return None


def draw_sample(sample: Sample, width: int, height: int) -> list[Text]:
    """As many examples as there is room for, each picture as large as the first example allows.

    Args:
        sample: what to draw.
        width, height: characters; one is two pixels high.
    """
    count = max(map(len, sample.rows), default=0)
    size = _size(count, width, 2 * height)
    if size < _SMALLEST:
        return []
    across = (width + _GAP) // (size + _GAP)
    lines = -(-count // across)
    shown = max(1, (2 * height + _GAP) // (lines * (size + _GAP)))
    abreast = max(1, across // count)  # examples in one row
    pixels: dict[tuple[int, int], tuple[int, int, int]] = {}
    for index, row in enumerate(sample.rows[: shown * abreast]):
        for number, picture in enumerate(row):
            column = index % abreast * count + number if lines == 1 else number
            row_index = index // abreast * lines + column // across
            _put(pixels, picture, size, (column % across, row_index))
    bottom = max((y for _, y in pixels), default=-1) + 1
    return [_characters(pixels, y, width) for y in range(0, bottom, 2)]


def _size(count: int, width: int, height: int) -> int:
    """The largest side, in pixels, at which so many pictures fit."""
    for size in range(min(width, height), 0, -1):
        across = (width + _GAP) // (size + _GAP)
        if count and across and -(-count // across) * (size + _GAP) - _GAP <= height:
            return size
    return 0


def _put(
    pixels: dict[tuple[int, int], tuple[int, int, int]],
    picture: "Image.Image",
    size: int,
    cell: tuple[int, int],
) -> None:
    """Set the pixels of a picture, which keeps its aspect, in a square of the grid."""
    from PIL import Image

    scale = size / max(picture.size)
    fitted = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = picture.resize(fitted, Image.Resampling.BOX)
    left, top = (n * (size + _GAP) + (size - s) // 2 for n, s in zip(cell, fitted, strict=True))
    data: Sequence[int] = small.tobytes()
    for index in range(small.width * small.height):
        at = left + index % small.width, top + index // small.width
        red, green, blue = data[3 * index : 3 * index + 3]
        pixels[at] = red, green, blue


def _characters(pixels: dict[tuple[int, int], tuple[int, int, int]], top: int, width: int) -> Text:
    """One line of text: the rows of pixels `top` and `top + 1`."""
    line = Text()
    pairs = ((pixels.get((x, top)), pixels.get((x, top + 1))) for x in range(width))
    # A style for each stretch of one colour, not for each character: the view is written often.
    for (upper, lower), cells in groupby(pairs):
        count = len(list(cells))
        if upper is None and lower is None:
            line.append(" " * count)
        elif upper is None:
            line.append("▄" * count, Style(color=_colour(lower)))
        else:
            line.append("▀" * count, Style(color=_colour(upper), bgcolor=_colour(lower)))
    line.rstrip()
    return line


def _colour(pixel: tuple[int, int, int] | None) -> Color | None:
    return None if pixel is None else Color.from_rgb(*pixel)
