"""U-Net: encoder and decoder joined by skips (Ronneberger et al. 2015)."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from netlab.contracts.bottleneck import Bottleneck
from netlab.contracts.decoder import Decoder
from netlab.contracts.encoder import Encoder
from netlab.registry import register


@register("architecture")
class UNet(nn.Module):
    """Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015, from built parts.

    Args:
        encoder: built for `3 * stem**2` channels.
        bottleneck: built for the encoder's last map.
        decoder: built from the encoder's channels and strides.
        classes: number of classes.
        stem: pixel-unshuffle factor in front of the network; the head shuffles the pixels back
            (Shi et al., "Real-Time Single Image … Sub-Pixel", CVPR 2016). 1 is none.
    """

    task: ClassVar[str] = "segmentation"
    parts: ClassVar[tuple[str, ...]] = ("encoder", "bottleneck", "decoder")
    """Kinds of the components that it is put together from."""

    def __init__(
        self,
        encoder: Encoder,
        bottleneck: Bottleneck,
        decoder: Decoder,
        *,
        classes: int,
        stem: int = 1,
    ) -> None:
        super().__init__()
        self.encoder, self.bottleneck, self.decoder = encoder, bottleneck, decoder
        self.head = nn.Conv2d(decoder.out_channels, classes * stem**2, kernel_size=1)
        self.stem = stem
        self.stride = stem * encoder.strides[-1]
        """Sides are padded to a multiple of this."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pictures (B, 3, H, W) of any size to logits (B, classes, H, W)."""
        height, width = x.shape[-2:]
        down, right = -height % self.stride, -width % self.stride
        if down or right:
            x = F.pad(x, (0, right, 0, down), mode="replicate")
        if self.stem > 1:
            x = F.pixel_unshuffle(x, self.stem)
        *skips, coarsest = self.encoder(x)
        logits: Tensor = self.head(self.decoder(self.bottleneck(coarsest), skips))
        if self.stem > 1:
            logits = F.pixel_shuffle(logits, self.stem)
        return logits[..., :height, :width]
