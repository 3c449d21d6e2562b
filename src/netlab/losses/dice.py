"""Soft Dice: one minus the overlap of probabilities and target, averaged over classes."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netlab.registry import register


@register("loss")
class SoftDice(nn.Module):
    """1 - mean over classes of 2 Σ p·t / (Σ p + Σ t), sums over the batch's pixels.

    Milletari, Navab, Ahmadi, "V-Net", 3DV 2016, with plain sums in the denominator. Sums run over
    the whole batch, so that a class that one picture lacks does not jump between 0 and 1; a class
    that the whole batch lacks and the network does not predict scores 1.
    """

    tasks: ClassVar[tuple[str, ...]] = ("segmentation",)
    class_weights: Tensor | None

    def __init__(self, *, classes: int, class_weights: Tensor | None, smooth: float = 1.0) -> None:
        super().__init__()
        self.classes, self.smooth = classes, smooth
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, K, H, W) and ids (B, H, W) to a scalar in [0, 1]."""
        probabilities = logits.softmax(dim=1)
        truth = F.one_hot(target, self.classes).movedim(-1, 1).to(probabilities.dtype)
        overlap = (probabilities * truth).sum(dim=(0, 2, 3))
        size = probabilities.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3))
        dice = (2 * overlap + self.smooth) / (size + self.smooth)
        weights = torch.ones_like(dice) if self.class_weights is None else self.class_weights
        return 1 - (weights * dice).sum() / weights.sum()
