"""The full score of a classifier: `netlab eval`."""

import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab.contracts.dataset import LabelledSet
from netlab.contracts.report import Headline, Measure, Section
from netlab.figures.grid import draw_captioned
from netlab.figures.text_table import text_table
from netlab.layers.disturb import TESTS
from netlab.metrics.calibration import CalibrationError
from netlab.metrics.confusion import label_confusion, pixel_accuracy
from netlab.tasks.classification.page import (
    classification_headlines,
    classification_rows,
    classification_sections,
)
from netlab.tasks.pixels import MEAN, STD, normalise
from netlab.tasks.sections import confusion_section, count_line, score_lines

_SHOWN = 24  # pictures that were read wrong with the most confidence


class ClassificationReport:
    """Gathers accuracy, calibration and confusion over a split.

    The accuracy is also measured under each disturbance of `layers.disturb.TESTS`.

    Args:
        task: the classification task; gives batches.
        data: the split that is scored.
        split: its name.
    """

    def __init__(self, task: Any, data: LabelledSet, split: str) -> None:
        self.task, self.data, self.split = task, data, split
        self.counts = torch.zeros(len(data.classes), len(data.classes), dtype=torch.int64)
        self.right = dict.fromkeys(TESTS, 0)
        self.calibration = CalibrationError()
        self.predicted: list[Tensor] = []
        self.confidence: list[Tensor] = []
        self.seconds = 0.0

    def update(self, network: nn.Module, batch: tuple[Tensor, ...]) -> None:
        """Take one batch in."""
        images, labels = batch
        started = time.perf_counter()
        shares = network(images).float().softmax(dim=1).cpu()  # waits for the GPU
        self.seconds += time.perf_counter() - started
        labels = labels.cpu()
        confidence, predicted = shares.max(dim=1)
        self.counts += label_confusion(predicted, labels, len(self.data.classes))
        self.calibration.update(shares[..., None, None], labels[:, None, None])
        self.predicted.append(predicted)
        self.confidence.append(confidence)
        for name, change in TESTS.items():
            changed = normalise(change(images * STD + MEAN))
            self.right[name] += int((network(changed).argmax(dim=1).cpu() == labels).sum())

    def result(self) -> dict[str, Any]:
        """The JSON document of `netlab eval`; see the contract of its keys in the README."""
        count = len(self.data)
        most = int(self.counts.sum(dim=1).max())
        return {
            "split": self.split,
            "count": count,
            "dropped": len(self.data.dropped),
            "accuracy": float(pixel_accuracy(self.counts)),
            "disturbed": {name: right / count for name, right in self.right.items()},
            "ece": self.calibration.compute(),
            "confusion": self.counts.tolist(),
            "classes": list(self.data.classes),
            "baselines": {"most_frequent": {"accuracy": most / count}},
            "images_per_second": round(count / max(self.seconds, 1e-9), 1),
        }

    def table(self, width: int | None = None) -> list[str]:
        """The scores as lines of text."""
        result = self.result()
        columns = ("network", "most frequent")
        rows = classification_rows(result)
        lines = [count_line(result), *score_lines(columns, rows, width)]
        confusion = [
            [name, *map(str, row)]
            for name, row in zip(self.data.classes, self.counts.tolist(), strict=True)
        ]
        return [
            *lines,
            "",
            *text_table(confusion, columns=["true \\ read", *self.data.classes], width=width),
        ]

    def measures(self) -> list[Measure]:
        """What runs are compared by, the score first; see `contracts.report.Report`."""
        disturbed = [
            Measure(f"under {n.replace('_', ' ')}", ("disturbed", n), higher_is_better=True)
            for n in self.right
        ]
        return [
            Measure("accuracy", ("accuracy",), higher_is_better=True),
            *disturbed,
            Measure("calibration error", ("ece",), higher_is_better=False),
        ]

    def resampled(self, draws: NDArray[np.int64]) -> NDArray[np.float64]:
        """Accuracy of resamples of the pictures: draws (R, N) to (R,)."""
        right = (self.outcome() == self.data.labels).astype(np.float64)
        scores: NDArray[np.float64] = draws @ right / draws.sum(axis=1)
        return scores

    def by_rank(self) -> NDArray[np.float64]:
        """The confidence of each picture, negative where it was read wrong, (N,)."""
        sure = torch.cat(self.confidence).double().numpy()
        ranks: NDArray[np.float64] = np.where(self.outcome() == self.data.labels, sure, -sure)
        return ranks

    def shown(self, indices: NDArray[np.int64]) -> None:
        """A label is no picture."""

    def outcome(self) -> NDArray[np.int64]:
        """What the network made of every picture: ids (N,)."""
        return torch.cat(self.predicted).numpy()

    def rows(self) -> list[dict[str, Any]]:
        """A row for each picture for `--csv`: name, true and predicted class, confidence."""
        read, sure = torch.cat(self.predicted).tolist(), torch.cat(self.confidence).tolist()
        names = self.data.classes
        return [
            {"name": name, "label": names[label], "read": names[k], "confidence": round(share, 6)}
            for name, label, k, share in zip(
                self.data.names, self.data.labels.tolist(), read, sure, strict=True
            )
        ]

    def headlines(self) -> list[Headline]:
        """The scores that a page begins with."""
        return classification_headlines(self.result())

    def confusion(self) -> Section:
        """Which classes are taken for which."""
        return confusion_section(self.counts, self.data.classes, "pictures")

    def sections(self) -> list[Section]:
        """The parts of its page."""
        return classification_sections(self)

    def figure(self, title: str) -> Image.Image:
        """The pictures that were read wrong with the most confidence."""
        read, sure = torch.cat(self.predicted).numpy(), torch.cat(self.confidence).numpy()
        wrong = np.flatnonzero(read != self.data.labels)
        chosen = wrong[np.argsort(-sure[wrong], kind="stable")[:_SHOWN]]
        if not len(chosen):
            chosen, title = np.arange(min(_SHOWN, len(read))), f"{title} · nothing read wrong"
        names = self.data.classes
        captions = [
            f"{names[self.data.labels[i]]}, read as {names[read[i]]} {sure[i]:.2f}" for i in chosen
        ]
        return draw_captioned(self.data.images[chosen], captions, title)
