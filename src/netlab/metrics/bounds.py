"""Bounds on the likelihood of a latent variable model, in nats."""

import math

import torch
from torch import Tensor


def importance_bound(log_weights: Tensor) -> Tensor:
    """log 1/K Σ_k w_k of each picture: (K, N) to (N,), same dtype.

    Burda, Grosse, Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, eq. 8, with
    log w_k = log p(x, z_k) - log q(z_k | x) and z_k drawn from q. A lower bound of log p(x) in
    expectation: the ELBO for K = 1, never looser with more samples. Mean over samples inside the
    logarithm, so that bounds of two batches of samples cannot be averaged.

    Raises:
        ValueError: not (K, N), or no sample.
    """
    if log_weights.ndim != 2 or not len(log_weights):
        raise ValueError(
            f"log_weights is {tuple(log_weights.shape)}, expected (K, N) with K of 1 or more"
        )
    return log_weights.logsumexp(dim=0) - math.log(len(log_weights))


def bits_per_dim(nats: float, dims: int) -> float:
    """nats / (dims · ln 2): what one of `dims` numbers costs, of any sign.

    For comparison with published figures of 8-bit pictures, `nats` is to be the negative log
    likelihood of the 256 levels; a density over [0, 1] lacks 8 bits a dimension.

    Raises:
        ValueError: `dims` below 1.
    """
    if dims < 1:
        raise ValueError(f"dims is {dims}, expected 1 or more")
    return nats / (dims * math.log(2))


def gaussian_log_density(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """log N(z; mean, diag exp log_var), summed over the last dimension: (…, D) to (…).

    -½ Σ_d (log 2π + log_var_d + (z_d - mean_d)² / exp log_var_d); the three are broadcast.
    """
    squares = (z - mean).square() * torch.exp(-log_var)
    return -0.5 * (math.log(2 * math.pi) + log_var + squares).sum(dim=-1)


def standard_log_density(z: Tensor) -> Tensor:
    """log N(z; 0, I), summed over the last dimension: (…, D) to (…)."""
    return -0.5 * (math.log(2 * math.pi) + z.square()).sum(dim=-1)
