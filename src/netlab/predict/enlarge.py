"""From logits of the network's size to the pixels of the original picture, in bounded memory.

The logits are resized (bilinear, `align_corners=False`, no antialias) and only then decided upon.
Strips of rows keep a photo of 50 megapixels from needing gigabytes: nothing but the result has the
size of the picture.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

STRIP = 2**20
"""Pixels that are resized at a time."""


def decide(logits: Tensor, height: int, width: int) -> NDArray[np.uint8]:
    """Most likely class of every pixel: logits (K, h, w) to ids (height, width)."""
    mask = np.empty((height, width), np.uint8)
    for rows, strip in _strips(logits, height, width):
        mask[rows] = strip.argmax(dim=0).to(torch.uint8).cpu().numpy()
    return mask


def certainty(logits: Tensor, height: int, width: int) -> NDArray[np.float32]:
    """Probability of the most likely class: logits (K, h, w) to (height, width), 1/K to 1."""
    found = np.empty((height, width), np.float32)
    for rows, strip in _strips(logits, height, width):
        found[rows] = strip.softmax(dim=0).amax(dim=0).cpu().numpy()
    return found


def probabilities(logits: Tensor, height: int, width: int) -> NDArray[np.float32]:
    """Probability of every class: logits (K, h, w) to (K, height, width)."""
    found = np.empty((len(logits), height, width), np.float32)
    for rows, strip in _strips(logits, height, width):
        found[:, rows] = strip.softmax(dim=0).cpu().numpy()
    return found


def coverage(
    logits: Tensor, height: int, width: int, weights: Sequence[float]
) -> NDArray[np.uint8]:
    """Weighted sum of the classes' probabilities, 0 to 255: (K, h, w) to (height, width)."""
    found = np.empty((height, width), np.uint8)
    column = torch.tensor(weights, device=logits.device).view(-1, 1, 1)
    for rows, strip in _strips(logits, height, width):
        share = (strip.softmax(dim=0) * column).sum(dim=0)
        found[rows] = (share * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return found


def _strips(logits: Tensor, height: int, width: int) -> Iterator[tuple[slice, Tensor]]:
    """Rows of the resized logits, each (K, rows, width) float, and where they belong.

    Rows are mixed here, columns by torch, which cannot do a part of a picture.
    """
    source = logits.permute(1, 2, 0).float().contiguous()  # (h, w, K)
    last = len(source) - 1
    place = (torch.arange(height, device=source.device) + 0.5) * (len(source) / height) - 0.5
    place = place.clamp(0, last)
    above = place.long()
    below = (above + 1).clamp(max=last)
    share = (place - above)[:, None, None]
    step = max(1, STRIP // width)
    for start in range(0, height, step):
        rows = slice(start, min(start + step, height))
        tall = torch.lerp(source[above[rows]], source[below[rows]], share[rows])  # (rows, w, K)
        size = (rows.stop - rows.start, width)
        image = tall[None].permute(0, 3, 1, 2)  # channels last: argmax is 20 × as quick
        yield rows, F.interpolate(image, size, mode="bilinear", align_corners=False)[0]
