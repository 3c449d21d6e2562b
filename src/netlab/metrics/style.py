"""What a picture keeps when its label changes.

Pictures are (N, H, W, C), bytes or floats of [0, 1]; the gray value is the mean over channels, and
ink is what is bright.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netlab.metrics.distance import as_unit

Values = NDArray[np.float64]

_LEVELS = (0.2, 0.9)  # of a picture's brightest value: haze below and glare above have no edge
_DARK = 0.02  # about 5 of 255


def ink(images: NDArray[Any]) -> Values:
    """Mean gray value of each picture: (N, H, W, C) to (N,), in [0, 1]."""
    gray: Values = mean_colour(images).mean(axis=1)
    return gray


def slant(images: NDArray[Any]) -> Values:
    """Angle of the ink from the upright in radians: (N, H, W, C) to (N,), in (-π/2, π/2).

    arctan(-μ₁₁ / μ₀₂) of the central second moments of the gray values, x to the right and y down:
    the shear that makes x and y uncorrelated, as digits are deskewed by (Hu, "Visual pattern
    recognition by moment invariants", IRE 1962, for moments). Above 0 leans to the right; 0 for a
    picture without ink, or with all of it in one row.
    """
    gray = _gray(images)
    _, height, width = gray.shape
    x, y = np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2
    rows = gray.sum(axis=2, dtype=np.float64)  # (N, H)
    mass = rows.sum(axis=1)
    safe = np.where(mass > 0, mass, 1)
    from_y = y - (rows @ y / safe)[:, None]  # (N, H)
    mu02 = (rows * from_y**2).sum(axis=1)
    mu11 = ((gray @ x.astype(np.float32)) * from_y).sum(axis=1)
    upright = mu02 > 1e-6 * mass  # below it is one row, but for rounding
    return np.arctan(np.where(upright, -mu11 / np.where(upright, mu02, 1), 0))


def stroke_thickness(images: NDArray[Any]) -> Values:
    """Mean width of the strokes in pixels: (N, H, W, C) to (N,), 0 for a picture without ink.

    2 · area / perimeter, which for a stroke of width w and length l is w / (1 + w / l). Both are
    means over the outlines at all levels between 0.2 and 0.9 of the picture's brightest value: the
    area is the sum of the gray values clipped to these levels, the perimeter their total variation
    (coarea formula, Fleming, Rishel, Archiv der Mathematik 1960), so that no threshold falls
    between two gray values. Contrast does not matter. Strokes under 2 pixels may read as 2.
    """
    gray = _gray(images)
    brightest = gray.max(axis=(1, 2), keepdims=True)
    low, high = _LEVELS
    clipped = gray / np.where(brightest > 0, brightest, 1)
    np.clip(clipped, low, high, out=clipped)
    clipped -= low
    area = clipped.sum(axis=(1, 2), dtype=np.float64)
    padded = np.pad(clipped, ((0, 0), (1, 1), (1, 1)))
    # gradients between the pixels, where both directions are at the same place
    across, down = np.diff(padded, axis=2), np.diff(padded, axis=1)
    across, down = across[:, 1:] + across[:, :-1], down[:, :, 1:] + down[:, :, :-1]
    perimeter = 0.5 * np.hypot(across, down).sum(axis=(1, 2), dtype=np.float64)
    thickness: Values = 2 * area / np.where(perimeter > 0, perimeter, 1)
    return thickness


def mean_colour(images: NDArray[Any]) -> Values:
    """Mean of each channel: (N, H, W, C) to (N, C), in [0, 1]."""
    scale = 255 if images.dtype == np.uint8 else 1
    colour: Values = images.mean(axis=(1, 2), dtype=np.float64) / scale
    return colour


def border_pixels(images: NDArray[Any], width: int = 2) -> NDArray[np.float32]:
    """Values of the ring along the edge: (N, H, W, C) to (N, P · C), in [0, 1].

    P is H W - (H - 2 width)(W - 2 width); a picture that is no larger than the ring is all ring.
    """
    ring = np.ones(images.shape[1:3], dtype=np.bool_)
    ring[width:-width, width:-width] = False
    return as_unit(images[:, ring].reshape(len(images), -1))


def dark_mean(images: NDArray[Any], originals: NDArray[Any]) -> float:
    """Mean gray value where the original has no ink, in [0, 1]; nan if it has ink everywhere.

    Haze: over all pixels, (N, H, W, C) twice, whose gray value in `originals` is at most 0.02.

    Raises:
        ValueError: different shapes.
    """
    if images.shape != originals.shape:
        raise ValueError(f"images are {images.shape}, originals {originals.shape}: not the same")
    dark = _gray(originals) <= _DARK
    return float(_gray(images)[dark].mean(dtype=np.float64)) if dark.any() else float("nan")


def correlation(original: NDArray[Any], swapped: NDArray[Any]) -> float:
    """Pearson's r over pictures, (N,) twice, or its mean over columns, (N, P) twice; in [-1, 1].

    A column that is constant in `original` is left out, as there was nothing to keep; nan if all
    are. A column that is constant in `swapped` only counts 0: nothing was kept.

    Raises:
        ValueError: different shapes, or another number of dimensions.
    """
    if original.shape != swapped.shape or original.ndim not in (1, 2):
        raise ValueError(
            f"original is {original.shape}, swapped {swapped.shape}: both must be (N,) or (N, P)"
        )
    if not len(original):
        return float("nan")
    a, b = (x.reshape(len(x), -1).astype(np.float64) for x in (original, swapped))
    varies = np.ptp(a, axis=0) > 0
    a, b = _standard(a[:, varies]), _standard(b[:, varies])
    r = (a * b).sum(axis=0).clip(-1, 1)  # rounding may leave 1 + 1e-16
    return float(r.mean()) if varies.any() else float("nan")


def digit_style(originals: NDArray[Any], swapped: NDArray[Any]) -> dict[str, float]:
    """`correlation` of slant, stroke thickness and ink before and after: (N, H, W, C) twice."""
    parts = {"slant": slant, "stroke_thickness": stroke_thickness, "ink": ink}
    return {name: correlation(part(originals), part(swapped)) for name, part in parts.items()}


def colour_style(originals: NDArray[Any], swapped: NDArray[Any]) -> dict[str, float]:
    """`correlation` of the mean colour and of the border before and after: (N, H, W, C) twice."""
    return {
        "mean_colour": correlation(mean_colour(originals), mean_colour(swapped)),
        "border_pixels": correlation(border_pixels(originals), border_pixels(swapped)),
    }


def _gray(images: NDArray[Any]) -> NDArray[np.float32]:
    """Mean over channels: (N, H, W, C) to (N, H, W), in [0, 1]."""
    unit = as_unit(images)
    return unit[..., 0] if unit.shape[-1] == 1 else unit.mean(axis=-1)


def _standard(x: Values) -> Values:
    """Columns with mean 0 and sum of squares 1, or all 0 where they are constant."""
    constant = np.ptp(x, axis=0) == 0
    centred: Values = np.where(constant, 0, x - x.mean(axis=0))
    return centred / np.where(constant, 1, np.linalg.norm(centred, axis=0))
