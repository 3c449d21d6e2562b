"""Network and loss of a segmentation task, built from the components that a config names."""

import functools

import numpy as np
import torch
from torch import Tensor, nn

from netlab.components import component
from netlab.config import TrainConfig
from netlab.data._contract import SegmentationSet
from netlab.errors import ConfigError
from netlab.expressions import parse_sum
from netlab.layers.conv import ConvBlock
from netlab.losses._sum import WeightedSum


def build_network(config: TrainConfig, classes: int) -> nn.Module:
    """Put a segmentation network together from the components that a config names.

    Raises:
        ConfigError: components that do not fit each other, or arguments they do not take.
    """
    widths = [config.width * 2**level for level in range(config.depth + 1)]
    block = functools.partial(
        ConvBlock,
        norm=component(config, "norm"),
        activation=component(config, "activation"),
    )
    encoder = component(config, "encoder")(
        in_channels=3 * config.stem**2, widths=widths[:-1], block=block
    )
    bottleneck = component(config, "bottleneck")(
        in_channels=encoder.out_channels[-1], out_channels=widths[-1], block=block
    )
    decoder = component(config, "decoder")(
        in_channels=bottleneck.out_channels,
        skip_channels=encoder.out_channels[:-1],
        strides=encoder.strides,
        block=block,
    )
    architecture = component(config, "architecture", config.arch)
    network: nn.Module = architecture(
        encoder, bottleneck, decoder, classes=classes, stem=config.stem
    )
    return network


def check_network(config: TrainConfig) -> None:
    """Build a config's network without memory and send a batch through it.

    Raises:
        ConfigError: components that do not fit each other, arguments they do not take, or
            batches that the network cannot be trained with.
    """
    side, count = config.image_size, config.batch_size
    with torch.device("meta"):
        try:
            build_network(config, 2).train()(torch.empty(count, 3, side, side))
        except (ValueError, RuntimeError, NotImplementedError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(
                f"this network cannot be trained on batches of {count} pictures of {side} pixels: "
                f"{reason}"
            ) from error


def build_criterion(config: TrainConfig, classes: int, class_weights: Tensor | None) -> WeightedSum:
    """The loss that a config names, as a weighted sum of its terms."""
    terms = parse_sum(config.loss)
    names = [term.name for term in terms]
    if odd := [name for name in config.parts.get("loss", {}) if name not in names]:
        raise ConfigError(
            f"loss has no term '{odd[0]}' (its terms: {', '.join(names)}); "
            "write --set loss.TERM.ARGUMENT=VALUE"
        )
    built = {
        name: component(config, "loss", name)(classes=classes, class_weights=class_weights)
        for name in names
    }
    return WeightedSum(built, [t.weight for t in terms])


def class_weights(config: TrainConfig, train: SegmentationSet) -> Tensor | None:
    """Weights (K,) with mean 1 that a config asks for, or None.

    Raises:
        ConfigError: not one positive number for each class.
    """
    classes = len(train.classes)
    if config.class_weights == "none":
        return None
    if config.class_weights == "balanced":
        pixels = np.zeros(classes, np.int64)
        for start in range(0, len(train), 512):  # bincount makes int64 copies: keep them small
            pixels += np.bincount(train.masks[start : start + 512].ravel(), minlength=classes)
        # A class without pixels has nothing to learn from: it takes no part.
        found = pixels > 0
        weights = torch.from_numpy(np.where(found, 1 / np.maximum(pixels, 1), 0).astype(np.float32))
        return weights * (int(found.sum()) / weights.sum())
    else:
        try:
            weights = torch.tensor([float(w) for w in config.class_weights.split(",")])
        except ValueError as error:
            raise ConfigError(
                f"class-weights '{config.class_weights}': write none, balanced, or numbers: 1,1,2"
            ) from error
        if len(weights) != classes or not (weights > 0).all() or not weights.isfinite().all():
            raise ConfigError(
                f"class-weights '{config.class_weights}': give {classes} positive numbers, "
                f"one for each of {', '.join(train.classes)}"
            )
    return weights * (classes / weights.sum())
