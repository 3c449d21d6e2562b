"""The drawn digits: reproducible, styles that know no labels, and legible."""

import numpy as np
import pytest
from numpy.typing import NDArray

from netlab.data.digits import SIZES, STYLE, Digits, draw, styles_of
from tests.test_labelled import SPLITS, load


def test_digits_follow_from_seed_part_and_index_alone() -> None:
    first, again, other = (load(Digits(), size=28, limit=30, seed=s) for s in (3, 3, 4))
    assert first.images.tobytes() == again.images.tobytes()
    assert all((a != b).any() for a, b in zip(first.images, other.images, strict=True))
    few = load(Digits(), size=28, limit=7, seed=3)
    assert (few.images == first.images[:7]).all()
    assert few.names == first.names[:7]


def test_splits_of_the_digits_share_no_picture_and_all_is_their_union() -> None:
    parts = {split: load(Digits(), split, 12) for split in SPLITS}
    assert {split: len(parts[split]) for split in SIZES} == SIZES
    assert len({image.tobytes() for image in parts["all"].images}) == sum(SIZES.values())
    for field in ("images", "labels", "names"):
        joined = np.concatenate([np.asarray(getattr(parts[split], field)) for split in SIZES])
        assert (joined == np.asarray(getattr(parts["all"], field))).all()
    assert np.bincount(parts["train"].labels).tolist() == [600] * 10
    assert not parts["train"].mirrors


@pytest.mark.parametrize("size", [8, 28, 45, 300])
def test_digits_of_any_size(size: int) -> None:
    part = load(Digits(), "test", size, limit=3)
    assert part.images.shape == (3, size, size, 1)
    assert part.images.dtype == np.uint8
    assert part.images.max() > 150
    assert part.labels.tolist() == [0, 1, 2]


def test_one_digit_is_drawn_as_the_data_set_draws_it() -> None:
    for split in SIZES:
        part = load(Digits(), split, 28, limit=40, seed=7)
        for index, image in enumerate(part.images):
            styles = styles_of(7, split, np.array([index]))
            assert (draw(np.array([index % 10]), styles, 28) == image).all()


def test_styles_know_nothing_of_labels() -> None:
    """Each field of a style has the same mean for all digits; thickness can be read from ink."""
    styles = styles_of(0, "train", np.arange(4000))
    for field, column in zip(STYLE, styles.T, strict=True):
        values = column.reshape(-1, 10)
        assert abs(values.mean(0) - values.mean()).max() < 4 * values.std() / np.sqrt(400), field


PLAIN = dict.fromkeys(STYLE, 0.0) | {
    "thickness": 0.1,
    "height": 0.7,
    "width": 1,
    "ink": 1,
    "specks": 0.5,
}


def centre(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of the ink, in shares of the side: (down, right)."""
    weights = image / image.sum()
    places = (np.arange(len(image)) + 0.5) / len(image)
    return np.array([(weights.sum(1) * places).sum(), (weights.sum(0) * places).sum()])


@pytest.mark.parametrize("label", range(10))
def test_a_style_does_what_its_fields_say(label: int) -> None:
    def drawn(**changes: float) -> NDArray[np.uint8]:
        style = np.array([[*(PLAIN | changes).values()]])
        return draw(np.array([label]), style, 64)[0, :, :, 0]

    plain = drawn()
    assert plain.max() == 255
    assert plain[0].max() == 0
    ys = np.flatnonzero(plain.max(1) > 127)
    assert (ys[-1] - ys[0] + 1) / 64 == pytest.approx(0.8, abs=0.03)  # height and pen
    assert centre(drawn(right=0.05, down=-0.04)) - centre(plain) == pytest.approx(
        [-0.04, 0.05], abs=0.003
    )
    assert drawn(thickness=0.14).sum() > 1.2 * plain.sum()
    assert drawn(ink=0.8).max() == 204
    assert drawn(grain=0.1)[0].max() > 0
    top, foot = (np.arange(64) @ rows_.sum(0) / rows_.sum() for rows_ in np.split(plain / 1.0, 2))
    lean = drawn(slant=0.3) / 1.0
    top2, foot2 = (np.arange(64) @ rows_.sum(0) / rows_.sum() for rows_ in np.split(lean, 2))
    assert top2 > top + 2
    assert foot2 < foot - 2
    for field in ("bend_right", "bend_down"):
        assert (drawn(**{f"{field}_0": 0.08, f"{field}_3": 0.08}) != plain).any()


def test_digits_can_be_told_apart_by_a_small_classifier() -> None:
    """The nearest picture of the training split has the same label."""
    train, test = (load(Digits(), split, 14) for split in ("train", "test"))
    x, y = (part.images.reshape(len(part), -1) / 255 for part in (train, test))
    nearest = (np.square(x).sum(1) - 2 * y @ x.T).argmin(1)
    assert (train.labels[nearest] == test.labels).mean() > 0.98


def test_a_long_wait_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    load(Digits(), "val", 8, limit=3, note=told.append)
    assert told == []
    monkeypatch.setattr("netlab.data.digits._WORTH_A_NOTE", 100)
    load(Digits(), "val", 8, limit=3, note=told.append)
    assert told == ["drawing 3 pictures"]
