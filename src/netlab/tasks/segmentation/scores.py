"""Scores of a segmentation network after each epoch."""

from math import isnan
from typing import Any

import torch
from torch import Tensor, nn

from netlab.metrics.confusion import confusion, iou, mean_iou, pixel_accuracy


class SegmentationScores:
    """Loss and confusion matrix over a split (see `contracts.report.Evaluation`).

    Args:
        task: the segmentation task.
    """

    def __init__(self, task: Any) -> None:
        self.task = task
        self.losses: dict[str, float] = {}
        self.pictures = 0
        self.counts: list[Tensor] = []

    def update(self, network: nn.Module, batch: tuple[Tensor, ...]) -> None:
        """Take one batch in."""
        images, masks = batch
        logits = network(images)
        loss = self.task.criterion(logits, masks)
        for name, value in {"loss": loss.total, **loss.terms}.items():
            self.losses[name] = self.losses.get(name, 0.0) + float(value) * len(images)
        self.pictures += len(images)
        # bf16 has equal logits often enough to matter: argmax then takes the lower id
        self.counts.append(confusion(logits.argmax(dim=1), masks, len(self.task.classes)).cpu())

    def row(self) -> dict[str, float | None]:
        """Scores for a row of metrics.csv; None for a class that is nowhere."""
        counts = torch.cat(self.counts).sum(dim=0)
        losses = {f"val_{name}": total / self.pictures for name, total in self.losses.items()}
        by_class = zip(self.task.classes, iou(counts).tolist(), strict=True)
        return {
            **losses,
            "val_miou": float(mean_iou(counts)),
            "val_pixel_accuracy": float(pixel_accuracy(counts)),
            **{f"val_iou_{name}": None if isnan(value) else value for name, value in by_class},
        }
