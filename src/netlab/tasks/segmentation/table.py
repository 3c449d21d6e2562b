"""The scores of a segmentation network in rows, for the terminal and the page."""

from collections.abc import Mapping
from typing import Any

from netlab.figures.html.table import ScoreRow
from netlab.tasks.score_table import count_line, score_lines, score_row


def segmentation_table(result: Mapping[str, Any], width: int | None = None) -> list[str]:
    """The scores as lines of text, the network beside the trivial predictors."""
    columns = ["network", *result["baselines"]]
    return [count_line(result), *score_lines(columns, segmentation_rows(result), width)]


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
