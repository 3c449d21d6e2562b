"""Colours for classes and curves that colour-blind readers can tell apart (after Okabe and Ito)."""

import colorsys
from collections.abc import Collection
from functools import cache

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Picture = NDArray[np.uint8]

INK: Colour = (38, 43, 51)
FAINT: Colour = (98, 106, 117)
GRID: Colour = (226, 229, 233)
FRAME: Colour = (170, 176, 184)
WHITE: Colour = (255, 255, 255)

_BLUE: Colour = (0, 114, 178)
_SKY: Colour = (86, 180, 233)
_GREEN: Colour = (0, 158, 115)
_YELLOW: Colour = (240, 228, 66)
_ORANGE: Colour = (230, 159, 0)
_VERMILION: Colour = (213, 94, 0)
_PURPLE: Colour = (204, 121, 167)

# Sky blue and orange differ most under every common colour blindness; slate leaves them the stage.
_CLASSES = (_SKY, (47, 55, 68), _ORANGE, _GREEN, _YELLOW, _BLUE, _VERMILION, _PURPLE)
_LINES = (_BLUE, _VERMILION, _GREEN, _PURPLE, _SKY, _ORANGE, (90, 96, 105))
_MOST = 256
_GOLDEN = 0.618033988749895


def class_colours(count: int) -> list[Colour]:
    """Colours of classes 0 to `count` - 1, all different; the first ones never depend on `count`.

    Raises:
        ValueError: `count` is not in 1 to 256, which is what an 8-bit mask can hold.
    """
    if not 1 <= count <= _MOST:
        raise ValueError(f"count must be in 1 to {_MOST}, got {count}")
    return list(_all_colours()[:count])


def line_colours(count: int) -> list[Colour]:
    """Colours of `count` curves on white; they repeat after seven."""
    return [_LINES[index % len(_LINES)] for index in range(count)]


def palette_bytes(count: int) -> list[int]:
    """`class_colours(count)` as flat numbers (3 · count,), as PIL's `putpalette` takes them."""
    return [part for colour in class_colours(count) for part in colour]


def paint(mask: Picture, classes: int) -> Picture:
    """Colour masks of class numbers: (…, H, W) → (…, H, W, 3).

    Values from `classes` on, such as 255 for pixels that do not count, become white.
    """
    _check_bytes(mask)
    table = np.full((_MOST, 3), 255, dtype=np.uint8)
    table[:classes] = class_colours(classes)
    return table[mask]


def overlay(
    image: Picture, mask: Picture, classes: int, alpha: float = 0.5, untinted: Collection[int] = ()
) -> Picture:
    """Lay the colours of a mask (H, W) over its picture (H, W, 3).

    The classes in `untinted` show the picture as it is: give the background's number there, since
    a tint over most of the picture hides what the classes of interest are cut from. Values from
    `classes` on are never tinted.

    Args:
        image: the picture, 0 to 255.
        mask: class numbers.
        classes: how many classes there are, 1 to 256.
        alpha: share of the class colour, 0 (none) to 1 (nothing but the colour).
        untinted: class numbers that keep the picture.

    Raises:
        ValueError: sizes that do not fit, or `alpha` outside 0 to 1.
    """
    _check_bytes(mask)
    if image.shape != (*mask.shape, 3):
        raise ValueError(f"image must be {(*mask.shape, 3)} to fit its mask, got {image.shape}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be in 0 to 1, got {alpha}")
    shares = np.zeros(_MOST, dtype=np.float32)
    shares[:classes] = alpha
    shares[list(untinted)] = 0
    share = shares[mask][..., None]  # (H, W, 1)
    mixed = image * (1 - share) + paint(mask, classes) * share
    return np.rint(mixed).astype(np.uint8)


def _check_bytes(mask: Picture) -> None:
    if mask.ndim < 2 or mask.dtype != np.uint8:
        raise ValueError(f"mask must be uint8 (…, H, W), got {mask.dtype} {mask.shape}")


@cache
def _all_colours() -> tuple[Colour, ...]:
    """The named colours, then hues a golden ratio apart: spread, however many are used."""
    colours = dict.fromkeys(_CLASSES)
    step = 0
    while len(colours) < _MOST:
        hue, value = step * _GOLDEN % 1, (0.95, 0.7, 0.5)[step % 3]
        red, green, blue = colorsys.hsv_to_rgb(hue, (0.75, 0.5)[step % 2], value)
        colours[round(red * 255), round(green * 255), round(blue * 255)] = None
        step += 1
    return tuple(colours)
