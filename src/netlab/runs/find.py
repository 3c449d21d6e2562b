"""What a name on the command line stands for: a weights file, a run, or bundled weights."""

from pathlib import Path

from netlab import registry
from netlab.errors import UsageError, WeightsError
from netlab.runs.folder import RunDir, find_run, names_of_runs, runs_called
from netlab.runs.summary import no_weights
from netlab.weights.bundled import bundled

DEFAULT = "unet-pets"
"""The weights that predict-mask and eval use unless others are named."""


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
    """A name for weights: that of the run, as files in run folders are all called the same."""
    path = Path(weights)
    run = RunDir(path) if RunDir(path).config.is_file() else run_of(path)
    return path.stem if run is None else run.name
