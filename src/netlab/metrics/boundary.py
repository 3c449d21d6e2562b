"""Boundary F: how well outlines agree, whatever the size of the regions."""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class BoundaryScores(NamedTuple):
    """Scores over all pictures; (K,) float64 on the CPU, in [0, 1] or nan."""

    precision: Tensor
    """Share of predicted boundary that lies near true boundary; nan where none is predicted."""
    recall: Tensor
    """Share of true boundary that lies near predicted boundary; nan where there is none."""
    f: Tensor
    """2 P R / (P + R); 0 if only one side has a boundary, nan if neither has."""
    mean: float
    """Mean of `f` over the classes that have one; nan if no class has."""


class BoundaryF:
    """Harmonic mean of boundary precision and recall for each class, with a tolerance.

    Csurka, Larlus, Perronnin, "What is a good evaluation measure for semantic segmentation?",
    BMVC 2013. A pixel is on the boundary of its class if one of its four neighbours has another
    class; beyond the edge of the picture there is none. It is matched if the other mask has a
    boundary pixel of the same class within `tolerance`. Pixels are counted over all pictures and
    divided once, where the paper averages over pictures: long outlines weigh more.

    Args:
        classes: number of classes K.
        tolerance: largest Euclidean distance in pixels; by default 0.75 % of the diagonal of the
            pictures of each update, as in the paper, rounded, at least 1.
    """

    def __init__(self, classes: int, tolerance: int | None = None) -> None:
        self.classes, self.tolerance = classes, tolerance
        self.predicted = torch.zeros(2, classes, dtype=torch.int64)
        """(2, K): predicted boundary pixels that are matched, and all of them."""
        self.target = torch.zeros(2, classes, dtype=torch.int64)
        """(2, K): likewise those of the target."""

    def update(self, predicted: Tensor, target: Tensor) -> None:
        """Count one batch of ids, (B, H, W) each, any integer type.

        Raises:
            ValueError: different shapes.
        """
        if predicted.shape != target.shape:
            raise ValueError(
                f"predicted is {tuple(predicted.shape)}, target {tuple(target.shape)}: "
                "both must be (B, H, W)"
            )
        radius = self.tolerance
        if radius is None:
            radius = default_tolerance(*target.shape[-2:])
        ours, theirs = _boundaries(predicted, self.classes), _boundaries(target, self.classes)
        self.predicted += _count(ours, near=_dilate(theirs, radius))
        self.target += _count(theirs, near=_dilate(ours, radius))

    def compute(self) -> BoundaryScores:
        """Scores over all batches so far."""
        precision = self.predicted[0].double() / self.predicted[1]
        recall = self.target[0].double() / self.target[1]
        p, r = precision.nan_to_num(0.0), recall.nan_to_num(0.0)
        f = (2 * p * r / (p + r)).nan_to_num(0.0)
        f[precision.isnan() & recall.isnan()] = torch.nan
        return BoundaryScores(precision, recall, f, mean=float(f.nanmean()))


def default_tolerance(height: int, width: int) -> int:
    """0.75 % of the diagonal, rounded, at least 1 pixel."""
    return max(1, round(0.0075 * math.hypot(height, width)))


def _boundaries(ids: Tensor, classes: int) -> Tensor:
    """Boundary pixels of each class: (B, H, W) to (K, B, H, W), bool."""
    edge = torch.zeros_like(ids, dtype=torch.bool)
    rows, columns = ids[:, 1:] != ids[:, :-1], ids[:, :, 1:] != ids[:, :, :-1]
    edge[:, 1:] |= rows
    edge[:, :-1] |= rows
    edge[:, :, 1:] |= columns
    edge[:, :, :-1] |= columns
    return torch.stack([edge & (ids == id_) for id_ in range(classes)])


def _dilate(mask: Tensor, radius: int) -> Tensor:
    """Pixels within `radius` of a set one: (…, H, W) to the same shape, bool.

    The disk is laid out chord by chord, from its top to its middle: 4 radius shifts in place of
    3 radius².
    """
    height, width = mask.shape[-2:]
    out, chord, half = torch.zeros_like(mask), mask.clone(), 0
    for dy in range(radius, -1, -1):
        while half < math.isqrt(radius**2 - dy**2):
            half += 1
            chord[..., half:] |= mask[..., : max(width - half, 0)]
            chord[..., : max(width - half, 0)] |= mask[..., half:]
        out[..., dy:, :] |= chord[..., : max(height - dy, 0), :]
        out[..., : max(height - dy, 0), :] |= chord[..., dy:, :]
    return out


def _count(boundary: Tensor, *, near: Tensor) -> Tensor:
    """Matched and all boundary pixels of each class: (K, B, H, W) to (2, K), on the CPU."""
    pairs = torch.stack([boundary & near, boundary])
    return pairs.flatten(start_dim=2).sum(dim=2).cpu()
