"""What every term of a conditional VAE's loss keeps."""

from typing import Any, ClassVar, Protocol

from torch import Tensor


def risen(done: float, share: float) -> float:
    """How far a weight has risen, 0 to 1, that does so over a share of the run; 0 is at once."""
    return min(1.0, done / share) if share else 1.0


class VaeTerm(Protocol):
    """A term of a conditional VAE's loss.

    Built as `Term(classes=K, channels=C, size=S, latent=D)` and the config's further arguments; it
    takes what it needs and leaves the rest in `**built`. A term with a network of its own has a
    method `helper_loss(step)`, whose gradient reaches that network alone; the network is trained
    beside the VAE and is no part of the weights. One term of the loss is a likelihood (see
    `netlab.contracts.likelihood.Likelihood`).
    """

    adversarial: ClassVar[bool]
    """Whether it measures against a network that is learning: its value is then no score."""
    swaps: ClassVar[bool]
    """Whether it looks at pictures under the wrong label."""

    def __call__(self, step: Any) -> Tensor:
        """A `VaeStep` to a scalar in nats: a sum over pixels, the mean over the batch."""


class VaeTermBuilder(Protocol):
    """A component of the kind `vae-term`."""

    def __call__(self, *, classes: int, channels: int, size: int, latent: int) -> VaeTerm:
        """Prepare a term for K classes, C channels, pictures of size S, and D numbers of z."""
