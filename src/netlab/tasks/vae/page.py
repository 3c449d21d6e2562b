"""What a page shows of a conditional VAE."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netlab.contracts.dataset import LabelledSet
from netlab.contracts.report import Headline, Html, Section
from netlab.figures.html.gallery import Example, Group, gallery
from netlab.figures.html.images import picture_uri
from netlab.figures.html.markup import join
from netlab.figures.html.page import paragraph
from netlab.figures.html.table import (
    PictureRow,
    ScoreRow,
    heat_table,
    picture_table,
    score,
    score_table,
)
from netlab.metrics.distance import rms
from netlab.tasks.sections import ranked, score_row

_STANDINS = {"input": "input returned", "real": "another real picture"}


def score_rows(result: Mapping[str, Any]) -> list[ScoreRow]:
    """Each score, of the VAE, of its stand-ins and of other weights; None where there is none."""
    every = [result, *result["baselines"].values()]

    def row(label: str, *keys: str) -> ScoreRow:
        return score_row(label, every, *keys)

    return [
        row("swap accuracy", "swap_accuracy"),
        *(
            row(f"  under {name.replace('_', ' ')}", "swap_accuracy_disturbed", name)
            for name in result["swap_accuracy_disturbed"] or {}
        ),
        row("kept the old label", "kept_old_label"),
        row("latent R2 after the swap", "latent_r2"),
        *(
            row(f"style kept: {name.replace('_', ' ')} (r)", "style", name)
            for name in result["style"]
        ),
        row("distance moved (rms)", "distance", "swapped"),
        row("  nearest real picture", "distance", "nearest_real"),
        row("Frechet distance to real", "realism", "swapped"),
        row("  real to real", "realism", "real_floor"),
        row("label read from z: linear probe", "leak", "linear"),
        row("label read from z: MLP probe", "leak", "mlp"),
        row("  chance", "leak", "chance"),
        row("reconstructions read right", "reconstruction_read_right"),
        row("reconstruction MSE", "mse"),
        row("background of outputs", "background"),
        row("ELBO (nats)", "elbo_nats"),
        row("  reconstruction", "reconstruction_nats"),
        row("  KL", "kl_nats"),
        row(f"importance-weighted, k {result['iwae']['k']} (nats)", "iwae", "nats"),
        row("bits per dimension", "bits_per_dim"),
    ]


def vae_headlines(result: Mapping[str, Any]) -> list[Headline]:
    """Swap accuracy, label leak, and likelihood, each beside what it has to be compared with."""
    leak, judge, baselines = result["leak"], result["judge"], result["baselines"]
    headlines = [
        Headline(
            "Label read from z", score(leak["mlp"]), f"MLP probe; chance: {score(leak['chance'])}"
        ),
        Headline("ELBO", score(result["elbo_nats"]), "nats a picture; higher is better"),
    ]
    if judge is None:
        return headlines
    standins = (
        f"input returned: {score(baselines['input']['swap_accuracy'])}, "
        f"real pictures: {score(baselines['real']['swap_accuracy'])}"
    )
    swap = Headline(
        "Swap accuracy",
        score(result["swap_accuracy"]),
        f"{standins}; read by {judge['weights']}",
    )
    return [swap, *headlines]


def vae_sections(
    result: Mapping[str, Any],
    data: LabelledSet,
    reconstructions: NDArray[np.uint8],
    log_likelihoods: NDArray[np.float64],
    indices: NDArray[np.int64],
    every: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]],
) -> list[Section]:
    """Scores, the swap table, pictures under every label, and reconstructions.

    Args:
        result: the JSON document of `netlab eval`.
        data: the scored split, N pictures.
        reconstructions: (N, S, S, C).
        log_likelihoods: (N,), in nats.
        indices: (n,), of the pictures that are shown under every label.
        every: those (n, S, S, C), their reconstructions, and each under K labels
            (n, K, S, S, C).
    """
    return [
        Section("scores", "Scores", _scores(result)),
        Section("swap-table", "Swaps read as asked", _swap_table(result)),
        Section("swaps", "Pictures under every label", _every_label(data, indices, *every)),
        Section(
            "reconstructions",
            "Reconstructions",
            _reconstructions(data, reconstructions, log_likelihoods),
        ),
    ]


def _scores(result: Mapping[str, Any]) -> Html:
    columns = ["network", *(_STANDINS.get(name, name) for name in result["baselines"])]
    caption = f"{result['count']:,} pictures of {result['split']}, each under one other label"
    remark = (
        "No score is marked as the best: a picture that is returned as it is keeps all of its "
        "style, and another real picture of the asked class is always realistic. A good network "
        "comes close to both at once."
    )
    return join(score_table(columns, score_rows(result), caption), paragraph(remark))


def _swap_table(result: Mapping[str, Any]) -> Html:
    table, classes, judge = result["swap_table"], result["classes"], result["judge"]
    if table is None:
        return paragraph("No judge reads this data set: netlab eval --judge names one.")
    accuracy = judge["accuracy"]
    right = "" if accuracy is None else f" (right on {100 * accuracy:.1f} % of real pictures)"
    caption = (
        f"Percent read as asked by {judge['weights']}{right}, "
        "by true label (row) and asked label (column)"
    )
    return heat_table(classes, classes, table, caption, corner="true \\ asked")


def _every_label(
    data: LabelledSet,
    indices: NDArray[np.int64],
    images: NDArray[np.uint8],
    reconstructions: NDArray[np.uint8],
    swaps: NDArray[np.uint8],
) -> Html:
    rows = []
    for number, index in enumerate(indices):
        label = int(data.labels[index])
        pictures = [images[number], reconstructions[number], *swaps[number]]
        name = f"{data.names[index]}: {data.classes[label]}"
        rows.append(PictureRow(name, [picture_uri(p) for p in pictures], marked=2 + label))
    caption = "Each row is one picture; framed: decoded under its own label"
    return picture_table(["input", "reconstruction", *data.classes], rows, caption)


def _reconstructions(
    data: LabelledSet,
    reconstructions: NDArray[np.uint8],
    log_likelihoods: NDArray[np.float64],
) -> Html:
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
    return join(
        paragraph(
            "Ordered by the log likelihood of each picture; below it is the root mean square "
            "error, pixels from 0 to 1."
        ),
        gallery("reconstructions", layers, groups, opacity=1.0),
    )
