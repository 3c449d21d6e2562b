"""What a page shows of a classifier."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from netlab.contracts.report import Headline, Html, Section
from netlab.figures.html.gallery import Example, Group, gallery
from netlab.figures.html.images import picture_uri
from netlab.figures.html.table import ScoreRow, score, score_table
from netlab.tasks.sections import SHOWN, calibration_section


def classification_rows(result: Mapping[str, Any]) -> list[ScoreRow]:
    """Each score of the network and then of always giving the most frequent class."""
    trivial = result["baselines"]["most_frequent"]["accuracy"]
    disturbed = [
        ScoreRow(f"  under {name.replace('_', ' ')}", [value, None])
        for name, value in result["disturbed"].items()
    ]
    return [
        ScoreRow("accuracy", [result["accuracy"], trivial], best="highest"),
        *disturbed,
        ScoreRow("calibration error", [result["ece"], None]),
    ]


def classification_headlines(result: Mapping[str, Any]) -> list[Headline]:
    """The accuracy, beside that of always giving the most frequent class."""
    trivial = result["baselines"]["most_frequent"]["accuracy"]
    return [
        Headline("Accuracy", score(result["accuracy"]), f"most frequent class: {score(trivial)}")
    ]


def classification_sections(report: Any) -> list[Section]:
    """Scores, confusion matrix, calibration, and pictures read wrong and right.

    Args:
        report: a `ClassificationReport` that has seen its whole split.
    """
    result = report.result()
    caption = f"{result['count']:,} pictures of {result['split']}"
    columns = ("network", "most frequent")
    return [
        Section("scores", "Scores", score_table(columns, classification_rows(result), caption)),
        report.confusion(),
        calibration_section(report.calibration, "pictures"),
        Section("pictures", "Pictures", _pictures(report)),
    ]


def _pictures(report: Any) -> Html:
    read = report.outcome()
    sure = torch.cat(report.confidence).numpy()
    right = read == report.data.labels
    surest = np.argsort(-sure, kind="stable")
    groups = {
        "Read wrong, the most confident first": surest[~right[surest]][: 2 * SHOWN],
        "Read right, the least confident first": surest[right[surest]][::-1][:SHOWN],
        "Read right, the most confident first": surest[right[surest]][:SHOWN],
    }
    shown = [
        Group(title, [_example(report.data, int(i), int(read[i]), sure[i]) for i in places])
        for title, places in groups.items()
    ]
    return gallery("pictures", ["Picture"], shown)


def _example(data: Any, index: int, read: int, sure: NDArray[np.float32]) -> Example:
    said = f"{data.classes[data.labels[index]]}, read as {data.classes[read]} ({sure:.2f})"
    name = data.names[index]
    return Example(f"{name}, {said}", [picture_uri(data.images[index])], f"{said} · {name}")
