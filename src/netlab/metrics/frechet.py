"""Fréchet distance between the features of two sets of pictures."""

import torch
from torch import Tensor


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Squared Fréchet distance between the Gaussians fitted to two sets: (N, D) and (M, D).

    |μ_a - μ_b|² + tr(Σ_a + Σ_b - 2 (Σ_a Σ_b)^½), with covariances divided by N - 1 (Dowson, Landau,
    "The Fréchet distance between multivariate normal distributions", J. Multivariate Analysis 1982;
    the FID of Heusel et al., NeurIPS 2017, for their features). 0 or more, in float64. Fewer
    pictures give larger values: compare distances of equal counts only.

    Raises:
        ValueError: shapes that do not fit, or fewer than 2 D rows, of which a covariance of D
            dimensions cannot be told well.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"a is {tuple(a.shape)}, b {tuple(b.shape)}: expected (N, D) and (M, D)")
    _check_count(min(len(a), len(b)), 2 * a.shape[1], "a set")
    (mean_a, cov_a), (mean_b, cov_b) = _gaussian(a), _gaussian(b)
    root = _root(cov_a)
    # tr (Σ_a Σ_b)^½ by the eigenvalues of a symmetric matrix that is similar to Σ_a Σ_b
    eigenvalues = torch.linalg.eigvalsh(root @ cov_b @ root)
    cross = eigenvalues.clamp(min=0).sqrt().sum()
    distance = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross
    return max(0.0, float(distance))  # rounding may leave -1e-12


def class_frechet(
    features: Tensor,
    labels: Tensor,
    other_features: Tensor,
    other_labels: Tensor,
    classes: int,
    *,
    count: int | None = None,
) -> Tensor:
    """`frechet_distance` between the two sides within each class: (K,) float64 on the CPU.

    Args:
        features, labels: (N, D) of one side, and (N,) ids of any integer type.
        other_features, other_labels: (M, D) and (M,), of the other.
        count: first pictures of each class to take; by default all of the side with fewer of it.

    Raises:
        ValueError: a class with fewer than `count` or than 2 D pictures on a side.
    """
    distances = []
    for id_ in range(classes):
        ours, theirs = features[labels == id_], other_features[other_labels == id_]
        common = min(len(ours), len(theirs))
        _check_count(common, max(2 * features.shape[1], count or 0), f"class {id_}")
        taken = common if count is None else count
        distances.append(frechet_distance(ours[:taken], theirs[:taken]))
    return torch.tensor(distances, dtype=torch.float64)


def _gaussian(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (D,) and covariance (D, D) of (N, D), float64 on the CPU: mps has no float64."""
    x = x.cpu().double()
    mean = x.mean(dim=0)
    centred = x - mean
    return mean, centred.T @ centred / (len(x) - 1)


def _root(matrix: Tensor) -> Tensor:
    """Square root of a symmetric matrix without negative eigenvalues but for rounding."""
    eigenvalues, vectors = torch.linalg.eigh(matrix)
    root: Tensor = (vectors * eigenvalues.clamp(min=0).sqrt()) @ vectors.T
    return root


def _check_count(count: int, least: int, name: str) -> None:
    if count < least:
        raise ValueError(f"{name} has {count} rows of features, expected {least} or more")
