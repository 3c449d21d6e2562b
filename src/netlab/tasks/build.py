"""Parts that several tasks build from a config."""

import functools
from typing import Any

from netlab.components import component
from netlab.config import TrainConfig
from netlab.contracts.block import Block
from netlab.contracts.bottleneck import Bottleneck
from netlab.contracts.decoder import Decoder
from netlab.contracts.encoder import Encoder


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
