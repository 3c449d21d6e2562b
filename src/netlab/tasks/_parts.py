"""Parts that several tasks build from a config."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from netlab import registry
from netlab.bottlenecks._contract import Bottleneck
from netlab.components import component
from netlab.config import TrainConfig, flag_of
from netlab.data._contract import DataRequest, Split, Target
from netlab.data._pictures import RESIZE_FILTER
from netlab.encoders._contract import Encoder
from netlab.errors import ConfigError, DataError
from netlab.expressions import parse_sum
from netlab.layers.blocks._contract import Block
from netlab.settings import Layer, merge

MEAN, STD = 0.5, 0.25
"""Normalisation of pixel values in [0, 1], the same for each channel."""


COLOURS = {1: "gray", 3: "colour"}
"""What pictures of so many channels are called."""


def build_block(config: TrainConfig) -> Block:
    """The block that a config names, with its norm and activation filled in."""
    return functools.partial(
        component(config, "block"),
        norm=component(config, "norm"),
        activation=component(config, "activation"),
    )


def build_encoder(
    config: TrainConfig, in_channels: int, block: Block
) -> tuple[Encoder, Bottleneck]:
    """Encoder and bottleneck of a config, for pictures of `in_channels` channels."""
    widths = [config.width * 2**level for level in range(config.depth + 1)]
    encoder = component(config, "encoder")(in_channels=in_channels, widths=widths[:-1], block=block)
    bottleneck = component(config, "bottleneck")(
        in_channels=encoder.out_channels[-1], out_channels=widths[-1], block=block
    )
    return encoder, bottleneck


def build_terms(config: TrainConfig, task: str, **built: Any) -> dict[str, Any]:
    """The terms of a config's loss by name, each built with `built` and its own arguments.

    Raises:
        ConfigError: a term for another task, or arguments for a term that is not there.
    """
    names = [term.name for term in parse_sum(config.loss)]
    if odd := [name for name in config.parts.get("loss", {}) if name not in names]:
        raise ConfigError(
            f"loss has no term '{odd[0]}' (its terms: {', '.join(names)}); "
            "write --set loss.TERM.ARGUMENT=VALUE"
        )
    for name in names:
        tasks = registry.get("loss", name).tasks
        if task not in tasks:
            raise ConfigError(f"loss '{name}' is for {' and '.join(tasks)}, not for {config.arch}")
    return {name: component(config, "loss", name)(**built) for name in names}


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


def refuse_unused(config: TrainConfig, *names: str) -> None:
    """Refuse settings that were changed and that this architecture does not read.

    Raises:
        ConfigError: naming all of them.
    """
    usual = TrainConfig()
    if odd := [flag_of(n) for n in names if getattr(config, n) != getattr(usual, n)]:
        raise ConfigError(f"{', '.join(odd)}: not for {config.arch}, which does not use it")


def check_buildable(network: nn.Module, config: TrainConfig, *inputs: torch.Tensor) -> None:
    """Send a batch of meta tensors through a network on the meta device.

    Raises:
        ConfigError: batches that the network cannot be trained with.
    """
    try:
        network.train()(*inputs)
    except (ValueError, RuntimeError, NotImplementedError, TypeError) as error:
        raise untrainable(config, error) from error


def untrainable(config: TrainConfig, error: Exception) -> ConfigError:
    """The one line for a network that cannot be built or trained as a config says."""
    reason = " ".join(str(error).split())
    return ConfigError(
        f"this network cannot be trained on batches of {config.batch_size} pictures of "
        f"{config.image_size} pixels: {reason}"
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


def input_facts(config: TrainConfig, channels: int) -> dict[str, Any]:
    """What a weights file says of the pictures its network takes."""
    return {
        "size": config.image_size,
        "channels": channels,
        "mean": [MEAN] * channels,
        "std": [STD] * channels,
        "resize": RESIZE_FILTER,
    }


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Pixel values in [0, 1] to zero mean and about unit spread."""
    return (images - MEAN) / STD


def to_unit(images: torch.Tensor) -> torch.Tensor:
    """uint8 pictures (B, H, W, C) to float (B, C, H, W) in [0, 1], channels last in memory."""
    return images.permute(0, 3, 1, 2).float().div_(255)


def to_bytes(images: torch.Tensor) -> NDArray[np.uint8]:
    """Float pictures (B, C, H, W) in [0, 1] to uint8 (B, H, W, C), rounded."""
    scaled = (images.detach().float() * 255).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).cpu().numpy()


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
