"""Metrics against torchmetrics, scikit-learn and scipy, on random and on degenerate masks."""

import importlib
import math
import tracemalloc
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score
from torch import Tensor

from netlab.metrics.baselines import constant_prediction, mean_mask
from netlab.metrics.boundary import BoundaryF, default_tolerance
from netlab.metrics.calibration import CalibrationError
from netlab.metrics.confusion import confusion, dice, iou, mean_iou, merged_iou, pixel_accuracy

NAN = math.nan


class Case(NamedTuple):
    predicted: Tensor
    target: Tensor
    classes: int


def ids(*shape: int, classes: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(classes, shape, generator=generator)


def blobs(*shape: int, classes: int, seed: int) -> Tensor:
    """Regions of several pixels, so that there is an inside as well as a boundary."""
    b, h, w = shape
    coarse = ids(b, -(-h // 4), -(-w // 4), classes=classes, seed=seed)
    return coarse.repeat_interleave(4, 1).repeat_interleave(4, 2)[:, :h, :w].contiguous()


def full(id_: int, *shape: int) -> Tensor:
    return torch.full(shape, id_)


CASES = {
    "random": Case(ids(4, 9, 7, classes=3), ids(4, 9, 7, classes=3, seed=1), 3),
    "many classes": Case(ids(2, 16, 16, classes=21), ids(2, 16, 16, classes=21, seed=1), 21),
    "blobs": Case(blobs(3, 33, 18, classes=3, seed=0), blobs(3, 33, 18, classes=3, seed=1), 3),
    "absent from both": Case(ids(2, 5, 5, classes=2), ids(2, 5, 5, classes=2, seed=1), 4),
    "absent from target": Case(ids(2, 5, 5, classes=3), ids(2, 5, 5, classes=2), 3),
    "never predicted": Case(ids(2, 5, 5, classes=2), ids(2, 5, 5, classes=3), 3),
    "one class only": Case(full(0, 2, 4, 4), full(0, 2, 4, 4), 1),
    "one class of three": Case(full(1, 2, 4, 4), full(1, 2, 4, 4), 3),
    "all wrong": Case((ids(2, 6, 6, classes=3) + 1) % 3, ids(2, 6, 6, classes=3), 3),
    "perfect": Case(ids(2, 6, 6, classes=3), ids(2, 6, 6, classes=3), 3),
    "single pixel": Case(torch.tensor([[[0]], [[2]]]), torch.tensor([[[0]], [[1]]]), 3),
    "single row": Case(ids(2, 1, 9, classes=3), ids(2, 1, 9, classes=3, seed=1), 3),
    "single column": Case(ids(2, 9, 1, classes=3), ids(2, 9, 1, classes=3, seed=1), 3),
}
SEVERAL_CLASSES = {name: case for name, case in CASES.items() if case.classes > 1}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
each_case_of_several_classes = pytest.mark.parametrize(
    "case", SEVERAL_CLASSES.values(), ids=SEVERAL_CLASSES.keys()
)


@pytest.fixture(scope="module")
def torchmetrics() -> Any:
    """Its functions for classification; for others it would import torchvision, whose operators do
    not load beside a torch of another index.
    """
    from lightning_utilities.core.imports import RequirementCache

    check = RequirementCache._check_available

    def without_torchvision(cache: RequirementCache) -> None:
        if cache.requirement == "torchvision":
            cache.available = False
        check(cache)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RequirementCache, "_check_available", without_torchvision)
        return importlib.import_module("torchmetrics.functional.classification")


def total(case: Case) -> Tensor:
    return confusion(*case).sum(dim=0)


def same(ours: Tensor, theirs: NDArray[np.float64]) -> None:
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-12, atol=0)


def present(case: Case) -> NDArray[np.bool_]:
    """Which classes occur in the target or the prediction."""
    return np.isin(np.arange(case.classes), torch.cat([case.predicted, case.target]).numpy())


# confusion


# sklearn asks for labels, which it was given, if there is only one
@pytest.mark.filterwarnings("ignore:A single label was found:UserWarning")
@each_case
def test_confusion_is_that_of_sklearn(case: Case) -> None:
    counts = confusion(*case)
    assert counts.dtype == torch.int64
    for ours, predicted, target in zip(counts, case.predicted, case.target, strict=True):
        labels = range(case.classes)
        theirs = confusion_matrix(target.flatten(), predicted.flatten(), labels=labels)
        assert (ours.numpy() == theirs).all()


@each_case_of_several_classes
def test_confusion_is_that_of_torchmetrics(torchmetrics: Any, case: Case) -> None:
    assert total(case).equal(torchmetrics.multiclass_confusion_matrix(*case))


def test_rows_are_the_target() -> None:
    predicted, target = torch.tensor([[[0, 1, 1]]]), torch.tensor([[[0, 0, 1]]])
    assert confusion(predicted, target, 2).tolist() == [[[1, 1], [0, 1]]]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_confusion_takes_any_integers(dtype: torch.dtype) -> None:
    case = CASES["many classes"]  # 21² does not fit into uint8
    counts = confusion(case.predicted.to(dtype), case.target.to(dtype), case.classes)
    assert counts.equal(confusion(*case))


def test_confusion_of_no_pictures() -> None:
    empty = torch.zeros(0, 4, 4, dtype=torch.int64)
    assert confusion(empty, empty, 3).shape == (0, 3, 3)


@pytest.mark.parametrize(("bad", "name"), [(3, "predicted"), (-1, "predicted"), (255, "target")])
def test_ids_out_of_range_are_refused(bad: int, name: str) -> None:
    arguments = {"predicted": full(0, 2, 3, 3), "target": full(0, 2, 3, 3)}
    arguments[name] = arguments[name].clone()
    arguments[name][0, 1, 1] = bad
    with pytest.raises(ValueError, match=rf"{name} .*{bad}.*0 to 2"):
        confusion(**arguments, classes=3)


def test_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="both must be"):
        confusion(full(0, 2, 3, 3), full(0, 1, 3, 3), 3)
    with pytest.raises(ValueError, match="both must be"):
        BoundaryF(3).update(full(0, 2, 3, 3), full(0, 1, 3, 3))


# scores from counts


@each_case
def test_iou_and_dice_are_those_of_sklearn(case: Case) -> None:
    true, predicted = case.target.flatten().numpy(), case.predicted.flatten().numpy()
    options = {"labels": range(case.classes), "average": None, "zero_division": np.nan}
    same(dice(total(case)), f1_score(true, predicted, **options))
    # jaccard_score has no nan for an absent class
    theirs = jaccard_score(true, predicted, **{**options, "zero_division": 0})
    same(iou(total(case)), np.where(present(case), theirs, NAN))


@each_case_of_several_classes
def test_mean_iou_is_that_of_torchmetrics(torchmetrics: Any, case: Case) -> None:
    theirs = torchmetrics.multiclass_jaccard_index(*case, average="none")
    expected = theirs.double().numpy()[present(case)].mean()
    assert float(mean_iou(total(case))) == pytest.approx(expected, rel=1e-6)


@each_case
def test_pixel_accuracy(case: Case) -> None:
    expected = (case.predicted == case.target).double().mean()
    assert float(pixel_accuracy(total(case))) == pytest.approx(float(expected), rel=1e-12)


@each_case
@pytest.mark.parametrize("positive", [[0], [0, 2], [2, 0, 2], [1, 2], []])
def test_merged_iou_is_that_of_merged_masks(case: Case, positive: list[int]) -> None:
    positive = [id_ for id_ in positive if id_ < case.classes]
    true, predicted = (np.isin(m.numpy(), positive).ravel() for m in (case.target, case.predicted))
    theirs = jaccard_score(true, predicted, zero_division=0)
    expected = theirs if (true | predicted).any() else NAN
    assert float(merged_iou(total(case), positive)) == pytest.approx(expected, nan_ok=True)


def test_merged_iou_wants_classes_that_are_there() -> None:
    with pytest.raises(IndexError):
        merged_iou(total(CASES["random"]), [3])


def test_scores_worked_out_by_hand() -> None:
    # class 2 is only predicted, class 3 nowhere
    counts = torch.tensor([[6, 1, 1, 0], [2, 4, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    same(iou(counts), np.array([6 / 10, 4 / 7, 0, NAN]))
    same(dice(counts), np.array([12 / 16, 8 / 11, 0, NAN]))
    assert float(mean_iou(counts)) == pytest.approx((6 / 10 + 4 / 7 + 0) / 3)
    assert float(pixel_accuracy(counts)) == pytest.approx(10 / 14)
    assert float(merged_iou(counts, [0, 2])) == pytest.approx(7 / 10)


def test_nothing_counted_is_nan() -> None:
    counts = torch.zeros(3, 3, dtype=torch.int64)
    assert iou(counts).isnan().all()
    assert dice(counts).isnan().all()
    assert mean_iou(counts).isnan()
    assert pixel_accuracy(counts).isnan()
    assert merged_iou(counts, [0]).isnan()


@pytest.mark.parametrize(
    ("score", "shape"),
    [
        (iou, (4, 3)),
        (dice, (4, 3)),
        (mean_iou, (4,)),
        (pixel_accuracy, (4,)),
        (lambda counts: merged_iou(counts, [0, 2]), (4,)),
    ],
)
def test_scores_of_a_batch_are_those_of_its_parts(score, shape) -> None:
    counts = confusion(*CASES["random"])
    batch = score(counts)
    assert batch.shape == shape
    assert batch.dtype == torch.float64
    assert batch.equal(torch.stack([score(one) for one in counts]))
    assert score(counts.view(2, 2, 3, 3)).equal(batch.view(2, 2, *shape[1:]))


# boundary


def outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return mask & ~binary_erosion(mask, border_value=1)


def matched(found: NDArray[np.bool_], other: NDArray[np.bool_], tolerance: int) -> int:
    if not other.any():
        return 0
    return int((found & (distance_transform_edt(~other) <= tolerance)).sum())


def slow_boundary_f(case: Case, tolerance: int) -> list[float]:
    scores = []
    for id_ in range(case.classes):
        pairs = [
            (outline(p == id_), outline(t == id_))
            for p, t in zip(case.predicted.numpy(), case.target.numpy(), strict=True)
        ]
        size_p, size_t = sum(p.sum() for p, _ in pairs), sum(t.sum() for _, t in pairs)
        hits_p = sum(matched(p, t, tolerance) for p, t in pairs)
        hits_t = sum(matched(t, p, tolerance) for p, t in pairs)
        if size_p + size_t == 0:
            scores.append(NAN)
        elif hits_p == 0:
            scores.append(0.0)
        else:
            scores.append(2 / (size_p / hits_p + size_t / hits_t))
    return scores


def boundary(case: Case, tolerance: int | None = None) -> BoundaryF:
    metric = BoundaryF(case.classes, tolerance)
    metric.update(case.predicted, case.target)
    return metric


@each_case
@pytest.mark.parametrize("tolerance", [0, 1, 2, 3, 5, 40])
def test_boundary_f_is_that_of_distance_transforms(case: Case, tolerance: int) -> None:
    scores = boundary(case, tolerance).compute()
    expected = np.array(slow_boundary_f(case, tolerance))
    same(scores.f, expected)
    known = expected[~np.isnan(expected)]
    assert scores.mean == pytest.approx(known.mean() if known.size else NAN, nan_ok=True)


@pytest.mark.parametrize("radius", range(12))
def test_matches_reach_exactly_as_far_as_the_tolerance(radius: int) -> None:
    # single pixels of class 1: the target in the middle, a picture for each place predicted
    side = 25
    predicted = torch.eye(side**2, dtype=torch.int64).view(-1, side, side)
    target = torch.zeros_like(predicted)
    target[:, side // 2, side // 2] = 1
    place = torch.arange(side) - side // 2
    within = int((place[:, None] ** 2 + place**2 <= radius**2).sum())
    metric = boundary(Case(predicted, target, 2), radius)
    assert metric.predicted[:, 1].tolist() == [within, side**2]
    assert metric.target[:, 1].tolist() == [within, side**2]


def test_picture_border_is_no_boundary() -> None:
    target = full(0, 1, 8, 8)
    target[:, :, 4:] = 1
    assert boundary(Case(target, target, 3)).target[1].tolist() == [8, 8, 0]
    assert boundary(Case(full(1, 1, 8, 8), full(1, 1, 8, 8), 3)).compute().f.isnan().all()


def test_a_boundary_on_one_side_only_scores_0() -> None:
    target = full(0, 1, 8, 8)
    target[:, :, 4:] = 1
    missed = boundary(Case(full(0, 1, 8, 8), target, 3)).compute()
    assert missed.precision.isnan().all()
    same(missed.recall, np.array([0, 0, NAN]))
    same(missed.f, np.array([0, 0, NAN]))
    invented = boundary(Case(target, full(0, 1, 8, 8), 3)).compute()
    same(invented.precision, np.array([0, 0, NAN]))
    assert invented.recall.isnan().all()
    same(invented.f, np.array([0, 0, NAN]))
    assert invented.mean == 0


def test_a_shift_within_the_tolerance_costs_nothing() -> None:
    target = full(0, 1, 32, 32)
    target[:, 8:20, 8:20] = 1
    shifted = Case(target.roll(3, dims=2), target, 2)
    assert boundary(shifted, 3).compute().mean == 1
    assert boundary(shifted, 2).compute().mean < 1


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(1, 1, 1), (128, 128, 1), (256, 256, 3), (300, 400, 4), (512, 512, 5)],
)
def test_default_tolerance_grows_with_the_picture(height: int, width: int, expected: int) -> None:
    assert default_tolerance(height, width) == expected


def test_default_tolerance_is_that_of_each_update() -> None:
    target = full(0, 1, 300, 400)
    target[:, :, 200:] = 1
    assert boundary(Case(target.roll(4, dims=2)[:, :, 9:], target[:, :, 9:], 2)).compute().mean == 1
    small = target[:, :60, 150:250]
    assert boundary(Case(small.roll(4, dims=2)[:, :, 9:], small[:, :, 9:], 2)).compute().mean == 0


def test_boundary_takes_bytes() -> None:
    case = CASES["blobs"]
    as_bytes = Case(case.predicted.byte(), case.target.byte(), case.classes)
    assert boundary(as_bytes).compute().f.equal(boundary(case).compute().f)


def test_boundary_f_before_any_picture_is_nan() -> None:
    assert math.isnan(BoundaryF(3).compute().mean)


# calibration


def probabilities(*shape: int, seed: int = 0, sharpness: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape, generator=generator, dtype=torch.float64)
    return (sharpness * logits).softmax(dim=1)


def calibration(p: Tensor, target: Tensor, bins: int = 15) -> float:
    metric = CalibrationError(bins)
    metric.update(p, target)
    return metric.compute()


def slow_calibration(p: Tensor, target: Tensor, bins: int) -> float:
    """The formula of the paper, bin by bin."""
    confidence, predicted = (x.flatten().numpy() for x in p.max(dim=1))
    right, error = predicted == target.flatten().numpy(), 0.0
    for m in range(bins):
        inside = (confidence > m / bins) & (confidence <= (m + 1) / bins)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


several_probabilities = pytest.mark.parametrize(
    ("shape", "sharpness", "bins"),
    [
        (shape, sharpness, bins)
        for shape in [(3, 3, 8, 8), (1, 2, 1, 1), (2, 21, 5, 3)]
        for sharpness in [0.0, 0.1, 1.0, 4.0]
        for bins in [1, 15, 100]
    ],
)


@several_probabilities
def test_calibration_error_is_that_of_the_paper(
    shape: tuple[int, ...], sharpness: float, bins: int
) -> None:
    p = probabilities(*shape, sharpness=sharpness)
    target = ids(shape[0], *shape[2:], classes=shape[1], seed=7)
    expected = slow_calibration(p, target, bins)
    assert calibration(p, target, bins) == pytest.approx(expected, abs=1e-12)


@several_probabilities
def test_calibration_error_is_that_of_torchmetrics(
    torchmetrics: Any, shape: tuple[int, ...], sharpness: float, bins: int
) -> None:
    p = probabilities(*shape, sharpness=sharpness).float()  # torchmetrics sums in float32
    target = ids(shape[0], *shape[2:], classes=shape[1], seed=7)
    theirs = torchmetrics.multiclass_calibration_error(p, target, shape[1], n_bins=bins)
    assert calibration(p, target, bins) == pytest.approx(float(theirs), abs=1e-6)


def two_classes(*confidences: float) -> Tensor:
    """Pixels whose most likely class is 0, with these confidences: (1, 2, 1, W)."""
    first = torch.tensor(confidences, dtype=torch.float64)
    return torch.stack([first, 1 - first])[None, :, None]


def test_bins_are_open_below_and_closed_above() -> None:
    # apart: |1 - 0.5| + |0 - 0.75|; in one bin it would be |1 - 1.25|
    target = torch.tensor([[[0, 1]]])
    assert calibration(two_classes(0.5, 0.75), target, bins=2) == pytest.approx(1.25 / 2)


def test_full_confidence_falls_into_the_last_bin() -> None:
    # together: |1 - 1.75|; torchmetrics has a bin for 1 alone and says |0 - 1| + |1 - 0.75|
    target = torch.tensor([[[1, 0]]])
    assert calibration(two_classes(1.0, 0.75), target, bins=2) == pytest.approx(0.75 / 2)


def test_sure_and_right_is_0_and_sure_and_wrong_is_1() -> None:
    target = ids(2, 4, 4, classes=3)
    sure = torch.nn.functional.one_hot(target, 3).movedim(-1, 1).float()
    assert calibration(sure, target) == 0
    assert calibration(sure, (target + 1) % 3) == 1


def test_calibration_before_any_pixel_is_nan() -> None:
    assert math.isnan(CalibrationError().compute())


def test_bins_tell_confidence_accuracy_and_share_of_what_they_hold() -> None:
    metric = CalibrationError(2)
    metric.update(two_classes(0.75, 1.0, 0.5), torch.tensor([[[0, 1, 0]]]))
    metric.update(two_classes(0.875), torch.tensor([[[0]]]))
    assert metric.bins() == [(0.5, 1.0, 0.25), (pytest.approx(0.875), pytest.approx(2 / 3), 0.75)]
    assert metric.pixels == 4
    error = sum(share * abs(right - sure) for sure, right, share in metric.bins())
    assert metric.compute() == pytest.approx(error)
    assert CalibrationError().bins() == []


def test_many_pixels_lose_no_precision() -> None:
    # a float32 sum of 0.7 stops being exact after some thousand terms
    p = two_classes(0.7).expand(1, 2, 1000, 1000).float()
    target = torch.zeros(1, 1000, 1000, dtype=torch.int64)
    assert calibration(p, target) == pytest.approx(1 - float(np.float32(0.7)), abs=1e-9)


# how they are used


def test_metrics_work_in_and_out_of_inference_mode_and_autocast() -> None:
    case, p = CASES["blobs"], probabilities(3, 3, 33, 18)
    b, c = BoundaryF(3), CalibrationError()
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        b.update(case.predicted, case.target)
        c.update(p, case.target)
        counts = confusion(*case)
    b.update(case.predicted, case.target)
    c.update(p, case.target)
    assert counts.equal(confusion(*case))
    assert iou(counts).equal(iou(confusion(*case)))
    assert b.compute().mean == boundary(case).compute().mean
    assert c.compute() == pytest.approx(calibration(p, case.target), rel=1e-12)


# baselines


@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 700])
def test_baselines_are_most_frequent_classes(count: int) -> None:
    masks = np.random.default_rng(count).integers(0, 4, (count, 3, 5), dtype=np.uint8)
    modes = [[np.bincount(masks[:, y, x]).argmax() for x in range(5)] for y in range(3)]
    ours = mean_mask(masks, 4)
    assert ours.dtype == np.uint8
    assert (ours == modes).all()
    constant = constant_prediction(masks, 4)
    assert constant.dtype == np.uint8
    assert constant.shape == (3, 5)
    assert (constant == np.bincount(masks.ravel()).argmax()).all()


def test_baselines_take_the_lowest_of_equals_and_ignore_absent_classes() -> None:
    masks = np.array([[[2, 1]], [[1, 2]]], dtype=np.uint8)
    assert mean_mask(masks, 5).tolist() == [[1, 1]]
    assert constant_prediction(masks, 5).tolist() == [[1, 1]]


def test_baselines_count_beyond_a_byte() -> None:
    masks = np.ones((257, 1, 1), dtype=np.uint8)
    masks[-1] = 0
    assert mean_mask(masks, 2).tolist() == [[1]]
    assert constant_prediction(masks, 2).tolist() == [[1]]


def test_baselines_differ_where_position_tells() -> None:
    masks = np.array([[[0, 0, 1]]] * 3, dtype=np.uint8)
    assert mean_mask(masks, 2).tolist() == [[0, 0, 1]]
    assert constant_prediction(masks, 2).tolist() == [[0, 0, 0]]


def test_baselines_need_little_memory() -> None:
    masks = np.broadcast_to(np.uint8(1), (20_000, 32, 32))  # 20 MB if it were laid out
    tracemalloc.start()
    try:
        constant_prediction(masks, 3)
        mean_mask(masks, 3)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2e6


# properties


@st.composite
def cases(draw: st.DrawFn) -> Case:
    classes = draw(st.integers(1, 4))
    shape = tuple(draw(st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 7))))
    masks = arrays(np.int64, shape, elements=st.integers(0, classes - 1))
    return Case(torch.from_numpy(draw(masks)), torch.from_numpy(draw(masks)), classes)


quick = settings(deadline=None, max_examples=60, derandomize=True, database=None)


@quick
@given(cases())
def test_counts_sum_to_pixels_and_iou_is_at_most_dice(case: Case) -> None:
    counts = confusion(*case)
    assert (counts.sum(dim=(1, 2)) == case.target[0].numel()).all()
    overlap, f1 = iou(counts), dice(counts)
    assert overlap.isnan().equal(f1.isnan())
    known = ~overlap.isnan()
    assert (overlap[known] <= f1[known]).all()
    assert ((overlap[known] >= 0) & (f1[known] <= 1)).all()
    assert overlap.allclose(f1 / (2 - f1), equal_nan=True)


@quick
@given(cases())
def test_perfect_predictions_score_1(case: Case) -> None:
    perfect = Case(case.target, case.target, case.classes)
    counts = total(perfect)
    for scores in (iou(counts), dice(counts), boundary(perfect).compute().f):
        assert (scores[~scores.isnan()] == 1).all()
    assert mean_iou(counts) == pixel_accuracy(counts) == 1


@quick
@given(cases())
def test_swapping_prediction_and_target_transposes(case: Case) -> None:
    swapped = Case(case.target, case.predicted, case.classes)
    assert total(swapped).equal(total(case).T)
    ours, theirs = boundary(case, 1).compute(), boundary(swapped, 1).compute()
    assert ours.precision.allclose(theirs.recall, equal_nan=True)
    assert ours.f.allclose(theirs.f, equal_nan=True)


@quick
@given(cases(), st.integers(0, 4))
def test_boundary_f_is_that_of_distance_transforms_everywhere(case: Case, tolerance: int) -> None:
    same(boundary(case, tolerance).compute().f, np.array(slow_boundary_f(case, tolerance)))


@quick
@given(cases(), st.randoms(use_true_random=False), st.integers(1, 4))
def test_order_and_batches_of_pictures_change_nothing(case: Case, random, size: int) -> None:
    order = list(range(len(case.target)))
    random.shuffle(order)
    p = probabilities(len(order), case.classes, *case.target.shape[1:], seed=5)
    b, c, counts = BoundaryF(case.classes), CalibrationError(), []
    for start in range(0, len(order), size):
        part = order[start : start + size]
        counts.append(confusion(case.predicted[part], case.target[part], case.classes))
        b.update(case.predicted[part], case.target[part])
        c.update(p[part], case.target[part])
    assert torch.cat(counts).equal(confusion(*case)[order])
    whole = boundary(case)
    assert b.predicted.equal(whole.predicted)
    assert b.target.equal(whole.target)
    assert c.compute() == pytest.approx(calibration(p, case.target), abs=1e-12)
