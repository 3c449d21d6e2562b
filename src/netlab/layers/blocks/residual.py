"""Two 3 × 3 convolutions and a shortcut around them (He et al. 2016)."""

from torch import Tensor, nn

from netlab.contracts.block import ActivationLayer, NormLayer
from netlab.registry import register


@register("block")
class ResidualBlock(nn.Module):
    """A convolution to the new width where it changes, then `repeat` basic blocks of that width.

    He, Zhang, Ren, Sun, "Deep Residual Learning", CVPR 2016, figure 2. The 3 × 3 convolution in
    front takes the place of a shortcut that would have to change its channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        norm: NormLayer,
        activation: ActivationLayer,
        repeat: int = 1,
    ) -> None:
        super().__init__()

        def layer(source: int) -> list[nn.Module]:
            return [nn.Conv2d(source, out_channels, kernel_size=3, padding=1), norm(out_channels)]

        self.first = (
            nn.Identity()
            if in_channels == out_channels
            else nn.Sequential(*layer(in_channels), activation())
        )
        self.inner = nn.ModuleList(
            nn.Sequential(*layer(out_channels), activation(), *layer(out_channels))
            for _ in range(repeat)
        )
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H, W)."""
        x = self.first(x)
        for inner in self.inner:
            x = self.activation(x + inner(x))
        return x
