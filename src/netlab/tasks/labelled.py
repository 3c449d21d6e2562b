"""Labelled pictures, as classifiers and conditional VAEs take them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netlab import registry
from netlab.config import TrainConfig
from netlab.contracts.dataset import LabelledSet, Split, load_split
from netlab.errors import DataError, listing
from netlab.layers.augment import STRENGTHS, augment
from netlab.tasks.criterion import WeightedSum
from netlab.tasks.data import check_classes, check_target, data_request, scored_config
from netlab.tasks.pixels import COLOURS, to_unit

_FEWEST = 2  # classes

Place = Callable[[Tensor], Tensor]
"""Moves a tensor to the device of the network."""


def check_dataset(config: TrainConfig) -> None:
    """Refuse a data set whose pictures have no labels.

    Raises:
        ConfigError: with the data sets that have.
    """
    check_target(config, "labels", "labelled pictures: try mnist, cifar10, digits or class-folder")


def load_labelled(config: TrainConfig, split: Split, note: Callable[[str], None]) -> LabelledSet:
    """One part of the data that a config names.

    Raises:
        ConfigError: a data set without labels.
        DataError: data that are missing or damaged.
    """
    check_dataset(config)
    dataset = registry.get("dataset", config.dataset)()
    return cast(LabelledSet, load_split(dataset, data_request(config, split, note)))


def scored_part(
    config: TrainConfig,
    about: Mapping[str, Any],
    split: Split,
    places: Mapping[str, Any],
    note: Callable[[str], None],
) -> tuple[TrainConfig, LabelledSet]:
    """The pictures that weights are to be scored on, and the config that names them.

    Args:
        config: of the weights.
        about: description of the weights.
        split: part to score; all of `places["images"]` if that is given.
        places: fields of the config that say where the data are here; None is as it was.
        note: told of what was left out.

    Raises:
        DataError: data that are missing, or that differ from the weights' in classes or colour.
    """
    config, own = scored_config(config, about, places, "class-folder")
    data = load_labelled(config, "all" if own else split, note)
    check_classes(data.classes, about)
    channels = about["input"]["channels"]
    if data.images.shape[-1] != channels:
        raise DataError(
            f"the data are {COLOURS[data.images.shape[-1]]} pictures, "
            f"the weights are for {COLOURS[channels]} ones"
        )
    return config, data


def raw_batch(data: LabelledSet, indices: NDArray[np.int64], place: Place) -> tuple[Tensor, Tensor]:
    """Pictures (B, C, H, W) in [0, 1] and labels (B,); bytes travel to the device."""
    images = place(torch.from_numpy(data.images[indices]))
    return to_unit(images), place(torch.from_numpy(data.labels[indices]))


class LabelledTask:
    """What tasks on labelled pictures share (`contracts.task.Task`); not their network and loss.

    Args:
        config: the run.
        classes: names in the order of their ids.
        channels: of the pictures, 1 or 3.
        mirrors: whether mirrored pictures keep their class.
    """

    criterion: WeightedSum

    def __init__(
        self, config: TrainConfig, classes: Sequence[str], channels: int, mirrors: bool = True
    ) -> None:
        self.config, self.classes, self.channels = config, tuple(classes), channels
        strength = STRENGTHS[config.augment]
        self.strength = strength if mirrors else replace(strength, flip=False)

    @staticmethod
    def network(config: TrainConfig, classes: int, channels: int) -> nn.Module:
        """Build the network from the components that a config names."""
        raise NotImplementedError

    @staticmethod
    def load(config: TrainConfig, split: Split, note: Callable[[str], None]) -> LabelledSet:
        """One part of the data that the config names; see `load_labelled`."""
        return load_labelled(config, split, note)

    @classmethod
    def create(cls, config: TrainConfig, train: LabelledSet) -> Self:
        """The task for a config, fitted to its training part.

        Raises:
            DataError: pictures of one class alone.
        """
        if len(train.classes) < _FEWEST:
            raise DataError(
                f"{config.dataset}: its pictures are all of the class {listing(train.classes)}; "
                "two classes or more are needed"
            )
        return cls(config, train.classes, train.images.shape[-1], train.mirrors)

    @classmethod
    def build(cls, config: TrainConfig, about: Mapping[str, Any]) -> nn.Module:
        """The network that a weights file describes, with random weights."""
        return cls.network(config, len(about["classes"]), int(about["input"]["channels"]))

    def build_network(self) -> nn.Module:
        """A new network with random weights, drawn from the global generator."""
        return self.network(self.config, len(self.classes), self.channels)

    def place(self, device: torch.device) -> None:
        """Move what the loss needs to the device of the network."""
        self.criterion.to(device)

    def augmented(
        self, data: LabelledSet, indices: NDArray[np.int64], epoch: int, place: Place
    ) -> tuple[Tensor, Tensor]:
        """Pictures (B, C, H, W) in [0, 1], augmented for an epoch, and labels (B,)."""
        images, labels = raw_batch(data, indices, place)
        seed = self.config.seed
        images, _ = augment(images, None, self.strength, seed=seed, epoch=epoch, indices=indices)
        return images, labels
