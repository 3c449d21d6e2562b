"""Bundled weights. Nothing here imports torch.

The folder is the catalogue: a file `NAME.safetensors` is the bundled weights NAME.
"""

from pathlib import Path

from netlab import registry
from netlab.errors import UsageError
from netlab.weights.header import read_header


def bundled() -> dict[str, Path]:
    """Names and files of the bundled weights."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.safetensors"))}


def bundled_for(task: str, dataset: str) -> Path | None:
    """The bundled weights for a task and a data set; of several, those with the shortest name."""
    found = []
    for name, path in bundled().items():
        about = read_header(path).about
        if about.get("task") == task and about.get("data", {}).get("dataset") == dataset:
            found.append((len(name), name, path))
    return min(found)[2] if found else None


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
    """Name and one line of each of the bundled weights."""
    lines = []
    for name, path in bundled().items():
        about = read_header(path).about
        scores = about.get("metrics", {})
        shown = ", ".join(f"{k} {v:.4g}" for k, v in scores.items() if isinstance(v, float))
        data = about.get("data", {}).get("dataset", "?")
        lines.append((name, f"{about['task']} on {data}; {shown}"))
    return lines
