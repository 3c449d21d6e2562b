"""What every task keeps: all that the training loop needs to know of it."""

from collections.abc import Callable, Mapping, Sized
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netlab.config import TrainConfig
from netlab.contracts.loss import Loss
from netlab.contracts.report import Batch, Evaluation, Report


class Task(Protocol):
    """Meaning of batches, losses and scores; built as `Task(config, classes, …)`."""

    monitor: ClassVar[str]
    """The column of metrics.csv whose best value marks the best epoch."""
    lower_is_better: ClassVar[bool]
    last_is_best: bool
    """Whether each epoch is better than the one before, whatever its scores; no column tells when
    networks are trained against each other."""

    def place(self, device: torch.device) -> None:
        """Move what the loss needs to the device of the network."""

    def build_network(self) -> nn.Module:
        """A new network with random weights, drawn from the global generator."""

    def helpers(self) -> nn.Module:
        """Networks that the loss trains beside it, such as an adversary; may be empty."""

    def train_batch(
        self, data: Any, indices: NDArray[np.int64], epoch: int, place: Callable[[Tensor], Tensor]
    ) -> Batch:
        """The pictures at `indices`, augmented for `epoch`, through `place` to the device."""

    def eval_batch(
        self, data: Any, indices: NDArray[np.int64], place: Callable[[Tensor], Tensor]
    ) -> Batch:
        """The pictures at `indices` as they are, through `place` to the device."""

    def loss(self, network: nn.Module, batch: Batch, done: float) -> Loss:
        """Forward pass and loss, differentiable; `done` is the share of the run behind, 0 to 1."""

    def evaluation(self) -> Evaluation:
        """An empty score-keeper."""

    def report_on(self, data: Any, train: Any, split: str) -> Report | None:
        """The empty score-keeper of the page that a training ends with.

        None where its scores take so long that only who asks for them should wait.
        """

    def facts(self) -> dict[str, Any]:
        """What a weights file must hold to use the network: classes, input, normalisation."""

    def sample_figure(
        self, network: nn.Module, data: Any, indices: NDArray[np.int64], batch: Batch, title: str
    ) -> Any:
        """A picture (PIL) of what the network does with the examples at `indices`."""


class TaskFactory(Protocol):
    """The static side of a task."""

    judged: ClassVar[bool]
    """Whether its report takes a `judge`, a classifier that reads the pictures it makes."""

    @staticmethod
    def check(config: TrainConfig) -> None:
        """Refuse a config whose network cannot be trained, before data are read."""

    @staticmethod
    def load(config: TrainConfig, split: str, note: Callable[[str], None]) -> Sized:
        """One part of the data that a config names; its `names` tell pictures apart."""

    @staticmethod
    def create(config: TrainConfig, train: Any) -> Task:
        """The task for a config, fitted to its training data (classes, class weights)."""

    @staticmethod
    def build(config: TrainConfig, about: Mapping[str, Any]) -> nn.Module:
        """The network that a weights file describes."""

    @staticmethod
    def report(
        config: TrainConfig,
        about: Mapping[str, Any],
        *,
        split: str,
        places: Mapping[str, Any],
        note: Callable[[str], None],
    ) -> Any:
        """The empty score-keeper of `netlab eval` on the data of a config."""
