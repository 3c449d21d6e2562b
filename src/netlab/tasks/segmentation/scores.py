"""Scores of a segmentation network after each epoch."""

from collections.abc import Sequence
from math import isnan

import torch
from torch import Tensor, nn

from netlab.metrics.confusion import confusion, iou, mean_iou, pixel_accuracy
from netlab.tasks.criterion import WeightedSum
from netlab.tasks.report import Means


class SegmentationScores(Means):
    """Loss and confusion matrix over a split (see `contracts.report.Evaluation`)."""

    def __init__(self, criterion: WeightedSum, classes: Sequence[str]) -> None:
        super().__init__()
        self.criterion, self.classes = criterion, classes
        self.counts: list[Tensor] = []

    def update(self, network: nn.Module, batch: tuple[Tensor, ...]) -> None:
        """Take one batch in."""
        images, masks = batch
        logits = network(images)
        loss = self.criterion(logits, masks)
        self.add({"loss": loss.total, **loss.terms}, len(images))
        # bf16 has equal logits often enough to matter: argmax then takes the lower id
        self.counts.append(confusion(logits.argmax(dim=1), masks, len(self.classes)).cpu())

    def row(self) -> dict[str, float | None]:
        """Scores for a row of metrics.csv; None for a class that is nowhere."""
        counts = torch.cat(self.counts).sum(dim=0)
        by_class = zip(self.classes, iou(counts).tolist(), strict=True)
        return {
            **super().row(),
            "val_miou": float(mean_iou(counts)),
            "val_pixel_accuracy": float(pixel_accuracy(counts)),
            **{f"val_iou_{name}": None if isnan(value) else value for name, value in by_class},
        }
