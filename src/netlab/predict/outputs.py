"""Predictions as pictures: one function for each format of `netlab predict-mask`."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor, ImageOps
from PIL.PngImagePlugin import PngInfo

from netlab.data.readers.pictures import read_picture
from netlab.errors import PictureError, UsageError
from netlab.figures.palette import overlay, palette_bytes
from netlab.files import replace_file
from netlab.predict.inputs import SIGNATURE, Job
from netlab.predict.prediction import STRIP, Prediction, Size

Background = Image.Image | tuple[int, int, int]

_BORDER_ALPHA = 0.5  # the border's pixels are half pet


@dataclass(frozen=True)
class Style:
    """How predictions become pictures.

    Args:
        format: one of `FORMATS`.
        include_border: `binary` counts the border as pet.
        background: picture or colour behind a `cutout`; None leaves it transparent.
        certainty: report the mean confidence of each picture, which takes time.
    """

    format: str = "color"
    include_border: bool = False
    background: Background | None = None
    certainty: bool = False


@dataclass(frozen=True)
class Done:
    """What one picture gave."""

    size: Size
    shares: dict[str, float]
    mean_confidence: float | None
    png: bytes | None = field(default=None, repr=False)
    """The picture itself, when it has no file."""


def write_outputs(job: Job, prediction: Prediction, style: Style) -> Done:
    """Write the files of a job; called in threads.

    Raises:
        WorkFailed: a file cannot be written.
        PictureError: the picture has changed since it was read and is no longer one.
    """
    image = FORMATS[style.format](job, prediction, style)
    png = None
    if job.output is None:
        buffer = io.BytesIO()
        _save(image, buffer)
        png = buffer.getvalue()
    else:
        replace_file(job.output, lambda part: _save(image, part))
    if job.confidence is not None:
        gray = Image.fromarray((prediction.confidence * 255).round().astype(np.uint8))
        replace_file(job.confidence, lambda part: _save(gray, part))
    mean = None
    if style.certainty:
        mean = float(prediction.confidence.mean(dtype=np.float64))
    return Done(prediction.size, prediction.shares, mean, png)


def read_background(text: str) -> Background:
    """The picture or colour that `--background` names.

    Raises:
        UsageError: neither.
    """
    if Path(text).is_file():
        try:
            return read_picture(Path(text))
        except PictureError as error:
            raise UsageError(f"--background {text}: {error}") from error
    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError as error:
        raise UsageError(
            f"--background {text}: neither a picture nor a colour such as white or #20a0ff"
        ) from error
    return red, green, blue


def check_format(name: str, classes: tuple[str, ...]) -> None:
    """Refuse a format that the classes of the weights do not allow.

    Raises:
        UsageError: a binary mask or a cut-out without a class to cut out.
    """
    if name in ("binary", "cutout") and _subject(classes) is None:
        raise UsageError(
            f"--format {name} needs a class beside the background, "
            f"these weights have {', '.join(classes)}; use color or ids"
        )


def _color(_job: Job, prediction: Prediction, _style: Style) -> Image.Image:
    image = Image.fromarray(prediction.mask)
    image.putpalette(palette_bytes(len(prediction.classes)))
    return image


def _ids(_job: Job, prediction: Prediction, _style: Style) -> Image.Image:
    return Image.fromarray(prediction.mask)


def _binary(_job: Job, prediction: Prediction, style: Style) -> Image.Image:
    classes = prediction.classes
    table = np.zeros(256, np.uint8)
    table[_subject(classes) or 0] = 255
    if style.include_border and "border" in classes:
        table[classes.index("border")] = 255
    return Image.fromarray(table[prediction.mask])


def _overlay(job: Job, prediction: Prediction, _style: Style) -> Image.Image:
    pixels = np.array(_picture(job, prediction))  # (H, W, 3), a copy to paint on
    classes = prediction.classes
    untinted = [index for index, name in enumerate(classes) if name == "background"]
    step = max(1, STRIP // pixels.shape[1])  # mixing needs 20 bytes a pixel
    for start in range(0, len(pixels), step):
        rows = slice(start, start + step)
        pixels[rows] = overlay(pixels[rows], prediction.mask[rows], len(classes), untinted=untinted)
    return Image.fromarray(pixels)


def _cutout(job: Job, prediction: Prediction, style: Style) -> Image.Image:
    weights = [0.0] * len(prediction.classes)
    weights[_subject(prediction.classes) or 0] = 1.0
    if "border" in prediction.classes:
        weights[prediction.classes.index("border")] = _BORDER_ALPHA
    alpha = Image.fromarray(prediction.coverage(weights))
    picture = _picture(job, prediction)
    if style.background is None:
        picture.putalpha(alpha)
        return picture
    if isinstance(style.background, Image.Image):
        composed = ImageOps.fit(style.background, picture.size, Image.Resampling.BICUBIC)
    else:
        composed = Image.new("RGB", picture.size, style.background)
    composed.paste(picture, mask=alpha)
    return composed


FORMATS: dict[str, Callable[[Job, Prediction, Style], Image.Image]] = {
    "color": _color,
    "ids": _ids,
    "binary": _binary,
    "overlay": _overlay,
    "cutout": _cutout,
}


def _subject(classes: tuple[str, ...]) -> int | None:
    """The class that is cut out: the pet, or the first that is neither background nor border."""
    subjects = [name for name in classes if name not in ("background", "border")]
    if not subjects or len(classes) == len(subjects) == 1:
        return None
    return classes.index("pet" if "pet" in subjects else subjects[0])


def _picture(job: Job, prediction: Prediction) -> Image.Image:
    # Read once more: kept since the first time, the large pictures of a batch would fill memory.
    picture = read_picture(job.source)
    if (picture.height, picture.width) != prediction.size:
        raise PictureError("changed while it was worked on")
    return picture


def _save(image: Image.Image, target: Path | io.BytesIO) -> None:
    info = PngInfo()
    info.add_text("Software", SIGNATURE)
    # Level 1 is three times as quick as the default, and masks are small at any level.
    image.save(target, format="PNG", compress_level=1, pnginfo=info)
