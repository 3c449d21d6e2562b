"""Pictures to a latent and back, with their label on both sides."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab import registry
from netlab.components import component, find_component
from netlab.config import TrainConfig
from netlab.contracts.dataset import LabelledSet, Target
from netlab.contracts.likelihood import Likelihood
from netlab.contracts.loss import Loss
from netlab.contracts.report import Batch
from netlab.contracts.score import Score
from netlab.contracts.vae_term import HelpedTerm, VaeNetwork, VaeTerm
from netlab.errors import ConfigError
from netlab.expressions import parse_sum
from netlab.registry import register
from netlab.tasks.base import BaseTask
from netlab.tasks.build import build_block, build_decoder, build_encoder
from netlab.tasks.vae.judge import Judge
from netlab.tasks.vae.report import VaeReport, every_label_figure, under_every_label
from netlab.tasks.vae.scores import VaeScores
from netlab.tasks.vae.step import vae_step


@register("task")
class ConditionalVae(BaseTask):
    """Trains and scores conditional VAEs on labelled pictures (B, C, S, S); see `BaseTask`."""

    score: ClassVar[Score] = Score("val_loss", "val loss", higher_is_better=False)
    uses: ClassVar[tuple[str, ...]] = ("stem", "latent", "helper_lr")
    needs: ClassVar[Target | None] = "labels"
    normalised: ClassVar[bool] = False
    judged: ClassVar[bool] = True
    headline: ClassVar[str] = "swap accuracy"
    """What lists of weights show where a judge has read the pictures."""
    page_at_end: ClassVar[bool] = False  # probes, bounds and distances take minutes
    loss_kind: ClassVar[str] = "vae-term"

    @property
    def last_is_best(self) -> bool:
        """Whether it is trained against a network that learns, too."""
        return any(term.adversarial for term in self.terms.values())

    def build_network(self) -> nn.Module:
        """A new network with random weights, from the components that the config names.

        Raises:
            ConfigError: components that do not fit each other, or arguments they do not take.
        """
        config, channels = self.config, self.channels
        if registry.get("decoder", config.decoder).needs_skips:
            raise ConfigError(
                f"decoder '{config.decoder}' needs skips, which a vae has not; "
                "choose another --decoder"
            )
        block = build_block(config)
        conditioning = component(config, "conditioning")(
            classes=len(self.classes), size=config.image_size, block=block
        )
        in_channels = (channels + conditioning.image_channels) * config.stem**2
        encoder, bottleneck = build_encoder(config, in_channels, block)
        decoder = build_decoder(config, encoder, bottleneck, conditioning.block, with_skips=False)
        network: nn.Module = component(config, "architecture")(
            encoder,
            bottleneck,
            decoder,
            conditioning,
            size=config.image_size,
            latent=config.latent,
            out_channels=channels * self.likelihood.numbers,
            stem=config.stem,
        )
        return network

    def inputs(self, images: Tensor) -> tuple[Tensor, ...]:
        """Pictures and one-hot labels (B, K)."""
        return images, torch.empty(len(images), len(self.classes))

    @cached_property
    def likelihood(self) -> Likelihood:
        """Of pictures under what the decoder gives."""
        return build_likelihood(self.config, self.channels)

    def loss_arguments(self) -> dict[str, Any]:
        """Shapes of labels, pictures and latent."""
        return {
            "classes": len(self.classes),
            "channels": self.channels,
            "size": self.config.image_size,
            "latent": self.config.latent,
        }

    def term_order(self, names: list[str]) -> list[str]:
        """Their own order, however they were typed: see `in_order`."""
        return in_order(names)

    @cached_property
    def terms(self) -> Mapping[str, VaeTerm]:
        """The terms of the loss by name, in the order in which they are worked out."""
        return cast(Mapping[str, VaeTerm], dict(self.criterion.terms.items()))

    @cached_property
    def typed(self) -> list[str]:
        """Names of the terms as they were typed, which is how they are logged."""
        return [term.name for term in parse_sum(self.config.loss)]

    def helpers(self) -> nn.Module:
        """The networks inside the terms of the loss, such as the adversary."""
        return self.criterion

    def batch(
        self,
        images: Tensor,
        targets: Tensor,
        indices: NDArray[np.int64],  # noqa: ARG002
        epoch: int | None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        """Float pictures (B, C, S, S) in [0, 1] and int64 labels (B,)."""
        return images, targets

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
        helped = {}
        # The helpers' batch norms learn here: after the terms it would spoil their gradients.
        for name, term in self.terms.items():
            if isinstance(term, HelpedTerm):
                helped[f"{name}_helper"] = term.helper_loss(step)
        loss: Loss = self.criterion(step)
        terms = {name: loss.terms[name] for name in self.typed}
        for name in self.typed:
            if f"{name}_helper" in helped:
                terms[f"{name}_helper"] = helped[f"{name}_helper"].detach()
        return Loss(loss.total, terms, torch.stack([*helped.values()]).sum() if helped else None)

    def evaluation(self) -> VaeScores:
        """An empty score-keeper for validation."""
        return VaeScores(
            self.criterion, self.likelihood, self.typed, len(self.classes), self.config.seed
        )

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
        return VaeReport(self.likelihood, data, train(), split, judge, beside or {})

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


def in_order(names: Iterable[str]) -> list[str]:
    """Terms in the order in which they are built, learn and are added, however they were typed.

    The likelihood comes first, then what looks at z, then what looks at swapped pictures, then what
    looks at those encoded again; of each, those without a helper before those with one, by name.
    """

    def key(name: str) -> tuple[bool, int, bool, str]:
        term = registry.get("vae-term", name)
        helped = hasattr(term, "helper_loss")
        return not _is_likelihood(name), term.swaps + term.reencodes, helped, name

    return sorted(names, key=key)


def _is_likelihood(name: str) -> bool:
    return hasattr(registry.get("vae-term", name), "nats")


def build_likelihood(config: TrainConfig, channels: int) -> Likelihood:
    """The one likelihood in a config's loss, with its arguments.

    Raises:
        ConfigError: there is none, or more than one.
    """
    known = [name for name in registry.names("vae-term") if _is_likelihood(name)]
    likelihoods = [term.name for term in parse_sum(config.loss) if term.name in known]
    if len(likelihoods) != 1:
        raise ConfigError(
            f"loss '{config.loss}' of a vae needs exactly one likelihood ({', '.join(known)}), "
            f"not {len(likelihoods)}; such as bce+kl"
        )
    built: Likelihood = find_component(config, "vae-term", likelihoods[0])(
        channels=channels, size=config.image_size
    )
    return built
