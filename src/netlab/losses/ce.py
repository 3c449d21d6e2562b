"""Cross-entropy, averaged over all pixels of the batch."""

import torch.nn.functional as F
from torch import Tensor, nn

from netlab.registry import register


@register("loss")
class CrossEntropy(nn.Module):
    """Negative log likelihood of the right class in nats, averaged over the batch's pixels.

    With class weights the average is weighted: Σ w[t] · nll / Σ w[t].
    """

    class_weights: Tensor | None

    def __init__(self, *, classes: int, class_weights: Tensor | None) -> None:  # noqa: ARG002
        super().__init__()
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, K, H, W) and ids (B, H, W) to a scalar, at least 0."""
        return F.cross_entropy(logits, target, weight=self.class_weights)
