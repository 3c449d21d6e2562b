"""What every term of a conditional VAE's loss keeps, and the finished pass that it judges."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor


class Posterior(NamedTuple):
    """A diagonal Gaussian over the latent, a row for each picture."""

    mean: Tensor
    """(B, D)."""
    log_var: Tensor
    """(B, D)."""

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Draw z (B, D); the noise is drawn on the CPU, the same for every device."""
        noise = torch.randn(self.mean.shape, generator=generator).to(self.mean)
        return self.mean + noise * (0.5 * self.log_var).exp()


class VaeNetwork(Protocol):
    """The network of a conditional VAE, an `nn.Module` (see `netlab.models.vae.ConditionalVAE`)."""

    training: bool

    def train(self, mode: bool = True) -> Any:
        """Set training or evaluation mode, as every `nn.Module` does."""

    def encode(self, x: Tensor, labels: Tensor) -> Posterior:
        """Pictures (B, C, S, S) in [0, 1] and labels (B, K), rows summing to 1, to q(z | x, y)."""

    def decode(self, z: Tensor, labels: Tensor) -> Tensor:
        """Latents (B, D) and labels (B, K) to the likelihood's parameters (B, out, S, S)."""


class Views(NamedTuple):
    """Pictures as the network of one term sees them (see `Observer`), (B, C, S, S) each."""

    swapped: Tensor
    """The swapped pictures; gradients reach the VAE."""
    real: Tensor | None = None
    """The real ones that the network learns from; None where it does not learn."""
    fake: Tensor | None = None
    """The swapped ones that it learns from; None where it does not."""


@dataclass(frozen=True, eq=False)
class VaeStep:
    """All that a pass over a batch of B pictures has made; nothing in it is still to be computed.

    `netlab.tasks.vae.step.vae_step` makes it.
    """

    images: Tensor
    """x: (B, C, S, S) in [0, 1]."""
    labels: Tensor
    """y: (B,), true labels."""
    wrong: Tensor
    """y': (B,), another label for each picture."""
    true_weights: Tensor
    """True labels one-hot, (B, K)."""
    wrong_weights: Tensor
    """Wrong labels one-hot, (B, K)."""
    posterior: Posterior
    """q(z | x, y)."""
    z: Tensor
    """A draw from the posterior, (B, D)."""
    output: Tensor
    """The likelihood's parameters under the true label, (B, out, S, S)."""
    swapped: Tensor | None = None
    """x': z under the wrong label, (B, C, S, S) in [0, 1]; None where no term `swaps`."""
    swapped_posterior: Posterior | None = None
    """q(z | x', y'), by the encoder as it is in use, with the running statistics of batch norm,
    which are those of real pictures; None where no term `reencodes`."""
    views: Mapping["Observer", Views] = field(default_factory=dict)
    """What each `Observer` among the terms sees, by the term itself."""
    done: float = 1.0
    """Share of the run that is behind, 0 to 1."""


def risen(done: float, share: float) -> float:
    """How far a weight has risen, 0 to 1, that does so over a share of the run; 0 is at once."""
    return min(1.0, done / share) if share else 1.0


class VaeTerm(Protocol):
    """A term of a conditional VAE's loss: it judges a finished pass, and runs no VAE itself.

    Built as `Term(classes=K, channels=C, size=S, latent=D)` and the config's further arguments; it
    takes what it needs and leaves the rest in `**built`. One term of the loss is a likelihood (see
    `netlab.contracts.likelihood.Likelihood`). A term may have a network of its own (`HelpedTerm`)
    that sees pictures in its own way (`Observer`). A term draws no random numbers when it is worked
    out: all that is random is drawn in the pass.
    """

    adversarial: ClassVar[bool]
    """Whether it measures against a network that is learning: its value is then no score."""
    swaps: ClassVar[bool]
    """Whether it needs the pictures under the wrong label."""
    reencodes: ClassVar[bool]
    """Whether it needs those pictures encoded again; such a term also `swaps`."""

    def forward(self, step: VaeStep, /) -> Tensor:
        """A finished pass to a scalar in nats: a sum over pixels, the mean over the batch."""

    def __call__(self, step: VaeStep, /) -> Tensor:
        """As `forward`; `nn.Module` brings it."""


class VaeTermBuilder(Protocol):
    """A component of the kind `vae-term`: the class of a `VaeTerm`."""

    adversarial: bool
    swaps: bool
    reencodes: bool

    def __call__(self, *, classes: int, channels: int, size: int, latent: int) -> VaeTerm:
        """Prepare a term for K classes, C channels, pictures of size S, and D numbers of z."""


@runtime_checkable
class HelpedTerm(Protocol):
    """A term with a network of its own, trained beside the VAE and no part of its weights."""

    def helper_loss(self, step: VaeStep) -> Tensor:
        """A finished pass to the scalar that its network learns from, which nothing else does.

        In each step the helper losses of all terms come before all terms, so that what a helper's
        batch norm learns there spoils no gradient.
        """


@runtime_checkable
class Observer(Protocol):
    """A term whose network sees pictures changed at random, such as blurred; it also `swaps`.

    The pass asks for these views, so that what is drawn does not depend on the order of terms.
    """

    learns_swapped: bool
    """Whether its network learns from swapped pictures as well."""

    def view(self, pictures: Tensor, generator: torch.Generator | None) -> Tensor:
        """Pictures (B, C, S, S) in [0, 1] as its network sees them, same shape; differentiable."""

    def view_real(
        self, images: Tensor, labels: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        """Real pictures with labels (B,) as its network sees them when it learns; same shape."""
