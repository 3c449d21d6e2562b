"""Textured animal-like shapes on cluttered ground, drawn by code; needs nothing on disk.

Ground, clutter and animal are covered with coats of one and the same distribution, so that colour
and texture alone do not tell a pet: its form, face and unbroken outline do. Shapes are outlines
around the origin, about one unit in each direction, y downwards; a pose places them in a picture.
"""

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from netlab.contracts.dataset import PET_CLASSES, DataRequest, SegmentationSet, Split, Target
from netlab.data.readers.splits import drawn_keys
from netlab.errors import counted
from netlab.registry import register

SIZES: dict[Split, int] = {"train": 512, "val": 64, "test": 128}
"""How many pictures each split has."""

Outline = NDArray[np.float64]  # (points, 2)
Plane = NDArray[np.float32]  # (H, W)
Picture = NDArray[np.float32]  # (3, H, W) in 0..1; numpy is faster with the planes apart

_PET, _GROUND, _BORDER = range(3)
_SHARPEN = 2  # drawn this much larger and averaged
_BAND = 0.014  # blur of the outline, in sides; the border is where it lies between the two below
_OUTSIDE, _INSIDE = 0.08, 0.92
_WHOLE = np.eye(2, 3)  # the placement of outlines that are in sides already
_WORTH_A_NOTE = 8_000_000  # pixels; about two seconds


class Animal(NamedTuple):
    """Outlines of the parts of an animal, the rear ones first."""

    body: list[Outline]
    head: list[Outline]
    face: list[Outline]


@register("dataset")
class Synthetic:
    """Pictures that follow from (seed, split, index) alone; for trying things without data."""

    target: ClassVar[Target] = "masks"

    def load(self, request: DataRequest) -> SegmentationSet:
        """Draw one split; see `netlab.contracts.dataset.Dataset`."""
        keys = drawn_keys(SIZES, request)
        size = request.image_size
        if len(keys) * size**2 > _WORTH_A_NOTE:
            request.note(f"drawing {counted(len(keys), 'picture')}")
        images = np.empty((len(keys), size, size, 3), np.uint8)
        masks = np.empty((len(keys), size, size), np.uint8)
        for row, (split, index) in enumerate(keys):
            rng = np.random.default_rng((request.seed, list(SIZES).index(split), index))
            images[row], masks[row] = draw(rng, size)
        names = tuple(f"{split}-{index:04d}" for split, index in keys)
        return SegmentationSet(images, masks, names, PET_CLASSES)


def draw(rng: np.random.Generator, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """One picture (size, size, 3) and its class ids (size, size)."""
    animal, placement = _pose(rng)  # first, as textures use up random numbers by their size
    light = _light(rng)
    picture = _ground(rng, size)
    for _ in range(rng.integers(1, 3)):
        _lay(picture, coat(rng, size), rasterize(_clutter(rng), _WHOLE, size), light)
    body, head, face = (rasterize(outlines, placement, size) for outlines in animal)
    fur = coat(rng, size)
    rough = np.float32(0.22) * noise(rng, size, size / 3, size / 3)
    body, head = (_ruffle(cover, rough) for cover in (body, head))
    _lay(picture, fur, body, light)
    _lay(picture, fur * rng.uniform(0.75, 1.25), head, light)
    picture *= 1 - rng.uniform(0.8, 1) * np.minimum(face, head)
    return _photograph(rng, picture), _classes(np.maximum(body, head))


def noise(rng: np.random.Generator, size: int, across: float, down: float) -> Plane:
    """Smooth noise from about -1 to 1 with that many cells across and down: (size, size)."""
    shape = max(2, round(down)), max(2, round(across))
    return _resize(rng.uniform(-1, 1, shape).astype(np.float32), size, Image.Resampling.BICUBIC)


def colour(rng: np.random.Generator) -> NDArray[np.float32]:
    """A colour of fur, wood, cloth or wall: mostly warm or grey, now and then any hue."""
    value = rng.uniform(0.08, 0.95)
    if rng.random() < 0.25:
        return (value * rng.uniform(0.4, 1, 3)).astype(np.float32)
    warmth = rng.uniform(-0.1, 0.7) * (1.1 - value)
    return np.array([value, value * (1 - 0.45 * warmth), value * (1 - warmth)], np.float32)


def coat(rng: np.random.Generator, size: int) -> Picture:
    """A textured surface: two colours in a plain, patched, striped or speckled pattern."""
    first = colour(rng)
    change = rng.uniform(0.3, 1) * (colour(rng) - first)
    kind, cells = rng.integers(4), rng.uniform(2, 7)
    field = noise(rng, size, cells, cells)
    if kind == 1:
        field = np.clip(6 * field, 0, 1)
    elif kind == 2:
        ramp = np.linspace(0, rng.uniform(20, 70), size, dtype=np.float32)
        field = 0.5 + 0.5 * np.sin(3 * field + (ramp if rng.random() < 0.5 else ramp[:, None]))
    elif kind == 3:
        field = np.clip(5 * (noise(rng, size, 4 * cells, 4 * cells) - 0.3), 0, 1)
    else:
        field = 0.15 + 0.15 * field
    long, short = size / rng.uniform(5, 12), size / rng.uniform(1.3, 2.5)
    hairs = noise(rng, size, *((short, long) if rng.random() < 0.6 else (long, short)))
    bright = 1 + np.float32(rng.uniform(0.05, 0.3)) * hairs
    surface = change.astype(np.float32)[:, None, None] * field
    surface += first[:, None, None]
    surface *= bright
    return surface


def ellipse(x: float, y: float, across: float, down: float, turn: float = 0) -> Outline:
    """Outline of an ellipse around (x, y) with two radii, turned clockwise by `turn` radians."""
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    points = np.stack([across * np.cos(angle), down * np.sin(angle)], axis=1)
    return points @ _turned(turn).T + (x, y)


def limb(start: tuple[float, float], end: tuple[float, float], width: float) -> Outline:
    """Outline of a rounded stick; its end is a little thinner than its start."""
    along = np.subtract(end, start)
    turn = np.arctan2(along[1], along[0])
    half = np.linspace(-np.pi / 2, np.pi / 2, 7)
    cap = np.stack([np.cos(half), np.sin(half)], axis=1) @ _turned(turn).T
    return np.concatenate([end + 0.4 * width * cap, start - 0.5 * width * cap])


def rasterize(outlines: list[Outline], placement: NDArray[np.float64], size: int) -> Plane:
    """How much of each pixel the outlines cover, 0 to 1.

    Args:
        outlines: in units.
        placement: (2, 3), from units to sides.
        size: side in pixels.
    """
    canvas = Image.new("L", (size * _SHARPEN, size * _SHARPEN))
    pen = ImageDraw.Draw(canvas)
    for outline in outlines:
        points = (outline @ placement[:, :2].T + placement[:, 2]) * size * _SHARPEN
        pen.polygon(points.ravel().tolist(), fill=255)
    return np.asarray(canvas.reduce(_SHARPEN), np.float32) / np.float32(255)


def blur(cover: Plane, sigma: float) -> Plane:
    """Gaussian blur, in pixels, of a plane from 0 to 1."""
    plane = Image.fromarray(np.rint(cover * 255).astype(np.uint8))
    return np.asarray(plane.filter(ImageFilter.GaussianBlur(sigma)), np.float32) / np.float32(255)


def _turned(angle: float) -> NDArray[np.float64]:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def _light(rng: np.random.Generator) -> tuple[float, float]:
    angle, strength = rng.uniform(np.pi, 2 * np.pi), rng.uniform(1, 4)
    return strength * np.cos(angle), strength * np.sin(angle)


def _ground(rng: np.random.Generator, size: int) -> Picture:
    wall, floor = coat(rng, size), coat(rng, size)
    edge = np.linspace(0, 1, size)[:, None] + 0.02 * noise(rng, size, 5, 2)
    share = np.clip((edge - rng.uniform(0.2, 1.1)) * size / rng.uniform(1, 12), 0, 1)
    wall += share.astype(np.float32) * (floor - wall)
    return wall


def _placement(rng: np.random.Generator, scale: float, spread: float) -> NDArray[np.float64]:
    """Flip, stretch, turn and move: (2, 3), from units to sides."""
    stretch = np.exp(rng.uniform(-0.2, 0.2))
    axes = np.diag([scale * stretch * rng.choice([-1, 1]), scale / stretch])
    middle = 0.5 + spread * rng.uniform(-1, 1, (2, 1))
    return np.hstack([_turned(rng.normal(0, 0.12)) @ axes, middle])


def _clutter(rng: np.random.Generator) -> list[Outline]:
    """One to three things of one material, in sides."""
    outlines = []
    for _ in range(rng.integers(1, 4)):
        placement = _placement(rng, rng.uniform(0.08, 0.35), 0.6)
        outlines += [outline @ placement[:, :2].T + placement[:, 2] for outline in _thing(rng)]
    return outlines


def _thing(rng: np.random.Generator) -> list[Outline]:
    """A cushion, a box, a stool or a plant."""
    kind = rng.integers(4)
    if kind == 0:
        return [ellipse(0, 0, 1, rng.uniform(0.4, 1), rng.uniform(0, 3))]
    if kind == 1:
        return [np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]) * rng.uniform(0.3, 1.2, 2)]
    if kind == 2:
        legs = [limb((x, -0.3), (x * 1.2, 1), 0.2) for x in (-0.6, -0.2, 0.6)]
        return [ellipse(0, -0.4, 0.9, rng.uniform(0.2, 0.5)), *legs]
    tips = rng.uniform(-1, 1, (rng.integers(3, 8), 2))
    return [limb((0, 1), (x, y), rng.uniform(0.1, 0.4)) for x, y in tips]


def _pose(rng: np.random.Generator) -> tuple[Animal, NDArray[np.float64]]:
    """An animal and its placement; one in four is a close-up that the frame cuts."""
    kind = rng.choice(4, p=[0.3, 0.2, 0.22, 0.28])
    scale = rng.uniform(0.42, 0.68) if kind == 3 else rng.uniform(0.28, 0.6)
    body, (x, y, radius) = (_sitting, _standing, _lying, _close_up)[kind](rng)
    head, face = _head(rng, x, y, radius)
    return Animal(body, head, face), _placement(rng, scale, 0.16)


def _sitting(rng: np.random.Generator) -> tuple[list[Outline], tuple[float, float, float]]:
    wide = rng.uniform(0.35, 0.55)
    body = [ellipse(0, 0.3, wide, 0.65), ellipse(0, 0.7, wide * 1.25, 0.32)]
    body += [limb((x, 0.3), (x * 1.2, 1.05), 0.24) for x in (-0.18, 0.18)]
    return [*body, *_tail(rng, wide, 0.8)], (rng.uniform(-0.2, 0.2), -0.45, rng.uniform(0.34, 0.46))


def _standing(rng: np.random.Generator) -> tuple[list[Outline], tuple[float, float, float]]:
    thick = rng.uniform(0.26, 0.4)
    body = [ellipse(0, 0, 0.72, thick), limb((0.5, -0.1), (0.75, -0.5), 0.4)]
    feet = np.array([-0.6, -0.4, 0.4, 0.58]) + rng.uniform(-0.12, 0.12, 4)
    body += [limb((x * 0.95, 0.05), (x, 0.9), rng.uniform(0.16, 0.26)) for x in feet]
    return [*body, *_tail(rng, -0.65, -0.1)], (0.82, -0.55, rng.uniform(0.26, 0.36))


def _lying(rng: np.random.Generator) -> tuple[list[Outline], tuple[float, float, float]]:
    body = [ellipse(0, 0.3, 0.9, rng.uniform(0.3, 0.48)), ellipse(-0.5, 0.35, 0.42, 0.38)]
    body += [limb((0.4, 0.5), (rng.uniform(0.8, 1.2), y), 0.22) for y in (0.6, 0.72)]
    return [*body, *_tail(rng, -0.8, 0.4)], (0.6, rng.uniform(-0.3, 0.1), rng.uniform(0.34, 0.46))


def _close_up(rng: np.random.Generator) -> tuple[list[Outline], tuple[float, float, float]]:
    middle, wide = rng.uniform(-0.3, 0.3), rng.uniform(0.5, 0.85)
    body = [ellipse(middle, 1.2, wide, 0.8), ellipse(1.3 * middle, 1.6, wide * 1.2, 0.8)]
    return body, (0, 0, rng.uniform(0.55, 0.72))


def _tail(rng: np.random.Generator, x: float, y: float) -> list[Outline]:
    if rng.random() < 0.4:
        return []
    bend = x + np.sign(x) * rng.uniform(0.2, 0.35), y - rng.uniform(-0.1, 0.3)
    tip = bend[0] + rng.uniform(-0.1, 0.2), bend[1] - rng.uniform(0.1, 0.4)
    width = rng.uniform(0.08, 0.2)
    return [limb((x * 0.8, y), bend, width), limb(bend, tip, width)]


def _head(
    rng: np.random.Generator, x: float, y: float, radius: float
) -> tuple[list[Outline], list[Outline]]:
    """Skull, muzzle and ears, and the dark eyes and nose, turned a little to one side."""
    turn, wide = rng.uniform(-0.3, 0.3), rng.uniform(0.8, 1.1)
    muzzle = rng.uniform(0.3, 0.6)
    head = [ellipse(0, 0, wide, 0.9), ellipse(1.4 * turn, 0.45, muzzle, rng.uniform(0.4, 0.7))]
    if rng.random() < 0.6:
        tip = rng.uniform(0.5, 1.0), -rng.uniform(1.2, 1.7)
        ear = np.array([[0.1, -0.7], tip, [0.95 * wide, -0.1]])
    else:
        ear = ellipse(0.95 * wide, rng.uniform(-0.1, 0.3), 0.28, rng.uniform(0.5, 0.8), -0.2)
    head += [ear * (side, 1) + (0.3 * turn, 0) for side in (-1, 1)]
    eye = rng.uniform(0.09, 0.17)
    face = [ellipse(side * 0.4 + turn, -0.1, eye, eye) for side in (-1, 1)]
    face.append(ellipse(1.5 * turn, 0.45, 0.16, 0.12))
    tilt = radius * _turned(rng.normal(0, 0.15)).T
    return [outline @ tilt + (x, y) for outline in head], [
        outline @ tilt + (x, y) for outline in face
    ]


def _ruffle(cover: Plane, rough: Plane) -> Plane:
    """Fray an outline as fur does."""
    return np.asarray(np.clip(2 * (blur(cover, len(cover) / 100) + rough) - 0.5, 0, 1), np.float32)


def _lay(picture: Picture, surface: Picture, cover: Plane, light: tuple[float, float]) -> None:
    """Put a rounded, shaded surface and its soft shadow onto a picture, in place."""
    size = len(cover)
    # Roundness is smooth: a small version of it is enough, and quicker.
    height = np.pad(blur(_resize(cover, max(8, size // 4)), max(2, size / 80)), 1, mode="edge")
    shade = 0.55 + 0.45 * height[1:-1, 1:-1]
    shade -= np.float32(light[0]) * (height[1:-1, 2:] - height[1:-1, :-2])
    shade -= np.float32(light[1]) * (height[2:, 1:-1] - height[:-2, 1:-1])
    shadow = 1 - np.float32(0.35) * _resize(height[1:-1, 1:-1].copy(), size) * (1 - cover)
    picture *= shadow * (1 - cover)
    picture += surface * (_resize(np.clip(shade, 0.2, 1.6), size) * cover)


def _photograph(rng: np.random.Generator, picture: Picture) -> NDArray[np.uint8]:
    """Uneven light, exposure, the lens and the sensor: (size, size, 3)."""
    size = picture.shape[1]
    picture *= np.float32(rng.uniform(0.95, 1.4)) * (1 + np.float32(0.3) * noise(rng, size, 2, 2))
    picture += np.float32(rng.uniform(0.01, 0.05)) * rng.standard_normal((size, size), np.float32)
    picture *= rng.uniform(230, 280, (3, 1, 1)).astype(np.float32)
    bytes_ = np.clip(picture, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    lens = ImageFilter.BoxBlur(size / 128 * rng.uniform(0, 0.9))
    return np.asarray(Image.fromarray(np.ascontiguousarray(bytes_)).filter(lens))


def _resize(
    plane: Plane, size: int, resample: Image.Resampling = Image.Resampling.BILINEAR
) -> Plane:
    return np.asarray(Image.fromarray(plane).resize((size, size), resample))


def _classes(cover: Plane) -> NDArray[np.uint8]:
    """Pet inside, background outside, border along the outline but not along the frame."""
    soft = blur(cover, _BAND * len(cover))
    inner = np.where(soft > _INSIDE, _PET, _BORDER)
    return np.where(soft < _OUTSIDE, _GROUND, inner).astype(np.uint8)
