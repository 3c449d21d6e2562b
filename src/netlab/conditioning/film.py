"""As channel, and the label scales and shifts every map of the decoder (Perez et al. 2018)."""

from functools import partial

from torch import Tensor, nn

from netlab.conditioning._plane import PlaneConditioning
from netlab.contracts.block import Block
from netlab.registry import register


@register("conditioning")
class FilmConditioning(PlaneConditioning):
    """Perez, Strub, de Vries, Dumoulin, Courville, "FiLM", AAAI 2018."""

    def __init__(self, *, classes: int, size: int, block: Block) -> None:
        super().__init__(classes=classes, size=size, block=partial(_modulated, block, classes))

    def condition(self, labels: Tensor) -> tuple[Tensor, ...]:
        """The labels themselves; each block has its own scales and shifts for them."""
        return (labels,)


def _modulated(block: Block, classes: int, in_channels: int, out_channels: int) -> nn.Module:
    return _Modulated(block(in_channels, out_channels), classes, out_channels)


class _Modulated(nn.Module):
    """A block whose output is scaled and shifted, a number a channel and class each."""

    def __init__(self, block: nn.Module, classes: int, channels: int) -> None:
        super().__init__()
        self.block = block
        self.film = nn.Linear(classes, 2 * channels, bias=False)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """(B, in, H, W) and (B, K) to (B, out, H, W)."""
        scale, shift = self.film(labels)[..., None, None].chunk(2, dim=1)
        out: Tensor = self.block(x) * (1 + scale) + shift
        return out
