"""Joint augmentation of a batch of pictures and masks, on the device of the batch."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from netlab.choices import Strength
from netlab.seeds import uniforms

_DRAWS = 12


def augment(
    images: Tensor,
    masks: Tensor | None,
    strength: Strength,
    *,
    seed: int,
    epoch: int,
    indices: NDArray[np.int64],
) -> tuple[Tensor, Tensor | None]:
    """Change pictures and masks alike, by numbers that follow from (seed, epoch, index).

    Args:
        images: (B, C, H, W) float in [0, 1].
        masks: (B, H, W) integer ids; no id is invented (nearest pixel). None where there are none.
        strength: how far.
        seed, epoch: of the run.
        indices: (B,) index of each picture in the data set.

    Returns:
        Pictures (B, C, H, W) in [0, 1] and masks (B, H, W) in the type they came in.
    """
    if not (strength.moves or strength.tints):
        return images, masks
    drawn = uniforms(seed, epoch, indices, _DRAWS)
    if strength.moves:
        theta = torch.from_numpy(_affine(drawn, strength, images.shape[-2], images.shape[-1]))
        # Only operations without global random state: the same numbers on every device and thread.
        grid = F.affine_grid(theta.to(images), list(images.shape), align_corners=False)
        images = F.grid_sample(images, grid, "bilinear", "reflection", align_corners=False)
        if masks is not None:
            ids = masks[:, None].to(images.dtype)
            ids = F.grid_sample(ids, grid, "nearest", "reflection", align_corners=False)
            masks = ids[:, 0].round().to(masks.dtype)
    if strength.tints:
        images = _tint(images, torch.from_numpy(drawn[:, 6:]).to(images), strength)
    return images, masks


def _affine(
    drawn: NDArray[np.float64], s: Strength, height: int, width: int
) -> NDArray[np.float64]:
    """Maps from output to input in the coordinates of `grid_sample`: (B, 2, 3)."""
    ratio, sides = width / height, np.array([width, height])
    sign = 2 * drawn - 1  # [-1, 1)
    mirror = np.where(s.flip & (drawn[:, 0] < 0.5), -1.0, 1.0)
    scale = 2.0 ** (-s.zoom * sign[:, 1])
    stretch = 2.0 ** (s.aspect * sign[:, 2] / 2)
    angle = math.radians(s.turn) * sign[:, 3]
    cos, sin = np.cos(angle), np.sin(angle)
    theta = np.empty((len(drawn), 2, 3))
    theta[:, 0, 0], theta[:, 0, 1] = mirror * scale * stretch * cos, scale * stretch * sin / ratio
    theta[:, 1, 0], theta[:, 1, 1] = -mirror * scale / stretch * sin * ratio, scale / stretch * cos
    moved = s.shift * sign[:, 4:6]
    theta[:, :, 2] = 2 * (np.round(moved * sides) / sides if s.whole else moved)
    return theta


def _tint(images: Tensor, drawn: Tensor, s: Strength) -> Tensor:
    sign = (2 * drawn - 1)[:, :, None, None]
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * (1 + s.colour * sign[:, 0:1])
    images = images * (1 + s.colour / 2 * sign[:, 1 : 1 + images.shape[1]])
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = mean + (images - mean) * (1 + s.contrast * sign[:, 4:5]) + s.light * sign[:, 5:6]
    return images.clamp(0, 1)
