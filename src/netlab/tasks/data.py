"""The part of the data that a config names, and whether it fits."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netlab import registry
from netlab.config import TrainConfig
from netlab.contracts.dataset import DataRequest, Split, Target
from netlab.errors import ConfigError, DataError
from netlab.settings import Layer, merge


def check_target(config: TrainConfig, target: Target, needs: str) -> None:
    """Refuse a data set whose pictures come with something else.

    Args:
        config: names the data set.
        target: what they have to come with.
        needs: that, in words, and the data sets that have it.

    Raises:
        ConfigError: they do not.
    """
    found = registry.get("dataset", config.dataset).target
    if found != target:
        raise ConfigError(
            f"dataset '{config.dataset}' has {found}, but {config.arch} needs {needs}"
        )


def check_classes(found: Sequence[str], about: Mapping[str, Any]) -> None:
    """Refuse data of other classes than those that weights describe.

    Raises:
        DataError: naming both.
    """
    if list(found) != list(about["classes"]):
        raise DataError(
            f"the data have the classes {', '.join(found)}, "
            f"the weights {', '.join(about['classes'])}"
        )


def data_request(config: TrainConfig, split: Split, note: Any) -> DataRequest:
    """What a config asks of its data set."""
    return DataRequest(
        split=split,
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


def scored_config(
    config: TrainConfig, about: Mapping[str, Any], places: Mapping[str, Any], folders: str
) -> tuple[TrainConfig, bool]:
    """The config of the pictures that weights are scored on, and whether they are somebody's own.

    Args:
        config: of the weights.
        about: description of the weights.
        places: fields of the config that say where the data are here; None is as it was.
        folders: the data set that reads own folders.
    """
    # The limit was of the training; unseen pictures are scored whole unless asked otherwise.
    changes: dict[str, Any] = {"limit": None}
    for name, place in places.items():
        if place is not None:
            changes[name] = str(place) if isinstance(place, Path) else place
    own = "images" in changes
    if own or config.dataset == folders:
        changes |= {"dataset": folders, "classes": tuple(about["classes"])}
    return merge(config.to_dict(), [Layer("eval", changes)]), own


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
