"""Class of swapped pictures, read by a network that learns on real ones (Odena et al. 2017)."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netlab.contracts.vae_term import VaeStep
from netlab.layers.disturb import disturb_alike
from netlab.layers.reader import Reader, frozen
from netlab.registry import register


@register("vae-term")
class SwapClass(nn.Module):
    """Cross-entropy, in nats beyond `enough`, of reading swapped pictures as the asked label.

    The auxiliary classifier of Odena, Olah, Shlens, "AC-GAN", ICML 2017: it is trained beside the
    VAE, on real pictures with their true labels, and thrown away. With `realism` it also learns to
    tell real pictures from swapped ones, which the VAE is to prevent (Goodfellow et al.,
    "Generative Adversarial Nets", NIPS 2014, in the non-saturating form), so that a picture which
    only fools it is not enough. With `robust` it learns on attacked pictures (Madry et al.,
    "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018, here with one
    step): what changes the mind of such a network looks like the class to people and to other
    networks (Santurkar et al., "Image Synthesis with a Single (Robust) Classifier", NeurIPS 2019).

    Args:
        classes: number of classes.
        channels: of the pictures.
        width: of the auxiliary network.
        realism: weight of swapped pictures passing for real ones; 0 is none.
        robust: longest attack on the pictures that the auxiliary network learns on, as Euclidean
            distance over all pixels in [0, 1]; 0 is none.
        enough: nats at which a picture is convincing; pushing it further makes it no more like its
            class, it only fools the auxiliary network.
        disturb: share of what it sees that is blurred, noisy or shifted in the same way for real
            and swapped pictures, so that faint textures do not convince it.
        built: see `contracts.vae_term.VaeTerm`.
    """

    adversarial: ClassVar[bool] = True
    swaps: ClassVar[bool] = True
    reencodes: ClassVar[bool] = False

    def __init__(
        self,
        *,
        classes: int,
        channels: int,
        width: int = 32,
        realism: float = 0.0,
        robust: float = 0.0,
        enough: float = 0.0,
        disturb: float = 0.5,
        **built: Any,  # noqa: ARG002
    ) -> None:
        super().__init__()
        self.classes, self.disturb = classes, disturb
        self.realism, self.robust, self.enough = realism, robust, enough
        self.learns_swapped = realism > 0
        self.reader = Reader(channels, classes + self.learns_swapped, width)

    def forward(self, step: VaeStep) -> Tensor:
        """See `VaeTerm`; only the VAE learns from it."""
        with frozen(self.reader):
            logits = self.reader(step.views[self].swapped)
        nats = F.cross_entropy(logits[:, : self.classes], step.wrong, reduction="none")
        loss: Tensor = F.relu(nats - self.enough).mean()
        if self.realism:
            loss = loss + self.realism * F.softplus(-logits[:, self.classes]).mean()
        return loss

    def helper_loss(self, step: VaeStep) -> Tensor:
        """The auxiliary network's own cross-entropies, in nats; see `HelpedTerm`."""
        views = step.views[self]
        if views.fake is None:
            return F.cross_entropy(self.reader(views.real), step.labels)
        assert views.real is not None
        # In one batch, so that batch norm sees the mixture that its running statistics describe.
        real, fake = self.reader(torch.cat([views.real, views.fake])).chunk(2)
        realness = F.softplus(-real[:, self.classes]) + F.softplus(fake[:, self.classes])
        return F.cross_entropy(real[:, : self.classes], step.labels) + realness.mean()

    def view(self, pictures: Tensor, generator: torch.Generator | None) -> Tensor:
        """Blurred, noisy and shifted; see `Observer`."""
        return disturb_alike(pictures, self.disturb, generator)

    def view_real(
        self, images: Tensor, labels: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        """As `view`, then moved by up to `robust` to where the label is read worst."""
        seen = self.view(images, generator)
        if not self.robust:
            return seen
        seen = seen.detach().requires_grad_()
        with frozen(self.reader):
            logits = self.reader(seen)[:, : self.classes]
        loss = F.cross_entropy(logits, labels, reduction="sum")
        (slope,) = torch.autograd.grad(loss, seen)
        direction = F.normalize(slope.flatten(1), dim=1).view_as(seen)
        length = torch.rand(len(seen), 1, 1, 1, generator=generator).to(direction)
        return (seen + self.robust * length * direction).detach()

    def read(self, pictures: Tensor) -> Tensor:
        """The most likely class of pictures (B, C, S, S) in [0, 1]: (B,)."""
        with frozen(self.reader):
            logits: Tensor = self.reader(pictures)[:, : self.classes]
        return logits.argmax(dim=1)
