"""Conditional VAE: a picture and its label to a latent, and back (Kingma and Welling 2014)."""

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netlab.contracts.bottleneck import Bottleneck
from netlab.contracts.conditioning import Conditioning
from netlab.contracts.decoder import Decoder
from netlab.contracts.encoder import Encoder
from netlab.contracts.vae_term import Posterior
from netlab.errors import ConfigError
from netlab.registry import register

_LEAST, _MOST = 1e-3, 20.0  # standard deviations; wider is never useful, exp must stay finite


@register("architecture")
class ConditionalVAE(nn.Module):
    """Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014, with a label on both sides.

    The conditional form is that of Sohn, Lee, Yan, "Learning Structured Output Representation",
    NIPS 2015: the posterior q(z | x, y) and the likelihood p(x | z, y); the prior is N(0, I).

    Args:
        encoder: built for the pictures' channels and those of the conditioning, `stem**2` times.
        bottleneck: built for the encoder's last map.
        decoder: built without skips.
        conditioning: how the label enters.
        size: side of the pictures in pixels.
        latent: numbers of z.
        out_channels: channels of the decoder's output, as the likelihood wants them.
        stem: pixel-unshuffle factor in front of the encoder; the head shuffles the pixels back.
        normalise: of the posterior's means: `none`, or `batch` for batch normalisation without
            scale and shift, with which z cannot collapse (Zhu et al., "A Batch Normalized Inference
            Network Keeps the KL Vanishing Away", ACL 2020).
        sigma: least standard deviation of the posterior; an encoder that an adversary watches
            would else hide in z what is too fine for it to see.

    Raises:
        ConfigError: another `normalise`.
    """

    task: ClassVar[str] = "vae"
    parts: ClassVar[tuple[str, ...]] = ("encoder", "bottleneck", "decoder", "conditioning")
    """Kinds of the components that it is put together from."""

    def __init__(
        self,
        encoder: Encoder,
        bottleneck: Bottleneck,
        decoder: Decoder,
        conditioning: Conditioning,
        *,
        size: int,
        latent: int,
        out_channels: int,
        stem: int = 1,
        normalise: str = "none",
        sigma: float = _LEAST,
    ) -> None:
        super().__init__()
        self.encoder, self.bottleneck, self.decoder = encoder, bottleneck, decoder
        self.conditioning = conditioning
        self.size, self.latent, self.stem = size, latent, stem
        stride = stem * encoder.strides[-1]
        self.padding = -size % stride
        """Pixels that are added right and below, so that the encoder can halve."""
        side = (size + self.padding) // stride
        self.coarsest = (side, side, bottleneck.out_channels)
        """Channels last, as convolutions are fastest in: flattened without a copy."""
        cells = bottleneck.out_channels * side**2
        self.to_posterior = nn.Linear(cells, 2 * latent)
        self.log_var_range = (2 * math.log(max(sigma, _LEAST)), 2 * math.log(_MOST))
        self.normalise = _latent_norm(latent, normalise)
        self.from_latent = nn.Linear(latent + conditioning.vector_size, cells)
        self.head = nn.Conv2d(decoder.out_channels, out_channels * stem**2, kernel_size=1)

    def encode(self, x: Tensor, labels: Tensor) -> Posterior:
        """Pictures (B, C, S, S) in [0, 1] and labels (B, K), rows summing to 1, to q(z | x, y)."""
        x = torch.cat([2 * x - 1, self.conditioning.image(labels).to(x)], dim=1)
        if self.padding:
            x = F.pad(x, (0, self.padding, 0, self.padding), mode="replicate")
        if self.stem > 1:
            x = F.pixel_unshuffle(x, self.stem)
        coarsest = self.bottleneck(self.encoder(x)[-1]).permute(0, 2, 3, 1)
        mean, log_var = self.to_posterior(coarsest.flatten(1)).float().chunk(2, dim=1)
        return Posterior(self.normalise(mean), log_var.clamp(*self.log_var_range))

    def decode(self, z: Tensor, labels: Tensor) -> Tensor:
        """Latents (B, D) and labels (B, K) to the likelihood's parameters (B, out, S, S)."""
        code = torch.cat([z, self.conditioning.vector(labels)], dim=1)
        x = self.from_latent(code).view(-1, *self.coarsest).permute(0, 3, 1, 2)
        x = self.head(self.decoder(x, (), *self.conditioning.condition(labels)))
        if self.stem > 1:
            x = F.pixel_shuffle(x, self.stem)
        parameters: Tensor = x[..., : self.size, : self.size].float()
        return parameters

    def forward(self, x: Tensor, labels: Tensor) -> tuple[Posterior, Tensor]:
        """The posterior of pictures, and the parameters decoded from its mean."""
        posterior = self.encode(x, labels)
        return posterior, self.decode(posterior.mean, labels)


def _latent_norm(latent: int, kind: str) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm1d(latent, affine=False)
    if kind == "none":
        return nn.Identity()
    raise ConfigError(f"architecture.normalise '{kind}': write batch or none")
