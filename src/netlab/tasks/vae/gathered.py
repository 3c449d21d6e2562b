"""What a conditional VAE made of the pictures that it is scored on."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Gathered(NamedTuple):
    """What one pass over the scored pictures leaves behind, a row a picture."""

    mean: Tensor
    """(N, D), posterior means under the true label."""
    again_mean: Tensor
    """(N, D), posterior means of the swapped pictures under the asked label."""
    reconstruction: Tensor
    """(N,), -log p(x | z, y) in nats, z drawn from the posterior."""
    kl: Tensor
    """(N,), in nats."""
    bound: Tensor
    """(M,), importance-weighted bounds of the first pictures."""
    again: NDArray[np.uint8]
    """(N, S, S, C), decoded from the mean under the true label."""
    swapped: NDArray[np.uint8]
    """(N, S, S, C), decoded from the mean under the asked label."""


def joined(parts: Sequence[Gathered]) -> Gathered:
    """All batches as one."""
    columns: Any = zip(*parts, strict=True)
    whole: list[Any] = [
        torch.cat(c) if isinstance(c[0], Tensor) else np.concatenate(c) for c in columns
    ]
    return Gathered(*whole)
