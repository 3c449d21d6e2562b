"""A class for every pixel of a picture."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab import registry
from netlab.config import TrainConfig
from netlab.contracts.dataset import SegmentationSet, Split, load_split
from netlab.contracts.loss import Loss
from netlab.errors import ConfigError
from netlab.figures.segmentation import prediction_rows
from netlab.layers.augment import STRENGTHS, augment
from netlab.metrics.confusion import confusion, mean_iou
from netlab.registry import register
from netlab.tasks.build import refuse_unused
from netlab.tasks.data import check_classes, check_target, data_request, scored_config
from netlab.tasks.pixels import input_facts, normalise, to_unit
from netlab.tasks.segmentation.build import (
    build_criterion,
    build_network,
    check_network,
    class_weights,
)
from netlab.tasks.segmentation.report import SegmentationReport
from netlab.tasks.segmentation.scores import SegmentationScores

Place = Callable[[Tensor], Tensor]


@register("task")
class Segmentation:
    """Trains and scores networks that give logits (B, K, H, W) for pictures (B, 3, H, W).

    Args:
        config: the run.
        classes: names in the order of their ids.
        class_weights: (K,), mean 1, or None.
    """

    monitor: ClassVar[str] = "val_miou"
    lower_is_better: ClassVar[bool] = False
    judged: ClassVar[bool] = False
    last_is_best: bool = False

    def __init__(
        self, config: TrainConfig, classes: Sequence[str], class_weights: Tensor | None = None
    ) -> None:
        self.config, self.classes = config, tuple(classes)
        self.criterion = build_criterion(config, len(classes), class_weights)

    @staticmethod
    def load(
        config: TrainConfig,
        split: Split,
        note: Callable[[str], None] = lambda text: None,  # noqa: ARG005
    ) -> SegmentationSet:
        """One part of the data that the config names.

        Raises:
            ConfigError: a data set for another task.
            DataError: data that are missing, half present or damaged.
        """
        _check_dataset(config)
        dataset = registry.get("dataset", config.dataset)()
        return cast(SegmentationSet, load_split(dataset, data_request(config, split, note)))

    @staticmethod
    def create(config: TrainConfig, train: SegmentationSet) -> "Segmentation":
        """The task for a config, with classes and class weights from its training part."""
        return Segmentation(config, train.classes, class_weights(config, train))

    @staticmethod
    def build(config: TrainConfig, about: Mapping[str, Any]) -> nn.Module:
        """The network that a weights file describes, with random weights."""
        return build_network(config, len(about["classes"]))

    @staticmethod
    def report(
        config: TrainConfig,
        about: Mapping[str, Any],
        *,
        split: Split,
        places: Mapping[str, Any],
        note: Callable[[str], None],
    ) -> SegmentationReport:
        """The empty report of `netlab eval` on a part of the data.

        Args:
            config: of the weights.
            about: description of the weights.
            split: part to score; all of `places["images"]` if those are given.
            places: fields of the config that say where the data are here; None is as it was.
            note: told of what was left out.

        Raises:
            ConfigError: pictures without masks, or masks without pictures.
            DataError: data that are missing, or whose classes are not those of the weights.
        """
        if (places.get("images") is None) != (places.get("masks") is None):
            raise ConfigError("give --images and --masks together")
        config, own = scored_config(config, about, places, "pairs")
        data = Segmentation.load(config, "all" if own else split, note)
        check_classes(data.classes, about)
        train = data if own else Segmentation.load(replace(config, limit=None), "train")
        task = Segmentation(config, data.classes)
        return SegmentationReport(task, data, train, "all" if own else split)

    @staticmethod
    def check(config: TrainConfig) -> None:
        """Refuse a config whose network cannot be trained, before data are read.

        Raises:
            ConfigError: a data set without masks; see `check_network`.
        """
        _check_dataset(config)
        refuse_unused(config, "latent", "conditioning", "disturb", "helper_lr")
        check_network(config)

    def place(self, device: torch.device) -> None:
        """Move what the loss needs to the device of the network."""
        self.criterion.to(device)

    def build_network(self) -> nn.Module:
        """A new network with random weights, drawn from the global generator."""
        return build_network(self.config, len(self.classes))

    def train_batch(
        self, data: SegmentationSet, indices: NDArray[np.int64], epoch: int, place: Place
    ) -> tuple[Tensor, Tensor]:
        """Normalised float pictures (B, 3, H, W) and int64 ids (B, H, W), augmented."""
        images, masks = _raw_batch(data, indices, place)
        images, masks = augment(
            images,
            masks,
            STRENGTHS[self.config.augment],
            seed=self.config.seed,
            epoch=epoch,
            indices=indices,
        )
        return normalise(images), masks.long()

    def eval_batch(
        self, data: SegmentationSet, indices: NDArray[np.int64], place: Place
    ) -> tuple[Tensor, Tensor]:
        """Normalised float pictures (B, 3, H, W) and int64 ids (B, H, W), as they are."""
        images, masks = _raw_batch(data, indices, place)
        return normalise(images), masks.long()

    def helpers(self) -> nn.Module:
        """No further networks are trained."""
        return nn.Module()

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...], done: float) -> Loss:  # noqa: ARG002
        """Forward pass and loss of a batch."""
        images, masks = batch
        loss: Loss = self.criterion(network(images), masks)
        return loss

    def evaluation(self) -> SegmentationScores:
        """An empty score-keeper for validation."""
        return SegmentationScores(self)

    def report_on(
        self, data: SegmentationSet, train: SegmentationSet, split: str
    ) -> SegmentationReport:
        """An empty report on data that are in memory already."""
        return SegmentationReport(self, data, train, split)

    def facts(self) -> dict[str, Any]:
        """What a weights file must hold to use the network."""
        return {
            "classes": list(self.classes),
            "input": input_facts(self.config, channels=3),
        }

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


def _check_dataset(config: TrainConfig) -> None:
    check_target(config, "masks", "pictures with masks: try pets, pairs or synthetic")


def _raw_batch(
    data: SegmentationSet, indices: NDArray[np.int64], place: Place
) -> tuple[Tensor, Tensor]:
    """Bytes travel to the device; everything else happens there."""
    images = place(torch.from_numpy(data.images[indices]))
    masks = place(torch.from_numpy(data.masks[indices]))
    return to_unit(images), masks
