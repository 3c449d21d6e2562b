"""Metrics of label swaps against scikit-learn, scipy, numpy, brute force and drawn pictures."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from scipy.ndimage import gaussian_filter
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm, ortho_group
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, r2_score
from torch import Tensor

from netlab.metrics import distance, probe
from netlab.metrics.bounds import (
    bits_per_dim,
    gaussian_log_density,
    importance_bound,
    standard_log_density,
)
from netlab.metrics.distance import as_unit, nearest_real, rms
from netlab.metrics.frechet import class_frechet, frechet_distance
from netlab.metrics.latent import active_dimensions, latent_r2
from netlab.metrics.probe import chance, linear_probe, mlp_probe
from netlab.metrics.style import (
    border_pixels,
    colour_style,
    correlation,
    dark_mean,
    digit_style,
    ink,
    mean_colour,
    slant,
    stroke_thickness,
)
from netlab.metrics.swap import share_read_as, swap_table

Probe = Callable[[Tensor, Tensor, Tensor, Tensor, int], float]
Sets = tuple[Tensor, Tensor, Tensor, Tensor]

quick = settings(deadline=None, max_examples=60, derandomize=True, database=None)
each_probe = pytest.mark.parametrize("fit", [linear_probe, mlp_probe])


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def ids(*shape: int, classes: int, seed: int = 0) -> Tensor:
    return torch.randint(classes, shape, generator=torch.Generator().manual_seed(seed))


def split(x: Tensor, y: Tensor, train: int) -> Sets:
    return x[:train], y[:train], x[train:], y[train:]


# probe


def test_chance_is_the_most_frequent_class_of_train() -> None:
    train, test = torch.tensor([2, 2, 1, 0]), torch.tensor([1, 2, 1, 1, 0])
    assert chance(train, test, 3) == 1 / 5
    assert chance(torch.tensor([2, 1, 1, 2]), test, 3) == 3 / 5, "of equals the lowest id"


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_linear_probe_is_the_logistic_regression_of_sklearn(noise: float) -> None:
    x = normal(2000, 7)
    y = (x @ normal(7, 4, seed=1) + noise * normal(2000, 4, seed=2)).argmax(dim=1)
    train_x, train_y, test_x, test_y = split(x, y, 200)
    mean, deviation = train_x.mean(dim=0), train_x.std(dim=0, correction=0)
    theirs = LogisticRegression(C=1.0, max_iter=1000, tol=1e-8)
    theirs.fit((train_x - mean) / deviation, train_y)
    expected = theirs.score((test_x - mean) / deviation, test_y)
    # rows at which two classes are equally likely may fall to either side
    assert linear_probe(train_x, train_y, test_x, test_y, 4) == pytest.approx(expected, abs=0.0012)


@each_probe
def test_features_that_hold_the_label_give_it_away(fit: Probe) -> None:
    y = ids(1000, classes=5)
    x = torch.cat([normal(1000, 6), torch.nn.functional.one_hot(y, 5).float()], dim=1)
    assert fit(*split(x, y, 600), 5) == 1


@each_probe
def test_independent_features_give_chance(fit: Probe) -> None:
    sets = split(normal(4000, 4), ids(4000, classes=4, seed=1), 600)
    deviation = math.sqrt(0.25 * 0.75 / 3400)
    assert fit(*sets, 4) == pytest.approx(0.25, abs=4 * deviation)
    assert chance(sets[1], sets[3], 4) == pytest.approx(0.25, abs=4 * deviation)


def test_mlp_probe_reads_an_exclusive_or_and_linear_probe_does_not() -> None:
    x = normal(3000, 3)
    sets = split(x, ((x[:, 0] > 0) ^ (x[:, 1] > 0)).long(), 900)
    assert mlp_probe(*sets, 2) > 0.95
    assert linear_probe(*sets, 2) < 0.6


def shifted(count: int = 400) -> Sets:
    """Two overlapping classes of which a probe gets some right, in 3 features and a constant."""
    y = ids(count, classes=2)
    x = torch.cat([normal(count, 3, seed=1) + 0.7 * y[:, None], torch.ones(count, 1)], dim=1)
    return split(x, y, count // 2)


@each_probe
def test_probes_repeat_and_leave_the_random_state_alone(fit: Probe) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = fit(*shifted(), 2)
    assert torch.get_rng_state().equal(before)
    torch.manual_seed(4)
    assert fit(*shifted(), 2) == first
    assert 0.6 < first < 0.95


def test_the_seed_of_mlp_probe_counts() -> None:
    assert len({mlp_probe(*shifted(200), 2, seed=seed) for seed in range(4)}) > 1


@each_probe
def test_probes_work_in_inference_mode_and_autocast(fit: Probe) -> None:
    expected = fit(*shifted(), 2)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert fit(*shifted(), 2) == expected
    with torch.no_grad():
        x, y, test_x, test_y = shifted()
        assert fit(x.requires_grad_(), y.byte(), test_x.double(), test_y.int(), 2) == expected


@each_probe
def test_scale_and_offset_of_features_do_not_matter(fit: Probe) -> None:
    x, y, test_x, test_y = shifted()
    scale, offset = torch.tensor([1e-4, 1.0, 1e4, 1.0]), torch.tensor([0.0, 100.0, -7.0, 5.0])
    moved = fit(x * scale + offset, y, test_x * scale + offset, test_y, 2)
    assert moved == pytest.approx(fit(x, y, test_x, test_y, 2), abs=0.03)


def test_mlp_probe_takes_the_first_best_epoch_on_rows_held_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def epochs(x: Tensor, *_: object) -> Iterator[list[Tensor]]:
        seen.append(x)
        for weight, bias in [(0.0, -1.0), (0.0, 1.0), (-1.0, 3.0), (0.0, -1.0)]:
            yield [torch.tensor([[0.0], [weight]]), torch.tensor([0.0, bias])]

    monkeypatch.setattr(probe, "_epochs", epochs)
    x, far = torch.linspace(-1, 1, 200)[:, None], torch.full((3, 1), 9.0)
    mlp_probe(x, torch.zeros(200), far, torch.ones(3), 2)
    assert len(seen[0]) == 180
    # the second and the third epoch say 1 for all rows of train, which is right for those held out
    standard = (x - x.mean()) / x.std(correction=0)
    rest = torch.cdist(standard, seen[0]).amin(dim=1) < 1e-3
    assert mlp_probe(x, (~rest).long(), far, torch.ones(3), 2) == 1


@each_probe
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({0: normal(10, 3)}, r"train_x is \(10, 3\), expected \(20, 3\)"),
        ({0: normal(20)}, r"train_x is \(20,\), expected \(20, D\)"),
        ({2: normal(5, 4)}, r"test_x is \(5, 4\), expected \(5, 3\)"),
        ({2: normal(0, 3), 3: ids(0, classes=2)}, r"labels are \(0,\)"),
        ({2: torch.full((5, 3), torch.nan)}, "test_x has values that are not finite"),
        ({0: torch.full((20, 3), torch.inf)}, "train_x has values that are not finite"),
        ({1: torch.full((20,), 2)}, "labels from 2 to 2, expected 0 to 1"),
        ({3: torch.full((5,), -1)}, "labels from -1 to -1, expected 0 to 1"),
    ],
)
def test_probes_refuse(fit: Probe, change: dict[int, Tensor], words: str) -> None:
    sets = [normal(20, 3), ids(20, classes=2), normal(5, 3), ids(5, classes=2)]
    for place, value in change.items():
        sets[place] = value
    with pytest.raises(ValueError, match=words):
        fit(sets[0], sets[1], sets[2], sets[3], 2)


def test_too_few_rows_and_bad_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="9 rows"):
        mlp_probe(normal(9, 2), ids(9, classes=2), normal(5, 2), ids(5, classes=2), 2)
    with pytest.raises(ValueError, match="expected 0 to 1"):
        chance(torch.tensor([0, 2]), torch.tensor([0]), 2)
    with pytest.raises(ValueError, match=r"labels are \(0,\)"):
        chance(torch.tensor([0]), ids(0, classes=2), 2)


# latent


def test_active_dimensions_worked_out_by_hand() -> None:
    # variances by N: 0, 0.0081, 0.0144; by N - 1 the second would be 0.0162
    means = torch.tensor([[5.0, 0.0, 1.0], [5.0, 0.18, 1.24]])
    assert active_dimensions(means).tolist() == [False, False, True]
    assert active_dimensions(means, threshold=0.008).tolist() == [False, True, True]


@pytest.mark.parametrize("noise", [0.0, 0.3, 3.0])
def test_latent_r2_is_that_of_sklearn_over_active_dimensions(noise: float) -> None:
    first = normal(50, 5) * torch.tensor([1.0, 10.0, 0.1, 2.0, 1e-3])
    again = first + noise * normal(50, 5, seed=1)
    active = torch.tensor([True, True, False, True, False])
    expected = r2_score(first[:, active], again[:, active], multioutput="uniform_average")
    assert latent_r2(first, again, active) == pytest.approx(expected, rel=1e-6)


def test_latent_r2_of_the_mean_code_is_0_and_without_spread_nan() -> None:
    first = normal(20, 3)
    every, none = torch.ones(3, dtype=torch.bool), torch.zeros(3, dtype=torch.bool)
    assert latent_r2(first, first.mean(dim=0).expand(20, 3), every) == pytest.approx(0, abs=1e-6)
    assert latent_r2(first, first, every) == 1
    assert math.isnan(latent_r2(first, first, none))
    constant = torch.full((20, 3), 0.1)
    assert math.isnan(latent_r2(constant, constant + 1, every))


def test_latent_measures_refuse_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"means is \(4,\)"):
        active_dimensions(torch.zeros(4))
    with pytest.raises(ValueError, match=r"active \(3,\)"):
        latent_r2(torch.zeros(4, 2), torch.zeros(4, 2), torch.ones(3, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"swapped_codes \(5, 2\)"):
        latent_r2(torch.zeros(4, 2), torch.zeros(5, 2), torch.ones(2, dtype=torch.bool))
    with pytest.raises(ValueError, match="N of 1 or more"):
        active_dimensions(torch.zeros(0, 2))


# frechet


def gaussian(count: int, mean: Tensor, root: Tensor, seed: int = 0) -> Tensor:
    """Rows whose sample mean is `mean` and whose sample covariance is root · rootᵀ exactly."""
    x = normal(count, len(mean), seed=seed).double()
    x = x - x.mean(dim=0)
    white = x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (count - 1))).T
    return mean + white @ root.T


@pytest.mark.parametrize(("count", "other", "dims"), [(40, 70, 5), (64, 32, 16), (9, 9, 1)])
def test_frechet_distance_is_that_of_scipy(count: int, other: int, dims: int) -> None:
    a = normal(count, dims) @ normal(dims, dims, seed=1)
    b = normal(other, dims, seed=2) @ normal(dims, dims, seed=3) + 0.5
    cov_a, cov_b = (np.atleast_2d(np.cov(x.double().numpy(), rowvar=False)) for x in (a, b))
    gap = (a.double().mean(dim=0) - b.double().mean(dim=0)).square().sum()
    expected = float(gap) + np.trace(cov_a + cov_b - 2 * np.real(sqrtm(cov_a @ cov_b)))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)


def test_frechet_distance_of_known_gaussians() -> None:
    # covariances with the same eigenvectors: |Δμ|² + Σ (σ_a - σ_b)²
    turn = torch.from_numpy(ortho_group.rvs(3, random_state=0))
    mean_a, mean_b = torch.tensor([1.0, 2.0, 3.0]).double(), torch.tensor([1.0, 0.0, 4.0]).double()
    a = gaussian(50, mean_a, turn @ torch.diag(torch.tensor([1.0, 2.0, 5.0]).double()))
    b = gaussian(30, mean_b, turn @ torch.diag(torch.tensor([3.0, 2.0, 1.0]).double()), seed=1)
    assert frechet_distance(a, b) == pytest.approx(0 + 4 + 1 + 4 + 0 + 16, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(25, rel=1e-9)
    assert frechet_distance(b, a.flip(0)) == pytest.approx(25, rel=1e-9)


def test_frechet_distance_of_the_same_set_is_0_also_with_idle_features() -> None:
    a = torch.cat([normal(40, 3), torch.ones(40, 2), normal(40, 3)], dim=1)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-7)
    assert frechet_distance(a, a + 2) == pytest.approx(8 * 4, rel=1e-6)


def test_class_frechet_compares_equal_counts_within_classes() -> None:
    labels = torch.tensor([0, 1, 1] * 20)
    other_labels = torch.tensor([1, 0] * 25).byte()
    a, b = normal(60, 3), normal(50, 3, seed=1)
    a[labels == 1] += 9  # far apart from class 0 of the same side, near to class 1 of the other
    b[other_labels == 1] += 9
    first = frechet_distance(a[labels == 0], b[other_labels == 0][:20])
    second = frechet_distance(a[labels == 1][:25], b[other_labels == 1])
    distances = class_frechet(a, labels, b, other_labels, 2)
    assert distances.tolist() == [first, second]
    assert distances.mean() < 2 < class_frechet(a, labels, b, 1 - other_labels, 2).mean()
    fewer = class_frechet(a, labels, b, other_labels, 2, count=12)
    assert fewer.tolist() == [
        frechet_distance(a[labels == k][:12], b[other_labels == k][:12]) for k in (0, 1)
    ]


def test_frechet_distances_refuse_few_rows_and_other_shapes() -> None:
    frechet_distance(normal(8, 4), normal(8, 4))
    with pytest.raises(ValueError, match="7 rows of features, expected 8"):
        frechet_distance(normal(8, 4), normal(7, 4))
    with pytest.raises(ValueError, match=r"b \(8, 3\)"):
        frechet_distance(normal(8, 4), normal(8, 3))
    labels = torch.tensor([0] * 12 + [1] * 5)
    with pytest.raises(ValueError, match="class 1 has 5 rows of features, expected 6"):
        class_frechet(normal(17, 3), labels, normal(17, 3), labels, 2)
    with pytest.raises(ValueError, match="class 2 has 0 rows"):
        class_frechet(normal(17, 2), labels, normal(17, 2), labels, 3)
    with pytest.raises(ValueError, match="class 1 has 5 rows of features, expected 8"):
        class_frechet(normal(17, 2), labels, normal(17, 2), labels, 2, count=8)
    with pytest.raises(ValueError, match="3 rows of features, expected 4"):
        class_frechet(normal(17, 2), labels, normal(17, 2), labels, 2, count=3)


# style


def bar(width: float, shear: float = 0.0, turn: float = 0.0, side: int = 28) -> NDArray[np.float64]:
    """A bar 18 pixels long in the middle, edges smoothed: (side, side), in [0, 1].

    Leans to the right by `shear` pixels a row, or is turned by the angle `turn`.
    """
    fine = (np.arange(side * 8) + 0.5) / 8 - side / 2
    y, x = np.meshgrid(fine, fine, indexing="ij")
    x = x + shear * y
    x, y = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
    inside = (np.abs(x) < width / 2) & (np.abs(y) < 9)
    return inside.reshape(side, 8, side, 8).mean(axis=(1, 3))


def gray(*pictures: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack(pictures)[..., None]


def noise(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_ink_and_mean_colour_worked_out_by_hand() -> None:
    images = np.zeros((2, 2, 2, 3), dtype=np.uint8)
    images[0, 0, 0] = [255, 51, 0]
    images[1, ..., 2] = 255
    expected = np.array([[1 / 4, 1 / 20, 0], [0, 0, 1]])
    np.testing.assert_allclose(mean_colour(images), expected)
    np.testing.assert_allclose(ink(images), expected.mean(axis=1))
    np.testing.assert_allclose(mean_colour(images / 255), expected)


@pytest.mark.parametrize("shear", [-0.8, -0.3, 0.0, 0.1, 0.5, 1.0])
def test_slant_is_the_angle_of_a_sheared_bar(shear: float) -> None:
    images = gray(bar(3, shear), np.roll(bar(3, shear), (2, -1), axis=(0, 1)), 0.3 * bar(3, shear))
    np.testing.assert_allclose(np.tan(slant(images)), shear, atol=0.01)
    np.testing.assert_allclose(slant(images[:, :, ::-1]), -slant(images), atol=1e-6)
    byte = np.round(255 * images).astype(np.uint8).repeat(3, axis=-1)
    np.testing.assert_allclose(slant(byte), slant(images), atol=0.01)


def test_slant_without_ink_or_height_is_0() -> None:
    row = np.zeros((28, 28))
    row[5, 3:20] = 0.7
    assert slant(gray(np.zeros((28, 28)), row)).tolist() == [0, 0]


@pytest.mark.parametrize("turn", [0.0, 0.3, math.pi / 4, math.pi / 2])
def test_stroke_thickness_is_that_of_a_bar(turn: float) -> None:
    widths = np.arange(2, 7, 0.5)
    found = stroke_thickness(gray(*(bar(width, turn=turn) for width in widths)))
    assert (np.diff(found) > 0.05).all()
    np.testing.assert_allclose(found, widths / (1 + widths / 18), rtol=0.12)


def test_stroke_thickness_minds_neither_contrast_nor_haze_nor_blur() -> None:
    widths = np.arange(2, 7, 0.5)
    images = gray(*(bar(width, shear=0.3) for width in widths))
    sharp = stroke_thickness(images)
    np.testing.assert_allclose(stroke_thickness(0.4 * images), sharp, rtol=1e-5)
    hazy = images * 0.8 + 0.1 * np.random.default_rng(0).random(images.shape)
    np.testing.assert_allclose(stroke_thickness(hazy), sharp, rtol=0.1)
    blurred = stroke_thickness(gaussian_filter(images, (0, 0.7, 0.7, 0)))
    assert (np.diff(blurred) > 0).all()
    np.testing.assert_allclose(blurred, sharp, rtol=0.25)


def test_stroke_thickness_of_full_and_empty_pictures() -> None:
    # the picture ends where it is full: 2 · 20² / (4 · 20), less at the four corners
    full, empty = np.ones((20, 20)), np.zeros((20, 20))
    assert stroke_thickness(gray(full, empty)) == pytest.approx([10, 0], rel=0.05)


@pytest.mark.parametrize(("height", "side", "width"), [(7, 9, 2), (5, 4, 2), (6, 6, 1), (3, 3, 2)])
def test_border_pixels_are_those_near_the_edge(height: int, side: int, width: int) -> None:
    images = noise(4, height, side, 3)
    near = [
        images[:, y, x]
        for y in range(height)
        for x in range(side)
        if min(y, x, height - 1 - y, side - 1 - x) < width
    ]
    expected = np.concatenate(near, axis=1) / 255
    np.testing.assert_allclose(border_pixels(images, width), expected, rtol=1e-6)


def test_dark_mean_is_over_pixels_without_ink() -> None:
    originals = np.array([0, 5, 6, 255], dtype=np.uint8).reshape(1, 2, 2, 1)
    outputs = np.array([0.1, 0.3, 1.0, 1.0]).reshape(1, 2, 2, 1)
    assert dark_mean(outputs, originals) == pytest.approx(0.2)
    assert math.isnan(dark_mean(outputs, np.ones_like(outputs)))
    with pytest.raises(ValueError, match="not the same"):
        dark_mean(outputs, originals[..., 0])


def test_correlation_is_that_of_numpy() -> None:
    a, b = normal(40, 3).numpy(), normal(40, 3, seed=1).numpy()
    b[:, 0] -= 0.5 * a[:, 0]
    each = [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(3)]
    assert correlation(a[:, 0], b[:, 0]) == pytest.approx(each[0], rel=1e-6)
    assert correlation(a, b) == pytest.approx(np.mean(each), rel=1e-6)
    assert all(correlation(x, x) <= 1 for x in normal(50, 40).numpy()), "in spite of rounding"


def test_correlation_where_one_side_is_constant() -> None:
    a, constant = np.array([1.0, 2.0, 4.0]), np.full(3, 0.1)
    assert math.isnan(correlation(constant, a))
    assert math.isnan(correlation(constant, constant))
    assert correlation(a, constant) == 0
    two = np.stack([a, constant], axis=1)
    assert correlation(two, np.stack([a, a], axis=1)) == pytest.approx(1), "nothing to keep"
    assert correlation(np.stack([a, a], axis=1), two) == pytest.approx(0.5), "one of two lost"
    assert math.isnan(correlation(np.ones(1), np.ones(1)))
    assert math.isnan(correlation(np.ones(0), np.ones(0)))
    with pytest.raises(ValueError, match="both must be"):
        correlation(a, two)


@quick
@given(
    arrays(np.float64, (2, 7), elements=st.floats(-100, 100)),
    st.floats(0.1, 10),
    st.floats(-10, 10),
)
def test_correlation_is_bounded_symmetric_and_blind_to_scale(
    values: NDArray[np.float64], scale: float, offset: float
) -> None:
    a, b = values
    assume(np.ptp(a) > 1e-3 and np.ptp(b) > 1e-3)
    r = correlation(a, b)
    assert -1 <= r <= 1
    assert correlation(b, a) == pytest.approx(r, abs=1e-12)
    assert correlation(a, scale * b + offset) == pytest.approx(r, abs=1e-6)
    assert correlation(a, -a) == pytest.approx(-1)


def test_digit_style_tells_what_was_kept() -> None:
    rng = np.random.default_rng(0)
    widths, shears = rng.uniform(2, 6, 60), rng.uniform(-0.5, 0.5, 60)
    originals = gray(*(bar(w, s) for w, s in zip(widths, shears, strict=True)))
    assert digit_style(originals, originals) == pytest.approx(
        {"slant": 1, "stroke_thickness": 1, "ink": 1}
    )
    upright = digit_style(originals, gray(*(bar(w) for w in widths)))
    assert abs(upright["slant"]) < 0.3
    assert upright["stroke_thickness"] > 0.98
    thin = digit_style(originals, gray(*(bar(3, s) for s in shears)))
    assert thin["slant"] > 0.99
    assert abs(thin["stroke_thickness"]) < 0.4


def test_colour_style_tells_what_was_kept() -> None:
    originals = noise(50, 8, 8, 3) // 2
    originals += noise(50, 1, 1, 3, seed=1) // 2
    other_middle = originals.copy()
    other_middle[:, 2:-2, 2:-2] = noise(50, 4, 4, 3, seed=2)
    kept = colour_style(originals, other_middle)
    assert kept["border_pixels"] == pytest.approx(1)
    assert 0.5 < kept["mean_colour"] < 0.999
    lost = colour_style(originals, np.roll(originals, 1, axis=0))
    assert abs(lost["mean_colour"]) < 0.3
    assert abs(lost["border_pixels"]) < 0.3
    assert colour_style(originals, originals // 2 + 30)["mean_colour"] > 0.99


# distance


def test_bytes_and_floats_have_one_scale() -> None:
    assert as_unit(np.array([0, 51, 255], dtype=np.uint8)).tolist() == pytest.approx([0, 0.2, 1])
    assert as_unit(np.array([0.25, 1.0])).tolist() == [0.25, 1]
    assert as_unit(np.array([0.5])).dtype == np.float32


def test_rms_worked_out_by_hand() -> None:
    a = np.array([[0, 0, 0, 255], [51, 51, 51, 51]], dtype=np.uint8).reshape(2, 2, 2, 1)
    b = np.zeros((2, 2, 2, 1))
    assert rms(a, b).tolist() == pytest.approx([0.5, 0.2])
    assert rms(b, a).tolist() == pytest.approx([0.5, 0.2])
    with pytest.raises(ValueError, match="both must be"):
        rms(a, b[:1])


@pytest.mark.parametrize("block", [3, 1024])
def test_nearest_real_is_that_of_brute_force(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distance, "_QUERIES", block)
    monkeypatch.setattr(distance, "_POOL", block + 1)
    images, pool = noise(23, 5, 4, 3), noise(41, 5, 4, 3, seed=1)
    pool[30] = images[7]
    asked, labels = ids(23, classes=3).numpy(), ids(41, classes=3, seed=1).numpy()
    labels[30] = asked[7]
    gaps = (images[:, None].astype(float) - pool[None]) / 255
    every = np.sqrt((gaps**2).mean(axis=(2, 3, 4)))
    every[asked[:, None] != labels[None]] = np.inf
    nearest = nearest_real(images, asked, pool, labels)
    assert nearest.tolist() == every.argmin(axis=1).tolist()
    distances = rms(images, pool[nearest])
    np.testing.assert_allclose(distances, every.min(axis=1), rtol=1e-5)
    assert distances[7] == 0


def test_nearest_real_keeps_to_the_asked_class() -> None:
    image = noise(1, 4, 4, 1)
    pool = np.concatenate([image, 255 - image])
    nearest = nearest_real(image, np.array([1]), pool, np.array([0, 1], dtype=np.uint8))
    assert nearest.tolist() == [1]


def test_nearest_real_refuses() -> None:
    image, label = noise(1, 4, 4, 1), np.array([0])
    with pytest.raises(ValueError, match="no picture of class 0"):
        nearest_real(image, label, image, label + 1)
    with pytest.raises(ValueError, match=r"pool \(1, 4, 4, 3\).*expected \(N, \*\(4, 4, 1\)\)"):
        nearest_real(image, label, noise(1, 4, 4, 3), label)
    with pytest.raises(ValueError, match=r"images .*labels \(2,\): expected"):
        nearest_real(image, np.array([0, 0]), image, label)
    with pytest.raises(ValueError, match=r"pool .*labels \(2,\): expected"):
        nearest_real(image, label, image, np.array([0, 0]))


# swap


def test_swap_measures_worked_out_by_hand() -> None:
    true = torch.tensor([0, 0, 0, 0, 1, 1, 2])
    asked = torch.tensor([1, 1, 1, 2, 0, 0, 2])
    read = torch.tensor([1, 1, 0, 2, 1, 1, 2])
    expected = [[math.nan, 2 / 3, 1.0], [0.0, math.nan, math.nan], [math.nan] * 3]
    np.testing.assert_equal(swap_table(asked, read, true, 3).numpy(), np.array(expected))
    assert share_read_as(read, asked) == pytest.approx(4 / 7)
    assert share_read_as(read, true) == pytest.approx(4 / 7)
    assert share_read_as(read[:4], true[:4]) == 1 / 4


@quick
@given(arrays(np.uint8, st.tuples(st.just(3), st.integers(1, 80)), elements=st.integers(0, 19)))
def test_swap_table_is_made_of_counts(labels: NDArray[np.uint8]) -> None:
    true, asked, read = labels
    table = swap_table(*(torch.from_numpy(x) for x in (asked, read, true)), 20).numpy()  # 20² > 255
    every = confusion_matrix(true, asked, labels=range(20)).astype(float)
    right = read == asked
    hits = confusion_matrix(true[right], asked[right], labels=range(20)) if right.any() else 0
    expected = np.divide(hits, every, out=np.full((20, 20), math.nan), where=every > 0)
    np.fill_diagonal(expected, math.nan)
    np.testing.assert_array_equal(table, expected)


def test_swap_measures_of_nothing_are_nan() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    assert swap_table(none, none, none, 2).isnan().all()
    assert math.isnan(share_read_as(none, none))


@pytest.mark.parametrize("name", ["asked", "read", "true"])
def test_swap_table_refuses(name: str) -> None:
    arguments = dict.fromkeys(("asked", "read", "true"), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=f"{name} has ids from 0 to 2, expected 0 to 1"):
        swap_table(**{**arguments, name: torch.tensor([0, 2])}, classes=2)
    with pytest.raises(ValueError, match=rf"{name} is \(1,\).*all must be"):
        swap_table(**{**arguments, name: torch.tensor([0])}, classes=2)


def test_swap_shares_refuse_other_shapes() -> None:
    with pytest.raises(ValueError, match="all must be"):
        share_read_as(torch.tensor([0]), torch.tensor([0, 1]))


# bounds


def test_importance_bound_is_log_mean_exp() -> None:
    log_weights = 5 * normal(7, 4).double() - 2000  # exp underflows
    expected = logsumexp(log_weights.numpy(), axis=0) - math.log(7)
    np.testing.assert_allclose(importance_bound(log_weights).numpy(), expected, rtol=1e-12)
    assert importance_bound(log_weights[:1]).equal(log_weights[0]), "one sample: the ELBO"
    assert importance_bound(torch.tensor([[math.log(2.0)], [math.log(6.0)]])).tolist() == (
        pytest.approx([math.log(4)])
    )


def weights_of_a_gaussian_model(q_mean: float, q_var: float, samples: int) -> tuple[Tensor, Tensor]:
    """log w (K, 3) and exact log p(x) (3,) for z ~ N(0, I) in 2 D, x | z ~ N(z, 0.25 I).

    q(z | x) is N(q_mean · x, q_var I); the exact posterior has 0.8 and 0.2.
    """
    x = torch.tensor([[0.0, 0.3], [1.0, -1.0], [2.0, 1.5]]).double()
    z = q_mean * x + math.sqrt(q_var) * normal(samples, 3, 2).double()
    joint = standard_log_density(z) + gaussian_log_density(x, z, torch.tensor(0.25).log())
    log_q = gaussian_log_density(z, q_mean * x, torch.tensor(q_var).double().log())
    return joint - log_q, torch.from_numpy(norm.logpdf(x, scale=math.sqrt(1.25)).sum(axis=1))


def test_importance_bound_of_the_exact_posterior_is_the_likelihood() -> None:
    log_weights, exact = weights_of_a_gaussian_model(0.8, 0.2, samples=5)
    np.testing.assert_allclose(importance_bound(log_weights), exact, atol=1e-6)


def test_importance_bound_tightens_with_samples() -> None:
    log_weights, exact = weights_of_a_gaussian_model(0.6, 0.4, samples=20_000)
    elbo = log_weights.mean(dim=0)
    five = importance_bound(log_weights.view(5, -1)).view(-1, 3).mean(dim=0)
    many = importance_bound(log_weights)
    assert (elbo < five).all()
    assert (five < exact).all()
    assert ((exact - elbo) > 5 * (exact - many).abs()).all()
    np.testing.assert_allclose(many, exact, atol=0.05)


def test_densities_are_those_of_scipy() -> None:
    z, mean, log_var = normal(6, 3).double(), normal(6, 3, seed=1).double(), normal(3, seed=2)
    cov = np.diag(log_var.double().exp().numpy())
    expected = [multivariate_normal.logpdf(a, b, cov) for a, b in zip(z, mean, strict=True)]
    found = gaussian_log_density(z, mean, log_var.double())
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    standard = multivariate_normal.logpdf(z, np.zeros(3))
    np.testing.assert_allclose(standard_log_density(z), standard, rtol=1e-10)
    assert standard_log_density(z.view(2, 3, 3)).shape == (2, 3)


def test_bits_per_dim_worked_out_by_hand() -> None:
    assert bits_per_dim(3072 * 8 * math.log(2), 3072) == pytest.approx(8)
    assert [bits_per_dim(nats, 4) for nats in (0.0, 2 * math.log(2))] == pytest.approx([0, 0.5])
    with pytest.raises(ValueError, match="dims is 0"):
        bits_per_dim(1.0, 0)


@pytest.mark.parametrize("shape", [(5,), (0, 5), (1, 2, 3)])
def test_importance_bound_refuses(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="K, N"):
        importance_bound(torch.zeros(shape))
