"""Network and loss of a segmentation task, built from the components that a config names."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from netlab import registry
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
        norm=_component(config, "norm"),
        activation=_component(config, "activation"),
    )
    encoder = _component(config, "encoder")(
        in_channels=3 * config.stem**2, widths=widths[:-1], block=block
    )
    bottleneck = _component(config, "bottleneck")(
        in_channels=encoder.out_channels[-1], out_channels=widths[-1], block=block
    )
    decoder = _component(config, "decoder")(
        in_channels=bottleneck.out_channels,
        skip_channels=encoder.out_channels[:-1],
        strides=encoder.strides,
        block=block,
    )
    architecture = _component(config, "architecture", config.arch)
    network: nn.Module = architecture(
        encoder, bottleneck, decoder, classes=classes, stem=config.stem
    )
    return network


def _component(config: TrainConfig, kind: str, name: str | None = None) -> Callable[..., Any]:
    """A component with the further arguments that the config has for its kind."""
    name = name or getattr(config, kind)
    part = registry.get(kind, name)
    extra = config.parts.get(kind, {})

    def build(*args: Any, **kwargs: Any) -> Any:
        try:
            return part(*args, **kwargs, **extra)
        except TypeError as error:
            if not extra:
                raise
            raise ConfigError(f"{kind} '{name}' does not take {dict(extra)}: {error}") from error

    return build


def build_criterion(config: TrainConfig, classes: int, class_weights: Tensor | None) -> WeightedSum:
    """The loss that a config names, as a weighted sum of its terms."""
    terms = parse_sum(config.loss)
    extra = config.parts.get("loss", {})
    built = {
        t.name: registry.get("loss", t.name)(
            classes=classes, class_weights=class_weights, **extra.get(t.name, {})
        )
        for t in terms
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
        weights = torch.from_numpy(1 / np.maximum(pixels, 1).astype(np.float32))
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
