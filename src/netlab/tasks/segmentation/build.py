"""Network and loss of a segmentation task, built from the components that a config names."""

import numpy as np
import torch
from torch import Tensor, nn

from netlab.components import component
from netlab.config import TrainConfig
from netlab.contracts.dataset import SegmentationSet
from netlab.errors import ConfigError
from netlab.expressions import parse_sum
from netlab.tasks.build import build_block, build_encoder, build_terms, check_buildable, untrainable
from netlab.tasks.criterion import WeightedSum


def build_network(config: TrainConfig, classes: int) -> nn.Module:
    """Put a segmentation network together from the components that a config names.

    Raises:
        ConfigError: components that do not fit each other, or arguments they do not take.
    """
    block = build_block(config)
    encoder, bottleneck = build_encoder(config, 3 * config.stem**2, block)
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
    side = config.image_size
    with torch.device("meta"):
        try:
            network = build_network(config, 2)
        except (ValueError, RuntimeError) as error:
            raise untrainable(config, error) from error
        check_buildable(network, config, torch.empty(config.batch_size, 3, side, side))


def build_criterion(config: TrainConfig, classes: int, class_weights: Tensor | None) -> WeightedSum:
    """The loss that a config names, as a weighted sum of its terms."""
    built = build_terms(config, "segmentation", classes=classes, class_weights=class_weights)
    return WeightedSum(built, [term.weight for term in parse_sum(config.loss)])


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
