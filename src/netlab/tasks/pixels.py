"""Pixels between bytes, the unit interval and what networks take."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from netlab.config import TrainConfig
from netlab.data.readers.pictures import RESIZE_FILTER

MEAN, STD = 0.5, 0.25
"""Normalisation of pixel values in [0, 1], the same for each channel."""

COLOURS = {1: "gray", 3: "colour"}
"""What pictures of so many channels are called."""


def input_facts(config: TrainConfig, channels: int, *, normalised: bool) -> dict[str, Any]:
    """What a weights file says of the pictures its network takes."""
    return {
        "size": config.image_size,
        "channels": channels,
        "mean": [MEAN] * channels if normalised else None,
        "std": [STD] * channels if normalised else None,
        "resize": RESIZE_FILTER,
    }


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Pixel values in [0, 1] to zero mean and about unit spread."""
    return (images - MEAN) / STD


def to_unit(images: torch.Tensor) -> torch.Tensor:
    """uint8 pictures (B, H, W, C) to float (B, C, H, W) in [0, 1], channels last in memory."""
    return images.permute(0, 3, 1, 2).float().div_(255)


def to_bytes(images: torch.Tensor) -> NDArray[np.uint8]:
    """Float pictures (B, C, H, W) in [0, 1] to uint8 (B, H, W, C), rounded."""
    scaled = (images.detach().float() * 255).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).cpu().numpy()
