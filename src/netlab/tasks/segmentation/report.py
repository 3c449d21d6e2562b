"""The full score of a segmentation network: `netlab eval`."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab.contracts.dataset import PET_CLASSES, SegmentationSet
from netlab.contracts.report import Headline, Measure, Section, Shown
from netlab.figures.html.table import score as digits
from netlab.figures.palette import class_colours, paint
from netlab.figures.segmentation import prediction_rows
from netlab.metrics.baselines import constant_prediction, mean_mask
from netlab.metrics.boundary import BoundaryF
from netlab.metrics.calibration import CalibrationError
from netlab.metrics.confusion import confusion, dice, iou, mean_iou, merged_iou, pixel_accuracy
from netlab.tasks.report import BaseReport, finite
from netlab.tasks.sections import calibration_section, confusion_section
from netlab.tasks.segmentation.page import pictures_section

_SHOWN = 4  # best and worst pictures in the figure


class SegmentationReport(BaseReport):
    """Gathers all scores over a split, from data-set-wide counts.

    Args:
        data: the split that is scored.
        train: what the trivial predictors are fitted to: the training split, or the scored pictures
            themselves (to their advantage) where those are somebody's own.
        split: its name.
    """

    data: SegmentationSet

    def __init__(self, data: SegmentationSet, train: SegmentationSet, split: str) -> None:
        super().__init__(data, split)
        self.train = train
        self.classes: Sequence[str] = data.classes
        self.counts: list[Tensor] = []
        self.predicted: list[NDArray[np.uint8]] = []
        self.boundary = BoundaryF(len(self.classes))
        self.calibration = CalibrationError()

    def update(self, network: nn.Module, batch: tuple[Tensor, ...]) -> None:
        """Take one batch in."""
        images, masks = batch
        started = time.perf_counter()
        logits = network(images).float()
        predicted = logits.argmax(dim=1).cpu()  # waits for the GPU
        self.seconds += time.perf_counter() - started
        masks = masks.cpu()
        self.counts.append(confusion(predicted, masks, len(self.classes)))
        self.boundary.update(predicted, masks)
        self.calibration.update(logits.softmax(dim=1).cpu(), masks)
        self.predicted.append(predicted.to(torch.uint8).numpy())

    @property
    def _has_border(self) -> bool:
        return tuple(self.classes) == PET_CLASSES

    @property
    def by_picture(self) -> Tensor:
        """Confusion matrix of each picture: (N, K, K), rows are the target."""
        return torch.cat(self.counts)

    def scores(self) -> dict[str, Any]:
        """See `BaseReport`."""
        return {
            **self._overlaps(self.by_picture.sum(dim=0)),
            "boundary_f": finite(self.boundary.compute().mean),
            "ece": finite(self.calibration.compute()),
            "baselines": {
                "constant": self._trivial(constant_prediction),
                "mean_mask": self._trivial(mean_mask),
            },
        }

    def _overlaps(self, counts: Tensor) -> dict[str, Any]:
        names = self.classes
        scores: dict[str, Any] = {
            "miou": finite(mean_iou(counts)),
            "pixel_accuracy": finite(pixel_accuracy(counts)),
            "iou": dict(zip(names, map(finite, iou(counts)), strict=True)),
            "dice": dict(zip(names, map(finite, dice(counts)), strict=True)),
        }
        if self._has_border:
            scores["binary_iou"] = {
                "border_as_pet": finite(merged_iou(counts, [0, 2])),
                "border_as_background": finite(merged_iou(counts, [0])),
            }
        return scores

    def _trivial(
        self, predictor: Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]
    ) -> dict[str, Any]:
        """Scores of one fixed mask, fitted to the training split, for every picture."""
        guess = torch.from_numpy(predictor(self.train.masks, len(self.classes))).long()
        counts = torch.zeros(len(self.classes), len(self.classes), dtype=torch.int64)
        for start in range(0, len(self.data), 256):
            masks = torch.from_numpy(np.array(self.data.masks[start : start + 256])).long()
            counts += confusion(guess.expand_as(masks), masks, len(self.classes)).sum(dim=0)
        return self._overlaps(counts)

    def score_rows(self) -> list[Measure]:
        """See `BaseReport`."""
        binary = ("border_as_pet", "border_as_background") if self._has_border else ()
        return [
            Measure("mIoU", ("miou",), higher_is_better=True),
            Measure("pixel accuracy", ("pixel_accuracy",), higher_is_better=True),
            *(Measure(f"IoU {n}", ("iou", n), higher_is_better=True) for n in self.classes),
            *(Measure(f"Dice {n}", ("dice", n), higher_is_better=True) for n in self.classes),
            *(
                Measure(f"IoU {n.replace('_', ' ')}", ("binary_iou", n), higher_is_better=True)
                for n in binary
            ),
            Measure("boundary F", ("boundary_f",), higher_is_better=True),
            Measure("calibration error", ("ece",), higher_is_better=False),
        ]

    def measures(self) -> list[Measure]:
        """What runs are compared by: mIoU, its parts, and what it does not see."""
        rows = {row.keys: row for row in self.score_rows()}
        by_class = [("iou", name) for name in self.classes]
        return [
            rows[k] for k in [("miou",), *by_class, ("pixel_accuracy",), ("boundary_f",), ("ece",)]
        ]

    def resampled(self, draws: NDArray[np.int64]) -> NDArray[np.float64]:
        """mIoU of resamples of the pictures: draws (R, N) to (R,)."""
        counts = self.by_picture.flatten(1).double()  # (N, K * K)
        drawn = torch.from_numpy(draws).double() @ counts
        size = len(self.classes)
        scores: NDArray[np.float64] = mean_iou(drawn.view(-1, size, size)).numpy()
        return scores

    def by_rank(self) -> NDArray[np.float64]:
        """Each picture's own mIoU, (N,)."""
        scores: NDArray[np.float64] = mean_iou(self.by_picture).numpy()
        return scores

    def shown(self, indices: NDArray[np.int64]) -> Shown:
        """Input, target and prediction of some pictures."""
        classes = len(self.classes)
        target = paint(self.data.masks[indices], classes)
        return Shown(
            common=[("Input", self.data.images[indices]), ("Target", target)],
            own=paint(self.outcome()[indices], classes),
            names=[self.data.names[i] for i in indices],
            scores=[f"{score:.2f}" for score in self.by_rank()[indices]],
            legend=list(zip(self.classes, class_colours(classes), strict=True)),
        )

    def outcome(self) -> NDArray[np.uint8]:
        """What the network made of every picture: ids (N, H, W)."""
        return np.concatenate(self.predicted)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each picture for `--csv`: name, mIoU, pixel accuracy, IoU of each class."""
        counts = self.by_picture
        columns: Mapping[str, Tensor] = {
            "miou": mean_iou(counts),
            "pixel_accuracy": pixel_accuracy(counts),
            **{f"iou_{n}": iou(counts)[:, i] for i, n in enumerate(self.classes)},
        }
        return [
            {"name": name, **{k: _rounded(v[i]) for k, v in columns.items()}}
            for i, name in enumerate(self.data.names)
        ]

    def headlines(self) -> list[Headline]:
        """mIoU and pixel accuracy, each beside the better of the trivial predictors."""
        result = self.result()
        headlines = []
        for label, key in (("mIoU", "miou"), ("Pixel accuracy", "pixel_accuracy")):
            trivial = {name: scores[key] or 0.0 for name, scores in result["baselines"].items()}
            best = max(trivial, key=lambda name: trivial[name])
            remark = f"trivial: {digits(trivial[best])} ({best.replace('_', ' ')})"
            headlines.append(Headline(label, digits(result[key]), remark))
        return headlines

    def confusion(self) -> Section:
        """Which classes are taken for which."""
        return confusion_section(self.by_picture.sum(dim=0), self.classes, "pixels")

    def sections(self) -> list[Section]:
        """Scores, confusion matrix, calibration, and pictures from best to worst."""
        return [
            self.scores_section(
                "The trivial predictors look at no picture: constant gives the most frequent class "
                "everywhere, mean mask the most frequent class of each position."
            ),
            self.confusion(),
            calibration_section(self.calibration, "pixels"),
            pictures_section(self.data, self.outcome(), self.by_rank()),
        ]

    def figure(self, title: str) -> Image.Image:
        """The best and the worst pictures by their own mIoU."""
        scores = self.by_rank()
        order = np.argsort(-scores, kind="stable")
        half = min(_SHOWN, (len(order) + 1) // 2)
        chosen = [*order[:half], *order[max(half, len(order) - half) :]]
        words = ["best"] * half + ["worst"] * (len(chosen) - half)
        predicted = self.outcome()
        return prediction_rows(
            self.data.images[chosen],
            self.data.masks[chosen],
            predicted[chosen],
            [
                f"{word}: {self.data.names[i]} · mIoU {scores[i]:.2f}"
                for word, i in zip(words, chosen, strict=True)
            ],
            self.classes,
            title,
        )


def _rounded(value: Tensor) -> float | str:
    return "" if value.isnan() else round(float(value), 6)
