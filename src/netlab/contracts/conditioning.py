"""What every way of conditioning keeps."""

from typing import Protocol

from torch import Tensor

from netlab.contracts.block import Block


class Conditioning(Protocol):
    """Tells an encoder and a decoder which label a picture has.

    Built as `Conditioning(classes=K, size=S, block=…)`. Labels come as weights (B, K) that sum to
    one over the classes: one-hot for a label, between two of them for a morph.
    """

    image_channels: int
    """Channels that stand beside the picture's own at the encoder's input."""
    vector_size: int
    """Numbers that stand beside the latent."""
    block: Block
    """Builds the blocks of the decoder; they are called with `condition(labels)` behind the map."""

    def __init__(self, *, classes: int, size: int, block: Block) -> None:
        """Prepare for pictures of `size` × `size` pixels; `block` builds a plain block."""

    def image(self, labels: Tensor) -> Tensor:
        """(B, K) to (B, image_channels, S, S)."""

    def vector(self, labels: Tensor) -> Tensor:
        """(B, K) to (B, vector_size)."""

    def condition(self, labels: Tensor) -> tuple[Tensor, ...]:
        """(B, K) to what every block of the decoder is called with; may be nothing."""
