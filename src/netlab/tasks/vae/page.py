"""What a page shows of a conditional VAE."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from netlab.contracts.report import Headline, Html, Section
from netlab.figures.html.gallery import Example, Group, PictureRow, gallery, picture_table
from netlab.figures.html.images import picture_uri
from netlab.figures.html.markup import join
from netlab.figures.html.page import paragraph
from netlab.figures.html.table import heat_table, score, score_table
from netlab.metrics.distance import rms
from netlab.tasks.sections import ranked
from netlab.tasks.vae.table import vae_rows

_STANDINS = {"input": "input returned", "real": "another real picture"}


def vae_headlines(result: Mapping[str, Any]) -> list[Headline]:
    """Swap accuracy, label leak, and likelihood, each beside what it has to be compared with."""
    told, leak, judge = [], result["leak"], result["judge"]
    if judge is not None:
        real = result["baselines"]["real"]["swap_accuracy"]
        beside = f"input returned: {score(result['baselines']['input']['swap_accuracy'])}, "
        told.append(
            Headline(
                "Swap accuracy",
                score(result["swap_accuracy"]),
                f"{beside}real pictures: {score(real)}; read by {judge['weights']}",
            )
        )
    told.append(
        Headline(
            "Label read from z", score(leak["mlp"]), f"MLP probe; chance: {score(leak['chance'])}"
        )
    )
    told.append(Headline("ELBO", score(result["elbo_nats"]), "nats a picture; higher is better"))
    return told


def vae_sections(report: Any) -> list[Section]:
    """Scores, the swap table, pictures under every label, and reconstructions.

    Args:
        report: a `VaeReport` that has seen its whole part.
    """
    result = report.result()
    return [
        Section("scores", "Scores", _scores(result)),
        Section("swap-table", "Swaps read as asked", _swap_table(result)),
        Section("swaps", "Pictures under every label", _every_label(report)),
        Section("reconstructions", "Reconstructions", _reconstructions(report)),
    ]


def _scores(result: Mapping[str, Any]) -> Html:
    columns = ["network", *(_STANDINS.get(name, name) for name in result["baselines"])]
    caption = f"{result['count']:,} pictures of {result['split']}, each under one other label"
    remark = (
        "No score is marked as the best: a picture that is returned as it is keeps all of its "
        "style, and another real picture of the asked class is always realistic. A good network "
        "comes close to both at once."
    )
    return join(score_table(columns, vae_rows(result), caption), paragraph(remark))


def _swap_table(result: Mapping[str, Any]) -> Html:
    table, classes, judge = result["swap_table"], result["classes"], result["judge"]
    if table is None:
        return paragraph("No judge reads this data set: netlab eval --judge names one.")
    accuracy = judge["accuracy"]
    own = "" if accuracy is None else f" (right on {100 * accuracy:.1f} % of real pictures)"
    caption = (
        f"Percent read as asked by {judge['weights']}{own}, "
        "by true label (row) and asked label (column)"
    )
    return heat_table(classes, classes, table, caption, corner="true \\ asked")


def _every_label(report: Any) -> Html:
    places, found = report.under_every_label()
    classes = list(report.data.classes)
    rows = []
    for number, place in enumerate(places):
        label = int(report.data.labels[place])
        pictures = [found.images[number], found.again[number], *found.swaps[number]]
        name = f"{report.data.names[place]}: {classes[label]}"
        rows.append(PictureRow(name, [picture_uri(p) for p in pictures], marked=2 + label))
    caption = "Each row is one picture; framed: decoded under its own label"
    return picture_table(["input", "again", *classes], rows, caption)


def _reconstructions(report: Any) -> Html:
    data, again = report.data, report.gathered.again
    errors = np.asarray(rms(data.images, again))
    groups = []
    for title, places in ranked(report.by_rank()).items():
        examples = [
            Example(
                data.names[i],
                [picture_uri(data.images[i]), picture_uri(again[i])],
                f"{data.names[i]}: {data.classes[data.labels[i]]} · error {errors[i]:.3f} (rms)",
            )
            for i in places
        ]
        groups.append(Group(title, examples))
    layers = ("Picture", "Reconstruction")
    return join(
        paragraph(
            "Ordered by the log likelihood of each picture; below it is the root mean square "
            "error, pixels from 0 to 1."
        ),
        gallery("reconstructions", layers, groups, opacity=1.0),
    )
