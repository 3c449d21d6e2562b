"""How a latent code is used: which dimensions are active, and whether they survive a cycle."""

import torch
from torch import Tensor


def active_dimensions(means: Tensor, threshold: float = 0.01) -> Tensor:
    """Which dimensions of z tell pictures apart: (N, D) to (D,), bool.

    Var_x(E_q(z|x)[z_d]) > threshold, with the variance over the N posterior means divided by N
    (Burda, Grosse, Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, section 5.2).

    Raises:
        ValueError: not (N, D), or no picture.
    """
    _check_codes(means, "means")
    return means.cpu().double().var(dim=0, correction=0) > threshold


def latent_r2(codes: Tensor, swapped_codes: Tensor, active: Tensor) -> float:
    """How well codes come back when the picture made from them is encoded again.

    R²_d = 1 - Σ_n (z_nd - z'_nd)² / Σ_n (z_nd - mean_n z_nd)² with z of `codes` and z' of
    `swapped_codes`, averaged over the active dimensions with equal weight, however far each of them
    spreads.

    Args:
        codes: (N, D), of the originals.
        swapped_codes: (N, D), of the pictures made from them.
        active: (D,), bool.

    Returns:
        At most 1, which is the same codes; 0 is no better than the mean code, and below 0 worse;
        nan if no dimension is active, or one of those is constant in `codes`.

    Raises:
        ValueError: shapes that do not fit, or no picture.
    """
    _check_codes(codes, "codes")
    if swapped_codes.shape != codes.shape or active.shape != codes.shape[1:]:
        raise ValueError(
            f"codes are {tuple(codes.shape)}, swapped_codes {tuple(swapped_codes.shape)}, "
            f"active {tuple(active.shape)}: expected (N, D), (N, D) and (D,)"
        )
    z, z_swapped = (x.cpu().double()[:, active.cpu()] for x in (codes, swapped_codes))
    spread = (z - z.mean(dim=0)).square().sum(dim=0)
    spread[z.amin(dim=0) == z.amax(dim=0)] = torch.nan
    return float((1 - (z - z_swapped).square().sum(dim=0) / spread).mean())


def _check_codes(codes: Tensor, name: str) -> None:
    if codes.ndim != 2 or not len(codes):
        raise ValueError(f"{name} is {tuple(codes.shape)}, expected (N, D) with N of 1 or more")
