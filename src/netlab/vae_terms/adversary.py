"""Takes the label out of z: a network reads it there, the encoder makes that fail (Ganin 2016)."""

import math
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netlab.contracts.vae_term import VaeStep, risen
from netlab.layers.reader import frozen
from netlab.registry import register


@register("vae-term")
class Adversary(nn.Module):
    """KL, in nats, of a uniform guess from what a network reads in the posterior's mean; 0 is best.

    Ganin et al., "Domain-Adversarial Training", JMLR 2016, with the confusion loss of Tzeng et al.,
    "Simultaneous Deep Transfer", ICCV 2015: the encoder aims at a guess, not at a wrong answer,
    which would tell as much. Used against labels in a latent by Lample et al., "Fader Networks",
    NIPS 2017.

    Args:
        latent: numbers of z.
        classes: number of classes.
        hidden: units of each of the two hidden layers of a reader.
        readers: networks that read side by side; what fools one need not fool the others.
        ramp: share of the run over which the term rises from 0.
        built: see `contracts.vae_term.VaeTerm`.
    """

    adversarial: ClassVar[bool] = True
    swaps: ClassVar[bool] = False
    reencodes: ClassVar[bool] = False

    def __init__(
        self,
        *,
        latent: int,
        classes: int,
        hidden: int = 256,
        readers: int = 3,
        ramp: float = 0.05,
        **built: Any,  # noqa: ARG002
    ) -> None:
        super().__init__()
        self.ramp, self.classes = ramp, classes
        self.readers = nn.ModuleList(
            nn.Sequential(
                nn.Linear(latent, hidden),
                nn.LeakyReLU(0.2),
                nn.Linear(hidden, hidden),
                nn.LeakyReLU(0.2),
                nn.Linear(hidden, classes),
            )
            for _ in range(readers)
        )

    def forward(self, step: VaeStep) -> Tensor:
        """See `VaeTerm`; only the VAE learns from it."""
        with frozen(self.readers):
            logits = torch.stack([reader(step.posterior.mean) for reader in self.readers])
        divergence: Tensor = -logits.float().log_softmax(dim=-1).mean() - math.log(self.classes)
        return divergence * risen(step.done, self.ramp)

    def helper_loss(self, step: VaeStep) -> Tensor:
        """The readers' own cross-entropy, in nats, averaged over them; see `HelpedTerm`."""
        z = step.posterior.mean.detach()
        losses = [F.cross_entropy(reader(z).float(), step.labels) for reader in self.readers]
        return torch.stack(losses).mean()
