"""Pictures to files."""

import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from netlab.files import replace_file

CELLS = "netlab:cells"
"""Key of `Image.info` under which a figure tells where its pictures are: JSON with their `names`
and, by example, `rows` of boxes (left, upper, right, lower). It goes into the file."""


def save_png(image: Image.Image, path: Path) -> None:
    """Write a whole PNG file, or none (see `netlab.files.replace_file`)."""
    # The temporary name does not end in .png, so PIL could not guess the format.
    about = PngInfo()
    if CELLS in image.info:
        about.add_text(CELLS, image.info[CELLS])
    replace_file(path, lambda part: image.save(part, format="PNG", optimize=True, pnginfo=about))


def tell_cells(
    image: Image.Image, names: Sequence[str], rows: Sequence[Sequence[tuple[int, int, int, int]]]
) -> None:
    """Note in a figure where its pictures are (see `CELLS`)."""
    image.info[CELLS] = json.dumps({"names": list(names), "rows": rows})
