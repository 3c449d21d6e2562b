"""Input, target and prediction side by side."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netlab.figures.grid import draw_stacks
from netlab.figures.palette import class_colours, paint


def prediction_rows(
    images: NDArray[np.uint8],
    masks: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    captions: Sequence[str],
    classes: Sequence[str],
    title: str,
) -> Image.Image:
    """A row for each picture.

    Args:
        images: (N, H, W, 3).
        masks: (N, H, W) ids of the target.
        predicted: (N, H, W) ids.
        captions: one for each picture.
        classes: names in the order of the ids.
        title: stands above.
    """
    count = len(classes)
    stacks = [
        ("Input", images),
        ("Target", paint(masks, count)),
        ("Prediction", paint(predicted, count)),
    ]
    legend = list(zip(classes, class_colours(count), strict=True))
    return draw_stacks(stacks, captions, title=title, legend=legend)
