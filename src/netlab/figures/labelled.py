"""Small pictures in a grid, each with a line below it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netlab.figures import canvas as _canvas
from netlab.figures.canvas import LABEL, MARGIN, TITLE, line_height
from netlab.figures.palette import FAINT
from netlab.figures.png import tell_cells

_GAP = 10


def as_rgb(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Gray or colour pictures (…, C) as RGB (…, 3)."""
    return np.broadcast_to(images, (*images.shape[:-1], 3)) if images.shape[-1] == 1 else images


def labelled_grid(
    images: NDArray[np.uint8],
    captions: Sequence[str],
    title: str,
    *,
    columns: int = 6,
    cell: int = 128,
) -> Image.Image:
    """Draw pictures (N, H, W, C), C 1 or 3, in rows of `columns`, each with its caption."""
    columns = max(1, min(columns, len(images)))
    rows = -(-len(images) // columns)
    inner = columns * (cell + _GAP) - _GAP
    titles = _canvas.wrap(title, inner, TITLE)
    lines = [_canvas.wrap(text, cell, LABEL) for text in captions]
    step = cell + line_height(LABEL) * max((len(text) for text in lines), default=0) + _GAP
    top = MARGIN + len(titles) * line_height(TITLE) + 6
    image = _canvas.blank(inner + 2 * MARGIN, top + rows * step + MARGIN)
    _canvas.write_title(image, titles)
    boxes = []
    for index, (picture, text) in enumerate(zip(as_rgb(images), lines, strict=True)):
        left = MARGIN + index % columns * (cell + _GAP)
        upper = top + index // columns * step
        shown = Image.fromarray(np.ascontiguousarray(picture))
        image.paste(shown.resize((cell, cell), Image.Resampling.NEAREST), (left, upper))
        boxes.append((left, upper, left + cell, upper + cell))
        for number, line in enumerate(text):
            at = (left, upper + cell + (number + 0.5) * line_height(LABEL) + 2)
            _canvas.write(image, at, line, LABEL, FAINT)
    tell_cells(image, captions, [boxes])
    return image
