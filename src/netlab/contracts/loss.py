"""What a network is trained by: terms of a loss, and the sum of them."""

from typing import NamedTuple, Protocol

from torch import Tensor


class LossTerm(Protocol):
    """Compares logits with class ids."""

    def forward(self, logits: Tensor, target: Tensor, /) -> Tensor:
        """Float logits (B, K, …) and int64 ids (B, …) to a scalar, averaged as documented.

        Logits of a segmentation are (B, K, H, W), of a classification (B, K).
        """

    def __call__(self, logits: Tensor, target: Tensor, /) -> Tensor:
        """As `forward`; `nn.Module` brings it."""


class LossBuilder(Protocol):
    """A component of the kind `loss`."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks it is for; an attribute of the class."""

    def __call__(self, *, classes: int, class_weights: Tensor | None) -> LossTerm:
        """Prepare a term for `classes` classes; the weights are (K,), positive, mean 1."""


class Loss(NamedTuple):
    """A loss to go backward from, and its terms for the log."""

    total: Tensor
    """Scalar."""
    terms: dict[str, Tensor]
    """Each term by its name, unweighted, detached."""
    helpers: Tensor | None = None
    """Scalar that the networks inside the terms learn from, where there are any; no score."""
