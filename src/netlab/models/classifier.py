"""Classifier: an encoder, the mean over its last map, one class for the picture."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from netlab.contracts.bottleneck import Bottleneck
from netlab.contracts.encoder import Encoder
from netlab.registry import register


@register("architecture")
class Classifier(nn.Module):
    """Global average pooling after the encoder (Lin et al., "Network in Network", ICLR 2014).

    Args:
        encoder: built for the pictures' channels.
        bottleneck: built for the encoder's last map.
        classes: number of classes.
        features: width of the layer before the last one, in which pictures are compared.
        dropout: share of the features that is left out in training.
    """

    task: ClassVar[str] = "classification"
    parts: ClassVar[tuple[str, ...]] = ("encoder", "bottleneck")
    """Kinds of the components that it is put together from."""

    def __init__(
        self,
        encoder: Encoder,
        bottleneck: Bottleneck,
        *,
        classes: int,
        features: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder, self.bottleneck = encoder, bottleneck
        self.neck = nn.Linear(bottleneck.out_channels, features)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(features, classes)
        self.stride = encoder.strides[-1]
        """Sides are padded to a multiple of this."""

    def features(self, x: Tensor) -> Tensor:
        """Normalised pictures (B, C, H, W) to features (B, features), at least 0."""
        down, right = -x.shape[-2] % self.stride, -x.shape[-1] % self.stride
        if down or right:
            x = F.pad(x, (0, right, 0, down), mode="replicate")
        coarsest = self.bottleneck(self.encoder(x)[-1])
        return self.neck(coarsest.mean(dim=(2, 3))).relu()  # type: ignore[no-any-return]

    def logits(self, features: Tensor) -> Tensor:
        """What `features` gave, to logits (B, classes)."""
        return self.head(self.dropout(features))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pictures (B, C, H, W) to logits (B, classes)."""
        return self.logits(self.features(x))
