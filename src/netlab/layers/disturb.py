"""Disturbances that leave a picture's class as it is: blur, noise, JPEG compression.

A classifier that is trained on them, or judged under them, cannot live on faint textures.
"""

import io
from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from netlab.seeds import derive, uniforms

_NOISE = 16 / 255
_QUALITY = (50, 95)
_NOISE_SEED, _KIND_SEED = 11, 12  # what a derived seed is for


def mean_filter(images: Tensor, side: int = 3) -> Tensor:
    """Mean over `side` × `side` pixels, edges repeated: (B, C, H, W) to the same shape."""
    pad = side // 2
    return F.avg_pool2d(F.pad(images, (pad, pad, pad, pad), mode="replicate"), side, stride=1)


def add_noise(images: Tensor, sigma: Tensor | float, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise of standard deviation `sigma` and clip to [0, 1].

    The noise is drawn on the CPU, so that it is the same on every device.
    """
    noise = torch.randn(images.shape, generator=generator).to(images)
    return (images + sigma * noise).clamp(0, 1)


def jpeg(images: Tensor, quality: NDArray[np.int64] | int) -> Tensor:
    """Compress and decompress pictures (B, C, H, W) in [0, 1], C 1 or 3; no gradient."""
    pixels = (images.detach() * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
    compressed = np.empty_like(pixels)
    for index, level in enumerate(np.broadcast_to(quality, len(pixels))):
        buffer = io.BytesIO()
        picture = Image.fromarray(
            pixels[index].squeeze(-1) if images.shape[1] == 1 else pixels[index]
        )
        picture.save(buffer, "JPEG", quality=int(level))
        compressed[index] = np.asarray(Image.open(buffer)).reshape(pixels[index].shape)
    return torch.from_numpy(compressed).permute(0, 3, 1, 2).to(images) / 255


def _noise_8(images: Tensor) -> Tensor:
    """Noise that follows from each picture alone, so that batches do not matter."""
    generator = torch.Generator()
    seeds = (images * 255).round().long().flatten(1).sum(dim=1).tolist()
    noisy = [
        add_noise(picture, 8 / 255, generator.manual_seed(seed))
        for picture, seed in zip(images, seeds, strict=True)
    ]
    return torch.stack(noisy) if noisy else images


TESTS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "mean_filter_3": mean_filter,
    "noise_8": _noise_8,
    "jpeg_75": lambda images: jpeg(images, 75),
}
"""The disturbances that classifiers and swapped pictures are tested under, by name.

A 3 × 3 mean filter, Gaussian noise of standard deviation 8/255, and JPEG of quality 75.
"""


def disturb(
    images: Tensor, share: float, *, seed: int, epoch: int, indices: NDArray[np.int64]
) -> Tensor:
    """Blur, add noise to, or compress about `share` of the pictures, a third each.

    Strengths are drawn evenly: the mean filter mixed in by 0.3 to 1, noise of standard deviation
    up to 16/255, JPEG quality 50 to 95. All follows from (seed, epoch, indices).

    Args:
        images: (B, C, H, W) in [0, 1].
        share: 0 to 1.
        seed, epoch: of the run.
        indices: (B,) index of each picture in the data set.
    """
    drawn = uniforms(derive(seed, _KIND_SEED), epoch, indices, 2)
    kind, strength = drawn[:, 0] * 3 / share if share else np.full(len(drawn), 3.0), drawn[:, 1]
    column = torch.from_numpy(strength).to(images).view(-1, 1, 1, 1)

    def chosen(number: int) -> Tensor:
        return torch.from_numpy(np.flatnonzero((kind >= number) & (kind < number + 1)))

    blurred, noisy, squeezed = (chosen(number) for number in range(3))
    out = images.clone()
    out[blurred] = images[blurred].lerp(mean_filter(images[blurred]), 0.3 + 0.7 * column[blurred])
    generator = torch.Generator().manual_seed(derive(seed, _NOISE_SEED, epoch, int(indices[0])))
    out[noisy] = add_noise(images[noisy], _NOISE * column[noisy], generator)
    low, high = _QUALITY
    out[squeezed] = jpeg(
        images[squeezed], (low + (high - low) * strength[squeezed.numpy()]).astype(np.int64)
    )
    return out


def disturb_alike(images: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """Blur, add noise to and shift pictures in a way that a gradient passes.

    About `share` of the pictures are blurred, the mean filter mixed in by up to 1; about as many
    get noise of standard deviation up to 16/255, which is not clipped. All of them are shifted
    alike, by up to two whole pixels; with `share` 0 nothing is done.

    Args:
        images: (B, C, H, W) in [0, 1].
        share: 0 to 1.
        generator: what the random numbers come from, on the CPU; None is the global one.
    """
    if not share:
        return images
    count = len(images)
    drawn = torch.rand(2, count, 1, 1, 1, generator=generator).to(images)
    chosen = (torch.rand(2, count, 1, 1, 1, generator=generator) < share).to(images)
    blur, sigma = (drawn * chosen).unbind()
    noise = torch.randn(images.shape, generator=generator).to(images)
    images = images.lerp(mean_filter(images), blur) + _NOISE * sigma * noise
    shift = torch.randint(-2, 3, (2,), generator=generator).tolist()
    padded = F.pad(images, (2, 2, 2, 2), mode="replicate")
    height, width = images.shape[-2:]
    return padded[..., 2 + shift[0] : 2 + shift[0] + height, 2 + shift[1] : 2 + shift[1] + width]
