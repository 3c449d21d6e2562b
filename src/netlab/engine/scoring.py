"""Score weights on a part of the data, beside trivial predictors."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from netlab import registry
from netlab.config import MACHINE_PATHS, TrainConfig
from netlab.engine.device import Machine, resolve
from netlab.engine.loop import score
from netlab.engine.weights import Loaded, load
from netlab.settings import Layer, merge, read_config_file


def evaluate(
    weights: str | Path | Loaded,
    *,
    split: str = "test",
    data_dir: Path | None = None,
    images: Path | None = None,
    masks: Path | None = None,
    mask_values: str | Sequence[int] | None = None,
    skip_bad: bool = False,
    limit: int | None = None,
    device: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    batch_size: int = 32,
    note: Callable[[str], None] = lambda text: None,  # noqa: ARG005
) -> Any:
    """Score weights on unseen pictures.

    Args:
        weights: a file, a run folder, `last`, a bundled name, or what `netlab.load` gave.
        split: `val`, `test` or `all`; with `images` and `masks` given, their whole folders.
        data_dir, images, masks: where the data are, if not where the config says.
        mask_values: pixel value of each class in `masks`, if not 0, 1, 2, …
        skip_bad: drop unpaired files and bad masks instead of refusing them.
        limit: use at most this many pictures.
        device, precision, threads: as in `netlab train`.
        batch_size: pictures at a time.
        note: told of what was left out.

    Returns:
        The task's report: `result` (the JSON document of `netlab eval`) and `figure`.

    Raises:
        WeightsError, DataError, UsageError: see `load_weights` and the data sets.
    """
    loaded = weights if isinstance(weights, Loaded) else load(weights)
    machine: Machine = resolve(device, precision, threads)
    factory = registry.get("task", loaded.about["task"])
    report = factory.report(
        _with_places(loaded.config, weights),
        loaded.about,
        split=split,
        places={
            "data_dir": data_dir,
            "images": images,
            "masks": masks,
            "mask_values": mask_values,
            "skip_bad": skip_bad or None,
            "limit": limit,
        },
        note=note,
    )
    network = machine.place(loaded.network)
    return score(report, report.task, network, report.data, machine, batch_size)


def _with_places(config: TrainConfig, weights: str | Path | Loaded) -> TrainConfig:
    """The weights' config, with the places of the data from the run folder they lie in."""
    if isinstance(weights, Loaded):
        return config
    beside = Path(weights).parent / "config.yaml"
    if not beside.is_file():
        return config
    stored = read_config_file(beside).values
    places = {k: stored[k] for k in MACHINE_PATHS if k in stored}
    return merge(config.to_dict(), [Layer(str(beside), places)])
