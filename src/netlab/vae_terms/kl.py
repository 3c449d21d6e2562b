"""KL of a VAE's posterior from its prior, with free bits or a capacity (Kingma, Welling 2014)."""

from typing import Any, ClassVar

from torch import Tensor, nn

from netlab.contracts.vae_term import VaeStep, risen
from netlab.registry import register


@register("vae-term")
class KL(nn.Module):
    """KL(q(z | x, y) || N(0, I)) in nats, summed over the latent, averaged over the batch.

    Its weight in the sum is the β of Higgins et al., "β-VAE", ICLR 2017.

    Args:
        free_bits: nats that each number of z may carry, on the batch's average, at no cost (Kingma
            et al., "Inverse Autoregressive Flow", NIPS 2016); 0 is none.
        capacity: nats that z is drawn to carry: the term is |KL - c|, c rising from 0 to this over
            the share `ramp` of the run (Burgess et al., "Understanding disentangling", 2018).
        ramp: see `capacity`.
        anneal: share of the run over which the term's weight rises from 0; 0 is none.
        built: see `contracts.vae_term.VaeTerm`.
    """

    adversarial: ClassVar[bool] = False
    swaps: ClassVar[bool] = False
    reencodes: ClassVar[bool] = False

    def __init__(
        self,
        *,
        free_bits: float = 0.0,
        capacity: float = 0.0,
        ramp: float = 0.5,
        anneal: float = 0.0,
        **built: Any,  # noqa: ARG002
    ) -> None:
        super().__init__()
        self.free_bits, self.capacity = free_bits, capacity
        self.ramp, self.anneal = ramp, anneal

    def forward(self, step: VaeStep) -> Tensor:
        """See `VaeTerm`."""
        by_dimension = kl_nats(step.posterior.mean, step.posterior.log_var).mean(dim=0)
        total = by_dimension.clamp(min=self.free_bits).sum()
        if self.capacity:
            total = (total - self.capacity * risen(step.done, self.ramp)).abs()
        return total * risen(step.done, self.anneal)


def kl_nats(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL from N(0, 1) of each number of z: (B, D) and (B, D) to (B, D), at least 0."""
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var)
