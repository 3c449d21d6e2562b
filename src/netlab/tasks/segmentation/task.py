"""A class for every pixel of a picture."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab.config import TrainConfig
from netlab.contracts.dataset import SegmentationSet, Target
from netlab.contracts.score import Score
from netlab.errors import ConfigError
from netlab.figures.segmentation import prediction_rows
from netlab.metrics.confusion import confusion, mean_iou
from netlab.registry import register
from netlab.tasks.base import BaseTask
from netlab.tasks.pixels import normalise
from netlab.tasks.segmentation.report import SegmentationReport
from netlab.tasks.segmentation.scores import SegmentationScores


@register("task")
class Segmentation(BaseTask):
    """Trains and scores networks that give logits (B, K, H, W) for pictures (B, 3, H, W)."""

    score: ClassVar[Score] = Score("val_miou", "mIoU")
    uses: ClassVar[tuple[str, ...]] = ("stem", "class_weights")
    needs: ClassVar[Target | None] = "masks"

    class_weights: Tensor | None = None
    """(K,), mean 1, of the classes in the loss."""

    def __init__(
        self,
        config: TrainConfig,
        classes: Sequence[str],
        channels: int = 3,  # noqa: ARG002 - pictures with masks are RGB
        mirrors: bool = True,
    ) -> None:
        super().__init__(config, classes, 3, mirrors)

    @classmethod
    def create(cls, config: TrainConfig, train: SegmentationSet) -> Self:
        """The task for a config, with classes and class weights from its training split.

        Raises:
            ConfigError: class weights that do not fit the classes.
        """
        task = super().create(config, train)
        task.class_weights = class_weights(config, train)
        return task

    def loss_arguments(self) -> dict[str, Any]:
        """Number and weights of the classes."""
        return {"classes": len(self.classes), "class_weights": self.class_weights}

    def batch(
        self,
        images: Tensor,
        targets: Tensor,
        indices: NDArray[np.int64],  # noqa: ARG002
        epoch: int | None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        """Normalised float pictures (B, 3, H, W) and int64 ids (B, H, W)."""
        return normalise(images), targets.long()

    def evaluation(self) -> SegmentationScores:
        """An empty score-keeper for validation."""
        return SegmentationScores(self.criterion, self.classes)

    def report(
        self, data: SegmentationSet, split: str, train: Callable[[], SegmentationSet], **_: Any
    ) -> SegmentationReport:
        """The empty score-keeper of `netlab eval`; see `contracts.task.Task.report`."""
        return SegmentationReport(data, train(), split)

    def sample_figure(
        self,
        network: nn.Module,
        data: SegmentationSet,
        indices: NDArray[np.int64],
        batch: tuple[Tensor, ...],
        title: str,
    ) -> Image.Image:
        """Input, target and prediction of the pictures at `indices`, a row each."""
        images, masks = batch
        predicted = network(images).argmax(dim=1)
        scores = mean_iou(confusion(predicted, masks, len(self.classes)))
        return prediction_rows(
            data.images[indices],
            data.masks[indices],
            predicted.to("cpu", torch.uint8).numpy(),
            [f"{data.names[i]} · mIoU {s:.2f}" for i, s in zip(indices, scores, strict=True)],
            self.classes,
            title,
        )


def class_weights(config: TrainConfig, train: SegmentationSet) -> Tensor | None:
    """Weights (K,) with mean 1 that a config asks for, or None.

    Raises:
        ConfigError: not one positive number for each class.
    """
    classes = len(train.classes)
    if config.class_weights == "none":
        return None
    if config.class_weights == "balanced":
        pixels = np.zeros(classes, np.int64)
        for start in range(0, len(train), 512):  # bincount makes int64 copies: keep them small
            pixels += np.bincount(train.masks[start : start + 512].ravel(), minlength=classes)
        # A class without pixels has nothing to learn from: it takes no part.
        present = pixels > 0
        inverse = np.where(present, 1 / np.maximum(pixels, 1), 0).astype(np.float32)
        weights = torch.from_numpy(inverse)
        return weights * (int(present.sum()) / weights.sum())
    try:
        weights = torch.tensor([float(w) for w in config.class_weights.split(",")])
    except ValueError as error:
        raise ConfigError(
            f"class-weights '{config.class_weights}': write none, balanced, or numbers: 1,1,2"
        ) from error
    if len(weights) != classes or not (weights > 0).all() or not weights.isfinite().all():
        raise ConfigError(
            f"class-weights '{config.class_weights}': give {classes} positive numbers, "
            f"one for each of {', '.join(train.classes)}"
        )
    return weights * (classes / weights.sum())
