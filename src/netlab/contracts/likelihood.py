"""What the likelihoods p(x | z, y) of a VAE share; they differ in their density."""

from typing import Any, ClassVar

from torch import Tensor, nn

from netlab.contracts.vae_term import VaeStep


class Likelihood(nn.Module):
    """A density of pictures, given the decoder's output; as a loss, -log p(x | z, y) in nats.

    Summed over pixels and channels, averaged over the batch. Built like every term of a VAE (see
    `contracts.vae_term.VaeTerm`).
    """

    adversarial: ClassVar[bool] = False
    swaps: ClassVar[bool] = False
    reencodes: ClassVar[bool] = False
    numbers: ClassVar[int] = 1
    """Numbers that the decoder gives for each pixel and channel."""
    levels: ClassVar[bool] = False
    """Whether it is a probability of 256 levels, so that bits per dimension mean something."""

    def __init__(self, **built: Any) -> None:  # noqa: ARG002 - none of them matters here
        super().__init__()

    def picture(self, output: Tensor) -> Tensor:
        """The mean picture: (B, C * numbers, S, S) to (B, C, S, S) in [0, 1]."""
        return output.sigmoid()

    def nats(self, output: Tensor, images: Tensor) -> Tensor:
        """-log p(x | z, y) of each picture: (B, C * numbers, S, S) and (B, C, S, S) to (B,)."""
        raise NotImplementedError

    def forward(self, step: VaeStep) -> Tensor:
        """See `contracts.vae_term.VaeTerm`."""
        return self.nats(step.output, step.images).mean()
