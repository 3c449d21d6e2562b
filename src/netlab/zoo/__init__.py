"""Bundled weights, and what a name on the command line stands for. Nothing here imports torch.

The folder is the catalogue: a file `NAME.safetensors` is the bundled weights NAME.
"""

from pathlib import Path

from netlab import registry
from netlab.errors import UsageError, WeightsError
from netlab.header import read_header
from netlab.rundir import RunDir, find_run, names_of_runs, runs_called
from netlab.runs import no_weights

DEFAULT = "unet-pets"
"""The weights that predict-mask and eval use unless told otherwise."""


def bundled() -> dict[str, Path]:
    """Names and files of the bundled weights."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.safetensors"))}


def find_weights(which: str | None, runs_dir: Path) -> Path:
    """The file that a name stands for.

    Args:
        which: a file, a run folder or what it is called (its best weights), `last`, a bundled
            name, or None for the default bundled weights.
        runs_dir: where run folders are looked for.

    Raises:
        UsageError: nothing of that name; the message lists the bundled ones.
        WeightsError: a run without weights.
    """
    known = bundled()
    if which is None:
        which = DEFAULT
    if which in known:
        return known[which]
    path = Path(which)
    if path.is_file():
        return path
    is_folder = (path / "config.yaml").is_file() or (runs_dir / which).is_dir()
    if which == "last" or is_folder or runs_called(which, runs_dir):
        run = find_run(which, runs_dir)
        if not run.best.is_file():
            raise WeightsError(no_weights(run))
        return run.best
    if path.suffix or path.parent != Path():
        raise UsageError(f"{which}: no such weights file or run folder")
    names = names_of_runs(runs_dir)
    raise UsageError(registry.unknown("weights", which, [*known, "last"], names))


def run_of(weights: Path) -> RunDir | None:
    """The run folder that a weights file lies in: one with the settings of a run."""
    run = RunDir(weights.parent)
    return run if run.config.is_file() else None


def name_of(weights: str | Path) -> str:
    """What people call weights: files in run folders have the same names, so the folder tells."""
    path = Path(weights)
    run = RunDir(path) if RunDir(path).config.is_file() else run_of(path)
    return path.stem if run is None else run.name


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
    path = bundled_for("conditional-vae", dataset)
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
