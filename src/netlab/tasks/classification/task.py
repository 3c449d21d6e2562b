"""A class for a whole picture."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab.components import component
from netlab.config import TrainConfig
from netlab.contracts.dataset import LabelledSet, Split
from netlab.contracts.loss import Loss
from netlab.expressions import parse_sum
from netlab.figures.grid import draw_captioned
from netlab.layers.disturb import disturb
from netlab.metrics.confusion import label_confusion, pixel_accuracy
from netlab.registry import register
from netlab.tasks.build import (
    build_block,
    build_encoder,
    build_terms,
    check_buildable,
    refuse_unused,
    untrainable,
)
from netlab.tasks.classification.report import ClassificationReport
from netlab.tasks.criterion import WeightedSum
from netlab.tasks.labelled import LabelledTask, Place, check_dataset, raw_batch, scored_part
from netlab.tasks.pixels import input_facts, normalise


@register("task")
class Classification(LabelledTask):
    """Networks that give logits (B, K) for pictures (B, C, H, W); see `LabelledTask`."""

    monitor: ClassVar[str] = "val_accuracy"
    lower_is_better: ClassVar[bool] = False
    judged: ClassVar[bool] = False
    last_is_best: bool = False

    def __init__(
        self, config: TrainConfig, classes: Sequence[str], channels: int, mirrors: bool = True
    ) -> None:
        super().__init__(config, classes, channels, mirrors)
        built = build_terms(config, "classification", classes=len(classes), class_weights=None)
        self.criterion = WeightedSum(built, [term.weight for term in parse_sum(config.loss)])

    @staticmethod
    def network(config: TrainConfig, classes: int, channels: int) -> nn.Module:
        """Build the network from the components that a config names."""
        encoder, bottleneck = build_encoder(config, channels, build_block(config))
        network: nn.Module = component(config, "architecture", config.arch)(
            encoder, bottleneck, classes=classes
        )
        return network

    @staticmethod
    def check(config: TrainConfig) -> None:
        """Refuse a config whose network cannot be trained, before data are read.

        Raises:
            ConfigError: a data set without labels, or parts that do not fit.
        """
        check_dataset(config)
        unused = ("stem", "decoder", "latent", "conditioning", "class_weights", "helper_lr")
        refuse_unused(config, *unused)
        side, channels = config.image_size, 3
        with torch.device("meta"):
            try:
                network = Classification.network(config, 2, channels)
            except (ValueError, RuntimeError) as error:
                raise untrainable(config, error) from error
            check_buildable(network, config, torch.empty(config.batch_size, channels, side, side))

    @staticmethod
    def report(
        config: TrainConfig,
        about: Mapping[str, Any],
        *,
        split: Split,
        places: Mapping[str, Any],
        note: Callable[[str], None],
    ) -> ClassificationReport:
        """The empty report of `netlab eval` on a part of the data; see `TaskFactory.report`."""
        config, data = scored_part(config, about, split, places, note)
        task = Classification.create(config, data)
        return ClassificationReport(task, data, "all" if places.get("images") else split)

    def helpers(self) -> nn.Module:
        """No further networks are trained."""
        return nn.Module()

    def train_batch(
        self, data: LabelledSet, indices: NDArray[np.int64], epoch: int, place: Place
    ) -> tuple[Tensor, Tensor]:
        """Normalised float pictures (B, C, H, W) and int64 labels (B,), augmented."""
        images, labels = self.augmented(data, indices, epoch, place)
        if share := self.config.disturb:
            images = disturb(images, share, seed=self.config.seed, epoch=epoch, indices=indices)
        return normalise(images), labels

    def eval_batch(
        self, data: LabelledSet, indices: NDArray[np.int64], place: Place
    ) -> tuple[Tensor, Tensor]:
        """Normalised float pictures (B, C, H, W) and int64 labels (B,), as they are."""
        images, labels = raw_batch(data, indices, place)
        return normalise(images), labels

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...], done: float) -> Loss:  # noqa: ARG002
        """Forward pass and loss of a batch."""
        images, labels = batch
        loss: Loss = self.criterion(network(images), labels)
        return loss

    def evaluation(self) -> "ClassificationScores":
        """An empty score-keeper for validation."""
        return ClassificationScores(self)

    def report_on(
        self,
        data: LabelledSet,
        train: LabelledSet,  # noqa: ARG002 - nothing is fitted to it
        split: str,
    ) -> ClassificationReport:
        """An empty report on data that are in memory already."""
        return ClassificationReport(self, data, split)

    def facts(self) -> dict[str, Any]:
        """What a weights file must hold to use the network."""
        return {
            "classes": list(self.classes),
            "input": input_facts(self.config, self.channels),
        }

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
    """Loss and accuracy over a part of the data (see `contracts.report.Evaluation`)."""

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
