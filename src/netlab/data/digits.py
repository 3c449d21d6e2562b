"""Digits 0 to 9 drawn by code, white on black, each in a style of its own; needs nothing on disk.

A digit is a few strokes in units: x to the right, y downwards, its height from -1 to 1. A style
bends, leans, stretches and places them in the same way for every digit, so that label and style
are independent by construction, and the same style can be drawn with any label.
"""

import functools
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from netlab.contracts.dataset import DataRequest, LabelledSet, Split, Target
from netlab.data.readers.splits import drawn_keys
from netlab.errors import counted
from netlab.registry import register
from netlab.seeds import uniforms

SIZES: dict[Split, int] = {"train": 6000, "val": 600, "test": 1000}
"""How many pictures each split has; every tenth shows the same digit."""

CLASSES = tuple("0123456789")

_Points = NDArray[np.float64]  # (points, 2)
Styles = NDArray[np.float64]
"""(N, 18), the numbers of `STYLE` in their order."""

_DOTS = 96  # times that a round pen is set down for a digit; gaps are too small to see
_EDGE = 1.2  # pixels over which a stroke fades
_AT_ONCE = 2**16  # pixels; what the processor's cache holds
_WORTH_A_NOTE = 20_000_000  # pixels; about two seconds


STYLE = {
    "slant": (-0.2, 0.4),  # how far the top leans to the right, in heights
    "thickness": (0.06, 0.14),  # width of the stroke, a share of the side of the picture
    "height": (0.55, 0.75),  # of the digit, a share
    "width": (0.75, 1.15),  # how much wider than usual
    "turn": (-0.15, 0.15),  # rotation clockwise, in radians
    "right": (-0.06, 0.06),  # shift to the right, a share
    "down": (-0.06, 0.06),  # shift downwards, a share
    "ink": (0.75, 1.0),  # brightness of the stroke
    "grain": (0.0, 0.1),  # strength of the noise, ± a share of white
    "specks": (0.0, 1.0),  # which noise: nothing can be seen from it
    # Coefficients that move parts of the strokes, in units.
    **{f"bend_{side}_{wave}": (-0.08, 0.08) for side in ("right", "down") for wave in range(4)},
}
"""How a digit is written, whichever it is: the range of each number of a style."""

_BENDS = 10  # columns before those that bend


@register("dataset")
class Digits:
    """Pictures that follow from (seed, split, index) alone; the label is the index modulo ten."""

    target: ClassVar[Target] = "labels"

    def load(self, request: DataRequest) -> LabelledSet:
        """Draw one split, (N, S, S, 1); a limit takes the first, which are balanced as well."""
        keys = drawn_keys(SIZES, request)
        labels = np.array([index % len(CLASSES) for _, index in keys])
        if len(keys) * request.image_size**2 > _WORTH_A_NOTE:
            request.note(f"drawing {counted(len(keys), 'picture')}")
        styles = [
            styles_of(request.seed, split, np.array([i for s, i in keys if s == split], np.int64))
            for split in SIZES
        ]
        return LabelledSet(
            images=draw(labels, np.concatenate(styles), request.image_size),
            labels=labels,
            names=tuple(f"{split}-{index:04d}" for split, index in keys),
            classes=CLASSES,
            mirrors=False,
        )


def styles_of(seed: int, split: Split, indices: NDArray[np.int64]) -> Styles:
    """The styles in which the data set draws its pictures `indices` (N,) of `split`."""
    low, high = np.array([*STYLE.values()]).T
    drawn = uniforms(seed, list(SIZES).index(split), indices, len(STYLE))
    return np.asarray(low + (high - low) * drawn, np.float64)


def draw(labels: NDArray[np.int64], styles: Styles, size: int) -> NDArray[np.uint8]:
    """Digits (N,), 0 to 9, each in a style, just as the data set draws them: (N, size, size, 1)."""
    out = np.empty((len(labels), size, size, 1), np.uint8)
    step = max(1, _AT_ONCE // size**2)
    for start in range(0, len(labels), step):
        chosen = slice(start, start + step)
        out[chosen, :, :, 0] = _ink(labels[chosen], styles[chosen], size)
    return out


def _ink(labels: NDArray[np.int64], styles: Styles, size: int) -> NDArray[np.uint8]:
    """(N, size, size): bright where the pen was near, and noise."""
    dots = (_placed(_skeletons()[labels], styles) * size).astype(np.float32)
    centres = np.arange(size, dtype=np.float32) + np.float32(0.5)
    across, down = np.square(dots[:, :, :, None] - centres).transpose(2, 1, 0, 3)
    nearest = np.full((len(labels), size, size), np.inf, np.float32)
    for x, y in zip(across, down, strict=True):
        np.minimum(nearest, x[:, None, :] + y[:, :, None], out=nearest)
    columns = styles.T.astype(np.float32)[:, :, None, None]
    radius, ink, grain = columns[1] * np.float32(size / 2), columns[7], columns[8]
    cover = np.clip((radius - np.sqrt(nearest)) / np.float32(_EDGE) + np.float32(0.5), 0, 1)
    keys = (styles[:, 9] * 2.0**53).astype(np.int64)
    noise = uniforms(0, 0, keys, size * size).astype(np.float32).reshape(cover.shape)
    light = ink * cover + grain * (2 * noise - 1)
    return np.asarray(np.rint(np.clip(light, 0, 1) * 255), np.uint8)


def _placed(points: NDArray[np.float64], styles: Styles) -> NDArray[np.float64]:
    """From units to shares of the side; points are (N, dots, 2)."""
    slant, _, height, width, turn, right, down = styles.T[:7, :, None]
    x, y = points[..., 0], points[..., 1]
    waves = np.stack([np.sin(2.2 * x), np.cos(2.2 * x) - 0.6, np.sin(2.5 * y), np.cos(2.5 * y)])
    bends = styles.T[_BENDS:, :, None]
    x, y = x + (waves * bends[:4]).sum(0), y + (waves * bends[4:]).sum(0)
    x = x * width - slant * y
    x, y = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    return np.stack([0.5 + right + x * height / 2, 0.5 + down + y * height / 2], axis=-1)


@functools.cache
def _skeletons() -> NDArray[np.float64]:
    """The dots of each digit, evenly along its strokes: (10, dots, 2)."""
    return np.stack([_dotted(strokes) for strokes in _strokes()])


def _dotted(strokes: Sequence[_Points]) -> _Points:
    """`_DOTS` points along strokes; the pen is lifted in between."""
    lengths = [np.hypot(*np.diff(stroke, axis=0).T) for stroke in strokes]
    ends = np.cumsum([0.0, *(length.sum() for length in lengths)])
    distances = np.linspace(0, ends[-1], _DOTS)
    dots = np.empty((_DOTS, 2))
    for stroke, length, start, end in zip(strokes, lengths, ends, ends[1:], strict=False):
        chosen = (distances >= start) & (distances <= end)
        along = start + np.concatenate([[0.0], np.cumsum(length)])
        for axis in (0, 1):
            dots[chosen, axis] = np.interp(distances[chosen], along, stroke[:, axis])
    return dots


def _strokes() -> list[list[_Points]]:
    return [
        [_arc(0, 0, 0.6, 1, -90, 270)],
        [_line((-0.32, -0.62), (0.06, -1), (0.06, 1))],
        [np.concatenate([_arc(0, -0.48, 0.52, 0.52, 190, 400), _line((-0.56, 1), (0.6, 1))])],
        [_arc(-0.04, -0.5, 0.5, 0.5, 205, 450), _arc(-0.04, 0.48, 0.58, 0.52, -90, 160)],
        [_line((0.22, 1), (0.22, -1), (-0.62, 0.36), (0.62, 0.36))],
        [
            np.concatenate(
                [_line((0.5, -1), (-0.36, -1), (-0.44, -0.1)), _arc(0, 0.38, 0.56, 0.62, 222, 510)]
            )
        ],
        [_arc(0.5, 0.44, 1.03, 1.42, 268, 180), _arc(0, 0.44, 0.53, 0.56, 180, 540)],
        [_line((-0.56, -1), (0.56, -1), (-0.16, 1))],
        [_arc(0, -0.5, 0.45, 0.5, 90, 450), _arc(0, 0.5, 0.55, 0.5, -90, 270)],
        [_arc(0, -0.45, 0.52, 0.55, 0, 360), _line((0.52, -0.45), (0.5, 0.1), (0.3, 1))],
    ]


def _line(*points: tuple[float, float]) -> _Points:
    return np.array(points, np.float64)


def _arc(x: float, y: float, across: float, down: float, start: float, end: float) -> _Points:
    """Part of an ellipse around (x, y), clockwise in degrees from its right end."""
    angle = np.radians(np.linspace(start, end, 48))
    return np.stack([x + across * np.cos(angle), y + down * np.sin(angle)], axis=1)
