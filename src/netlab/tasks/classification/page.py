"""What a page shows of a classifier."""

import numpy as np
from numpy.typing import NDArray

from netlab.contracts.dataset import LabelledSet
from netlab.contracts.report import Section
from netlab.figures.html.gallery import Example, Group, gallery
from netlab.figures.html.images import picture_uri
from netlab.tasks.sections import SHOWN


def pictures_section(
    data: LabelledSet, read: NDArray[np.int64], confidence: NDArray[np.float32]
) -> Section:
    """Pictures read wrong and right, with the most and the least confidence.

    Args:
        data: N pictures.
        read: class ids (N,).
        confidence: in them, 0 to 1, (N,).
    """
    right = read == data.labels
    surest = np.argsort(-confidence, kind="stable")
    groups = {
        "Read wrong, the most confident first": surest[~right[surest]][: 2 * SHOWN],
        "Read right, the least confident first": surest[right[surest]][::-1][:SHOWN],
        "Read right, the most confident first": surest[right[surest]][:SHOWN],
    }
    shown = [
        Group(title, [_example(data, int(i), int(read[i]), float(confidence[i])) for i in indices])
        for title, indices in groups.items()
    ]
    return Section("pictures", "Pictures", gallery("pictures", ["Picture"], shown))


def _example(data: LabelledSet, index: int, read: int, confidence: float) -> Example:
    reading = f"{data.classes[data.labels[index]]}, read as {data.classes[read]} ({confidence:.2f})"
    name = data.names[index]
    return Example(f"{name}, {reading}", [picture_uri(data.images[index])], f"{reading} · {name}")
