"""What tasks usually do: pictures through an encoder, a decoder where there is one, and a loss.

A new task derives from `BaseTask`, says its `score` and what a batch is, and overrides what it does
in another way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab.choices import STRENGTHS
from netlab.components import component, fault_of, parts_of, task_of
from netlab.config import TrainConfig, flag_of, optional_settings
from netlab.contracts.dataset import PictureSet, Target, load_split
from netlab.contracts.loss import Loss
from netlab.contracts.report import Batch, Evaluation, Report
from netlab.contracts.score import Score
from netlab.contracts.task import Place
from netlab.errors import ConfigError, DataError, listing
from netlab.layers.augment import augment
from netlab.tasks.build import build_block, build_decoder, build_encoder
from netlab.tasks.criterion import WeightedSum, build_criterion
from netlab.tasks.data import check_target, data_request
from netlab.tasks.pixels import input_facts, to_unit

_FEWEST = 2  # classes of labelled pictures


class BaseTask:
    """The usual methods of a task (`netlab.contracts.task.Task`).

    Args:
        config: the run.
        classes: names in the order of their ids.
        channels: of the pictures, 1 (gray) or 3 (RGB).
        mirrors: whether a picture seen in a mirror is still one of its class.
    """

    score: ClassVar[Score]
    uses: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[Target | None] = None
    judged: ClassVar[bool] = False
    page_at_end: ClassVar[bool] = True
    loss_kind: ClassVar[str] = "loss"
    """Kind of the components that its loss is a sum of."""
    normalised: ClassVar[bool] = True
    """Whether its networks take normalised pictures; otherwise values in [0, 1] as they are."""

    def __init__(
        self,
        config: TrainConfig,
        classes: Sequence[str],
        channels: int = 3,
        mirrors: bool = True,
    ) -> None:
        self.config, self.classes, self.channels = config, tuple(classes), channels
        strength = STRENGTHS[config.augment]
        self.strength = strength if mirrors else replace(strength, flip=False)

    # What a new task says of itself.

    def network_arguments(self) -> dict[str, Any]:
        """What its architecture is built with, beside its parts and the arguments of a config."""
        return {"classes": len(self.classes)}

    def loss_arguments(self) -> dict[str, Any]:
        """What each term of its loss is built with, beside the arguments of a config."""
        return {}

    def term_order(self, names: list[str]) -> list[str]:
        """The order in which the terms of its loss are built and added; by default as typed."""
        return names

    def inputs(self, images: Tensor) -> tuple[Tensor, ...]:
        """What its network takes together with pictures, for a trial on any numbers."""
        return (images,)

    def batch(
        self, images: Tensor, targets: Tensor, indices: NDArray[np.int64], epoch: int | None
    ) -> Batch:
        """What network and loss take; the first tensor is the network's input.

        Args:
            images: (B, C, H, W) in [0, 1], augmented in training.
            targets: (B, H, W) masks or (B,) labels.
            indices: (B,), of the pictures in their split.
            epoch: in training; None where they are scored.
        """
        raise NotImplementedError

    # What training and scoring ask for.

    @property
    def last_is_best(self) -> bool:
        """The score tells which epoch is the best."""
        return False

    @classmethod
    def check(cls, config: TrainConfig) -> None:
        """Refuse a config whose network cannot be trained, before data are read.

        Raises:
            ConfigError: a data set without what the task needs, settings that it does not read,
                or components that do not fit each other.
        """
        check_target(config, cls.needs)
        cls._refuse_unread(config)
        side = config.image_size
        with torch.device("meta"):
            try:
                task = cls._built(config, ("0", "1"))
                network = task.build_network()
                _ = task.criterion
            except (ValueError, RuntimeError) as error:
                raise _untrainable(config, error) from error
            images = torch.empty(config.batch_size, task.channels, side, side)
            try:
                network.train()(*task.inputs(images))
            except (ValueError, RuntimeError, TypeError) as error:
                raise _untrainable(config, error) from error

    @classmethod
    def _refuse_unread(cls, config: TrainConfig) -> None:
        """Refuse settings that were changed and that neither task nor architecture reads."""
        usual, read = TrainConfig(), {*cls.uses, *parts_of(config.arch)}
        unread = [
            flag_of(name)
            for name in optional_settings()
            if name not in read and getattr(config, name) != getattr(usual, name)
        ]
        if unread:
            raise ConfigError(f"{', '.join(unread)}: not for {config.arch}, which does not use it")

    @classmethod
    def load(
        cls,
        config: TrainConfig,
        split: str,
        note: Callable[[str], None] = lambda text: None,  # noqa: ARG005
    ) -> PictureSet:
        """One split of the data that a config names.

        Raises:
            ConfigError: a data set for another task.
            DataError: data that are missing, half present or damaged.
        """
        check_target(config, cls.needs)
        return load_split(component(config, "dataset")(), data_request(config, split, note))

    @classmethod
    def create(cls, config: TrainConfig, train: Any) -> Self:
        """The task for a config, with what the training split says of its pictures.

        Raises:
            DataError: labelled pictures of one class alone.
        """
        if cls.needs == "labels" and len(train.classes) < _FEWEST:
            raise DataError(
                f"{config.dataset}: its pictures are all of the class {listing(train.classes)}; "
                "two classes or more are needed"
            )
        return cls._built(config, train.classes, train.images.shape[-1], train.mirrors)

    @classmethod
    def of_weights(cls, config: TrainConfig, about: Mapping[str, Any]) -> Self:
        """The task of the network that a weights file describes."""
        return cls._built(config, about["classes"], int(about["input"].get("channels", 3)))

    @classmethod
    def _built(cls, config: TrainConfig, *facts: Any) -> Self:
        """The task with the arguments that a config has for it."""
        task: Self = component(config, "task")(config, *facts)
        return task

    def facts(self) -> dict[str, Any]:
        """What a weights file must hold to use the network."""
        given = input_facts(self.config, self.channels, normalised=self.normalised)
        return {"classes": list(self.classes), "input": given}

    def build_network(self) -> nn.Module:
        """A new network with random weights, from the components that the config names.

        Raises:
            ConfigError: components that do not fit each other, or arguments they do not take.
        """
        config, block = self.config, build_block(self.config)
        stem = {"stem": config.stem} if "stem" in self.uses else {}
        in_channels = self.channels * stem.get("stem", 1) ** 2
        encoder, bottleneck = build_encoder(config, in_channels, block)
        parts: list[Any] = [encoder, bottleneck]
        if "decoder" in parts_of(config.arch):
            parts.append(build_decoder(config, encoder, bottleneck, block))
        architecture = component(config, "architecture")
        network: nn.Module = architecture(*parts, **self.network_arguments(), **stem)
        return network

    @cached_property
    def criterion(self) -> WeightedSum:
        """The loss that the config names, as a weighted sum of its terms."""
        return build_criterion(
            self.config,
            task_of(self.config),
            self.loss_kind,
            self.term_order,
            **self.loss_arguments(),
        )

    def place(self, device: torch.device) -> None:
        """Move what the loss needs to the device of the network."""
        self.criterion.to(device)

    def helpers(self) -> nn.Module:
        """No further networks are trained."""
        return nn.Module()

    def train_batch(
        self, data: PictureSet, indices: NDArray[np.int64], epoch: int, place: Place
    ) -> Batch:
        """The pictures at `indices`, augmented for an epoch; see `batch`."""
        images, targets = raw_batch(data, indices, place)
        masks = targets if targets.dim() > 1 else None
        images, masks = augment(
            images, masks, self.strength, seed=self.config.seed, epoch=epoch, indices=indices
        )
        return self.batch(images, targets if masks is None else masks, indices, epoch)

    def eval_batch(self, data: PictureSet, indices: NDArray[np.int64], place: Place) -> Batch:
        """The pictures at `indices` as they are; see `batch`."""
        return self.batch(*raw_batch(data, indices, place), indices, None)

    def loss(self, network: nn.Module, batch: Batch, done: float) -> Loss:  # noqa: ARG002
        """Forward pass and loss of a batch."""
        inputs, targets = batch
        loss: Loss = self.criterion(network(inputs), targets)
        return loss

    def evaluation(self) -> Evaluation:
        """An empty score-keeper for validation."""
        raise NotImplementedError

    def report(self, data: Any, split: str, train: Callable[[], Any], **options: Any) -> Report:
        """The empty score-keeper of `netlab eval`."""
        raise NotImplementedError

    def sample_figure(
        self, network: nn.Module, data: Any, indices: NDArray[np.int64], batch: Batch, title: str
    ) -> Image.Image:
        """A figure of what the network does with the examples at `indices`."""
        raise NotImplementedError


def raw_batch(data: PictureSet, indices: NDArray[np.int64], place: Place) -> tuple[Tensor, Tensor]:
    """Pictures (B, C, H, W) in [0, 1] and what they come with; bytes travel to the device."""
    images = place(torch.from_numpy(data.images[indices]))
    return to_unit(images), place(torch.from_numpy(data.targets[indices]))


def _untrainable(config: TrainConfig, error: Exception) -> ConfigError:
    """The one line for a network that cannot be built or trained as a config says."""
    reason = " ".join(str(fault_of(error) or error).split())
    return ConfigError(
        f"this network cannot be trained on batches of {config.batch_size} pictures of "
        f"{config.image_size} pixels: {reason}"
    )
