"""Pictures to a latent and back, with their label on both sides."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab.config import TrainConfig
from netlab.contracts.dataset import LabelledSet, Split
from netlab.contracts.loss import Loss
from netlab.contracts.report import Batch
from netlab.contracts.vae_term import HelpedTerm, VaeNetwork, VaeStep, VaeTerm
from netlab.expressions import parse_sum
from netlab.figures.swaps import label_sheet
from netlab.registry import register
from netlab.tasks.build import refuse_unused
from netlab.tasks.labelled import (
    LabelledTask,
    Place,
    check_dataset,
    load_labelled,
    raw_batch,
    scored_part,
)
from netlab.tasks.pixels import input_facts, to_bytes
from netlab.tasks.vae.build import build_criterion, build_likelihood, build_network, check_network
from netlab.tasks.vae.judge import Judge
from netlab.tasks.vae.report import VaeReport, every_label_figure, under_every_label
from netlab.tasks.vae.scores import VaeScores
from netlab.tasks.vae.step import vae_step


@register("task")
class ConditionalVae(LabelledTask):
    """Trains and scores conditional VAEs on labelled pictures (B, C, S, S); see `LabelledTask`."""

    monitor: ClassVar[str] = "val_loss"
    lower_is_better: ClassVar[bool] = True
    judged: ClassVar[bool] = True

    network = staticmethod(build_network)

    def __init__(
        self, config: TrainConfig, classes: Sequence[str], channels: int, mirrors: bool = True
    ) -> None:
        super().__init__(config, classes, channels, mirrors)
        self.criterion = build_criterion(config, len(classes), channels)
        self.likelihood = build_likelihood(config, channels)
        terms = cast(Mapping[str, VaeTerm], dict(self.criterion.terms.items()))
        self.terms = terms
        """The terms of the loss in the order in which they are worked out; see `in_order`."""
        self.typed = [term.name for term in parse_sum(config.loss)]
        """Their names in the order in which they were typed and are logged."""
        self.logged = [*self.typed, *(f"{name}_helper" for name in self.typed)]
        self.last_is_best = any(term.adversarial for term in terms.values())

    @staticmethod
    def check(config: TrainConfig) -> None:
        """Refuse a config whose network cannot be trained, before data are read.

        Raises:
            ConfigError: a data set without labels, or parts that do not fit each other.
        """
        check_dataset(config)
        refuse_unused(config, "class_weights", "disturb")
        check_network(config)

    @staticmethod
    def report(
        config: TrainConfig,
        about: Mapping[str, Any],
        *,
        split: Split,
        places: Mapping[str, Any],
        note: Callable[[str], None],
        judge: Judge | None = None,
        beside: Mapping[str, Any] | None = None,
    ) -> VaeReport:
        """The empty report of `netlab eval` on a part of the data; see `TaskFactory.report`.

        Args:
            config, about, split, places, note: see there.
            judge: reads the pictures.
            beside: results of other weights; without any, those that the weights file brings.
        """
        config, data = scored_part(config, about, split, places, note)
        own = bool(places.get("images"))
        train = data if own else load_labelled(replace(config, limit=None), "train", note)
        task = ConditionalVae.create(config, data)
        return VaeReport(
            task, data, train, "all" if own else split, judge, beside or about.get("baselines", {})
        )

    def helpers(self) -> nn.Module:
        """The networks inside the terms of the loss, such as the adversary."""
        return self.criterion

    def train_batch(
        self, data: LabelledSet, indices: NDArray[np.int64], epoch: int, place: Place
    ) -> tuple[Tensor, Tensor]:
        """Float pictures (B, C, S, S) in [0, 1] and int64 labels (B,), augmented."""
        return self.augmented(data, indices, epoch, place)

    def eval_batch(
        self, data: LabelledSet, indices: NDArray[np.int64], place: Place
    ) -> tuple[Tensor, Tensor]:
        """Float pictures (B, C, S, S) in [0, 1] and int64 labels (B,), as they are."""
        return raw_batch(data, indices, place)

    def helper_losses(self, step: VaeStep) -> dict[str, Tensor]:
        """What the terms' own networks learn from, by `TERM_helper`; empty where there are none."""
        return {
            f"{name}_helper": term.helper_loss(step)
            for name, term in self.terms.items()
            if isinstance(term, HelpedTerm)
        }

    def loss(self, network: nn.Module, batch: Batch, done: float) -> Loss:
        """Forward pass and loss of a batch; helpers learn from the same pass."""
        images, labels = batch
        step = vae_step(
            cast(VaeNetwork, network),
            self.likelihood,
            self.terms.values(),
            images,
            labels,
            len(self.classes),
            learning=True,
            done=done,
        )
        # The helpers' batch norms learn here: after the terms it would spoil their gradients.
        helped = self.helper_losses(step)
        loss: Loss = self.criterion(step)
        parts = {**loss.parts, **{name: nats.detach() for name, nats in helped.items()}}
        parts = {name: parts[name] for name in self.logged if name in parts}
        return Loss(loss.total, parts, torch.stack([*helped.values()]).sum() if helped else None)

    def evaluation(self) -> VaeScores:
        """An empty score-keeper for validation."""
        return VaeScores(
            self.criterion, self.likelihood, self.typed, len(self.classes), self.config.seed
        )

    def report_on(self, data: LabelledSet, train: LabelledSet, split: str) -> None:  # noqa: ARG002
        """None: probes, bounds and distances take minutes."""
        return None

    def facts(self) -> dict[str, Any]:
        """What a weights file must hold to use the network."""
        return {
            "classes": list(self.classes),
            "input": {**input_facts(self.config, self.channels), "mean": None, "std": None},
        }

    def sample_figure(
        self,
        network: nn.Module,
        data: LabelledSet,
        indices: NDArray[np.int64],
        batch: tuple[Tensor, ...],
        title: str,
    ) -> Image.Image:
        """The pictures at `indices`, their reconstruction, and each under every label."""
        images, labels = batch
        every = under_every_label(
            cast(VaeNetwork, network), self.likelihood, images, labels, len(self.classes)
        )
        return every_label_figure(every, data, indices, title)
