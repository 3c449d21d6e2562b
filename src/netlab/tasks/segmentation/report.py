"""The full score of a segmentation network: `netlab eval`."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab.contracts.dataset import PET_CLASSES, SegmentationSet
from netlab.contracts.report import Headline, Measure, Section, Shown
from netlab.figures.palette import class_colours, paint
from netlab.figures.segmentation import prediction_rows
from netlab.metrics.baselines import constant_prediction, mean_mask
from netlab.metrics.boundary import BoundaryF
from netlab.metrics.calibration import CalibrationError
from netlab.metrics.confusion import confusion, dice, iou, mean_iou, merged_iou, pixel_accuracy
from netlab.tasks.sections import confusion_section, count_line, score_lines
from netlab.tasks.segmentation.page import (
    segmentation_headlines,
    segmentation_rows,
    segmentation_sections,
)

_SHOWN = 4  # best and worst pictures in the figure


class SegmentationReport:
    """Gathers all scores over a split, from data-set-wide counts.

    Args:
        task: the segmentation task; gives batches.
        data: the split that is scored.
        train: what the trivial predictors are fitted to: the training split, or the scored pictures
            themselves (to their advantage) where those are somebody's own.
        split: its name.
    """

    def __init__(
        self, task: Any, data: SegmentationSet, train: SegmentationSet, split: str
    ) -> None:
        self.task, self.data, self.train, self.split = task, data, train, split
        self.classes: Sequence[str] = data.classes
        self.counts: list[Tensor] = []
        self.predicted: list[NDArray[np.uint8]] = []
        self.boundary = BoundaryF(len(self.classes))
        self.calibration = CalibrationError()
        self.seconds = 0.0

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
    def by_picture(self) -> Tensor:
        """Confusion matrix of each picture: (N, K, K), rows are the target."""
        return torch.cat(self.counts)

    def result(self) -> dict[str, Any]:
        """The JSON document of `netlab eval`; see the contract of its keys in the README."""
        return self._result

    @cached_property
    def _result(self) -> dict[str, Any]:
        counts = self.by_picture.sum(dim=0)
        return {
            "split": self.split,
            "count": len(self.data),
            "dropped": len(self.data.dropped),
            **self._scores(counts),
            "boundary_f": _number(self.boundary.compute().mean),
            "ece": _number(self.calibration.compute()),
            "baselines": {
                "constant": self._trivial(constant_prediction),
                "mean_mask": self._trivial(mean_mask),
            },
            "images_per_second": round(len(self.data) / max(self.seconds, 1e-9), 1),
        }

    def _scores(self, counts: Tensor) -> dict[str, Any]:
        names = self.classes
        scores: dict[str, Any] = {
            "miou": _number(mean_iou(counts)),
            "pixel_accuracy": _number(pixel_accuracy(counts)),
            "iou": dict(zip(names, map(_number, iou(counts)), strict=True)),
            "dice": dict(zip(names, map(_number, dice(counts)), strict=True)),
        }
        if tuple(names) == PET_CLASSES:
            scores["binary_iou"] = {
                "border_as_pet": _number(merged_iou(counts, [0, 2])),
                "border_as_background": _number(merged_iou(counts, [0])),
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
        return self._scores(counts)

    def table(self, width: int | None = None) -> list[str]:
        """The scores as lines of text, beside those of the trivial predictors."""
        result = self.result()
        columns = ["network", *result["baselines"]]
        return [count_line(result), *score_lines(columns, segmentation_rows(result), width)]

    def measures(self) -> list[Measure]:
        """What runs are compared by, the score first; see `contracts.report.Report`."""
        return [
            Measure("mIoU", ("miou",), higher_is_better=True),
            *(Measure(f"IoU {n}", ("iou", n), higher_is_better=True) for n in self.classes),
            Measure("pixel accuracy", ("pixel_accuracy",), higher_is_better=True),
            Measure("boundary F", ("boundary_f",), higher_is_better=True),
            Measure("calibration error", ("ece",), higher_is_better=False),
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
        """The scores that a page begins with."""
        return segmentation_headlines(self.result())

    def confusion(self) -> Section:
        """Which classes are taken for which."""
        return confusion_section(self.by_picture.sum(dim=0), self.classes, "pixels")

    def sections(self) -> list[Section]:
        """The parts of its page."""
        return segmentation_sections(self)

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


def _number(value: Tensor | float) -> float | None:
    """A number that JSON has; None where nothing was there to score."""
    number = float(value)
    return None if math.isnan(number) else number


def _rounded(value: Tensor) -> float | str:
    return "" if value.isnan() else round(float(value), 6)
