"""The way back from the coarsest map to the finest."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from netlab.contracts.block import Block


class Decoder(Protocol):
    """Turns the bottleneck's map back into one of the finest skip's size."""

    @property
    def out_channels(self) -> int:
        """Channels of the output."""

    def forward(self, x: Tensor, skips: Sequence[Tensor], /, *condition: Tensor) -> Tensor:
        """(B, in_channels, h, w) and the skips, finest first, to (B, out_channels, H, W).

        Args:
            x: the coarsest map.
            skips: the encoder's maps, or none at all.
            condition: handed on to every block.
        """

    def __call__(self, x: Tensor, skips: Sequence[Tensor], /, *condition: Tensor) -> Tensor:
        """As `forward`; `nn.Module` brings it."""


class DecoderBuilder(Protocol):
    """A component of the kind `decoder`."""

    @property
    def needs_skips(self) -> bool:
        """Whether it works only with the encoder's skips (a U-Net has them, a VAE has none).

        An attribute of the class: it is asked before anything is built.
        """

    def __call__(
        self,
        *,
        in_channels: int,
        skip_channels: Sequence[int],
        strides: Sequence[int],
        block: Block,
        with_skips: bool = True,
    ) -> Decoder:
        """Build the layers from what the encoder publishes alone, finest first.

        Args:
            in_channels: of the bottleneck's map.
            skip_channels: of the skips; without skips, of the levels.
            strides: of the skips and, last, of the bottleneck's map.
            block: makes the layers of one level.
            with_skips: whether skips will be given.

        Raises:
            ConfigError: strides that this decoder cannot undo, named in one line.
        """
