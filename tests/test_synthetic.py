"""The drawn data set: reproducible, varied, and not to be solved by guessing."""

from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from netlab.contracts.dataset import PET_CLASSES, DataRequest, SegmentationSet, Split
from netlab.data.synthetic import SIZES, Synthetic
from netlab.registry import get, summaries


def drawn(split: Split = "train", size: int = 32, limit: int = 6, seed: int = 0) -> SegmentationSet:
    request = DataRequest(split=split, image_size=size, limit=limit, seed=seed)
    return Synthetic().load(request)


def miou(predicted: NDArray[np.int64], masks: NDArray[np.uint8]) -> float:
    ious = []
    for id_ in range(len(PET_CLASSES)):
        a, b = predicted == id_, masks == id_
        ious.append((a & b).sum() / (a | b).sum())
    return float(np.mean(ious))


def shares(masks: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of each class in each picture: (N, 3)."""
    return np.stack([(masks == i).mean(axis=(1, 2)) for i in range(len(PET_CLASSES))], axis=1)


@pytest.fixture(scope="module")
def many() -> SegmentationSet:
    return drawn(size=64, limit=200)


def test_is_in_the_catalogue() -> None:
    assert get("dataset", "synthetic") is Synthetic
    assert "synthetic" in [line.name for line in summaries("dataset")]


def test_same_seed_draws_the_same_bytes() -> None:
    first, second = drawn(seed=3), drawn(seed=3)
    assert first.images.tobytes() == second.images.tobytes()
    assert first.masks.tobytes() == second.masks.tobytes()
    assert first.names == second.names


def test_other_seed_draws_other_pictures() -> None:
    first, second = drawn(seed=3), drawn(seed=4)
    assert all((a != b).any() for a, b in zip(first.images, second.images, strict=True))
    assert all((a != b).any() for a, b in zip(first.masks, second.masks, strict=True))


def test_limit_takes_the_first() -> None:
    few, more = drawn(limit=2), drawn(limit=5)
    assert (few.images == more.images[:2]).all()
    assert (few.masks == more.masks[:2]).all()
    assert few.names == more.names[:2] == ("train-0000", "train-0001")


def test_a_limit_beyond_the_part_changes_nothing() -> None:
    assert len(drawn("val", limit=10_000)) == SIZES["val"]


def test_splits_share_no_picture_and_all_is_their_union() -> None:
    train, val, test = drawn("train", 8, 40), drawn("val", 8, 40), drawn("test", 8, 40)
    pictures = {image.tobytes() for part in (train, val, test) for image in part.images}
    assert len(pictures) == 120
    whole, start = drawn("all", 8, SIZES["train"] + 10), SIZES["train"]
    assert whole.names[:40] + whole.names[start:] == train.names + val.names[:10]
    assert (whole.images[:40] == train.images).all()
    assert (whole.images[start:] == val.images[:10]).all()


@pytest.mark.parametrize("size", [32, 45, 96, 131, 160])
@pytest.mark.parametrize("split", get_args(Split))
def test_any_size(size: int, split: Split) -> None:
    part = drawn(split, size, limit=3)
    assert part.images.shape == (3, size, size, 3)
    assert part.masks.shape == (3, size, size)
    assert part.images.dtype == part.masks.dtype == np.uint8
    assert part.classes == PET_CLASSES
    assert not part.dropped


def test_masks_of_two_sizes_show_the_same() -> None:
    small, large = drawn(size=64, limit=20), drawn(size=128, limit=20)
    agreement = (small.masks == large.masks[:, ::2, ::2]).mean()
    assert agreement > 0.8  # the noise of an outline depends on the size, its form does not


def test_shares_are_near_those_of_the_real_set(many: SegmentationSet) -> None:
    each = shares(many.masks)
    assert (each > 0.02).all()
    # Measured on 400 real trimaps: 0.31, 0.58, 0.11.
    assert each.mean(axis=0) == pytest.approx([0.31, 0.58, 0.11], abs=0.04)


def test_border_lies_between_pet_and_background(many: SegmentationSet) -> None:
    pet, ground = many.masks == 0, many.masks == 1
    assert not (pet[:, :-1] & ground[:, 1:]).any()
    assert not (pet[:, :, :-1] & ground[:, :, 1:]).any()


def test_guessing_scores_badly(many: SegmentationSet) -> None:
    masks = many.masks
    average = np.stack([(masks == i).mean(axis=0) for i in range(3)]).argmax(axis=0)
    assert miou(np.ones(masks.shape, np.int64), masks) < 0.25
    assert miou(np.broadcast_to(average, masks.shape), masks) < 0.4


def test_colour_alone_scores_badly(many: SegmentationSet) -> None:
    colours = many.images.astype(np.int64) // 43  # 6 levels each, 216 bins
    bins = (colours * (36, 6, 1)).sum(axis=3)
    votes = np.stack([np.bincount(bins[many.masks == i], minlength=216) for i in range(3)])
    assert miou(votes.argmax(axis=0)[bins], many.masks) < 0.4


def test_a_long_wait_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    request = DataRequest(split="val", image_size=8, limit=3, note=told.append)
    Synthetic().load(request)
    assert told == []
    monkeypatch.setattr("netlab.data.synthetic._WORTH_A_NOTE", 100)
    Synthetic().load(request)
    assert told == ["drawing 3 pictures"]
