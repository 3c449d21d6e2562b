"""Pictures to a latent and back, with their label on both sides."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab.contracts.dataset import LabelledSet
from netlab.contracts.likelihood import Likelihood
from netlab.contracts.loss import Loss
from netlab.contracts.report import Batch
from netlab.contracts.score import Score
from netlab.contracts.vae_term import HelpedTerm, VaeNetwork, VaeStep, VaeTerm
from netlab.expressions import parse_sum
from netlab.figures.swaps import label_sheet
from netlab.registry import register
from netlab.tasks.criterion import WeightedSum
from netlab.tasks.labelled import LabelledTask
from netlab.tasks.pixels import to_bytes
from netlab.tasks.vae.build import build_criterion, build_likelihood, build_network
from netlab.tasks.vae.judge import Judge
from netlab.tasks.vae.report import VaeReport
from netlab.tasks.vae.scores import VaeScores
from netlab.tasks.vae.step import vae_step


@register("task")
class ConditionalVae(LabelledTask):
    """Trains and scores conditional VAEs on labelled pictures (B, C, S, S); see `LabelledTask`."""

    score: ClassVar[Score] = Score("val_loss", "val loss", higher_is_better=False)
    uses: ClassVar[tuple[str, ...]] = ("stem", "latent", "helper_lr")
    judged: ClassVar[bool] = True
    page_at_end: ClassVar[bool] = False  # probes, bounds and distances take minutes

    @cached_property
    def criterion(self) -> WeightedSum:
        """The loss that the config names, as a weighted sum of its terms."""
        return build_criterion(self.config, len(self.classes), self.channels)

    @cached_property
    def likelihood(self) -> Likelihood:
        """Of pictures under what the decoder gives."""
        return build_likelihood(self.config, self.channels)

    @property
    def terms(self) -> Mapping[str, VaeTerm]:
        """The terms of the loss in the order in which they are worked out; see `in_order`."""
        return cast(Mapping[str, VaeTerm], dict(self.criterion.terms.items()))

    @property
    def typed(self) -> list[str]:
        """Their names in the order in which they were typed and are logged."""
        return [term.name for term in parse_sum(self.config.loss)]

    @property
    def last_is_best(self) -> bool:
        """Whether it is trained against a network that learns, too."""
        return any(term.adversarial for term in self.terms.values())

    def build_network(self) -> nn.Module:
        """A new network with random weights; see `netlab.tasks.vae.build`."""
        return build_network(self.config, len(self.classes), self.channels)

    def inputs(self, images: Tensor) -> tuple[Tensor, ...]:
        """Pictures and one-hot labels (B, K)."""
        return images, torch.empty(len(images), len(self.classes))

    def batch(
        self,
        images: Tensor,
        targets: Tensor,
        indices: NDArray[np.int64],  # noqa: ARG002
        epoch: int | None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        """Float pictures (B, C, S, S) in [0, 1] and int64 labels (B,)."""
        return images, targets

    def report(
        self,
        data: LabelledSet,
        split: str,
        train: Callable[[], LabelledSet],
        judge: Judge | None = None,
        beside: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> VaeReport:
        """The empty score-keeper of `netlab eval`; see `contracts.task.Task.report`.

        Args:
            data, split, train: see there.
            judge: reads the pictures.
            beside: results of other weights.
        """
        return VaeReport(self, data, train(), split, judge, beside or {})

    def helpers(self) -> nn.Module:
        """The networks inside the terms of the loss, such as the adversary."""
        return self.criterion

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
        logged = [*self.typed, *(f"{name}_helper" for name in self.typed)]
        parts = {name: parts[name] for name in logged if name in parts}
        return Loss(loss.total, parts, torch.stack([*helped.values()]).sum() if helped else None)

    def evaluation(self) -> VaeScores:
        """An empty score-keeper for validation."""
        return VaeScores(
            self.criterion, self.likelihood, self.typed, len(self.classes), self.config.seed
        )

    def facts(self) -> dict[str, Any]:
        """What a weights file must hold to use the network."""
        facts = super().facts()
        return {**facts, "input": {**facts["input"], "mean": None, "std": None}}

    def sample_figure(
        self,
        network: Any,
        data: LabelledSet,
        indices: NDArray[np.int64],
        batch: tuple[Tensor, ...],
        title: str,
    ) -> Image.Image:
        """The pictures at `indices`, their reconstruction, and each under every label."""
        names = [data.names[i] for i in indices]
        images, labels = batch
        return self.every_label(network, images, labels, names, title)

    def every_label(
        self, network: Any, images: Tensor, labels: Tensor, names: Sequence[str], title: str
    ) -> Image.Image:
        """A figure of pictures (N, C, S, S), their reconstruction, and each under every label."""
        found = self.under_every_label(network, images, labels)
        captions = [f"{n}: {self.classes[k]}" for n, k in zip(names, labels.tolist(), strict=True)]
        return label_sheet(*found, captions, self.classes, title)

    @torch.inference_mode()
    def under_every_label(self, network: Any, images: Tensor, labels: Tensor) -> "EveryLabel":
        """Decode pictures (N, C, S, S) with the label they have, and with each there is."""
        device = next(network.parameters()).device
        images, labels = images.to(device), labels.to(device)
        count, kinds = len(images), len(self.classes)
        every = torch.eye(kinds, device=images.device)
        true = every[labels]
        z = network.encode(images, true).mean
        again = self.likelihood.picture(network.decode(z, true))
        outputs = network.decode(z.repeat_interleave(kinds, dim=0), every.repeat(count, 1))
        swaps = to_bytes(self.likelihood.picture(outputs))
        return EveryLabel(
            to_bytes(images), to_bytes(again), swaps.reshape(count, kinds, *swaps.shape[1:])
        )


class EveryLabel(NamedTuple):
    """N pictures and what is decoded from their posterior means."""

    images: NDArray[np.uint8]
    """(N, S, S, C)."""
    again: NDArray[np.uint8]
    """(N, S, S, C), with the label they have."""
    swaps: NDArray[np.uint8]
    """(N, K, S, S, C), with each label."""
