"""Cross-entropy, averaged over all pixels (or pictures) of the batch."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from netlab.registry import register


@register("loss")
class CrossEntropy(nn.Module):
    """Negative log likelihood of the right class in nats, averaged over the batch's pixels.

    With class weights the average is weighted: Σ w[t] · nll / Σ w[t]. With `smoothing` s the target
    is 1 - s + s/K for the right class and s/K for others (Szegedy et al., "Rethinking the
    Inception Architecture", CVPR 2016).
    """

    tasks: ClassVar[tuple[str, ...]] = ("segmentation", "classification")
    class_weights: Tensor | None

    def __init__(
        self,
        *,
        classes: int,  # noqa: ARG002 - the logits tell
        class_weights: Tensor | None,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, K, …) and ids (B, …) to a scalar, at least 0."""
        return F.cross_entropy(
            logits, target, weight=self.class_weights, label_smoothing=self.smoothing
        )
