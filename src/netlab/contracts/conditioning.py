"""How a label enters the encoder and the decoder of a VAE."""

from typing import Protocol

from torch import Tensor

from netlab.contracts.block import Block


class Conditioning(Protocol):
    """Tells an encoder and a decoder which label a picture has.

    Labels come as weights (B, K) that sum to one over the classes: one-hot for a label, between two
    of them for a morph.
    """

    @property
    def image_channels(self) -> int:
        """Channels that stand beside the picture's own at the encoder's input."""

    @property
    def vector_size(self) -> int:
        """Numbers that stand beside the latent."""

    @property
    def block(self) -> Block:
        """Builds the decoder's blocks; they are called with `condition(labels)` behind the map."""

    def image(self, labels: Tensor, /) -> Tensor:
        """(B, K) to (B, image_channels, S, S)."""

    def vector(self, labels: Tensor, /) -> Tensor:
        """(B, K) to (B, vector_size)."""

    def condition(self, labels: Tensor, /) -> tuple[Tensor, ...]:
        """(B, K) to what every block of the decoder is called with; may be nothing."""


class ConditioningBuilder(Protocol):
    """A component of the kind `conditioning`."""

    def __call__(self, *, classes: int, size: int, block: Block) -> Conditioning:
        """Prepare for pictures of `size` × `size` pixels; `block` builds a plain block."""
