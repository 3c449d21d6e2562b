"""What swapped pictures, and trivial stand-ins for them, are worth."""

import math
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netlab.contracts.dataset import LabelledSet
from netlab.metrics.distance import nearest_real, rms
from netlab.metrics.frechet import class_frechet
from netlab.metrics.style import colour_style, dark_mean, digit_style
from netlab.metrics.swap import kept_old_label, swap_accuracy, swap_table
from netlab.tasks.pixels import to_unit
from netlab.tasks.vae.judge import Judge, Seen

Pictures = NDArray[np.uint8]


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

    def reconstructions(self, again: Pictures) -> dict[str, Any]:
        """Scores of pictures decoded with their true label."""
        found: dict[str, Any] = {"mse": float((rms(self.data.images, again) ** 2).mean())}
        found["reconstruction_read_right"] = (
            None
            if self.judge is None
            else swap_accuracy(self.judge.read(_floats(again)), self.true)
        )
        # Pixels that are dark in the original should be dark again; the lesson's were grey.
        found["background"] = mean_of(dark_mean(again, self.data.images)) if self.gray else None
        return found

    def swaps(self, pictures: Pictures) -> dict[str, Any]:
        """Scores of pictures (N, S, S, C) that are to show the asked labels."""
        return self._scores(pictures, self._see(pictures))

    def returned_input(self) -> dict[str, Any]:
        """Scores of leaving every picture as it is."""
        return self._scores(self.data.images, self._real)

    def another_real(self) -> dict[str, Any]:
        """Scores of any real picture of the asked class, which keeps nothing of the original.

        They are taken from the scored part itself, each class in turn.
        """
        place = torch.zeros(len(self.asked), dtype=torch.int64)
        for label in range(len(self.data.classes)):
            pool = torch.from_numpy(np.flatnonzero(self.data.labels == label))
            wanted = (self.asked == label).nonzero()[:, 0]
            if not len(pool):  # a small sample need not hold every class
                place[wanted] = wanted
                continue
            place[wanted] = pool[torch.arange(len(wanted)) % len(pool)]
        seen = None if self._real is None else self._real.at(place)
        return self._scores(self.data.images[place.numpy()], seen)

    @cached_property
    def nearest(self) -> float | None:
        """Mean distance to the nearest real training picture of the asked class.

        Originals whose asked class the training pictures lack do not count.
        """
        asked = self.asked.numpy()
        there = np.isin(asked, self.train.labels)  # a small sample need not hold every class
        if not there.any():
            return None
        pool = self.train.images, self.train.labels
        return float(nearest_real(self.data.images[there], asked[there], *pool).distance.mean())

    @cached_property
    def _real(self) -> Seen | None:
        """What the judge sees in the originals."""
        return self._see(self.data.images)

    def _see(self, pictures: Pictures) -> Seen | None:
        return None if self.judge is None else self.judge.see(_floats(pictures))

    def _scores(self, pictures: Pictures, seen: Seen | None) -> dict[str, Any]:
        return {
            **self._reading(seen),
            "style": self._style(pictures),
            "distance": {
                "swapped": float(rms(self.data.images, pictures).mean()),
                "nearest_real": self.nearest,
            },
            "realism": self._realism(seen),
        }

    def _reading(self, seen: Seen | None) -> dict[str, Any]:
        keys = ("swap_accuracy", "swap_accuracy_disturbed", "swap_table", "kept_old_label")
        if seen is None:
            return dict.fromkeys(keys)
        table = swap_table(self.asked, seen.ids, self.true, len(self.data.classes))
        return {
            "swap_accuracy": swap_accuracy(seen.ids, self.asked),
            "swap_accuracy_disturbed": {
                name: swap_accuracy(found, self.asked) for name, found in seen.disturbed.items()
            },
            "swap_table": [[mean_of(cell) for cell in row] for row in table],
            "kept_old_label": kept_old_label(seen.ids, self.true),
        }

    def _style(self, pictures: Pictures) -> dict[str, float | None]:
        measure = digit_style if self.gray else colour_style
        found = measure(self.data.images, pictures)
        return {name: mean_of(value) for name, value in found.items()}

    def _realism(self, seen: Seen | None) -> dict[str, Any]:
        """Fréchet distances from one half of the real pictures, equal counts in each class."""
        if seen is None or self._real is None:
            return {"swapped": None, "real_floor": None, "count": None}
        order = np.argsort(self.data.labels, kind="stable")
        halves = [torch.from_numpy(order[start::2]) for start in (0, 1)]
        real, kinds = self._real.features, len(self.data.classes)
        sides = [self.true[halves[0]], self.true[halves[1]], self.asked]
        count = min(int(torch.bincount(side, minlength=kinds).min()) for side in sides)
        first = (real[halves[0]], self.true[halves[0]], kinds)
        try:
            swapped = class_frechet(seen.features, self.asked, *first, count=count).mean
            floor = class_frechet(real[halves[1]], self.true[halves[1]], *first, count=count).mean
        except ValueError:  # too few pictures of a class for a covariance
            return {"swapped": None, "real_floor": None, "count": count}
        return {"swapped": swapped, "real_floor": floor, "count": count}


def _floats(pictures: Pictures) -> Tensor:
    return to_unit(torch.from_numpy(pictures))


def mean_of(value: Any) -> float | None:
    """A number that JSON has; None where there was nothing to measure."""
    number = float(value)
    return number if math.isfinite(number) else None
