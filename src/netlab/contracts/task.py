"""What every task keeps: all that training and scoring need to know of it.

A task says what a batch is, what is learnt from it and how well that went; `netlab.tasks.base` has
the usual methods. It is built as `Task(config, classes, channels, mirrors, …)`, with its own
arguments (`--set task.ARGUMENT=VALUE`) by name.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab.config import TrainConfig
from netlab.contracts.dataset import PictureSet, Target
from netlab.contracts.loss import Loss
from netlab.contracts.report import Batch, Evaluation, Report
from netlab.contracts.score import Score

__all__ = ["Place", "Score", "Task"]

Place = Callable[[Tensor], Tensor]
"""Moves a tensor to the device of the network."""


class Task(Protocol):
    """Meaning of batches, losses and scores."""

    score: ClassVar[Score]
    """What its networks are judged by."""
    uses: ClassVar[tuple[str, ...]]
    """The settings it reads of those that only some tasks read (`optional` in `netlab.config`);
    components that its architecture is put together from need not be named."""
    needs: ClassVar[Target | None]
    """What pictures have to come with; None where any data set will do."""
    judged: ClassVar[bool]
    """Whether its report takes a `judge`, a classifier that reads the pictures it makes."""
    page_at_end: ClassVar[bool]
    """Whether a training ends with a page; not where its scores take minutes."""

    @property
    def last_is_best(self) -> bool:
        """Whether each epoch is better than the one before, whatever its scores; no column tells
        when networks are trained against each other."""

    @classmethod
    def check(cls, config: TrainConfig) -> None:
        """Refuse a config whose network cannot be trained, before data are read.

        Raises:
            ConfigError: settings that do not fit each other.
        """

    @classmethod
    def load(cls, config: TrainConfig, split: str, note: Callable[[str], None]) -> PictureSet:
        """One split of the data that a config names, in the form that the other methods take.

        Raises:
            ConfigError: a data set for another task.
            DataError: data that are missing or damaged.
        """

    @classmethod
    def create(cls, config: TrainConfig, train: Any) -> Self:
        """The task for a config, fitted to its training split.

        Raises:
            ConfigError, DataError: data that it cannot be trained on.
        """

    @classmethod
    def of_weights(cls, config: TrainConfig, about: Mapping[str, Any]) -> Self:
        """The task of the network that a weights file describes."""

    def facts(self) -> dict[str, Any]:
        """What a weights file must hold for `of_weights`: classes, input, normalisation."""

    def build_network(self) -> nn.Module:
        """A new network with random weights, drawn from the global generator."""

    def place(self, device: torch.device) -> None:
        """Move what the loss needs to the device of the network."""

    def helpers(self) -> nn.Module:
        """Networks that the loss trains as well, such as an adversary; may be empty."""

    def train_batch(
        self, data: PictureSet, indices: NDArray[np.int64], epoch: int, place: Place
    ) -> Batch:
        """The pictures at `indices`, augmented for `epoch`, through `place` to the device."""

    def eval_batch(self, data: PictureSet, indices: NDArray[np.int64], place: Place) -> Batch:
        """The pictures at `indices` as they are, through `place` to the device."""

    def loss(self, network: nn.Module, batch: Batch, done: float) -> Loss:
        """Forward pass and loss, differentiable; `done` is the share of the run behind, 0 to 1."""

    def evaluation(self) -> Evaluation:
        """An empty score-keeper for validation; its row has the column of `score`."""

    def report(self, data: Any, split: str, train: Callable[[], Any], **options: Any) -> Report:
        """The empty score-keeper of `netlab eval`.

        Args:
            data: what is scored.
            split: its name.
            train: loads the training split, for what is fitted to it.
            options: `judge` and `beside`, where the task is `judged`.
        """

    def sample_figure(
        self, network: nn.Module, data: Any, indices: NDArray[np.int64], batch: Batch, title: str
    ) -> Image.Image:
        """A figure of what the network does with the examples at `indices`."""
