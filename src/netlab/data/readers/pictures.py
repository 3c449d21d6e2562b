"""Reading pictures and masks of all common kinds, and the one way in which they are resized."""

import io
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from netlab.errors import PictureError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
"""Endings of files that are taken for pictures in folders (in any case)."""

RESIZE_FILTER = "bilinear"
"""Name of the filter in weights files; Pillow's widens its support when it shrinks (antialias)."""

WIDE_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's modes of gray pictures with more than 8 bits."""


def read_picture(source: Path | bytes) -> Image.Image:
    """Decode a picture as upright RGB.

    The first frame of several; EXIF orientation applied; 16-bit scaled to 8; transparent parts
    shown on white.

    Raises:
        PictureError: damaged, truncated, of an unknown kind, or too large to be safe.
    """
    with _opened(source) as image:
        image.seek(0)
        return as_rgb(ImageOps.exif_transpose(image))


def upright(picture: Path | str | bytes | Image.Image) -> Image.Image:
    """A file, its bytes, or an opened picture of any mode, as upright RGB.

    Raises:
        PictureError: see `read_picture`.
    """
    if isinstance(picture, Image.Image):
        return as_rgb(ImageOps.exif_transpose(picture))
    return read_picture(Path(picture) if isinstance(picture, str) else picture)


def read_mask(source: Path | bytes) -> NDArray[np.int64]:
    """Decode a mask as its raw pixel values (H, W); a palette picture gives its indices.

    Raises:
        PictureError: damaged, or a colour picture, whose pixels are no ids.
    """
    with _opened(source) as image:
        if image.mode in ("RGB", "RGBA", "LA"):
            bands = np.asarray(image.convert("RGB"))
            if (bands != bands[..., :1]).any():
                raise PictureError("a colour picture, where a mask of class ids was expected")
            return bands[..., 0].astype(np.int64)
        if image.mode not in {"1", "L", "P", *WIDE_MODES} - {"F"}:
            raise PictureError(f"a picture of mode {image.mode}, where class ids were expected")
        return np.asarray(image).astype(np.int64)


def stretch(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Resize a picture to a square of `size` pixels, as training and prediction both do.

    Returns (size, size, 3) uint8.
    """
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image)


def stretch_mask(mask: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize a mask of ids (H, W) to (size, size) without inventing ids: nearest pixel."""
    if mask.shape == (size, size):
        return mask
    return np.asarray(Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST))


@contextmanager
def _opened(source: Path | bytes) -> Iterator[Image.Image]:
    """An opened and decoded picture; whatever Pillow makes of bad bytes becomes a PictureError."""
    with ExitStack() as stack:
        try:
            image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
            stack.callback(image.close)
            if image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf):
                raise Image.DecompressionBombError
            image.load()
        except Exception as error:  # Pillow's decoders raise nearly everything on bad bytes
            raise PictureError(_reason(error)) from error
        yield image


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not a picture that can be read"
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        return f"larger than {Image.MAX_IMAGE_PIXELS} pixels"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"damaged ({' '.join(str(error).split()) or type(error).__name__})"


def as_rgb(image: Image.Image) -> Image.Image:
    """A decoded picture as RGB: 16-bit scaled to 8, transparent parts on white."""
    if image.mode in WIDE_MODES:
        return Image.fromarray(_to_8_bit(np.asarray(image))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        front = image.convert("RGBA")
        back = Image.new("RGBA", front.size, "white")
        return Image.alpha_composite(back, front).convert("RGB")
    return image.convert("RGB")


def _to_8_bit(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale 16-bit values by their full range, wider ones by the range they use."""
    numbers = np.nan_to_num(values.astype(np.float64))
    if values.dtype.itemsize <= 2 or (numbers.min() >= 0 and 255 < numbers.max() <= 65535):
        return (numbers / 257).round().clip(0, 255).astype(np.uint8)
    low, high = float(numbers.min()), float(numbers.max())
    if low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    scale = 255 / (high - low) if high > low else 0.0
    return ((numbers - low) * scale).round().astype(np.uint8)
