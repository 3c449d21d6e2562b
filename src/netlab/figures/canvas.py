"""Text on pictures: measure, shorten, wrap, place; with the font that comes inside Pillow."""

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from netlab.figures.palette import INK, WHITE, Colour

MARGIN = 16
TITLE, HEADING, LABEL, TICK = 20, 17, 15, 14

_KEY, _KEY_GAP, _KEY_SPACE = 22, 7, 20
_ELLIPSIS = "…"
# Pillow's font knows ASCII and little more; an empty box in its place would say nothing.
_SPELLED = str.maketrans(
    {"×": "x", "–": "-", "—": "-", "−": "-", "→": "->", "’": "'", "α": "alpha", "β": "beta"}
)
_DRAWABLE = frozenset("…±°·")


class Key(NamedTuple):
    """One entry of a legend: where its swatch begins, its middle, and its text."""

    x: int
    y: int
    label: str


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font; kept, since each call would decode it anew."""
    return ImageFont.load_default(size)


def blank(width: int, height: int) -> Image.Image:
    """A white picture."""
    return Image.new("RGB", (width, height), WHITE)


def line_height(size: int) -> int:
    """Pixels from one line of text to the next."""
    return round(size * 1.4)


def text_width(text: str, size: int) -> int:
    """Pixels that `text` takes on one line."""
    return round(font(size).getlength(plain(text)) + 0.5)


def plain(text: str) -> str:
    """`text` on one line in characters that the font has: accents dropped, unknown ones as `?`."""
    text = unicodedata.normalize("NFKD", " ".join(text.split()).translate(_SPELLED))
    kept = (char for char in text if not unicodedata.combining(char))
    return "".join(char if _has_glyph(char) else "?" for char in kept)


def shorten(text: str, width: int, size: int) -> str:
    """`text`, shortened in its middle to fit: names differ where they begin, scores stand last."""
    text = plain(text)
    if text_width(text, size) <= width:
        return text
    low, high = 0, len(text)  # `low` characters fit, `high` do not
    while high - low > 1:
        middle = (low + high) // 2
        fits = text_width(_ends(text, middle), size) <= width
        low, high = (middle, high) if fits else (low, middle)
    return _ends(text, low)


def wrap(text: str, width: int, size: int, lines: int = 2) -> list[str]:
    """`text` broken between words into at most `lines`; the last one is shortened to fit."""
    words = plain(text).split()
    done: list[str] = []
    while words and len(done) < lines - 1:
        count = 1
        while count < len(words) and text_width(" ".join(words[: count + 1]), size) <= width:
            count += 1
        done.append(shorten(" ".join(words[:count]), width, size))
        words = words[count:]
    return [*done, shorten(" ".join(words), width, size)] if words else done


def write(
    image: Image.Image,
    at: tuple[float, float],
    text: str,
    size: int,
    colour: Colour = INK,
    anchor: str = "lm",
) -> None:
    """Write one line; `anchor` is PIL's (`lm`: `at` is the middle of the left edge)."""
    ImageDraw.Draw(image).text(at, plain(text), fill=colour, font=font(size), anchor=anchor)


def write_title(image: Image.Image, lines: Sequence[str]) -> None:
    """Write a picture's title, wrapped already, from its upper left corner."""
    for index, text in enumerate(lines):
        write(image, (MARGIN, MARGIN + (index + 0.5) * line_height(TITLE)), text, TITLE)


def write_upwards(
    image: Image.Image, at: tuple[int, int], text: str, size: int, colour: Colour = INK
) -> None:
    """Write one line that reads from below to above, its middle at `at`."""
    strip = blank(text_width(text, size) + 2, line_height(size))
    write(strip, (strip.width / 2, strip.height / 2), text, size, colour, "mm")
    strip = strip.transpose(Image.Transpose.ROTATE_90)
    image.paste(strip, (at[0] - strip.width // 2, at[1] - strip.height // 2))


def place_keys(labels: Sequence[str], width: int) -> tuple[list[Key], int]:
    """Set legend entries side by side and in as many lines as `width` asks for.

    Returns:
        The entries, measured from (0, 0), and the height that they take.
    """
    keys: list[Key] = []
    x, step = 0, line_height(LABEL)
    middle = step // 2
    for label in labels:
        label = shorten(label, width - _KEY - _KEY_GAP, LABEL)
        taken = _KEY + _KEY_GAP + text_width(label, LABEL)
        if x and x + taken > width:
            x, middle = 0, middle + step
        keys.append(Key(x, middle, label))
        x += taken + _KEY_SPACE
    return keys, middle + step - step // 2 if keys else 0


def write_key(image: Image.Image, key: Key, origin: tuple[int, int]) -> tuple[int, int, int, int]:
    """Write an entry's text, its legend's corner at `origin`; returns the box for its swatch."""
    x, y = origin[0] + key.x, origin[1] + key.y
    write(image, (x + _KEY + _KEY_GAP, y), key.label, LABEL)
    return x, y - 7, x + _KEY, y + 7


def _ends(text: str, count: int) -> str:
    """The first and last characters of `text`, `count` in all, with an ellipsis between."""
    head = (count + 1) // 2
    return text[:head].rstrip() + _ELLIPSIS + text[len(text) - (count - head) :].lstrip()


def _has_glyph(char: str) -> bool:
    return " " <= char <= "~" or char in _DRAWABLE
