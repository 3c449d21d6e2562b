"""What the network says of one picture, at the picture's own size and in bounded memory.

The logits are resized (bilinear, `align_corners=False`, no antialias) and only then decided upon.
Strips of rows keep a photo of 50 megapixels from needing gigabytes: nothing but the result has the
size of the picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

STRIP = 2**20
"""Pixels that are resized at a time."""

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """Logits of one picture, and what follows from them at its own size (H, W).

    The larger arrays are worked out when they are first asked for.
    """

    logits: Tensor
    """(K, S, S) float, at the network's input size, on its device."""
    size: Size
    classes: tuple[str, ...]

    @cached_property
    def mask(self) -> NDArray[np.uint8]:
        """The most likely class of every pixel: ids, uint8 (H, W)."""
        mask = np.empty(self.size, np.uint8)
        for rows, strip in self.strips():
            mask[rows] = strip.argmax(dim=0).to(torch.uint8).cpu().numpy()
        return mask

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """Probability of the chosen class, float (H, W), from 1/K to 1."""
        confidence = np.empty(self.size, np.float32)
        for rows, strip in self.strips():
            confidence[rows] = strip.softmax(dim=0).amax(dim=0).cpu().numpy()
        return confidence

    def probabilities(self) -> NDArray[np.float32]:
        """Probability of every class, float (K, H, W)."""
        probabilities = np.empty((len(self.logits), *self.size), np.float32)
        for rows, strip in self.strips():
            probabilities[:, rows] = strip.softmax(dim=0).cpu().numpy()
        return probabilities

    def coverage(self, weights: Sequence[float]) -> NDArray[np.uint8]:
        """Sum of the classes' probabilities, each times its weight, as 0 to 255 (H, W)."""
        coverage = np.empty(self.size, np.uint8)
        column = torch.tensor(weights, device=self.logits.device).view(-1, 1, 1)
        for rows, strip in self.strips():
            share = (strip.softmax(dim=0) * column).sum(dim=0)
            coverage[rows] = (share * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
        return coverage

    @cached_property
    def shares(self) -> dict[str, float]:
        """Share of the pixels that each class has; they sum to 1."""
        counts = [np.count_nonzero(self.mask == index) for index in range(len(self.classes))]
        return {name: n / self.mask.size for name, n in zip(self.classes, counts, strict=True)}

    def strips(self) -> Iterator[tuple[slice, Tensor]]:
        """Rows of the resized logits, and the logits themselves: (K, rows, W) float.

        Rows are mixed here, columns by torch, which cannot do a part of a picture.
        """
        height, width = self.size
        source = self.logits.permute(1, 2, 0).float().contiguous()  # (h, w, K)
        last = len(source) - 1
        centre = (torch.arange(height, device=source.device) + 0.5) * (len(source) / height) - 0.5
        centre = centre.clamp(0, last)
        above = centre.long()
        below = (above + 1).clamp(max=last)
        share = (centre - above)[:, None, None]
        step = max(1, STRIP // width)
        for start in range(0, height, step):
            rows = slice(start, min(start + step, height))
            tall = torch.lerp(source[above[rows]], source[below[rows]], share[rows])  # (rows, w, K)
            size = (rows.stop - rows.start, width)
            image = tall[None].permute(0, 3, 1, 2)  # channels last: argmax is 20 × as quick
            yield rows, F.interpolate(image, size, mode="bilinear", align_corners=False)[0]
