"""Bundled weights. Nothing here imports torch.

The folder is the catalogue: a file `NAME.safetensors` is the bundled weights NAME.

Imports `weights` and what stands below it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netlab import registry
from netlab.contracts.score import former_score, read_score
from netlab.errors import UsageError
from netlab.weights.header import read_header


def bundled() -> dict[str, Path]:
    """Names and files of the bundled weights."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.safetensors"))}


def bundled_for(task: str, dataset: str) -> Path | None:
    """The bundled weights for a task and a data set; of several, those with the shortest name."""
    candidates = []
    for name, path in bundled().items():
        about = read_header(path).about
        if about.get("task") == task and about.get("data", {}).get("dataset") == dataset:
            candidates.append((len(name), name, path))
    return min(candidates)[2] if candidates else None


def bundled_vae(dataset: str) -> Path:
    """The bundled conditional VAE of a data set.

    Raises:
        UnknownComponent: no such data set.
        UsageError: there is none, or the data set has no labels.
    """
    if registry.get("dataset", dataset).target != "labels":
        raise UsageError(f"dataset '{dataset}' has no labels that could be swapped")
    path = bundled_for("vae", dataset)
    if path is None:
        raise UsageError(
            f"no bundled VAE for {dataset}: train one with netlab train vae --dataset {dataset}, "
            "then add --weights last"
        )
    return path


def summaries() -> list[tuple[str, str]]:
    """Name and one line of each of the bundled weights: task, data, score and size."""
    lines = []
    for name, path in bundled().items():
        header = read_header(path)
        about = header.about
        data = about.get("data", {}).get("dataset", "?")
        words = [_score(about), f"{header.weights:,} weights", f"{header.bytes / 2**20:.1f} MiB"]
        lines.append((name, f"{about['task']} on {data}; {', '.join(filter(None, words))}"))
    return lines


def _score(about: Mapping[str, Any]) -> str:
    """The score of a weights file on its test split, or else on validation."""
    metrics = about.get("metrics", {})
    headline = registry.stated("task", about["task"], "headline")
    if headline and f"test_{headline.replace(' ', '_')}" in metrics:
        return f"test {headline} {metrics['test_' + headline.replace(' ', '_')]:.4g}"
    score = read_score(about.get("score")) or former_score(metrics)
    if score is None:
        return ""
    tested = metrics.get(score.column.replace("val_", "test_", 1))
    if tested is not None:
        return f"test {score.text(f'{tested:.4g}')}"
    return score.text(f"{metrics[score.column]:.4g}")
