"""What a page shows of a conditional VAE."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netlab.contracts.dataset import LabelledSet
from netlab.contracts.report import Section
from netlab.figures.html.gallery import Example, Group, gallery
from netlab.figures.html.images import picture_uri
from netlab.figures.html.markup import join
from netlab.figures.html.page import paragraph
from netlab.figures.html.table import PictureRow, heat_table, picture_table
from netlab.metrics.distance import rms
from netlab.tasks.sections import ranked


def swap_table_section(result: Mapping[str, Any]) -> Section:
    """How often each label is turned into each other one, by the JSON document of `netlab eval`."""
    table, classes, judge = result["swap_table"], result["classes"], result["judge"]
    if table is None:
        body = paragraph("No judge reads this data set: netlab eval --judge names one.")
    else:
        accuracy = judge["accuracy"]
        right = "" if accuracy is None else f" (right on {100 * accuracy:.1f} % of real pictures)"
        caption = (
            f"Percent read as asked by {judge['weights']}{right}, "
            "by true label (row) and asked label (column)"
        )
        body = heat_table(classes, classes, table, caption, corner="true \\ asked")
    return Section("swap-table", "Swaps read as asked", body)


def every_label_section(
    data: LabelledSet,
    indices: NDArray[np.int64],
    images: NDArray[np.uint8],
    reconstructions: NDArray[np.uint8],
    swaps: NDArray[np.uint8],
) -> Section:
    """Pictures, their reconstructions, and each under all of K labels.

    Args:
        data: the scored split.
        indices: (n,), of the pictures that are shown.
        images, reconstructions: of those, (n, S, S, C).
        swaps: (n, K, S, S, C).
    """
    rows = []
    for number, index in enumerate(indices):
        label = int(data.labels[index])
        pictures = [images[number], reconstructions[number], *swaps[number]]
        name = f"{data.names[index]}: {data.classes[label]}"
        rows.append(PictureRow(name, [picture_uri(p) for p in pictures], marked=2 + label))
    caption = "Each row is one picture; framed: decoded under its own label"
    table = picture_table(["input", "reconstruction", *data.classes], rows, caption)
    return Section("swaps", "Pictures under every label", table)


def reconstructions_section(
    data: LabelledSet,
    reconstructions: NDArray[np.uint8],
    log_likelihoods: NDArray[np.float64],
) -> Section:
    """Some of N pictures beside their reconstructions (N, S, S, C), by log likelihoods (N,)."""
    errors = rms(data.images, reconstructions)
    groups = []
    for title, indices in ranked(log_likelihoods).items():
        examples = [
            Example(
                data.names[i],
                [picture_uri(data.images[i]), picture_uri(reconstructions[i])],
                f"{data.names[i]}: {data.classes[data.labels[i]]} · error {errors[i]:.3f} (rms)",
            )
            for i in indices
        ]
        groups.append(Group(title, examples))
    layers = ("Picture", "Reconstruction")
    body = join(
        paragraph(
            "Ordered by the log likelihood of each picture; below it is the root mean square "
            "error, pixels from 0 to 1."
        ),
        gallery("reconstructions", layers, groups, opacity=1.0),
    )
    return Section("reconstructions", "Reconstructions", body)
