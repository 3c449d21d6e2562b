"""Pictures to a latent and back, with their label on both sides."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab.contracts.dataset import LabelledSet
from netlab.contracts.likelihood import Likelihood
from netlab.contracts.loss import Loss
from netlab.contracts.score import Score
from netlab.figures.swaps import label_sheet
from netlab.registry import register
from netlab.tasks.criterion import WeightedSum
from netlab.tasks.labelled import LabelledTask
from netlab.tasks.pixels import to_bytes
from netlab.tasks.vae.build import build_criterion, build_likelihood, build_network
from netlab.tasks.vae.judge import Judge
from netlab.tasks.vae.report import VaeReport
from netlab.tasks.vae.step import VaeStep, draw_wrong
from netlab.vae_terms.kl import kl_nats


@register("task")
class ConditionalVae(LabelledTask):
    """Trains and scores conditional VAEs on labelled pictures (B, C, S, S); see `LabelledTask`."""

    score: ClassVar[Score] = Score("val_loss", "val loss", higher_is_better=False)
    uses: ClassVar[tuple[str, ...]] = ("stem", "latent", "helper_lr")
    judged: ClassVar[bool] = True
    page_at_end: ClassVar[bool] = False  # probes, bounds and distances take minutes
    loss_kind: ClassVar[str] = "vae-term"

    @property
    def last_is_best(self) -> bool:
        """Whether it is trained against a network that learns, too."""
        terms: Any = self.criterion.terms.values()
        return any(term.adversarial for term in terms)

    @cached_property
    def swaps(self) -> bool:
        """Whether a term of the loss needs swapped pictures."""
        terms: Any = self.criterion.terms.values()
        return any(term.swaps for term in terms)

    @cached_property
    def likelihood(self) -> Likelihood:
        """Of pictures under what the decoder gives."""
        return build_likelihood(self.config, self.channels)

    @cached_property
    def criterion(self) -> WeightedSum:
        """The loss that the config names, as a weighted sum of its terms."""
        return build_criterion(self.config, len(self.classes), self.channels)

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

    def step(
        self,
        network: nn.Module,
        batch: tuple[Tensor, ...],
        done: float,
        generator: torch.Generator | None = None,
    ) -> VaeStep:
        """One pass over a batch, with a wrong label drawn for each picture."""
        images, labels = batch
        wrong = draw_wrong(labels, len(self.classes), generator)
        known = (images, labels, wrong, len(self.classes), done, generator)
        together = self.swaps and network.training
        return VaeStep(network, self.likelihood, *known, swaps=together)

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...], done: float) -> Loss:
        """Forward pass and loss of a batch; helpers learn beside, from what the pass made."""
        step = self.step(network, batch, done)
        # The helpers' batch norms learn here: after the terms it would spoil their gradients.
        beside = self.criterion.helper_losses(step)
        loss: Loss = self.criterion(step)
        if not beside:
            return loss
        parts = {**loss.parts, **{name: part.detach() for name, part in beside.items()}}
        return Loss(loss.total, parts, torch.stack([*beside.values()]).sum())

    def evaluation(self) -> "VaeScores":
        """An empty score-keeper for validation."""
        return VaeScores(self)

    def facts(self) -> dict[str, Any]:
        """What a weights file must hold to use the network."""
        facts = super().facts()
        return {
            **facts,
            "input": {**facts["input"], "mean": None, "std": None},
        }

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


class VaeScores:
    """The loss and its terms over a part of the data (see `contracts.report.Evaluation`).

    Terms that are measured against a network which is itself learning are logged, but are no part
    of `val_loss`. `val_swap_read` is the share of swapped pictures that the helper of the term
    `swap-class`, where there is one, reads as the asked label.
    """

    def __init__(self, task: ConditionalVae) -> None:
        self.task = task
        self.generator = torch.Generator().manual_seed(task.config.seed)
        self.sums: dict[str, float] = {}
        self.pictures = 0

    def update(self, network: nn.Module, batch: tuple[Tensor, ...]) -> None:
        """Take one batch in."""
        criterion: Any = self.task.criterion.eval()
        step = self.task.step(network, batch, 1.0, self.generator)
        found = {name: term(step) for name, term in criterion.terms.items()}
        scored = {
            name: weight * found[name]
            for (name, term), weight in zip(criterion.terms.items(), criterion.weights, strict=True)
            if not term.adversarial
        }
        reconstruction = self.task.likelihood.nats(step.output, step.images).mean()
        kl = kl_nats(step.posterior.mean, step.posterior.log_var).sum(dim=1).mean()
        values = {
            "loss": sum(scored.values()),
            **found,
            "elbo": -reconstruction - kl,
            "kl_nats": kl,
        }
        if "swap-class" in criterion.terms:
            read = criterion.terms["swap-class"].read(step.swapped)
            values["swap_read"] = (read == step.wrong).float().mean()
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value) * len(batch[0])
        self.pictures += len(batch[0])

    def row(self) -> dict[str, float | None]:
        """Scores for a row of metrics.csv."""
        return {f"val_{name}": total / self.pictures for name, total in self.sums.items()}
