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
from netlab.figures.html.table import score as digits
from netlab.figures.text_table import text_table
from netlab.layers.disturb import TESTS
from netlab.metrics.calibration import CalibrationError
from netlab.metrics.confusion import label_confusion, pixel_accuracy
from netlab.tasks.classification.page import pictures_section
from netlab.tasks.pixels import MEAN, STD, normalise
from netlab.tasks.report import BaseReport
from netlab.tasks.sections import calibration_section, confusion_section

_SHOWN = 24  # pictures that were read wrong with the most confidence


class ClassificationReport(BaseReport):
    """Gathers accuracy, calibration and confusion over a split.

    The accuracy is also measured under each disturbance of `layers.disturb.TESTS`.

    Args:
        data: the split that is scored.
        split: its name.
    """

    data: LabelledSet

    def __init__(self, data: LabelledSet, split: str) -> None:
        super().__init__(data, split)
        self.counts = torch.zeros(len(data.classes), len(data.classes), dtype=torch.int64)
        self.right = dict.fromkeys(TESTS, 0)
        self.calibration = CalibrationError()
        self.predicted: list[Tensor] = []
        self.confidence: list[Tensor] = []

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

    def scores(self) -> dict[str, Any]:
        """See `BaseReport`."""
        count = len(self.data)
        most = int(self.counts.sum(dim=1).max())
        return {
            "accuracy": float(pixel_accuracy(self.counts)),
            "disturbed": {name: right / count for name, right in self.right.items()},
            "ece": self.calibration.compute(),
            "confusion": self.counts.tolist(),
            "classes": list(self.data.classes),
            "baselines": {"most_frequent": {"accuracy": most / count}},
        }

    def score_rows(self) -> list[Measure]:
        """See `BaseReport`."""
        return [
            Measure("accuracy", ("accuracy",), higher_is_better=True),
            *(
                Measure(f"  under {n.replace('_', ' ')}", ("disturbed", n), higher_is_better=True)
                for n in self.right
            ),
            Measure("calibration error", ("ece",), higher_is_better=False),
        ]

    def table(self, width: int | None = None) -> list[str]:
        """The scores, and which classes are taken for which, as lines of text."""
        confusion = [
            [name, *map(str, row)]
            for name, row in zip(self.data.classes, self.counts.tolist(), strict=True)
        ]
        return [
            *super().table(width),
            "",
            *text_table(confusion, columns=["true \\ read", *self.data.classes], width=width),
        ]

    def score_by_picture(self) -> NDArray[np.float64]:
        """Whether each picture was read right, 1 or 0, (N,)."""
        right: NDArray[np.float64] = (self.outcome() == self.data.labels).astype(np.float64)
        return right

    def by_rank(self) -> NDArray[np.float64]:
        """The confidence of each picture, negative where it was read wrong, (N,)."""
        sure = torch.cat(self.confidence).double().numpy()
        ranks: NDArray[np.float64] = np.where(self.outcome() == self.data.labels, sure, -sure)
        return ranks

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
        """The accuracy, beside that of always giving the most frequent class."""
        result = self.result()
        trivial = digits(result["baselines"]["most_frequent"]["accuracy"])
        return [Headline("Accuracy", digits(result["accuracy"]), f"most frequent class: {trivial}")]

    def confusion(self) -> Section:
        """Which classes are taken for which."""
        return confusion_section(self.counts, self.data.classes, "pictures")

    def sections(self) -> list[Section]:
        """Scores, confusion matrix, calibration, and pictures read wrong and right."""
        return [
            self.scores_section(),
            self.confusion(),
            calibration_section(self.calibration, "pictures"),
            pictures_section(self.data, self.outcome(), torch.cat(self.confidence).numpy()),
        ]

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
