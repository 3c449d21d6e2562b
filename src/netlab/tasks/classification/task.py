"""A class for a whole picture."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab.contracts.dataset import LabelledSet
from netlab.contracts.score import Score
from netlab.figures.grid import draw_captioned
from netlab.layers.disturb import disturb
from netlab.metrics.confusion import label_confusion, pixel_accuracy
from netlab.registry import register
from netlab.tasks.classification.report import ClassificationReport
from netlab.tasks.labelled import LabelledTask
from netlab.tasks.pixels import normalise


@register("task")
class Classification(LabelledTask):
    """Networks that give logits (B, K) for pictures (B, C, H, W)."""

    score: ClassVar[Score] = Score("val_accuracy", "accuracy")
    uses: ClassVar[tuple[str, ...]] = ("disturb",)

    def loss_arguments(self) -> dict[str, Any]:
        """Number of the classes, which all count the same."""
        return {"classes": len(self.classes), "class_weights": None}

    def batch(
        self,
        images: Tensor,
        targets: Tensor,
        indices: NDArray[np.int64],
        epoch: int | None,
    ) -> tuple[Tensor, Tensor]:
        """Normalised float pictures (B, C, H, W) and int64 labels (B,)."""
        if epoch is not None and (share := self.config.disturb):
            images = disturb(images, share, seed=self.config.seed, epoch=epoch, indices=indices)
        return normalise(images), targets

    def evaluation(self) -> "ClassificationScores":
        """An empty score-keeper for validation."""
        return ClassificationScores(self)

    def report(
        self,
        data: LabelledSet,
        split: str,
        train: Callable[[], LabelledSet],  # noqa: ARG002
        **_: Any,
    ) -> ClassificationReport:
        """The empty score-keeper of `netlab eval`; see `contracts.task.Task.report`."""
        return ClassificationReport(self, data, split)

    def sample_figure(
        self,
        network: nn.Module,
        data: LabelledSet,
        indices: NDArray[np.int64],
        batch: tuple[Tensor, ...],
        title: str,
    ) -> Image.Image:
        """The pictures at `indices` with their true and their predicted class."""
        shares, read = network(batch[0]).float().softmax(dim=1).max(dim=1)
        captions = [
            f"{data.classes[data.labels[i]]}: read as {data.classes[k]} ({share:.2f})"
            for i, k, share in zip(indices, read.tolist(), shares.tolist(), strict=True)
        ]
        return draw_captioned(data.images[indices], captions, title)


class ClassificationScores:
    """Loss and accuracy over a split (see `contracts.report.Evaluation`)."""

    def __init__(self, task: Classification) -> None:
        self.task = task
        self.loss = 0.0
        self.counts: list[Tensor] = []

    def update(self, network: nn.Module, batch: tuple[Tensor, ...]) -> None:
        """Take one batch in."""
        images, labels = batch
        logits = network(images)
        self.loss += float(self.task.criterion(logits, labels).total) * len(images)
        self.counts.append(label_confusion(logits.argmax(dim=1), labels, len(self.task.classes)))

    def row(self) -> dict[str, float | None]:
        """Scores for a row of metrics.csv."""
        counts = torch.stack(self.counts).sum(dim=0)
        return {
            "val_loss": self.loss / int(counts.sum()),
            "val_accuracy": float(pixel_accuracy(counts)),
        }
