"""Two 3 × 3 convolutions, each with normalisation and activation (Ronneberger et al. 2015)."""

from torch import Tensor, nn

from netlab.contracts.block import ActivationLayer, NormLayer
from netlab.registry import register


@register("block")
class ConvBlock(nn.Module):
    """3 × 3 convolution, normalisation, activation; `convs` times.

    The level of the U-Net (Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015), padded so that the
    size stays, with normalisation as in most later work. Convolutions have a bias.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        norm: NormLayer,
        activation: ActivationLayer,
        convs: int = 2,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(convs):
            source = in_channels if index == 0 else out_channels
            layers += [
                nn.Conv2d(source, out_channels, kernel_size=3, padding=1),
                norm(out_channels),
                activation(),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H, W)."""
        out: Tensor = self.layers(x)
        return out
