"""What a page shows of a segmentation network."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from netlab.contracts.dataset import SegmentationSet
from netlab.contracts.report import Html, Section
from netlab.figures.html.gallery import Example, Group, gallery
from netlab.figures.html.images import WRONG, error_uri, mask_uri, picture_uri
from netlab.figures.html.markup import join
from netlab.figures.html.page import Swatch, legend, paragraph
from netlab.figures.palette import Colour, class_colours
from netlab.tasks.sections import ranked

_LAYERS = ("Picture", "Target", "Prediction", "Error")


def pictures_section(
    data: SegmentationSet, predicted: NDArray[np.uint8], scores: NDArray[np.float64]
) -> Section:
    """Some pictures with their masks, from best to worst.

    Args:
        data: N pictures.
        predicted: ids (N, H, W).
        scores: mIoU of each picture, (N,).
    """
    groups = [
        Group(name, [_example(data, predicted[i], int(i), scores[i]) for i in indices])
        for name, indices in ranked(scores).items()
    ]
    colours = _legend(data.classes)
    shown = gallery("pictures", _LAYERS, groups, first="Prediction", legend=colours)
    body = join(paragraph("Ordered by the mIoU of each picture alone."), shown)
    return Section("pictures", "Pictures", body)


def _legend(classes: Sequence[str]) -> Html:
    """Names and colours of the classes, and of wrong pixels."""
    entries: list[tuple[str, Colour, Swatch]] = [
        (name, colour, "area")
        for name, colour in zip(classes, class_colours(len(classes)), strict=True)
    ]
    return legend([*entries, ("wrong pixel", WRONG, "area")])


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
