"""Expected calibration error: how far confidence is from being right that often."""

from typing import NamedTuple

import torch
from torch import Tensor


class Bin(NamedTuple):
    """Pixels of about the same confidence."""

    confidence: float
    """Their mean, in [0, 1]."""
    accuracy: float
    """Share of them that are right."""
    share: float
    """Of all pixels."""


class CalibrationError:
    """Mean over pixels of |accuracy - confidence| within bins of equal confidence.

    Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, eq. 3, for
    the most likely class of each pixel. Bin m of M holds confidences in ((m - 1)/M, m/M], so that
    1 shares the last bin with what is just below it. Sums run over the whole data set.

    Args:
        bins: number of bins of equal width.
    """

    def __init__(self, bins: int = 15) -> None:
        self.edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)[1:-1]
        """Between bins; those at 0 and 1 separate nothing."""
        self.confidence = torch.zeros(bins, dtype=torch.float64)
        """Sum of the confidences in each bin."""
        self.right = torch.zeros(bins, dtype=torch.int64)
        """Pixels in each bin whose most likely class is the true one."""
        self.counts = torch.zeros(bins, dtype=torch.int64)
        """Pixels in each bin."""

    @property
    def pixels(self) -> int:
        """Pixels so far."""
        return int(self.counts.sum())

    def update(self, probabilities: Tensor, target: Tensor) -> None:
        """Take in probabilities (B, K, H, W) that sum to 1 over K, and ids (B, H, W)."""
        confidence, predicted = probabilities.max(dim=1)  # (B, H, W)
        # Summed on the CPU: mps has no float64, and on cuda weighted bincount is not reproducible.
        right = (predicted == target).cpu().flatten()
        confidence = confidence.cpu().flatten().double()
        bin_ = torch.bucketize(confidence, self.edges)
        bins = len(self.right)
        self.confidence += torch.bincount(bin_, confidence, minlength=bins)
        self.right += torch.bincount(bin_[right], minlength=bins)
        self.counts += torch.bincount(bin_, minlength=bins)

    def compute(self) -> float:
        """The error over all batches so far, in [0, 1]; nan without pixels."""
        if not self.pixels:
            return float("nan")
        # A bin's share of the pixels cancels against the divisor of its two means.
        return float((self.right - self.confidence).abs().sum()) / self.pixels

    def bins(self) -> list[Bin]:
        """The bins that are not empty, from the least to the greatest confidence."""
        rows = zip(self.confidence.tolist(), self.right.tolist(), self.counts.tolist(), strict=True)
        pixels = self.pixels
        return [
            Bin(confidence / count, right / count, count / pixels)
            for confidence, right, count in rows
            if count
        ]
