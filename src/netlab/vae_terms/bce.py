"""Bernoulli likelihood of a VAE's pixels (Kingma and Welling 2014)."""

import torch.nn.functional as F
from torch import Tensor

from netlab.contracts.likelihood import Likelihood
from netlab.registry import register


@register("vae-term")
class Bernoulli(Likelihood):
    """Binary cross-entropy of pixel values in [0, 1], in nats; appendix C.1 of the paper.

    For gray values it is no normalised density (Loaiza-Ganem and Cunningham, "The Continuous
    Bernoulli", NeurIPS 2019), which is how the field reports MNIST all the same.
    """

    def nats(self, output: Tensor, images: Tensor) -> Tensor:
        """See `Likelihood`."""
        loss = F.binary_cross_entropy_with_logits(output, images, reduction="none")
        return loss.flatten(1).sum(dim=1)
