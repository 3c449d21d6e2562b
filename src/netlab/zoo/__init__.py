"""Bundled weights, and what a name on the command line stands for. Nothing here imports torch.

The folder is the catalogue: a file `NAME.safetensors` is the bundled weights NAME.
"""

from pathlib import Path

from netlab import registry
from netlab.errors import UsageError, WeightsError
from netlab.header import read_header
from netlab.rundir import find_run

DEFAULT = "unet-pets"
"""The weights that predict-mask and eval use unless told otherwise."""


def bundled() -> dict[str, Path]:
    """Names and files of the bundled weights."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.safetensors"))}


def find_weights(which: str | None, runs_dir: Path) -> Path:
    """The file that a name stands for.

    Args:
        which: a file, a run folder (its best weights), `last`, a bundled name, or None for the
            default bundled weights.
        runs_dir: where run folders are looked for.

    Raises:
        UsageError: nothing of that name; the message lists the bundled ones.
        WeightsError: a run without weights yet.
    """
    known = bundled()
    if which is None:
        which = DEFAULT
    if which in known:
        return known[which]
    path = Path(which)
    if path.is_file():
        return path
    if which == "last" or (path / "config.yaml").is_file() or (runs_dir / which).is_dir():
        run = find_run(which, runs_dir)
        if not run.best.is_file():
            raise WeightsError(f"{run.path}: no weights yet; the first epoch has not ended")
        return run.best
    if path.suffix or path.parent != Path():
        raise UsageError(f"{which}: no such weights file or run folder")
    raise UsageError(registry.unknown("weights", which, [*known, "last"]))


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
