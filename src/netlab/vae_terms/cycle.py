"""Latent cycle: a swapped picture, encoded with its new label, gives z again."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from netlab.contracts.vae_term import VaeStep
from netlab.registry import register

_LEAST = 1e-4  # an unused number of z has no variance to measure by


@register("vae-term")
class LatentCycle(nn.Module):
    """½ Σ (mean of q(z | x', y') - z)² / Var z, averaged over the batch; half the latent's size is
    what a constant code would give.

    The variance of each number of z over the batch is taken as given, so that shrinking z gains
    nothing.

    x' is decoded from z under another label y'. What is kept in z is thereby kept in the picture
    (the latent regression of Zhu et al., "Toward Multimodal Image-to-Image …", NIPS 2017).
    """

    adversarial: ClassVar[bool] = False
    swaps: ClassVar[bool] = True
    reencodes: ClassVar[bool] = True

    def __init__(self, **built: Any) -> None:  # noqa: ARG002
        super().__init__()

    def forward(self, step: VaeStep) -> Tensor:
        """See `VaeTerm`."""
        assert step.swapped_posterior is not None
        z = step.z.detach()
        # one picture alone has no variance: that of the prior stands in
        variance = z.var(dim=0) if len(z) > 1 else torch.ones_like(z[0])
        errors: Tensor = (step.swapped_posterior.mean - z).square() / (variance + _LEAST)
        return 0.5 * errors.sum(dim=1).mean()
