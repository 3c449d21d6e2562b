"""Scores of a conditional VAE: of an epoch, and of swapped pictures and what stands in for them."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from netlab.contracts.dataset import LabelledSet
from netlab.contracts.likelihood import Likelihood
from netlab.contracts.report import Batch, Pictures
from netlab.contracts.vae_term import VaeNetwork, VaeTerm
from netlab.metrics.distance import nearest_real, rms
from netlab.metrics.frechet import class_frechet
from netlab.metrics.style import colour_style, dark_mean, digit_style
from netlab.metrics.swap import share_read_as, swap_table
from netlab.tasks.criterion import WeightedSum
from netlab.tasks.pixels import to_unit
from netlab.tasks.report import Means, finite
from netlab.tasks.vae.judge import Judge, Seen
from netlab.tasks.vae.step import vae_step
from netlab.vae_terms.kl import kl_nats
from netlab.vae_terms.swap_class import SwapClass


class VaeScores(Means):
    """The loss and its terms over a split (see `contracts.report.Evaluation`).

    Terms that are measured against a network which is itself learning are logged, but are no part
    of `val_loss`. `val_swap_read` is the share of swapped pictures that the helper of the term
    `swap-class`, where there is one, reads as the asked label.

    Args:
        criterion: the loss.
        likelihood: the one among its terms.
        logged: names of the terms, in the order in which they are logged.
        classes: their number.
        seed: draws the wrong labels and z.
    """

    def __init__(
        self,
        criterion: WeightedSum,
        likelihood: Likelihood,
        logged: Sequence[str],
        classes: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.criterion, self.likelihood = criterion, likelihood
        self.logged, self.classes = logged, classes
        self.generator = torch.Generator().manual_seed(seed)

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take one batch in."""
        images, labels = batch
        self.criterion.eval()
        terms = cast(Mapping[str, VaeTerm], dict(self.criterion.terms.items()))
        step = vae_step(
            cast(VaeNetwork, network),
            self.likelihood,
            terms.values(),
            images,
            labels,
            self.classes,
            learning=False,
            generator=self.generator,
        )
        nats = {name: term(step) for name, term in terms.items()}
        scored = [
            weight * nats[name]
            for (name, term), weight in zip(terms.items(), self.criterion.weights, strict=True)
            if not term.adversarial
        ]
        reconstruction = self.likelihood.nats(step.output, images).mean()
        kl = kl_nats(step.posterior.mean, step.posterior.log_var).sum(dim=1).mean()
        values = {
            "loss": sum(scored, torch.zeros_like(kl)),
            **{name: nats[name] for name in self.logged},
            "elbo": -reconstruction - kl,
            "kl_nats": kl,
        }
        reader = terms.get("swap-class")
        if isinstance(reader, SwapClass) and step.swapped is not None:
            values["swap_read"] = (reader.read(step.swapped) == step.wrong).float().mean()
        self.add(values, len(images))


class SwapScores:
    """Scores pictures that are asked to be like `data`, but of another class.

    Args:
        data: the originals.
        train: where the nearest real pictures are looked for.
        asked: (N,), the label that each original is swapped to.
        judge: reads pictures; without one, what needs it is None.
    """

    def __init__(
        self, data: LabelledSet, train: LabelledSet, asked: Tensor, judge: Judge | None
    ) -> None:
        self.data, self.train, self.asked, self.judge = data, train, asked, judge
        self.true = torch.from_numpy(data.labels)
        self.gray = data.images.shape[-1] == 1

    def reconstructions(self, pictures: Pictures) -> dict[str, Any]:
        """Scores of pictures decoded with their true label."""
        read = None if self.judge is None else self.judge.read(_floats(pictures))
        return {
            "mse": float((rms(self.data.images, pictures) ** 2).mean()),
            "reconstruction_read_right": None if read is None else share_read_as(read, self.true),
            # Pixels that are dark in the original should stay dark; the lesson's were grey.
            "background": finite(dark_mean(pictures, self.data.images)) if self.gray else None,
        }

    def see(self, pictures: Pictures) -> Seen | None:
        """What the judge sees in pictures (N, S, S, C); None without one."""
        return None if self.judge is None else self.judge.see(_floats(pictures))

    def swaps(self, pictures: Pictures, seen: Seen | None) -> dict[str, Any]:
        """Scores of pictures (N, S, S, C) that are to show the asked labels.

        Args:
            pictures: one for each original.
            seen: what `see` says of them.
        """
        return {
            **self._reading(seen),
            "style": self._style(pictures),
            "distance": {
                "swapped": float(rms(self.data.images, pictures).mean()),
                "nearest_real": self.nearest,
            },
            "realism": self._realism(seen),
        }

    def returned_input(self) -> dict[str, Any]:
        """Scores of leaving every picture as it is."""
        return self.swaps(self.data.images, self._real)

    def another_real(self) -> dict[str, Any]:
        """Scores of any real picture of the asked class, which keeps nothing of the original.

        They are taken from the scored split itself, each class in turn.
        """
        indices = torch.zeros(len(self.asked), dtype=torch.int64)
        for label in range(len(self.data.classes)):
            pool = torch.from_numpy(np.flatnonzero(self.data.labels == label))
            wanted = (self.asked == label).nonzero()[:, 0]
            if not len(pool):  # a small sample need not hold every class
                indices[wanted] = wanted
                continue
            indices[wanted] = pool[torch.arange(len(wanted)) % len(pool)]
        seen = None if self._real is None else self._real.at(indices)
        return self.swaps(self.data.images[indices.numpy()], seen)

    @cached_property
    def nearest(self) -> float | None:
        """Mean distance to the nearest real training picture of the asked class.

        Originals whose asked class the training pictures lack do not count.
        """
        asked = self.asked.numpy()
        known = np.isin(asked, self.train.labels)  # a small sample need not hold every class
        if not known.any():
            return None
        images, pool = self.data.images[known], self.train.images
        nearest = nearest_real(images, asked[known], pool, self.train.labels)
        return float(rms(images, pool[nearest]).mean())

    @cached_property
    def _real(self) -> Seen | None:
        """What the judge sees in the originals."""
        return self.see(self.data.images)

    def _reading(self, seen: Seen | None) -> dict[str, Any]:
        keys = ("swap_accuracy", "swap_accuracy_disturbed", "swap_table", "kept_old_label")
        if seen is None:
            return dict.fromkeys(keys)
        table = swap_table(self.asked, seen.ids, self.true, len(self.data.classes))
        return {
            "swap_accuracy": share_read_as(seen.ids, self.asked),
            "swap_accuracy_disturbed": {
                name: share_read_as(ids, self.asked) for name, ids in seen.disturbed.items()
            },
            "swap_table": [[finite(cell) for cell in row] for row in table],
            "kept_old_label": share_read_as(seen.ids, self.true),
        }

    def _style(self, pictures: Pictures) -> dict[str, float | None]:
        measure = digit_style if self.gray else colour_style
        kept = measure(self.data.images, pictures)
        return {name: finite(value) for name, value in kept.items()}

    def _realism(self, seen: Seen | None) -> dict[str, Any]:
        """Fréchet distances from one half of the real pictures, equal counts in each class."""
        if seen is None or self._real is None:
            return {"swapped": None, "real_floor": None, "count": None}
        order = np.argsort(self.data.labels, kind="stable")
        halves = [torch.from_numpy(order[start::2]) for start in (0, 1)]
        real, classes = self._real.features, len(self.data.classes)
        sides = [self.true[halves[0]], self.true[halves[1]], self.asked]
        count = min(int(torch.bincount(side, minlength=classes).min()) for side in sides)
        first = (real[halves[0]], self.true[halves[0]], classes)
        try:
            swapped = class_frechet(seen.features, self.asked, *first, count=count)
            floor = class_frechet(real[halves[1]], self.true[halves[1]], *first, count=count)
        except ValueError:  # too few pictures of a class for a covariance
            return {"swapped": None, "real_floor": None, "count": count}
        return {
            "swapped": float(swapped.mean()),
            "real_floor": float(floor.mean()),
            "count": count,
        }


def _floats(pictures: Pictures) -> Tensor:
    return to_unit(torch.from_numpy(pictures))
