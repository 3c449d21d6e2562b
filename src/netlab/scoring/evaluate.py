"""Score weights on a split, beside trivial predictors."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from netlab import registry
from netlab.components import task_class
from netlab.config import MACHINE_PATHS, TrainConfig
from netlab.contracts.dataset import Split
from netlab.contracts.report import Report
from netlab.data.readers.fingerprint import fingerprint
from netlab.data.readers.folders import data_dir as data_folder
from netlab.device import resolve
from netlab.errors import DataError, UsageError
from netlab.runs.find import find_weights, name_of
from netlab.runs.folder import RunDir
from netlab.runs.pictures import recorded_pictures, trained_on, with_paths
from netlab.scoring.judge import load_judge
from netlab.scoring.score import score
from netlab.tasks.data import load_scored
from netlab.tasks.load import Loaded, load_weights

_SHARED = ("split", "count", "dropped", "classes", "judge", "baselines", "images_per_second")
"""Keys of a result that are the same for all weights that stand side by side."""


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
    judge: str | Path | None = None,
    beside: Sequence[str | Path] = (),
    runs_dir: Path = Path("runs"),
    note: Callable[[str], None] = lambda text: None,  # noqa: ARG005
) -> Report:
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
        judge: classifier that reads a VAE's pictures; the bundled one of its data set without.
        beside: further weights of a VAE, scored in the same way and shown beside these.
        runs_dir: where the run folders that are named, also as judge or beside, are looked for.
        note: told of what was left out.

    Returns:
        The task's report: `result` (the JSON document of `netlab eval`) and `figure`.

    Raises:
        WeightsError, DataError, UsageError: see `load_weights` and the data sets.
    """
    if isinstance(weights, Loaded):
        loaded, config = weights, weights.config
    else:
        path = find_weights(str(weights), runs_dir)
        loaded = load_weights(path)
        config = with_paths(loaded.config, path)
        if data_dir is images is masks is None:
            check_pictures(config, path)
    machine = resolve(device, precision, threads)
    task_type = registry.get("task", loaded.about["task"])
    paths = {
        "data_dir": data_dir,
        "images": images,
        "masks": masks,
        "mask_values": mask_values,
        "skip_bad": skip_bad or None,
        "limit": limit,
    }
    options: dict[str, Any] = {}
    if task_type.judged:
        dataset, classes = loaded.config.dataset, loaded.about["classes"]
        channels = loaded.about["input"]["channels"]
        options["judge"] = load_judge(
            judge, dataset, classes, machine, channels=channels, runs_dir=runs_dir
        )
        others = [find_weights(str(other), runs_dir) for other in beside]
        same: dict[str, Any] = {
            **paths,
            "skip_bad": skip_bad,
            "split": split,
            "device": str(machine.device),
            "precision": machine.precision,
            "threads": machine.threads,
            "batch_size": batch_size,
            "judge": judge,
            "runs_dir": runs_dir,
        }
        results = {name_of(other): evaluate(other, **same).result() for other in others}
        options["beside"] = {
            name: {key: value for key, value in result.items() if key not in _SHARED}
            for name, result in results.items()
        } or loaded.about.get("baselines", {})
    elif judge is not None or beside:
        raise UsageError(f"--judge and --beside are for a vae, not for {loaded.config.arch}")
    scored = load_scored(task_type, config, loaded.about, split, paths, note)
    task = task_type.of_weights(scored.config, loaded.about)
    report = task.report(scored.data, scored.split, scored.train, **options)
    network = machine.place(loaded.network)
    return score(report, task, network, report.data, machine, batch_size)


def check_pictures(config: TrainConfig, weights: Path) -> None:
    """Refuse to score a run on others than its own pictures.

    Looks at the validation split, a tenth of what was trained on; where the run is an older one,
    which has not written that down, at all of it, if its paths depend on the current folder.

    Args:
        config: from `with_paths`.
        weights: of the run, in its folder.

    Raises:
        DataError: the pictures are not those that the run was trained on.
    """
    run = RunDir(weights.parent)
    splits: tuple[Split, ...] = ("val",)
    expected = recorded_pictures(run).val
    stated = [path for name in MACHINE_PATHS if (path := getattr(config, name))]
    if not expected and not all(Path(path).is_absolute() for path in stated):
        splits, expected = ("train", "val"), trained_on(run)
    if not expected:
        return
    task = task_class(config)
    try:
        data = [task.load(config, split, lambda text: None) for split in splits]  # noqa: ARG005
    except DataError:
        return  # the split that is scored has its own word to say
    if fingerprint(*data) == expected:
        return
    folder, flags = data_folder(config.data_dir), "--data-dir"
    if config.images:
        folder, flags = Path(config.images), "--images and --masks" if config.masks else "--images"
    raise DataError(
        f"{folder}: the pictures in it are not those that {run.path} was trained on; "
        f"to score these all the same, name their folder with {flags}"
    )
