"""Pictures inside a page, as data URIs."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netlab.contracts.report import Html
from netlab.figures.grid import as_rgb
from netlab.figures.html.markup import element
from netlab.figures.palette import Colour, Picture, line_colours, palette_bytes

WRONG: Colour = line_colours(2)[1]
"""Marks wrong pixels."""

_QUALITY = 85
_FEW = 16  # colours; pictures with no more are masks, in which JPEG would blur the edges
_SMALL = 64  # pixels a side; below it, a PNG is hardly larger than a JPEG, and keeps every pixel


def picture_uri(picture: Picture) -> str:
    """A picture (H, W, C), C 1 or 3: as JPEG; a small or painted one as PNG, pixel by pixel."""
    image = Image.fromarray(np.ascontiguousarray(as_rgb(picture)))
    if (colours := image.getcolors(_FEW)) is not None:
        return _uri(image.quantize(len(colours)), "PNG", optimize=True)
    if max(image.size) <= _SMALL:
        return _uri(image.convert("L") if picture.shape[-1] == 1 else image, "PNG", optimize=True)
    return _uri(image, "JPEG", quality=_QUALITY, optimize=True)


def mask_uri(mask: Picture, classes: int) -> str:
    """A mask (H, W) of class ids in the colours of the classes; pixel values are the ids."""
    return _indexed(mask, palette_bytes(classes))


def error_uri(wrong: NDArray[np.bool_]) -> str:
    """Wrong pixels of (H, W) in one colour, all others clear."""
    return _indexed(wrong.astype(np.uint8), [255, 255, 255, *WRONG], transparency=0)


def file_uri(png: bytes) -> str:
    """A PNG file as it is."""
    return _data_uri(png, "png")


def image(uri: str, alt: str, **attributes: object) -> Html:
    """A picture with the text that stands for it."""
    return element("img", src=uri, alt=alt, **attributes)


def _indexed(ids: Picture, palette: list[int], **options: object) -> str:
    image = Image.fromarray(np.ascontiguousarray(ids), "P")
    image.putpalette(palette)
    return _uri(image, "PNG", optimize=True, **options)


def _uri(image: Image.Image, form: str, **options: object) -> str:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return _data_uri(buffer.getvalue(), form.lower())


def _data_uri(data: bytes, form: str) -> str:
    return f"data:image/{form};base64,{base64.b64encode(data).decode('ascii')}"
