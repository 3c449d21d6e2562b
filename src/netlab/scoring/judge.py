"""Which classifier judges the pictures of a conditional VAE."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from netlab.device import Machine
from netlab.errors import WeightsError
from netlab.models.classifier import Classifier
from netlab.runs.find import find_weights, name_of
from netlab.tasks.load import load_weights
from netlab.tasks.pixels import COLOURS
from netlab.tasks.vae.judge import Judge
from netlab.weights.bundled import bundled_for

_TASK = "classification"


def load_judge(
    wanted: str | Path | None,
    dataset: str,
    classes: Sequence[str],
    machine: Machine,
    *,
    channels: int | None = None,
    runs_dir: Path = Path("runs"),
) -> Judge | None:
    """The named classifier, or else the bundled one for a data set, or None.

    Args:
        wanted: a file, a run folder, `last`, a bundled name, or None for the bundled one.
        dataset: what the VAE was trained on.
        classes: of the VAE.
        machine: where it will run.
        channels: of the VAE's pictures, 1 or 3.
        runs_dir: where run folders are looked for.

    Raises:
        UsageError: nothing of that name.
        WeightsError: no classifier, or one for other classes or channels.
    """
    path = bundled_for(_TASK, dataset) if wanted is None else find_weights(str(wanted), runs_dir)
    if path is None:
        return None
    network, about, config = load_weights(path, task=_TASK)
    if list(about["classes"]) != list(classes):
        raise WeightsError(
            f"{path}: a judge for {config.dataset} ({', '.join(about['classes'])}), but these "
            f"pictures are of {dataset} ({', '.join(classes)}); name another with --judge"
        )
    if channels not in (None, about["input"]["channels"]):
        raise WeightsError(
            f"{path}: a judge for {COLOURS[about['input']['channels']]} pictures, but these are "
            f"{COLOURS[channels]}; name another with --judge"
        )
    accuracy = about.get("metrics", {}).get("test_accuracy")
    classifier = cast(Classifier, machine.place(network).eval())
    return Judge(classifier, name_of(path), about["input"]["size"], accuracy)
