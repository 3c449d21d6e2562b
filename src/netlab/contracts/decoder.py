"""What every decoder keeps."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from torch import Tensor

from netlab.contracts.block import Block


class Decoder(Protocol):
    """Turns the bottleneck's map back into one of the finest skip's size.

    Built from what the encoder publishes alone: channels and strides, finest first; the last stride
    is that of the bottleneck's map.

    Raises:
        ConfigError: strides that this decoder cannot undo, named in one line.
    """

    needs_skips: ClassVar[bool]
    """Whether it works only with the encoder's skips (a U-Net has them, a VAE has none)."""
    out_channels: int

    def __init__(
        self,
        *,
        in_channels: int,
        skip_channels: Sequence[int],
        strides: Sequence[int],
        block: Block,
        with_skips: bool = True,
    ) -> None:
        """Build the layers; `block` makes those of one level.

        Without skips `skip_channels` are the channels of the levels alone.
        """

    def __call__(self, x: Tensor, skips: Sequence[Tensor], *condition: Tensor) -> Tensor:
        """(B, in_channels, h, w) and the skips, finest first, to (B, out_channels, H, W).

        Args:
            x: the coarsest map.
            skips: the encoder's maps, or none at all.
            condition: handed on to every block.
        """
