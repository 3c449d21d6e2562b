"""One's own folder of classes: parts, gray and colour, links, what is wrong with it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from netlab.data.class_folder import ClassFolder
from netlab.errors import DataError
from netlab.training.prepare import prepare, settle
from tests.conftest import tiny_labelled
from tests.test_labelled import SPLITS, check_parts, load


@pytest.fixture
def class_copy(tmp_path: Path) -> Path:
    """A folder with the classes `cat` and `dog`, 12 and 8 pictures of different sizes and kinds."""
    root = tmp_path / "animals"
    for label, (name, count) in enumerate({"dog": 8, "cat": 12}.items()):
        (root / name).mkdir(parents=True)
        for i in range(count):
            image = Image.new("RGB", (20 + i, 16), (10 * i, 200 * label, 50))
            image.save(root / name / f"{i}{('.png', '.jpg', '.BMP')[i % 3]}")
    return root


@pytest.mark.parametrize("arch", ["vae", "classifier"])
def test_one_class_alone_is_refused(tmp_path: Path, arch: str) -> None:
    """Found by tests/fuzz.py: the loss became nan."""
    (tmp_path / "only").mkdir()
    for index in range(12):
        Image.new("L", (12, 12), 20 * index).save(tmp_path / "only" / f"{index}.png")
    config = tiny_labelled(arch, dataset="class-folder", images=str(tmp_path), limit=None)
    with pytest.raises(DataError, match="all of the class only; two classes or more are needed"):
        prepare(*settle(config))


def test_splits_of_a_folder_are_disjoint_and_complete(class_copy: Path) -> None:
    parts = {split: load(ClassFolder(), split, images=class_copy) for split in SPLITS}
    check_parts(parts, test=2)
    assert len(parts["train"]) == 16


def test_classes_are_the_sub_folders(class_copy: Path) -> None:
    (class_copy / ".hidden").mkdir()
    (class_copy / "cat" / ".hidden.png").write_bytes(b"")
    (class_copy / "cat" / "notes.txt").write_text("no picture")
    (class_copy / "readme.txt").write_text("no folder")
    whole = load(ClassFolder(), "all", 16, images=class_copy)
    assert whole.classes == ("cat", "dog")
    assert whole.images.shape == (20, 16, 16, 3)
    assert whole.mirrors
    for name, label, image in zip(whole.names, whole.labels, whole.images, strict=True):
        assert name.startswith(f"{whole.classes[label]}/")
        assert abs(int(image[8, 8, 1]) - 200 * (1 - label)) < 5


def test_named_classes_are_taken_in_their_order(class_copy: Path) -> None:
    (class_copy / "owl").mkdir()
    part = load(ClassFolder(), "all", images=class_copy, classes=("dog", "cat"))
    assert part.classes == ("dog", "cat")
    assert all(
        name.startswith(part.classes[i]) for name, i in zip(part.names, part.labels, strict=True)
    )


def test_train_and_test_folders_are_the_parts(class_copy: Path, tmp_path: Path) -> None:
    root = tmp_path / "parts"
    for part in ("train", "test", "extra"):
        (root / part).mkdir(parents=True)
        for name in ("cat", "dog"):
            (root / part / name).mkdir()
            for path in (class_copy / name).iterdir():
                (root / part / name / path.name).write_bytes(path.read_bytes())
    said: list[str] = []
    parts = {s: load(ClassFolder(), s, images=root, note=said.append) for s in SPLITS}
    check_parts(parts, test=20)
    assert len(parts["val"]) == 2
    assert all(name.startswith("test/") for name in parts["test"].names)
    assert not any(name.startswith("test/") for name in parts["val"].names)
    assert any("extra not" in line for line in said)
    (root / "test" / "dog").rename(root / "test" / "wolf")
    with pytest.raises(DataError, match=r"same class folders.*dog, wolf"):
        load(ClassFolder(), images=root)


def test_classes_may_be_called_train_and_test(class_copy: Path) -> None:
    (class_copy / "cat").rename(class_copy / "train")
    (class_copy / "dog").rename(class_copy / "test")
    assert load(ClassFolder(), "all", images=class_copy).classes == ("test", "train")


@pytest.mark.parametrize("stored", ["L", "LA", "RGB", "P", "I;16"])
def test_pictures_are_gray_if_all_are(class_copy: Path, stored: str) -> None:
    for path in class_copy.glob("*/*"):
        path.unlink()
        level = 8000 if stored == "I;16" else 31
        image = Image.fromarray(np.full((9, 9), level, np.uint16 if level > 255 else np.uint8))
        (image if stored == "I;16" else image.convert(stored)).save(path.with_suffix(".png"))
    for split in SPLITS:
        part = load(ClassFolder(), split, 8, images=class_copy)
        assert part.images.shape[1:] == (8, 8, 1)
        assert (part.images == 31).all()
    test = load(ClassFolder(), "test", 8, images=class_copy).names
    Image.new("RGB", (9, 9), "red").save(class_copy / test[0])
    assert load(ClassFolder(), "train", 8, images=class_copy).images.shape[3] == 3


def test_unreadable_pictures_of_ones_own_are_dropped(class_copy: Path) -> None:
    whole = load(ClassFolder(), images=class_copy)
    (class_copy / whole.names[2]).write_bytes(b"\xff\xd8\xff broken")
    said: list[str] = []
    part = load(ClassFolder(), images=class_copy, note=said.append)
    assert [d.name for d in part.dropped] == [whole.names[2]]
    assert part.names == (*whole.names[:2], *whole.names[3:])
    assert any("dropped 1" in line and whole.names[2] in line for line in said)


@pytest.mark.skipif(os.name != "posix", reason="names are text elsewhere")
def test_names_need_not_be_text(class_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netlab.data.readers.cache._WORTH_CACHING", 1)
    odd = os.fsdecode(b"caf\xe9.png")
    try:
        Image.new("RGB", (9, 9)).save(class_copy / "cat" / odd)
    except OSError:
        pytest.skip("this file system takes no such names")
    for _ in range(2):
        assert f"cat/{odd}" in load(ClassFolder(), "all", images=class_copy).names


@pytest.mark.skipif(os.name != "posix", reason="links need no rights on posix alone")
def test_links_are_followed_inside_the_folder_alone(class_copy: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    Image.new("RGB", (9, 9), "red").save(secret / "x.png")
    (class_copy / "secret").symlink_to(secret)
    (class_copy / "cat" / "out.png").symlink_to(secret / "x.png")
    (class_copy / "cat" / "lost.png").symlink_to("nowhere.png")
    (class_copy / "cat" / "circle.png").symlink_to("circle.png")
    (class_copy / "cat" / "in.png").symlink_to(class_copy / "dog" / "0.png")
    said: list[str] = []
    whole = load(ClassFolder(), "all", images=class_copy, note=said.append)
    assert whole.classes == ("cat", "dog")
    assert "cat/in.png" in whole.names
    assert not {"cat/out.png", "cat/lost.png", "cat/circle.png"} & set(whole.names)
    assert any("4 links" in line and "cat/out.png" in line for line in said)


def emptied(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "changes", "words"),
    [
        (lambda root: None, {"images": None}, "needs --images FOLDER"),
        (lambda root: None, {"images": Path("no-such")}, "no such folder"),
        (lambda root: root.rename(root.with_name("x")), {}, "no such folder"),
        (lambda root: emptied(root / "cat"), {}, r"cat: no pictures of its class.*\.png"),
        (lambda root: None, {"classes": ("cat", "cow")}, "no folder cow in .*there are cat, dog"),
        (lambda root: None, {"classes": ("cat", "cat")}, "different names"),
        (
            lambda root: [p.unlink() for p in root.glob("*/*") if p.stem != "0"],
            {},
            "2 pictures in .* need at least 3",
        ),
    ],
)
def test_wrong_folders_are_one_clear_line(
    class_copy: Path, spoil: Callable[[Path], Any], changes: dict[str, Any], words: str
) -> None:
    spoil(class_copy)
    with pytest.raises(DataError, match=words) as caught:
        load(ClassFolder(), **{"images": class_copy} | changes)
    assert "\n" not in str(caught.value)


def test_a_folder_without_class_folders(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "x.png")
    with pytest.raises(DataError, match="no class folders"):
        load(ClassFolder(), images=tmp_path)


def test_pictures_that_change_places_are_not_taken_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same names, sizes and times, as after a correction of labels by a script."""
    monkeypatch.setattr("netlab.data.readers.cache._WORTH_CACHING", 1)
    for name, level in (("dark", 40), ("light", 210)):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(6):
            path = tmp_path / "own" / name / f"{number}.bmp"
            Image.new("RGB", (8, 8), (level, level, number)).save(path)
            os.utime(path, (1.7e9, 1.7e9))

    def levels() -> set[tuple[int, int]]:
        data = load(ClassFolder(), "all", 8, images=tmp_path / "own")
        return {(int(n), int(i[0, 0, 0])) for n, i in zip(data.labels, data.images, strict=True)}

    assert levels() == {(0, 40), (1, 210)}
    dark, light = tmp_path / "own" / "dark", tmp_path / "own" / "light"
    for path, other in ((p, light / p.name) for p in list(dark.iterdir())):
        aside = path.rename(tmp_path / "aside.bmp")
        other.rename(path)
        aside.rename(other)
    assert levels() == {(0, 210), (1, 40)}
