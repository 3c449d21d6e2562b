"""Draw the cat of the README, hair by hair, and write it beside this file as pet.jpg.

Ellipsoids give the form and so the light, a colour map gives the tabby coat, and a hundred
thousand short hairs take their colour from both: `python examples/draw_pet.py`.
"""

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from netlab.data.synthetic import noise

WIDTH, HEIGHT, ZOOM = 480, 360, 2  # drawn ZOOM times larger, then averaged
Plane = NDArray[np.float64]  # (H, W)
Colours = NDArray[np.float64]  # (..., 3) in 0..1
Point = tuple[float, float]

# All places are in pixels of the finished picture, y downwards.
Y, X = np.mgrid[0 : HEIGHT * ZOOM, 0 : WIDTH * ZOOM] / ZOOM
MIDDLE = 232.0  # the cat's axis
LIGHT = np.array([-0.5, -0.5, 0.7])  # towards the window; z towards the viewer
GINGER, CREAM = (0.8, 0.54, 0.31), (0.97, 0.9, 0.8)
RUST, ROSE = (0.5, 0.26, 0.12), (0.8, 0.5, 0.45)


class Ball(NamedTuple):
    """An ellipsoid: its middle, its radii, its turn in the plane of the picture."""

    x: float
    y: float
    z: float
    across: float
    down: float
    deep: float
    turn: float = 0.0


BODY = (
    Ball(236, 385, 0, 100, 150, 70),
    Ball(176, 345, 10, 58, 112, 50, 0.2),
    Ball(294, 345, 10, 60, 114, 50, -0.2),
    Ball(234, 250, 10, 70, 84, 60),
    Ball(234, 300, 42, 52, 80, 50),
)
HEAD = (
    Ball(232, 138, 60, 78, 66, 70),
    Ball(190, 168, 72, 44, 36, 44, 0.3),
    Ball(274, 168, 72, 44, 36, 44, -0.3),
    Ball(216, 184, 106, 22, 17, 26),
    Ball(248, 184, 106, 22, 17, 26),
    Ball(232, 198, 98, 17, 14, 22),
    Ball(232, 160, 103, 13, 30, 30),
)


def main() -> None:
    """Paint from back to front."""
    rng = np.random.default_rng(7)
    picture = room(rng)
    picture = darken(picture, (262, 372), (150, 60), 0.5)
    picture = fur(rng, picture, BODY, body_coat(rng), (MIDDLE, 60), (26000, 15))
    picture = darken(picture, (238, 216), (58, 24), 0.5)
    for side in (-1, 1):
        picture = ear(rng, picture, side)
    picture = fur(rng, picture, HEAD, head_coat(rng), (MIDDLE, 172), (45000, 8))
    for side in (-1, 1):
        picture = eye(picture, (MIDDLE + side * 35, 144), side)
    picture = whiskers(rng, mouth(nose(picture)))
    path = Path(__file__).with_name("pet.jpg")
    develop(rng, picture).save(path, quality=90, optimize=True)
    print(f"{path}: {WIDTH}×{HEIGHT}, {path.stat().st_size / 1000:.0f} kB")


def room(rng: np.random.Generator) -> Image.Image:
    """A wall, a window on the left, a plant on the right and a wooden table, out of focus."""
    wall = blend((0.5, 0.45, 0.4), (0.8, 0.74, 0.64), np.exp(-(((X - 60) / 260) ** 2)))
    picture = to_image(wall * (1 + 0.05 * texture(rng, 6, 6))[..., None])
    pen = ImageDraw.Draw(picture)
    box(pen, (-10, -10, 96, 190), (0.97, 0.96, 0.9))
    box(pen, (-10, 110, 60, 190), (0.72, 0.82, 0.66))
    for bar in ((38, -10, 48, 190), (-10, 82, 96, 90), (96, -10, 108, 200), (-10, 190, 116, 204)):
        box(pen, bar, (0.86, 0.82, 0.74))
    box(pen, (330, 30, 410, 110), (0.36, 0.27, 0.2))
    box(pen, (339, 39, 401, 101), (0.62, 0.68, 0.68))
    box(pen, (408, 240, 462, 300), (0.66, 0.36, 0.24))
    for angle in rng.uniform(-2.9, -0.2, 26):
        tip = 435 + rng.uniform(30, 85) * np.cos(angle), 235 + rng.uniform(60, 130) * np.sin(angle)
        green = np.array([0.2, 0.36, 0.16]) * rng.uniform(0.5, 2.0)
        line(pen, [(435, 242), tip], green, 7)
    picture = picture.filter(ImageFilter.GaussianBlur(5.5 * ZOOM))
    grain = 0.6 * texture(rng, 5, 60) + 0.4 * texture(rng, 20, 300)
    table = blend((0.4, 0.25, 0.15), (0.62, 0.42, 0.26), 0.5 + 0.4 * grain)
    table *= (0.75 + 0.5 * np.exp(-(((X - 90) / 190) ** 2)))[..., None]
    share = np.clip((Y - 286) / 14, 0, 1)
    return to_image(blend(to_array(picture), table, share)).filter(ImageFilter.GaussianBlur(ZOOM))


def fur(
    rng: np.random.Generator,
    picture: Image.Image,
    balls: tuple[Ball, ...],
    coat: Colours,
    origin: Point,
    hairs: tuple[int, float],
) -> Image.Image:
    """Cover a form with hairs (their number and length) that lie away from `origin`."""
    inside, height = form(balls)
    colours = np.clip(coat * shade(height)[..., None], 0, 1)
    under = soften(inside.astype(float), 1.5)
    picture = to_image(blend(to_array(picture), 0.85 * colours, under))
    rows, columns = np.nonzero(inside)
    chosen = rng.choice(len(rows), hairs[0])
    rows, columns = rows[chosen], columns[chosen]
    roots = np.stack([X[rows, columns], Y[rows, columns]], axis=1)
    away = roots - origin
    distance = np.hypot(*away.T)
    swirl = 0.5 * texture(rng, 14, 10)[rows, columns] + rng.normal(0, 0.2, len(rows))
    angle = np.arctan2(away[:, 1], away[:, 0]) + swirl
    long = hairs[1] * rng.uniform(0.5, 1.2, len(rows)) * np.clip(distance / 60, 0.4, 1.4)
    ways = long[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    tints = colours[rows, columns] * rng.normal(1, 0.13, (len(rows), 1))
    # Like tiles: those nearer to the origin lie on top.
    order = np.argsort(-distance)
    return comb(picture, roots[order], ways[order], tints[order])


def comb(picture: Image.Image, roots: Plane, ways: Plane, tints: Colours) -> Image.Image:
    """Draw hairs that droop a little and end thin."""
    picture = picture.copy()
    pen = ImageDraw.Draw(picture)
    for root, way, tint in zip(roots, ways, tints, strict=True):
        knee = root + 0.55 * way
        tip = root + way + (0, 0.08 * np.hypot(*way))
        line(pen, [tuple(root), tuple(knee)], tint, 0.9)
        line(pen, [tuple(knee), tuple(tip)], tint * 1.06, 0.5)
    return picture


def form(balls: tuple[Ball, ...]) -> tuple[NDArray[np.bool_], Plane]:
    """Where the ellipsoids are, and how far their common skin stands out."""
    total, inside = np.full_like(X, 1e-9), np.zeros(X.shape, bool)
    for ball in balls:
        right, below = turned(X - ball.x, Y - ball.y, ball.turn)
        rest = 1 - (right / ball.across) ** 2 - (below / ball.down) ** 2
        inside |= rest > 0
        total += (rest > 0) * np.exp((ball.z + ball.deep * np.sqrt(np.maximum(rest, 0))) / 6)
    height = np.where(inside, 6 * np.log(total), -20)
    return inside, soften(height, 3)


def shade(height: Plane) -> Plane:
    """Soft light from the window, a little from everywhere, less in the hollows."""
    down, right = np.gradient(height, 1 / ZOOM)
    steep = np.sqrt(1 + right**2 + down**2)
    facing = (LIGHT[2] - LIGHT[0] * right - LIGHT[1] * down) / steep / np.linalg.norm(LIGHT)
    hollow = np.clip((height - soften(height, 12)) / 40, -0.25, 0.1)
    return np.asarray(0.34 + 0.8 * np.clip(0.25 + 0.75 * facing, 0, 1) + hollow)


def body_coat(rng: np.random.Generator) -> Colours:
    """Ginger with darker bands at the sides and a pale chest."""
    away = np.abs(X - MIDDLE)
    bands = np.sin((Y - 0.35 * away) / 6.5 + 1.6 * texture(rng, 7, 5))
    coat = blend(GINGER, RUST, 0.75 * step(bands, 0.1, 0.7) * step(away, 35, 60))
    chest = step(-away + 8 * texture(rng, 12, 10) - 0.12 * np.abs(Y - 270), -50, -25)
    return blend(coat, CREAM, 0.9 * chest)


def head_coat(rng: np.random.Generator) -> Colours:
    """Ginger, with the M of a tabby on the forehead, barred cheeks, and a pale muzzle."""
    away = np.abs(X - MIDDLE + 2 * texture(rng, 9, 9))
    spread = away / (1 + 0.012 * (120 - Y))
    brow = step(np.cos(spread / 2.6), 0.1, 0.7) * step(-Y, -122, -108) * step(-spread, -34, -26)
    lines = np.sin((Y - 0.45 * away) / 4.2 + texture(rng, 8, 8))
    cheek = step(lines, 0.15, 0.75) * step(away, 48, 60)
    coat = blend(GINGER, RUST, 0.8 * np.maximum(brow, cheek))
    pale = np.exp(-((away / 34) ** 4) - ((Y - 192) / 24) ** 4)
    for side in (-1, 1):
        pale = np.maximum(pale, 0.75 * bump((MIDDLE + side * 35, 146), (26, 19)))
    bridge = bump((MIDDLE, 150), (13, 24))
    return blend(blend(coat, CREAM, 0.95 * pale), GINGER, 0.8 * bridge)


def ear(rng: np.random.Generator, picture: Image.Image, side: int) -> Image.Image:
    """A furred rim, a rosy inside and pale tufts; -1 is the left one."""
    low, tip, high = (75, 132), (68, 36), (16, 88)
    outer = bow([low, tip, high], side, 6)
    inner = bow([(65, 120), (63, 52), (30, 90)], side, 4)
    lit = 1.02 if side < 0 else 0.82
    picture = picture.copy()
    pen = ImageDraw.Draw(picture)
    polygon(pen, outer, np.multiply(GINGER, 0.75 * lit))
    rims = np.repeat(outer, 60, axis=0) + rng.normal(0, 2.0, (len(outer) * 60, 2))
    ways = np.array([side * 2.5, -6.5]) * rng.uniform(0.4, 1.2, (len(rims), 1))
    ways += rng.normal(0, 1.2, ways.shape)
    tints = np.multiply(GINGER, lit) * rng.normal(0.92, 0.13, (len(rims), 1))
    picture = comb(picture, rims, ways, tints)
    rosy = Image.new("L", picture.size)
    polygon(ImageDraw.Draw(rosy), inner, np.ones(3))
    depth = np.asarray(rosy.filter(ImageFilter.GaussianBlur(3 * ZOOM))) / 255
    pink = np.multiply(ROSE, lit) * (0.7 + 0.45 * step(-Y, -110, -50))[..., None]
    picture = to_image(blend(to_array(picture), pink, depth))
    roots = np.array([MIDDLE, 0]) + rng.uniform((30, 84), (62, 118), (420, 2)) * (side, 1)
    ways = rng.uniform((4, -30), (16, -8), (420, 2)) * (side, 1)
    tufts = np.multiply(CREAM, lit) * rng.normal(0.88, 0.1, (420, 1))
    return comb(picture, roots, ways, tufts)


def eye(picture: Image.Image, place: Point, side: int) -> Image.Image:
    """An almond with a dark rim, a green-gold iris, a slit, and the window's reflection."""
    right, below = turned(X - place[0], Y - place[1], -0.2 * side)
    almond = (np.abs(right) / 17) ** 2.2 + (np.abs(below) / np.where(below < 0, 13.0, 11.5)) ** 2
    radius = np.hypot(right, below)
    iris = blend((0.80, 0.66, 0.22), (0.42, 0.5, 0.16), np.clip(radius / 15, 0, 1))
    rays = 1 + 0.12 * np.sin(29 * np.arctan2(below, right)) * step(radius, 3, 8)
    iris *= (rays * (0.6 + 0.5 * step(below, -14, 4)))[..., None]
    image = blend(to_array(picture), (0.1, 0.06, 0.05), step(-almond, -1.5, -1.15))
    image = blend(image, iris, step(-almond, -1.0, -0.86))
    slit = (right / 6.4) ** 2 + (below / 10.8) ** 2
    image = blend(image, (0.03, 0.03, 0.03), step(-slit, -1.15, -0.85) * (almond < 0.97))
    shine = ((X - place[0] + 5) / 3.4) ** 2 + ((Y - place[1] + 5) / 3.0) ** 2
    image = blend(image, (1, 1, 0.98), 0.95 * step(-shine, -1.2, -0.7))
    glow = ((X - place[0] - 5) / 4) ** 2 + ((Y - place[1] - 6) / 2.2) ** 2
    return to_image(blend(image, (0.9, 0.9, 0.75), 0.3 * np.exp(-glow)))


def nose(picture: Image.Image) -> Image.Image:
    """A rounded triangle, lit from above, with two nostrils."""
    below = (Y - 173) / 9
    width = 12.5 * np.clip(1 - 0.62 * np.clip(below + 0.6, 0, 2), 0.1, 1)
    shape = (np.abs(X - MIDDLE) / width) ** 2.5 + np.abs(below) ** 2.5
    skin = np.array([0.74, 0.42, 0.37]) * (1.08 - 0.28 * step(below, -0.8, 0.9))[..., None]
    image = blend(to_array(picture), skin, step(-shape, -1.25, -0.8))
    for side in (-1, 1):
        hole = bump((MIDDLE + side * 6, 175.5), (2.8, 1.9))
        image = blend(image, (0.25, 0.1, 0.09), 0.85 * hole)
    return to_image(blend(image, (1, 0.85, 0.8), 0.45 * bump((MIDDLE - 3, 168.5), (4.5, 1.6))))


def mouth(picture: Image.Image) -> Image.Image:
    """The cleft below the nose and the two curves of a smile."""
    lips = Image.new("L", picture.size)
    pen = ImageDraw.Draw(lips)
    line(pen, [(MIDDLE, 180), (MIDDLE, 190)], np.ones(3), 1.6)
    for side in (-1, 1):
        curve = bezier((MIDDLE, 190), (MIDDLE + side * 9, 201), (MIDDLE + side * 24, 193))
        line(pen, curve, np.ones(3), 1.6)
    share = np.asarray(lips.filter(ImageFilter.GaussianBlur(0.7 * ZOOM))) / 255
    return to_image(blend(to_array(picture), (0.32, 0.17, 0.12), 0.85 * share))


def whiskers(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Long pale hairs from the muzzle and above the eyes."""
    white = Image.new("L", picture.size)
    pen = ImageDraw.Draw(white)
    for side in (-1, 1):
        for k in range(7):
            root = MIDDLE + side * rng.uniform(16, 28), 178 + 2 * k + rng.normal(0, 1)
            reach, drop = rng.uniform(75, 105), 7 * (k - 3) + rng.normal(0, 5)
            bend = root[0] + side * 0.5 * reach, root[1] + 0.3 * drop - 9
            tip = root[0] + side * reach, root[1] + drop + 6
            line(pen, bezier(root, bend, tip), np.full(3, 0.9), 0.6)
        for k in range(3):
            root = MIDDLE + side * (30 + 5 * k), 120.0
            tip = root[0] + side * (14 + 9 * k), root[1] - 48 + 6 * k
            line(pen, bezier(root, (root[0], root[1] - 26), tip), np.full(3, 0.6), 0.5)
    return to_image(blend(to_array(picture), (1, 0.99, 0.95), np.asarray(white) / 255))


def darken(picture: Image.Image, place: Point, radii: Point, amount: float) -> Image.Image:
    """A soft shadow."""
    return to_image(to_array(picture) * (1 - amount * bump(place, radii))[..., None])


def develop(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Warm glow from the window, darker corners, grain; in the final size."""
    image = to_array(picture)
    glow = np.exp(-(((X + 20) / 220) ** 2) - ((Y - 40) / 200) ** 2)
    image = image + 0.16 * glow[..., None] * np.array([1, 0.86, 0.62]) * (1 - image)
    corner = ((X - 240) / 300) ** 2 + ((Y - 170) / 240) ** 2
    image = image * (1.04 - 0.2 * np.clip(corner, 0, 1.5))[..., None]
    small = to_array(to_image(image).resize((WIDTH, HEIGHT), Image.Resampling.BOX))
    return to_image(small + rng.normal(0, 0.012, small.shape))


def blend(first: object, second: object, share: Plane) -> Colours:
    """From one colour (or picture) to another."""
    before, after = np.asarray(first, float), np.asarray(second, float)
    mixed: Colours = before + share[..., None] * (after - before)
    return mixed


def step(value: Plane, low: float, high: float) -> Plane:
    """0 below `low`, 1 above `high`, smooth between."""
    rise = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(rise * rise * (3 - 2 * rise))


def bump(place: Point, radii: Point) -> Plane:
    """A round spot, 1 in its middle, fading away around its radii."""
    return np.asarray(
        np.exp(-((((X - place[0]) / radii[0]) ** 2 + ((Y - place[1]) / radii[1]) ** 2) ** 2))
    )


def turned(right: Plane, below: Plane, angle: float) -> tuple[Plane, Plane]:
    """Coordinates in axes that are turned clockwise."""
    cos, sin = np.cos(angle), np.sin(angle)
    return cos * right + sin * below, cos * below - sin * right


def texture(rng: np.random.Generator, across: float, down: float) -> Plane:
    """Smooth noise over the whole picture, about -1 to 1, in so many cells."""
    size = max(X.shape)
    return noise(rng, size, across, down * size / X.shape[0])[: X.shape[0], : X.shape[1]].astype(
        float
    )


def soften(plane: Plane, sigma: float) -> Plane:
    """Gaussian blur, in pixels of the finished picture."""
    sigma *= ZOOM
    pad = int(3 * sigma)
    padded = np.pad(plane, pad, mode="edge")
    down, right = np.fft.fftfreq(padded.shape[0]), np.fft.rfftfreq(padded.shape[1])
    decay = np.exp(-2 * (np.pi * sigma) ** 2 * (down[:, None] ** 2 + right**2))
    smooth = np.fft.irfft2(np.fft.rfft2(padded) * decay, s=padded.shape)
    return np.asarray(smooth[pad : pad + plane.shape[0], pad : pad + plane.shape[1]])


def bow(corners: list[Point], side: int, swell: float) -> Plane:
    """A triangle with sides that swell, beside the cat's axis."""
    points: list[Point] = []
    middle = np.mean(corners, axis=0)
    for start, end in pairwise(corners):
        half = (np.asarray(start) + end) / 2
        out = half + 2 * swell * (half - middle) / np.linalg.norm(half - middle)
        points += bezier(start, (out[0], out[1]), end)
    return np.asarray(points) * (side, 1) + (MIDDLE, 0)


def bezier(start: Point, control: Point, end: Point) -> list[Point]:
    """Points on a curve with one control point."""
    t = np.linspace(0, 1, 16)[:, None]
    curve = (
        (1 - t) ** 2 * np.asarray(start)
        + 2 * t * (1 - t) * np.asarray(control)
        + t**2 * np.asarray(end)
    )
    return [(x, y) for x, y in curve]


def line(pen: ImageDraw.ImageDraw, points: list[Point], tint: Colours, width: float) -> None:
    """A line through points."""
    zoomed = [(x * ZOOM, y * ZOOM) for x, y in points]
    pen.line(zoomed, fill=ink(pen, tint), width=max(1, round(width * ZOOM)), joint="curve")


def polygon(pen: ImageDraw.ImageDraw, points: Plane, tint: Colours) -> None:
    """A filled outline."""
    pen.polygon((points * ZOOM).ravel().tolist(), fill=ink(pen, tint))


def box(
    pen: ImageDraw.ImageDraw, edges: tuple[float, ...], tint: tuple[float, float, float]
) -> None:
    """A filled rectangle: left, top, right, bottom."""
    pen.rectangle([edge * ZOOM for edge in edges], fill=ink(pen, np.asarray(tint)))


def ink(pen: ImageDraw.ImageDraw, tint: Colours) -> tuple[int, ...] | int:
    """A colour as Pillow wants it: bytes, or one for a picture in grey."""
    levels = np.clip(tint * 255, 0, 255).astype(int).tolist()
    return levels[0] if pen.mode == "L" else tuple(levels)


def to_array(picture: Image.Image) -> Colours:
    """(H, W, 3) in 0..1."""
    return np.asarray(picture, float) / 255


def to_image(colours: Colours) -> Image.Image:
    """Back to bytes."""
    return Image.fromarray(np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8))


if __name__ == "__main__":
    main()
