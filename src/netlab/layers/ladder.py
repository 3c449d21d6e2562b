"""The ladder of levels that netlab's decoders share; they differ in how they enlarge."""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from netlab.contracts.block import Block
from netlab.errors import ConfigError


class Ladder(nn.Module):
    """Enlarge, join the skip, convolve; once a level (see `contracts.decoder.Decoder`).

    Args:
        in_channels: channels of the bottleneck's map.
        skip_channels: channels of the skips, finest first; each level gives as many.
        strides: strides of the skips and of the bottleneck's map, finest first.
        block: makes the convolutions of one level.
        with_skips: whether skips will be given; without them a level works on what it enlarged.

    Raises:
        ConfigError: a stride that is no multiple of the one before it.
    """

    needs_skips: ClassVar[bool] = False

    def __init__(
        self,
        *,
        in_channels: int,
        skip_channels: Sequence[int],
        strides: Sequence[int],
        block: Block,
        with_skips: bool = True,
    ) -> None:
        super().__init__()
        if len(strides) != len(skip_channels) + 1 or any(
            b % a or b == a for a, b in pairwise(strides)
        ):
            raise ConfigError(
                f"this decoder cannot follow an encoder with strides {list(strides)} and skips of "
                f"{list(skip_channels)} channels: each stride must be a multiple of the one before"
            )
        factors = [b // a for a, b in pairwise(strides)]
        ups, blocks = [], []
        for skip, factor in zip(reversed(skip_channels), reversed(factors), strict=True):
            ups.append(self.enlarge(in_channels, skip, factor))
            blocks.append(block(2 * skip if with_skips else skip, skip))
            in_channels = skip
        self.ups, self.blocks = nn.ModuleList(ups), nn.ModuleList(blocks)
        self.out_channels = in_channels

    def enlarge(self, in_channels: int, out_channels: int, factor: int) -> nn.Module:
        """Build the layer that multiplies height and width by `factor`."""
        raise NotImplementedError

    def forward(self, x: Tensor, skips: Sequence[Tensor], *condition: Tensor) -> Tensor:
        """(B, in_channels, h, w) and the skips, finest first or none, to (B, out, H, W)."""
        levels = zip(self.ups, self.blocks, strict=True)
        if not skips:
            for up, block in levels:
                x = block(up(x), *condition)
            return x
        for (up, block), skip in zip(levels, reversed(skips), strict=True):
            x = block(torch.cat([skip, up(x)], dim=1), *condition)
        return x
