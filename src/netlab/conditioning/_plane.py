"""What netlab's ways of conditioning share: a picture of the label, and the label beside z."""

from torch import Tensor, nn

from netlab.contracts.block import Block


class PlaneConditioning(nn.Module):
    """A learnt picture of each class beside the input, the label beside z, plain blocks.

    See `contracts.conditioning.Conditioning`.
    """

    def __init__(self, *, classes: int, size: int, block: Block) -> None:
        super().__init__()
        self.image_channels, self.vector_size, self.size = 1, classes, size
        self.block = block
        self.plane = nn.Linear(classes, size**2, bias=False)

    def image(self, labels: Tensor) -> Tensor:
        """See `contracts.conditioning.Conditioning`."""
        return self.plane(labels).view(-1, 1, self.size, self.size)  # type: ignore[no-any-return]

    def vector(self, labels: Tensor) -> Tensor:
        """See `contracts.conditioning.Conditioning`."""
        return labels

    def condition(self, labels: Tensor) -> tuple[Tensor, ...]:  # noqa: ARG002
        """Nothing: the blocks are plain."""
        return ()
