"""What every loss term keeps."""

from typing import Any, ClassVar, NamedTuple, Protocol

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


class VaeTerm(Protocol):
    """A term of a conditional VAE's loss.

    Built as `Term(classes=K, channels=C, size=S, latent=D)` and the config's further arguments; it
    takes what it needs and leaves the rest in `**built`. A term with a network of its own has a
    method `helper_loss(step)`, whose gradient reaches that network alone; the network is trained
    beside the VAE and is no part of the weights. One term of the loss is a likelihood (see
    `_likelihood.Likelihood`).
    """

    tasks: ClassVar[tuple[str, ...]]
    adversarial: ClassVar[bool]
    """Whether it measures against a network that is learning: its value is then no score."""
    swaps: ClassVar[bool]
    """Whether it looks at pictures under the wrong label."""

    def __call__(self, step: Any) -> Tensor:
        """A `_vae_step.VaeStep` to a scalar in nats: a sum over pixels, the mean over the batch."""


class Loss(NamedTuple):
    """A loss to go backward from, and its parts for the log."""

    total: Tensor
    """Scalar."""
    parts: dict[str, Tensor]
    """Each term by its name, unweighted, detached."""
    helpers: Tensor | None = None
    """Scalar that the networks inside the terms learn from, where there are any; no score."""
