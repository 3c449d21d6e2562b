"""The split of the data that a config names, and whether it fits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

from netlab import registry
from netlab.config import TrainConfig
from netlab.contracts.dataset import DataRequest, PictureSet, Split, Target
from netlab.contracts.task import Task
from netlab.errors import ConfigError, DataError
from netlab.settings import Layer, merge
from netlab.tasks.pixels import COLOURS

_NEEDS = {
    "masks": "pictures with masks: try pets, pairs or synthetic",
    "labels": "labelled pictures: try mnist, cifar10, digits or class-folder",
}
_FOLDERS = {"masks": "pairs", "labels": "class-folder"}
"""The data set that reads own folders of pictures that come with this."""


def check_target(config: TrainConfig, needs: Target | None) -> None:
    """Refuse a data set whose pictures do not come with what a task needs.

    Args:
        config: names the data set.
        needs: what they have to come with; None where that does not matter.

    Raises:
        ConfigError: they do not.
    """
    target = registry.get("dataset", config.dataset).target
    if needs not in (None, target):
        raise ConfigError(
            f"dataset '{config.dataset}' has {target}, but {config.arch} needs {_NEEDS[needs]}"
        )


def check_classes(classes: Sequence[str], about: Mapping[str, Any]) -> None:
    """Refuse data of other classes than those that weights describe.

    Raises:
        DataError: naming both.
    """
    if list(classes) != list(about["classes"]):
        raise DataError(
            f"the data have the classes {', '.join(classes)}, "
            f"the weights {', '.join(about['classes'])}"
        )


def data_request(config: TrainConfig, split: str, note: Callable[[str], None]) -> DataRequest:
    """What a config asks of its data set."""
    return DataRequest(
        split=cast("Split", split),
        image_size=config.image_size,
        data_dir=_path(config.data_dir),
        images=_path(config.images),
        masks=_path(config.masks),
        classes=config.classes,
        mask_values=config.mask_values,
        limit=config.limit,
        skip_bad=config.skip_bad,
        # What is drawn for validation and test is the same for all seeds, so that runs compare.
        seed=config.seed if split == "train" else 0,
        note=note,
    )


class Scored(NamedTuple):
    """The pictures that weights are scored on."""

    config: TrainConfig
    """That of the weights, with the data that are scored."""
    data: PictureSet
    split: str
    """`all` where they are somebody's own."""
    train: Callable[[], PictureSet]
    """Loads the training split, or gives the scored pictures themselves where they are somebody's
    own."""


def load_scored(
    task: type[Task],
    config: TrainConfig,
    about: Mapping[str, Any],
    split: str,
    paths: Mapping[str, Any],
    note: Callable[[str], None],
) -> Scored:
    """The pictures that weights are to be scored on.

    Args:
        task: of the weights.
        config: of the weights.
        about: description of the weights.
        split: what to score; all of `paths["images"]` if that is given.
        paths: fields of the config that say where the data are here; None is as it was.
        note: told of what was left out.

    Raises:
        ConfigError: pictures without masks, or masks without pictures.
        DataError: data that are missing, or that differ from the weights' in classes or colour.
    """
    own = paths.get("images") is not None
    folders = _FOLDERS[task.needs or registry.get("dataset", config.dataset).target]
    if folders == "pairs" and own != (paths.get("masks") is not None):
        raise ConfigError("give --images and --masks together")
    # The limit was of the training; unseen pictures are scored whole unless asked otherwise.
    changes: dict[str, Any] = {"limit": None}
    for name, path in paths.items():
        if path is not None:
            changes[name] = str(path) if isinstance(path, Path) else path
    if own or config.dataset == folders:
        changes |= {"dataset": folders, "classes": tuple(about["classes"])}
    config = merge(config.to_dict(), [Layer("eval", changes)])
    split = "all" if own else split
    data = task.load(config, split, note)
    if task.needs is not None:
        check_classes(data.classes, about)
    channels, wanted = data.images.shape[-1], about["input"].get("channels", 3)
    if channels != wanted:
        raise DataError(
            f"the data are {COLOURS[channels]} pictures, the weights are for {COLOURS[wanted]} ones"
        )

    def train() -> PictureSet:
        return data if own else task.load(replace(config, limit=None), "train", note)

    return Scored(config, data, split, train)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
