"""A task for netlab from another package: a noisy picture in, the clean one out."""

from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from netlab.contracts.bottleneck import Bottleneck
from netlab.contracts.decoder import Decoder
from netlab.contracts.encoder import Encoder
from netlab.contracts.task import Score
from netlab.errors import ConfigError
from netlab.registry import register
from netlab.seeds import derive
from netlab.tasks.pictures import PictureTask

_NOISE = 21  # what a derived seed is for


@register("task")
class Denoising(PictureTask):
    """Gaussian noise on any pictures, drawn anew in each epoch of training.

    Args:
        config, classes, channels, mirrors: see `netlab.tasks.base.BaseTask`.
        noise: its standard deviation; pictures are in [0, 1].
    """

    score: ClassVar[Score] = Score("val_psnr", "PSNR", "dB")
    uses: ClassVar[tuple[str, ...]] = ("stem",)
    titles: ClassVar[tuple[str, str, str]] = ("Noisy", "Clean", "Denoised")

    def __init__(self, *args: Any, noise: float = 0.1) -> None:
        super().__init__(*args)
        if not isinstance(noise, int | float) or not 0 < noise <= 1:
            raise ConfigError(f"task.noise must be a number above 0, at most 1, not {noise!r}")
        self.noise = noise

    def batch(
        self, images: Tensor, targets: Tensor, indices: NDArray[np.int64], epoch: int | None
    ) -> tuple[Tensor, Tensor]:
        """Noisy and clean pictures (B, C, H, W); the noise follows from seed, epoch and index."""
        seed, when = (0, 0) if epoch is None else (self.config.seed, epoch + 1)
        generator = torch.Generator()
        noise = [
            torch.randn(
                images.shape[1:],
                generator=generator.manual_seed(derive(seed, _NOISE, when, int(index))),
            )
            for index in indices
        ]
        return (images + self.noise * torch.stack(noise).to(images)).clamp(0, 1), images

    def quality(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Peak signal-to-noise ratio of each picture in dB, (B,); the peak is 1."""
        errors = (outputs.clamp(0, 1) - targets).square().flatten(1).mean(dim=1)
        return -10 * errors.clamp(min=1e-10).log10()

    def baselines(self, inputs: Tensor) -> dict[str, Tensor]:
        """The noisy picture as it is."""
        return {"noisy_input": inputs}


@register("architecture")
class Denoiser(nn.Module):
    """Learns the noise, which is taken away (Zhang et al., "Beyond a Gaussian Denoiser", 2017)."""

    task: ClassVar[str] = "denoising"
    parts: ClassVar[tuple[str, ...]] = ("encoder", "bottleneck", "decoder")
    defaults: ClassVar[dict[str, Any]] = {"loss": "charbonnier", "depth": 2, "augment": "flip"}

    def __init__(
        self,
        encoder: Encoder,
        bottleneck: Bottleneck,
        decoder: Decoder,
        *,
        out_channels: int,
        stem: int = 1,
    ) -> None:
        super().__init__()
        self.encoder, self.bottleneck, self.decoder = encoder, bottleneck, decoder
        self.head = nn.Conv2d(decoder.out_channels, out_channels * stem**2, kernel_size=1)
        for weights in self.head.parameters():  # it begins by leaving pictures as they are
            nn.init.zeros_(weights)
        self.stem, self.stride = stem, stem * encoder.strides[-1]

    def forward(self, noisy: Tensor) -> Tensor:
        """Noisy pictures (B, C, H, W) of any size to clean ones."""
        height, width = noisy.shape[-2:]
        padding = (0, -width % self.stride, 0, -height % self.stride)
        x = F.pixel_unshuffle(F.pad(noisy, padding, mode="replicate"), self.stem)
        *skips, coarsest = self.encoder(x)
        noise = self.head(self.decoder(self.bottleneck(coarsest), skips))
        return noisy - F.pixel_shuffle(noise, self.stem)[..., :height, :width]


@register("loss")
class Charbonnier(nn.Module):
    """Mean of sqrt(error² + epsilon²), a smooth absolute error (Charbonnier et al. 1994)."""

    tasks: ClassVar[tuple[str, ...]] = ("denoising",)

    def __init__(self, *, epsilon: float = 1e-3, **_: Any) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Pictures (B, C, H, W) to a scalar."""
        return ((outputs - targets).square() + self.epsilon**2).sqrt().mean()
