"""Parts that several tasks build from a config."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from netlab import registry
from netlab.components import component, fault_of, find_component
from netlab.config import TrainConfig
from netlab.contracts.block import Block
from netlab.contracts.bottleneck import Bottleneck
from netlab.contracts.decoder import Decoder
from netlab.contracts.encoder import Encoder
from netlab.contracts.score import Score
from netlab.errors import ConfigError
from netlab.expressions import parse_sum


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


def build_decoder(
    config: TrainConfig, encoder: Encoder, bottleneck: Bottleneck, block: Block, **more: Any
) -> Decoder:
    """The decoder of a config, for the maps of an encoder; `more` are further arguments."""
    return component(config, "decoder")(
        in_channels=bottleneck.out_channels,
        skip_channels=encoder.out_channels[:-1],
        strides=encoder.strides,
        block=block,
        **more,
    )


def build_terms(
    config: TrainConfig,
    task: str,
    kind: str,
    *,
    order: Callable[[list[str]], list[str]],
    **built: Any,
) -> dict[str, Any]:
    """The terms of a config's loss by name, each built with `built` and its own arguments.

    Args:
        config: of the run.
        task: its name.
        kind: of the task's terms, `loss` or `vae-term`.
        order: brings their names into the order in which they are built.
        built: arguments that all terms take.

    Raises:
        ConfigError: a term for another task, or arguments for a term that is not there.
    """
    names = [term.name for term in parse_sum(config.loss)]
    if unknown := [name for name in config.parts.get("loss", {}) if name not in names]:
        raise ConfigError(
            f"loss has no term '{unknown[0]}' (its terms: {', '.join(names)}); "
            "write --set loss.TERM.ARGUMENT=VALUE"
        )
    for name in names:
        tasks = registry.get("loss", name).tasks if name in registry.names("loss") else ("vae",)
        if task not in tasks:
            raise ConfigError(f"loss '{name}' is for {' and '.join(tasks)}, not for {config.arch}")
    return {name: find_component(config, kind, name)(**built) for name in order(names)}


def task_of(config: TrainConfig) -> str:
    """Name of the task that a config's architecture is for."""
    return registry.get("architecture", config.arch).task


def score_of(config: TrainConfig) -> Score:
    """What the networks of a config are judged by."""
    return registry.get("task", task_of(config)).score


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
    reason = " ".join(str(fault_of(error) or error).split())
    return ConfigError(
        f"this network cannot be trained on batches of {config.batch_size} pictures of "
        f"{config.image_size} pixels: {reason}"
    )
