"""The scores of a conditional VAE in rows, for the terminal and the page."""

from collections.abc import Mapping
from typing import Any

from netlab.contracts.report import Measure
from netlab.figures.html.table import ScoreRow
from netlab.figures.text_table import text_table
from netlab.tasks.score_table import count_line, score_lines, score_row


def vae_table(result: Mapping[str, Any], width: int | None = None) -> list[str]:
    """The scores as lines of text: the VAE beside trivial stand-ins and other weights."""
    columns = ["network", *result["baselines"]]
    lines = score_lines(columns, vae_rows(result), width)
    return [count_line(result), *lines, *_swap_lines(result, width)]


def vae_rows(result: Mapping[str, Any]) -> list[ScoreRow]:
    """Each score of the VAE, then of the stand-ins and other weights; None where there is none."""
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


def vae_measures(result: Mapping[str, Any]) -> list[Measure]:
    """What VAEs are compared by; the score comes first, which without a judge is the likelihood."""
    judged = result["swap_accuracy"] is not None
    likelihood = [
        Measure("reconstruction, nats", ("reconstruction_nats",), higher_is_better=False),
        Measure("KL, nats", ("kl_nats",), higher_is_better=None),
        Measure("reconstruction MSE", ("mse",), higher_is_better=False),
    ]
    swap = [
        Measure("swap accuracy", ("swap_accuracy",), higher_is_better=True),
        Measure("read right", ("reconstruction_read_right",), higher_is_better=True),
        Measure("Frechet distance", ("realism", "swapped"), higher_is_better=False),
    ]
    z = [
        Measure("latent R2", ("latent_r2",), higher_is_better=True),
        Measure("leak, linear", ("leak", "linear"), higher_is_better=False),
        Measure("leak, MLP", ("leak", "mlp"), higher_is_better=False),
    ]
    return [*swap, *z, *likelihood] if judged else [*likelihood, *z]


def _swap_lines(result: Mapping[str, Any], width: int | None) -> list[str]:
    table, classes = result["swap_table"], result["classes"]
    if table is None:
        return ["no judge for this data set: name one with --judge to have swaps read"]
    judge = result["judge"]
    cells = [
        [name, *("" if share is None else f"{share:.2f}" for share in row)]
        for name, row in zip(classes, table, strict=True)
    ]
    return [
        "",
        f"read as asked, by {judge['weights']}: rows are the true label, columns the asked one",
        *text_table(cells, ["", *classes], width=width),
    ]
