"""What a page shows of a segmentation network."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netlab.contracts.dataset import SegmentationSet
from netlab.contracts.report import Headline, Html, Section
from netlab.figures.html.gallery import Example, Group, gallery
from netlab.figures.html.images import WRONG, error_uri, mask_uri, picture_uri
from netlab.figures.html.markup import join
from netlab.figures.html.page import Swatch, legend, paragraph
from netlab.figures.html.table import ScoreRow, score, score_table
from netlab.figures.palette import Colour, class_colours
from netlab.tasks.sections import calibration_section, ranked, score_row

_LAYERS = ("Picture", "Target", "Prediction", "Error")


def segmentation_rows(result: Mapping[str, Any]) -> list[ScoreRow]:
    """Each score of the network and then of the trivial predictors; None where they have none."""
    every = [result, *result["baselines"].values()]

    def row(label: str, *keys: str) -> ScoreRow:
        return score_row(label, every, *keys, best="highest")

    return [
        row("mIoU", "miou"),
        row("pixel accuracy", "pixel_accuracy"),
        *(row(f"IoU {name}", "iou", name) for name in result["iou"]),
        *(row(f"Dice {name}", "dice", name) for name in result["dice"]),
        *(
            row(f"IoU {name.replace('_', ' ')}", "binary_iou", name)
            for name in result.get("binary_iou", {})
        ),
        row("boundary F", "boundary_f"),
        score_row("calibration error", every, "ece", best="lowest"),
    ]


def segmentation_headlines(result: Mapping[str, Any]) -> list[Headline]:
    """mIoU and pixel accuracy, each beside the better of the trivial predictors."""
    headlines = []
    for label, key in (("mIoU", "miou"), ("Pixel accuracy", "pixel_accuracy")):
        trivial = {name: scores[key] or 0.0 for name, scores in result["baselines"].items()}
        best = max(trivial, key=lambda name: trivial[name])
        beside = f"trivial: {score(trivial[best])} ({best.replace('_', ' ')})"
        headlines.append(Headline(label, score(result[key]), beside))
    return headlines


def segmentation_sections(report: Any) -> list[Section]:
    """Scores, confusion matrix, calibration, and pictures from best to worst.

    Args:
        report: a `SegmentationReport` that has seen its whole split.
    """
    result = report.result()
    columns = ["network", *(name.replace("_", " ") for name in result["baselines"])]
    caption = f"{result['count']:,} pictures of {result['split']}"
    body = join(
        score_table(columns, segmentation_rows(result), caption),
        paragraph(
            "The trivial predictors look at no picture: constant gives the most frequent class "
            "everywhere, mean mask the most frequent class of each position."
        ),
    )
    return [
        Section("scores", "Scores", body),
        report.confusion(),
        calibration_section(report.calibration, "pixels"),
        Section("pictures", "Pictures", _pictures(report)),
    ]


def _legend(classes: Sequence[str]) -> Html:
    """Names and colours of the classes, and of wrong pixels."""
    entries: list[tuple[str, Colour, Swatch]] = [
        (name, colour, "area")
        for name, colour in zip(classes, class_colours(len(classes)), strict=True)
    ]
    return legend([*entries, ("wrong pixel", WRONG, "area")])


def _pictures(report: Any) -> Html:
    scores, predicted = report.by_rank(), report.outcome()
    groups = [
        Group(name, [_example(report.data, predicted[i], int(i), scores[i]) for i in places])
        for name, places in ranked(scores).items()
    ]
    shown = gallery("pictures", _LAYERS, groups, first="Prediction", legend=_legend(report.classes))
    return join(paragraph("Ordered by the mIoU of each picture alone."), shown)


def _example(
    data: SegmentationSet, predicted: NDArray[np.uint8], index: int, miou: float
) -> Example:
    image, mask, count = data.images[index], data.masks[index], len(data.classes)
    layers = [
        picture_uri(image),
        mask_uri(mask, count),
        mask_uri(predicted, count),
        error_uri(predicted != mask),
    ]
    return Example(data.names[index], layers, f"{data.names[index]} · mIoU {miou:.2f}")
