"""Data sets: layouts, parts, bad files, cache, augmentation."""

import dataclasses
import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from netlab.choices import STRENGTHS, Strength
from netlab.contracts.dataset import DataRequest, SegmentationSet, Split
from netlab.data.pairs import Pairs
from netlab.data.pets import Pets
from netlab.data.readers.pictures import read_mask, read_picture
from netlab.data.readers.splits import hashed_order
from netlab.errors import DataError, PictureError
from netlab.layers.augment import augment
from netlab.seeds import derive, uniforms
from tests._copies import drawn


def pets(folder: Path, split: Split = "train", **changes: object) -> SegmentationSet:
    return Pets().load(DataRequest(split=split, image_size=40, data_dir=folder, **changes))


def pairs(folders: tuple[Path, Path], split: Split = "all", **changes: object) -> SegmentationSet:
    images, masks = folders
    return Pairs().load(
        DataRequest(split=split, image_size=40, images=images, masks=masks, **changes)
    )


def test_pets_parts_are_disjoint_and_complete(pets_copy: Path) -> None:
    train, val, test = (pets(pets_copy, split) for split in ("train", "val", "test"))
    assert (len(train), len(val), len(test)) == (27, 3, 8)
    assert not set(train.names) & set(val.names)
    assert not (set(train.names) | set(val.names)) & set(test.names)
    assert pets(pets_copy, "val").names == val.names


def test_trimap_values_become_ids(pets_copy: Path) -> None:
    _, masks = drawn(38)
    test = pets(pets_copy, "test")
    assert (
        test.masks
        == masks[30:][
            np.argsort([f"{'Abyssinian' if i % 2 else 'beagle'}_{i}" for i in range(30, 38)])
        ]
    ).all()
    assert test.classes == ("pet", "background", "border")
    assert test.images.dtype == np.uint8
    assert test.images.shape == (8, 40, 40, 3)


def test_pets_folder_itself_may_be_named(pets_copy: Path) -> None:
    assert pets(pets_copy / "oxford-iiit-pet", "test").names == pets(pets_copy, "test").names


def test_pictures_are_stretched_and_masks_keep_their_ids(pets_copy: Path) -> None:
    small = Pets().load(DataRequest(split="test", image_size=17, data_dir=pets_copy))
    assert small.images.shape == (8, 17, 17, 3)
    assert set(np.unique(small.masks)) <= {0, 1, 2}


def test_petless_and_undecodable_pairs_are_dropped_and_counted(pets_copy: Path) -> None:
    root = pets_copy / "oxford-iiit-pet"
    train = pets(pets_copy)
    Image.fromarray(np.full((40, 40), 2, np.uint8)).save(
        root / "annotations" / "trimaps" / f"{train.names[0]}.png"
    )
    (root / "images" / f"{train.names[1]}.jpg").write_bytes(b"\xff\xd8\xff broken")
    said: list[str] = []
    again = pets(pets_copy, note=said.append)
    assert len(again) == len(train) - 2
    assert {d.name for d in again.dropped} == set(train.names[:2])
    assert any("no pet pixel" in line and train.names[0] in line for line in said)
    assert any("cannot be read" in line and train.names[1] in line for line in said)


def test_wrong_mask_values_are_an_error_that_names_them(pets_copy: Path) -> None:
    name = pets(pets_copy).names[0]
    path = pets_copy / "oxford-iiit-pet" / "annotations" / "trimaps" / f"{name}.png"
    Image.fromarray(np.full((40, 40), 7, np.uint8)).save(path)
    with pytest.raises(DataError, match=rf"{name}.png has the value 7 \(not 1, 2, 3\).*--skip-bad"):
        pets(pets_copy)
    assert name not in pets(pets_copy, skip_bad=True).names


def test_half_present_data_say_what_is_missing(pets_copy: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no Oxford-IIIT Pet data.*synthetic"):
        pets(tmp_path / "nowhere")
    (pets_copy / "oxford-iiit-pet" / "annotations" / "test.txt").unlink()
    with pytest.raises(DataError, match=r"annotations/test.txt missing"):
        pets(pets_copy)


def test_missing_files_of_a_part_are_named(pets_copy: Path) -> None:
    name = pets(pets_copy).names[0]
    (pets_copy / "oxford-iiit-pet" / "images" / f"{name}.jpg").unlink()
    with pytest.raises(DataError, match=name):
        pets(pets_copy)
    assert name not in pets(pets_copy, skip_bad=True).names


def test_names_in_lists_never_leave_the_folder(pets_copy: Path) -> None:
    path = pets_copy / "oxford-iiit-pet" / "annotations" / "trainval.txt"
    path.write_text("../../secret 1 1 1\nother 1 1 1\n")
    with pytest.raises(DataError, match="no plain file name"):
        pets(pets_copy)


def test_limit_takes_a_fixed_sample(pets_copy: Path) -> None:
    five, ten = pets(pets_copy, limit=5), pets(pets_copy, limit=10)
    assert len(five) == 5
    assert set(five.names) < set(ten.names)


def test_pairs_are_cut_by_a_fixed_hash(pairs_copy: tuple[Path, Path]) -> None:
    parts = [pairs(pairs_copy, split) for split in ("train", "val", "test")]
    assert [len(p) for p in parts] == [16, 2, 2]
    assert len({n for p in parts for n in p.names}) == 20
    assert len(pairs(pairs_copy)) == 20


def test_pairs_read_any_picture_kind_and_any_mask_values(tmp_path: Path) -> None:
    images, masks = tmp_path / "i", tmp_path / "m"
    images.mkdir()
    masks.mkdir()
    for number, suffix in enumerate((".png", ".webp", ".bmp", ".tif", ".JPG")):
        Image.new("RGB", (20, 10), (number, 2, 3)).save(images / f"{number}{suffix}")
        mask = np.zeros((10, 20), np.uint8)
        mask[:, :5] = 255
        Image.fromarray(mask).save(masks / f"{number}.png")
    data = pairs((images, masks), classes=("thing", "ground"), mask_values=(255, 0))
    assert len(data) == 5
    assert data.classes == ("thing", "ground")
    assert (data.masks[:, :, :9] == 0).all()
    assert (data.masks[:, :, 11:] == 1).all()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda i, m: (m / "p03.png").unlink(), "p03.jpg"),
        (lambda i, m: (i / "p03.jpg").unlink(), "p03.png"),
        (lambda i, m: Image.new("L", (40, 40), 9).save(m / "p03.png"), "value 9"),
        (lambda i, m: Image.new("RGB", (40, 40), "red").save(m / "p03.png"), "p03"),
        (lambda i, m: Image.new("L", (20, 40)).save(m / "p03.png"), "20 × 40"),
    ],
)
def test_bad_pairs_stop_or_are_dropped(
    pairs_copy: tuple[Path, Path], spoil: object, words: str
) -> None:
    spoil(*pairs_copy)
    said: list[str] = []
    kept = pairs(pairs_copy, skip_bad=True, note=said.append)
    assert "p03" not in kept.names
    assert len(kept) == 19
    assert any("p03" in line for line in said)
    if "RGB" not in words and words != "p03":
        with pytest.raises(DataError, match=words):
            pairs(pairs_copy)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": ("a",)}, "2 to 256"),
        ({"classes": ("a", "a")}, "different names"),
        ({"mask_values": (0, 1)}, "one value for each of the 3 classes"),
        ({"mask_values": (0, 1, 1)}, "all different"),
        ({"images": Path("no-such")}, "no such folder"),
        ({"masks": None}, "--masks"),
    ],
)
def test_wrong_settings_of_pairs(
    pairs_copy: tuple[Path, Path], changes: dict[str, object], words: str
) -> None:
    request = {"images": pairs_copy[0], "masks": pairs_copy[1]} | changes
    with pytest.raises(DataError, match=words):
        Pairs().load(DataRequest(split="train", image_size=40, **request))


def test_cache_gives_the_same_bytes_and_follows_changes(
    pets_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETLAB_CACHE", "off")
    plain = pets(pets_copy)
    monkeypatch.setenv("NETLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("netlab.data.readers.cache._WORTH_CACHING", 1)
    said: list[str] = []
    first, second = pets(pets_copy, note=said.append), pets(pets_copy, note=said.append)
    assert sum("decoded once" in line for line in said) == 1
    for cached in (first, second):
        assert cached.names == plain.names
        assert (cached.images == plain.images).all()
        assert (cached.masks == plain.masks).all()
        assert isinstance(cached.images, np.memmap)
    path = pets_copy / "oxford-iiit-pet" / "images" / f"{plain.names[0]}.jpg"
    Image.new("RGB", (40, 40), "red").save(path)
    assert (pets(pets_copy).images[0] != plain.images[0]).any()


def test_cache_is_of_contents_not_of_names_sizes_and_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mask that is corrected in a single pixel, and a picture whose time is set back."""
    monkeypatch.setattr("netlab.data.readers.cache._WORTH_CACHING", 1)
    folders = tmp_path / "images", tmp_path / "masks"
    for folder in folders:
        folder.mkdir()
        for number in range(4):
            Image.new("L", (300, 300)).save(folder / f"{number}.bmp")

    def spoil(path: Path, value: int) -> None:
        facts = path.stat()
        with path.open("r+b") as file:
            file.seek(facts.st_size // 2)
            file.write(bytes([value]))
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        assert path.stat().st_size == facts.st_size

    def load() -> SegmentationSet:
        request = DataRequest(split="all", image_size=300, images=folders[0], masks=folders[1])
        return Pairs().load(request)

    assert load().masks.max() == load().images.max() == 0
    spoil(folders[1] / "2.bmp", 1)
    assert load().masks.max() == 1
    spoil(folders[0] / "3.bmp", 255)
    assert load().images.max() == 255
    notes: list[str] = []
    (tmp_path / "copies").mkdir()
    copies = [folder.rename(tmp_path / "copies" / folder.name) for folder in folders]
    for path in copies[0].iterdir():
        path.touch()
    pairs((copies[0], copies[1]), note=notes.append)
    notes.clear()
    pairs((copies[0], copies[1]), note=notes.append)
    assert not notes, "neither times nor places count"


def test_cache_tells_folders_apart_and_mends_itself(
    pairs_copy: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netlab.data.readers.cache._WORTH_CACHING", 1)
    images, _ = pairs_copy
    sets = []
    for value in (0, 1):  # same names, sizes and times, as an archive leaves them
        folder = tmp_path / f"masks{value}"
        folder.mkdir()
        for path in sorted(images.iterdir()):
            mask = folder / f"{path.stem}.bmp"
            Image.new("L", (40, 40), value).save(mask)
            os.utime(mask, (1000, 1000))
        sets.append(pairs((images, folder)))
    assert [int(s.masks.max()) for s in sets] == [0, 1]
    for index in Path(os.environ["NETLAB_CACHE"]).glob("*/index.json"):
        index.write_text("")
    assert (pairs((images, tmp_path / "masks1")).masks == sets[1].masks).all()


def test_a_cache_that_cannot_be_written_is_no_reason_to_stop(
    pets_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NETLAB_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr("netlab.data.readers.cache._WORTH_CACHING", 1)
    said: list[str] = []
    assert len(pets(pets_copy, note=said.append)) == 27
    assert any("not cached" in line for line in said)


def test_order_by_hash_is_fixed() -> None:
    assert hashed_order(["a", "b", "c", "d"]) == hashed_order(["d", "c", "b", "a"])


def test_mask_pictures_of_all_kinds(tmp_path: Path) -> None:
    ids = np.array([[0, 1], [2, 1]], np.uint8)
    palette = Image.fromarray(ids, mode=None).convert("P")
    palette = Image.new("P", (2, 2))
    palette.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0])
    palette.putdata([0, 1, 2, 1])
    for name, image in {
        "gray": Image.fromarray(ids),
        "palette": palette,
        "rgb": Image.merge("RGB", [Image.fromarray(ids)] * 3),
        "wide": Image.fromarray(ids.astype(np.uint16)),
    }.items():
        image.save(tmp_path / f"{name}.png")
        assert (read_mask(tmp_path / f"{name}.png") == ids).all(), name
    Image.new("RGB", (2, 2), (1, 2, 3)).save(tmp_path / "colour.png")
    with pytest.raises(PictureError, match="colour"):
        read_mask(tmp_path / "colour.png")


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe0"]
)
def test_bytes_that_are_no_picture(data: bytes) -> None:
    with pytest.raises(PictureError) as caught:
        read_picture(data)
    assert "\n" not in str(caught.value)


def test_uniforms_derive_from_seed_epoch_and_index_alone() -> None:
    indices = np.arange(1000)
    numbers = uniforms(1, 2, indices, 8)
    assert numbers.shape == (1000, 8)
    assert ((numbers >= 0) & (numbers < 1)).all()
    assert abs(numbers.mean() - 0.5) < 0.01
    assert abs(np.corrcoef(numbers.T) - np.eye(8)).max() < 0.15
    assert (uniforms(1, 2, indices[[7, 3]], 8) == numbers[[7, 3]]).all()
    assert (uniforms(1, 3, indices, 8) != numbers).all()
    assert (uniforms(2, 2, indices, 8) != numbers).all()
    assert len({derive(s, a, b) for s in range(5) for a in range(5) for b in range(5)}) == 125


def batch(count: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    images, masks = drawn(count, 32)
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255, torch.from_numpy(masks)


@pytest.mark.parametrize("name", STRENGTHS)
def test_augmentation_keeps_shapes_ids_and_ranges(name: str) -> None:
    images, masks = batch()
    out, ids = augment(images, masks, STRENGTHS[name], seed=0, epoch=1, indices=np.arange(6))
    assert out.shape == images.shape
    assert ids.dtype == masks.dtype
    assert float(out.min()) >= 0
    assert float(out.max()) <= 1
    assert set(ids.unique().tolist()) <= {0, 1, 2}
    assert torch.equal(out, images) == (name == "none")


def test_augmentation_moves_picture_and_mask_alike() -> None:
    """A picture that is its own mask stays so, wherever it is moved."""
    ids = torch.zeros(8, 64, 64, dtype=torch.uint8)
    ids[:, 10:30, 20:50] = 1
    images = ids[:, None].float().expand(-1, 3, -1, -1)
    moves = Strength(flip=True, zoom=0.5, aspect=0.2, turn=25, shift=0.1)
    out, moved = augment(images, ids, moves, seed=3, epoch=0, indices=np.arange(8))
    assert not torch.equal(moved, ids)
    off = (out[:, 0].round() != moved).float().mean()
    assert float(off) < 0.01  # bilinear and nearest differ at the outline alone


def test_augmentation_of_a_picture_does_not_depend_on_its_batch() -> None:
    images, masks = batch()
    whole, ids = augment(images, masks, STRENGTHS["strong"], seed=5, epoch=2, indices=np.arange(6))
    one, id_ = augment(
        images[4:5], masks[4:5], STRENGTHS["strong"], seed=5, epoch=2, indices=np.array([4])
    )
    torch.testing.assert_close(whole[4:5], one, rtol=0, atol=1e-6)
    assert torch.equal(ids[4:5], id_)


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_flip_alone_is_a_mirror_or_nothing(seed: int) -> None:
    images, masks = batch(2)
    out, ids = augment(
        images, masks, STRENGTHS["flip"], seed=seed, epoch=0, indices=np.array([0, 1])
    )
    for i in range(2):
        same, mirrored = torch.equal(ids[i], masks[i]), torch.equal(ids[i], masks[i].flip(1))
        assert same or mirrored
        expected = images[i] if same else images[i].flip(2)
        torch.testing.assert_close(out[i], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", STRENGTHS)
def test_augmentation_of_labelled_pictures_needs_no_masks(name: str, channels: int) -> None:
    images = batch()[0][:, :channels]
    keys = {"seed": 0, "epoch": 1, "indices": np.arange(6)}
    out, none = augment(images, None, STRENGTHS[name], **keys)
    assert none is None
    assert out.shape == images.shape
    assert float(out.min()) >= 0
    assert float(out.max()) <= 1
    assert torch.equal(out, images) == (name == "none")
    if channels == 3:
        assert torch.equal(out, augment(*batch(), STRENGTHS[name], **keys)[0]), "as with masks"


@pytest.mark.parametrize("flip", [False, True])
def test_shift_moves_by_whole_pixels(flip: bool) -> None:
    """Each picture is one of its shifts by up to an eighth, its edges mirrored."""
    size, far = 32, 4
    levels = torch.randperm(12 * size * size, generator=torch.Generator().manual_seed(0))
    images = (levels / len(levels)).view(12, 1, size, size)
    strength = dataclasses.replace(STRENGTHS["shift"], flip=flip)
    out, _ = augment(images, None, strength, seed=1, epoch=2, indices=np.arange(12))
    found = set()
    for before, after in zip(images, out, strict=True):
        wide = np.pad(before[0].numpy(), far, mode="symmetric")
        for y, x, mirror in product(range(2 * far + 1), range(2 * far + 1), (1, -1)):
            moved = wide[y : y + size, x : x + size][:, ::mirror]
            if np.abs(moved - after[0].numpy()).max() < 5e-5:
                found.add((y, x, mirror))
                break
        else:
            pytest.fail("no shift by whole pixels gives this picture")
    assert len(found) > 8
    assert {mirror for _, _, mirror in found} == ({1, -1} if flip else {1})


@pytest.mark.slow
@pytest.mark.real
def test_real_pets_have_the_counts_that_are_published(real_pets: Path) -> None:
    test = Pets().load(DataRequest(split="test", image_size=32, data_dir=real_pets, limit=100))
    assert len(test) + len(test.dropped) == 100
    shares = np.bincount(test.masks.ravel(), minlength=3) / test.masks.size
    assert shares[1] > shares[0] > shares[2] > 0.05
