"""Figures to files, and where the pictures are in a figure."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from netlab.files import replace_file

_CELLS = "netlab:cells"
"""Key of `Image.info`, and of a text in PNG files."""

Cell = tuple[int, int, int, int]
"""Left, upper, right and lower edge of a picture within a figure, in pixels."""


class Cells(NamedTuple):
    """Where a figure's pictures are."""

    names: Sequence[str]
    """Of the columns."""
    rows: Sequence[Sequence[Cell]]


def set_cells(image: Image.Image, names: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Note in a figure where its pictures are; `save_png` keeps the note."""
    image.info[_CELLS] = json.dumps({"names": list(names), "rows": rows})


def cells_of(image: Image.Image) -> Cells:
    """Where a figure's pictures are, also in one read from a file.

    Raises:
        KeyError, TypeError, ValueError: the figure has no such note, or a damaged one.
    """
    note = json.loads(image.info[_CELLS])
    rows = [[(int(a), int(b), int(c), int(d)) for a, b, c, d in row] for row in note["rows"]]
    return Cells([*map(str, note["names"])], rows)


def save_png(image: Image.Image, path: Path) -> None:
    """Write a whole PNG file, or none (see `netlab.files.replace_file`)."""
    # The temporary name does not end in .png, so PIL could not guess the format.
    about = PngInfo()
    if _CELLS in image.info:
        about.add_text(_CELLS, image.info[_CELLS])
    replace_file(path, lambda part: image.save(part, format="PNG", optimize=True, pnginfo=about))


def save_gif(frames: Sequence[Image.Image], path: Path) -> None:
    """Write frames of one size as a GIF that runs to its end and back, for ever; see `save_png`."""
    first, *rest = (*frames, *frames[-2:0:-1])
    options = {"save_all": True, "append_images": rest, "duration": 90, "loop": 0}
    replace_file(path, lambda part: first.save(part, "GIF", **options))
