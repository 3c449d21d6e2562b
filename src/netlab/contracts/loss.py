"""What every loss term keeps."""

from typing import ClassVar, NamedTuple, Protocol

from torch import Tensor


class SegmentationLoss(Protocol):
    """Compares logits with class ids.

    Built as `Term(classes=K, class_weights=None)`; the weights are (K,), positive, mean 1.
    """

    tasks: ClassVar[tuple[str, ...]]
    """The tasks it is for."""

    def __init__(self, *, classes: int, class_weights: Tensor | None) -> None:
        """Prepare a term for `classes` classes."""

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """Float logits (B, K, H, W) and int64 ids (B, H, W) to a scalar, averaged as documented."""


class Loss(NamedTuple):
    """A loss to go backward from, and its parts for the log."""

    total: Tensor
    """Scalar."""
    parts: dict[str, Tensor]
    """Each term by its name, unweighted, detached."""
    helpers: Tensor | None = None
    """Scalar that the networks inside the terms learn from, where there are any; no score."""
