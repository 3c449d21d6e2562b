"""MNIST and CIFAR-10: every layout, parts, bad files, cache, downloads."""

import gzip
import hashlib
import os
import struct
import tarfile
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from pickle import dumps
from pickletools import dis, genops
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from netlab import registry
from netlab.contracts.dataset import DataRequest, LabelledSet, Split
from netlab.data import cifar10
from netlab.data.cifar10 import Cifar10
from netlab.data.mnist import Mnist
from netlab.data.readers.cifar import read_pickle, read_records
from netlab.data.readers.download import Archive
from netlab.data.readers.idx import read_idx
from netlab.data.readers.splits import hashed_order, names_in_split
from netlab.errors import DataError, WorkFailed
from tests._copies import (
    BATCHES,
    COUNTS,
    LABELS,
    PICTURES,
    bytes_of,
    idx,
    rows,
    write_cifar,
    write_mnist,
)
from tests.conftest import serving

SPLITS: tuple[Split, ...] = get_args(Split)


def load(dataset: Any, split: Split = "train", size: int = 32, **changes: Any) -> LabelledSet:
    return dataset.load(DataRequest(split=split, image_size=size, **changes))


@pytest.fixture
def mnist_copy(tmp_path: Path) -> Path:
    """A data folder with MNIST/raw: 60 pictures to train on, 20 to test; labels are places."""
    write_mnist(tmp_path / "data")
    return tmp_path / "data"


def pack(raw: Path) -> None:
    for path in list(raw.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()


def old_pickle(pixels: bytes, labels: list[int], shape: tuple[int, int], fortran: bool) -> bytes:
    """The operations that Python 2 wrote into the owners' files."""
    text = lambda value: b"U" + bytes([len(value)]) + value  # noqa: E731
    return b"".join(
        [
            b"\x80\x02}q\x01(",
            text(b"batch_label") + b"q\x02" + text(b"training batch 1 of 5") + b"q\x03",
            text(b"labels") + b"q\x04]q\x05(" + b"".join(b"K" + bytes([n]) for n in labels) + b"e",
            text(b"data") + b"q\x06cnumpy.core.multiarray\n_reconstruct\nq\x07",
            b"cnumpy\nndarray\nq\x08K\x00\x85" + text(b"b") + b"\x87Rq\x09(K\x01",
            b"".join(b"M" + struct.pack("<H", n) for n in shape) + b"\x86",
            b"cnumpy\ndtype\nq\x0a" + text(b"u1") + b"K\x00K\x01\x87Rq\x0b(K\x03" + text(b"|"),
            b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb" + (b"\x88" if fortran else b"\x89"),
            b"T" + struct.pack("<I", len(pixels)) + pixels + b"q\x0ctb",
            text(b"filenames") + b"q\x0d]q\x0e(" + text(b"data.png") + text(b"x.png") + b"eu.",
        ]
    )


def plain_pickle(protocol: int) -> Callable[[NDArray[np.uint8], list[int]], bytes]:
    def write(pixels: NDArray[np.uint8], labels: list[int]) -> bytes:
        entries = {"batch_label": "x", "data": pixels, "labels": labels, "filenames": ["a.png"]}
        return dumps(entries, protocol=protocol)

    return write


PICKLES = {
    "python2": lambda p, n: old_pickle(p.tobytes(), n, p.shape, fortran=False),
    "columns": lambda p, n: old_pickle(p.tobytes(order="F"), n, p.shape, fortran=True),
    **{f"protocol{i}": plain_pickle(i) for i in (2, 3, 4)},
}


def write_py(folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str = "python2") -> Path:
    root = folder / "cifar-10-batches-py"
    root.mkdir(parents=True)
    for name, pictures, labels in zip(BATCHES, PICTURES, LABELS, strict=True):
        data = PICKLES[kind](rows(pictures), labels.tolist())
        (root / name).write_bytes(data)
        publish(root / name, monkeypatch)
    return root


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def publish(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the sum of a file the published one."""
    split = "test" if path.name.startswith("test") else "train"
    monkeypatch.setitem(cifar10.BATCHES[split], path.name, md5(path))


def write_png(folder: Path) -> Path:
    root = folder / "cifar10"
    for part, chosen in (("train", slice(0, 5)), ("test", slice(5, 6))):
        pictures, labels = PICTURES[chosen].reshape(-1, 32, 32, 3), LABELS[chosen].ravel()
        for label, name in enumerate(cifar10.CLASSES):
            (root / part / name).mkdir(parents=True)
            for place, picture in enumerate(pictures[labels == label]):
                Image.fromarray(picture).save(root / part / name / f"{place:05d}.png")
    return root


@pytest.fixture(params=["bin", "py", "png"])
def cifar_copy(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A data folder with CIFAR-10 in each of its layouts: 60 pictures and 12."""
    if request.param == "py":
        write_py(tmp_path / "data", monkeypatch)
    else:
        {"bin": write_cifar, "png": write_png}[request.param](tmp_path / "data")
    return tmp_path / "data"


# Parts


@pytest.mark.parametrize("name", ["mnist", "cifar10", "digits", "class-folder"])
def test_is_in_the_catalogue(name: str) -> None:
    assert name in registry.names("dataset")
    assert registry.get("dataset", name).target == "labels"


def check_parts(parts: dict[Split, LabelledSet], test: int) -> None:
    names = {split: set(part.names) for split, part in parts.items()}
    assert names["train"] | names["val"] | names["test"] == names["all"]
    assert sum(len(names[split]) for split in ("train", "val", "test")) == len(names["all"])
    assert len(parts["test"]) == test
    whole = dict(zip(parts["all"].names, parts["all"].images, strict=True))
    for part in parts.values():
        assert len(part.names) == len(set(part.names)) == len(part.images) == len(part.labels)
        assert (part.images.dtype, part.labels.dtype) == (np.uint8, np.int64)
        assert part.images.flags.writeable
        assert all((whole[n] == i).all() for n, i in zip(part.names, part.images, strict=True))


def test_splits_of_mnist_are_disjoint_and_complete(mnist_copy: Path) -> None:
    parts = {split: load(Mnist(), split, 28, data_dir=mnist_copy) for split in SPLITS}
    check_parts(parts, test=20)
    assert len(parts["val"]) == 6
    assert parts["all"].images.shape == (80, 28, 28, 1)
    assert not parts["all"].mirrors
    assert parts["all"].classes == tuple("0123456789")


def test_splits_of_cifar_are_disjoint_and_complete(cifar_copy: Path) -> None:
    parts = {split: load(Cifar10(), split, data_dir=cifar_copy) for split in SPLITS}
    check_parts(parts, test=12)
    assert len(parts["val"]) == 6
    assert parts["all"].images.shape == (72, 32, 32, 3)
    assert parts["all"].mirrors
    assert parts["all"].classes[3] == "cat"


def test_mnist_holds_what_its_files_hold(mnist_copy: Path) -> None:
    for split, stem, seed in (("train", "train", 0), ("test", "test", 1)):
        part = load(Mnist(), split, 28, data_dir=mnist_copy)
        pictures = bytes_of(COUNTS["train" if seed == 0 else "t10k"], 28, 28, seed=seed)
        for name, image, label in zip(part.names, part.images, part.labels, strict=True):
            place = int(name.removeprefix(f"{stem}-"))
            assert label == place % 10
            assert (image[..., 0] == pictures[place]).all()


def test_cifar_holds_what_its_files_hold(cifar_copy: Path) -> None:
    wanted = {(p.tobytes(), int(n)) for p, n in zip(PICTURES[5], LABELS[5], strict=True)}
    part = load(Cifar10(), "test", data_dir=cifar_copy)
    assert {(p.tobytes(), int(n)) for p, n in zip(part.images, part.labels, strict=True)} == wanted


def test_cifar_names_say_where_a_picture_is(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    part = load(Cifar10(), "all", data_dir=tmp_path)
    place = part.names.index("train-00017")
    assert (part.images[place] == PICTURES[1, 5]).all()
    write_png(tmp_path / "other")
    assert "train/cat/00003" in load(Cifar10(), "all", data_dir=tmp_path / "other").names


def test_limit_takes_a_fair_fixed_sample(mnist_copy: Path, cifar_copy: Path) -> None:
    for dataset, folder in ((Mnist(), mnist_copy), (Cifar10(), cifar_copy)):
        whole, few = (load(dataset, data_dir=folder, limit=limit) for limit in (None, 9))
        again = load(dataset, data_dir=folder, limit=9)
        assert few.names == again.names == whole.names[:9] == tuple(hashed_order(few.names))
        assert (few.images == whole.images[:9]).all()
        assert (few.labels == whole.labels[:9]).all()
        assert len(set(few.labels.tolist())) > 3, "not the first class alone"
        assert len(load(dataset, data_dir=folder, limit=1000)) == len(whole)


def test_pictures_are_stretched_like_all_others(mnist_copy: Path, cifar_copy: Path) -> None:
    for dataset, folder, side in ((Mnist(), mnist_copy, 28), (Cifar10(), cifar_copy, 32)):
        own, small = (load(dataset, "test", s, data_dir=folder) for s in (side, 20))
        image = Image.fromarray(own.images[3].squeeze())
        wanted = np.asarray(image.resize((20, 20), Image.Resampling.BILINEAR))
        assert (small.images[3].squeeze() == wanted).all()
        assert small.images.shape == (len(own), 20, 20, own.images.shape[3])


@given(st.integers(1, 200), st.booleans())
@settings(max_examples=40, deadline=None)
def test_splits_of_any_count_are_disjoint_and_complete(count: int, cut_test: bool) -> None:
    names = [f"n{i}" for i in range(count)]
    got: list[str] = []
    splits: list[Split] = ["val", "test", "train"] if cut_test else ["val", "train"]
    for split in splits:
        request = DataRequest(split=split, image_size=8)
        if len(got) == count:
            with pytest.raises(
                DataError, match=f"{count} pictures are too few for a {split} split"
            ):
                names_in_split(names, request, cut_test=cut_test)
        else:
            got += names_in_split(names, request, cut_test=cut_test)
    assert sorted(got) == sorted(names)


# MNIST


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("place", [".", "MNIST", "MNIST/raw"])
def test_mnist_is_found_in_all_places(mnist_copy: Path, packed: bool, place: str) -> None:
    wanted = load(Mnist(), "val", 28, data_dir=mnist_copy)
    if packed:
        pack(mnist_copy / "MNIST" / "raw")
    folder = mnist_copy / place
    assert Mnist().present(folder)
    found = load(Mnist(), "val", 28, data_dir=folder)
    assert found.names == wanted.names
    assert (found.images == wanted.images).all()
    assert (found.labels == wanted.labels).all()


def test_missing_data_say_what_to_do(tmp_path: Path) -> None:
    for dataset, name in ((Mnist(), "mnist"), (Cifar10(), "cifar10")):
        words = rf"--data-dir or NETLAB_DATA.*netlab download {name}.*--dataset digits"
        with pytest.raises(DataError, match=words):
            load(dataset, data_dir=tmp_path)
        assert not dataset.present(tmp_path)


def test_half_of_mnist_names_the_other_half(mnist_copy: Path) -> None:
    (mnist_copy / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").unlink()
    assert not Mnist().present(mnist_copy)
    with pytest.raises(DataError, match=r"only half.*t10k-labels-idx1-ubyte missing"):
        load(Mnist(), data_dir=mnist_copy)


IMAGES, TAGS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (IMAGES, lambda b: b[:-1], r"expected 47056 bytes .*60 × 28 × 28.*found 47055"),
        (IMAGES, lambda b: b + b"x", r"expected 47056 bytes.*found 47057"),
        (IMAGES, lambda b: b[:9], r"header of 16 bytes, found 9 bytes"),
        (IMAGES, lambda b: b"\x00\x00\x0d\x03" + b[4:], r"begins with 00000d03, expected 00000803"),
        (IMAGES, lambda b: b"", r"header of 16 bytes, found 0 bytes"),
        (
            IMAGES,
            lambda b: b[:4] + b"\x00\x0f\x00\x00" + b[8:],
            r"expected 770703376 .*found 47056",
        ),
        (IMAGES, lambda b: b[:4] + b"\xff" * 4 + b[8:], r"announces 4294967295 entries, at most"),
        (IMAGES, lambda b: idx(bytes_of(60, 14, 56)), r"of 14 × 56 pixels, expected 28 × 28"),
        (IMAGES, lambda b: idx(bytes_of(59, 28, 28)), r"has 59 pictures, .*labels.* 60 labels"),
        (TAGS, lambda b: b[:-5], r"expected 68 bytes.*found 63"),
        (TAGS, lambda b: b[:-1] + b"\x0a", r"has the label 10, expected 0 to 9"),
        (TAGS, lambda b: idx(bytes_of(60, 28, 28)), r"no idx file of 1 dimensions"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_wrong_idx_files_are_named_with_their_sizes(
    mnist_copy: Path, name: str, change: Callable[[bytes], bytes], words: str, packed: bool
) -> None:
    path = mnist_copy / "MNIST" / "raw" / name
    path.write_bytes(change(path.read_bytes()))
    if packed:
        pack(path.parent)
        words = words.replace("found 47057", "found more")
        words = words.replace("770703376 .*found 47056", r"770703376 .*found \d+ bytes of gz")
    with pytest.raises(DataError, match=words) as caught:
        load(Mnist(), data_dir=mnist_copy)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
@given(share=st.floats(0, 1, exclude_max=True))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_idx_files_cut_anywhere_say_their_size(tmp_path: Path, packed: bool, share: float) -> None:
    data = idx(bytes_of(3, 28, 28))
    data = gzip.compress(data) if packed else data
    path = tmp_path / ("x.gz" if packed else "x")
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DataError, match=r"x.*\d+ bytes") as caught:
        read_idx(path, (28, 28), mend="")
    assert "\n" not in str(caught.value)
    path.write_bytes(data)
    assert read_idx(path, (28, 28), mend="").shape == (3, 28, 28)


def test_every_byte_of_a_gz_file_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    data = gzip.compress(idx(bytes_of(2, 28, 28, below=2)))
    for size in (*range(25), *range(len(data) - 12, len(data))):
        path.write_bytes(data[:size])
        with pytest.raises(DataError, match=r"\d+ bytes"):
            read_idx(path, (28, 28), mend="")


def test_damaged_gz_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    data = bytearray(gzip.compress(idx(bytes_of(2, 28, 28))))
    for place in (0, 10, len(data) - 6):  # magic, stream, check sum
        spoilt = data.copy()
        spoilt[place] ^= 0xFF
        path.write_bytes(spoilt)
        with pytest.raises(DataError, match=r"x\.gz"):
            read_idx(path, (28, 28), mend="")


def test_no_more_is_unpacked_than_the_header_announces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(idx(bytes_of(2, 28, 28)) + bytes(2**24)))
    unpacked = 0
    read1 = gzip.GzipFile.read1

    def count(self: gzip.GzipFile, size: int = -1) -> bytes:
        nonlocal unpacked
        block = read1(self, size)
        unpacked += len(block)
        return block

    monkeypatch.setattr(gzip.GzipFile, "read1", count)
    with pytest.raises(DataError, match="found more"):
        read_idx(path, (28, 28), mend="")
    assert unpacked < 2000


# CIFAR-10


@pytest.mark.parametrize("kind", list(PICKLES))
def test_pickles_of_all_ages_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    root = write_py(tmp_path, monkeypatch, kind)
    path = root / "data_batch_2"
    batch = read_pickle(path, md5(path), mend="")
    assert (batch.images == PICTURES[1]).all()
    assert (batch.labels == LABELS[1]).all()


def test_the_old_pickle_of_these_tests_is_one(tmp_path: Path) -> None:
    """Its operations are those of a pickle, so that what is read here is what owners wrote."""
    data = PICKLES["python2"](rows(PICTURES[0]), LABELS[0].tolist())
    dis(data, StringIO())  # raises where the stack or the memo would not come out even
    told = [(op.name, value) for op, value, _ in genops(data)]
    assert told[-1][0] == "STOP"
    keys = [value for _, value in told]
    labels = told[keys.index("labels") : keys.index("data")]
    assert [n for name, n in labels if name == "BININT1"] == LABELS[0].tolist()
    array = told[keys.index("data") : keys.index("filenames")]
    assert tuple(n for name, n in array if name == "BININT2") == rows(PICTURES[0]).shape
    [pixels] = [value for name, value in array if name == "BINSTRING"]
    assert pixels.encode("latin1") == rows(PICTURES[0]).tobytes()


def test_pickles_are_never_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the sum agrees."""

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "trapped"),))

    root = write_py(tmp_path, monkeypatch)
    (root / "test_batch").write_bytes(dumps({"data": Trap(), "labels": [1]}, protocol=2))
    with pytest.raises(DataError, match="MD5 sum"):
        load(Cifar10(), "test", data_dir=tmp_path)
    publish(root / "test_batch", monkeypatch)
    with pytest.raises(DataError, match=r"test_batch: \d+ bytes of pixels for 1 labels"):
        load(Cifar10(), "test", data_dir=tmp_path)
    assert not (tmp_path / "trapped").exists()


def test_pickles_with_a_wrong_sum_or_label_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_py(tmp_path, monkeypatch)
    path = root / "data_batch_3"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        DataError, match=r"data_batch_3: its MD5 sum is \w{32}, published is \w{32}"
    ):
        load(Cifar10(), data_dir=tmp_path)
    assert len(load(Cifar10(), "test", data_dir=tmp_path)) == 12, "other parts are not touched"
    path.write_bytes(PICKLES["protocol4"](rows(PICTURES[2]), [300] * 12))
    publish(path, monkeypatch)
    with pytest.raises(DataError, match="label 300, expected 0 to 9"):
        load(Cifar10(), data_dir=tmp_path)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("data_batch_2.bin", lambda b: b[:-1], r"expected 36876 bytes.*found 36875"),
        ("data_batch_2.bin", lambda b: b[:-3073], r"expected 36876 bytes.*found 33803"),
        ("data_batch_2.bin", lambda b: b"\x0b" + b[1:], r"label 11, expected 0 to 9"),
        ("batches.meta.txt", lambda b: b"cat\ndog\n", r"names cat, dog, expected airplane"),
    ],
)
def test_wrong_records_are_named(
    tmp_path: Path, name: str, change: Callable[[bytes], bytes], words: str
) -> None:
    path = write_cifar(tmp_path) / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=words) as caught:
        load(Cifar10(), data_dir=tmp_path)
    assert name in str(caught.value)


def test_records_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    for size in (0, 3072, 3074):
        path.write_bytes(bytes(size))
        with pytest.raises(DataError, match=rf"records of 3073 bytes, found {size} bytes"):
            read_records(path, mend="")
    with pytest.raises(DataError, match="cannot be read"):
        read_records(tmp_path / "no-such.bin", mend="")


def test_the_folder_of_a_layout_may_be_named_itself(cifar_copy: Path) -> None:
    inner = next(cifar_copy.iterdir())
    assert Cifar10().present(inner)
    assert load(Cifar10(), data_dir=inner).names == load(Cifar10(), data_dir=cifar_copy).names


def test_half_of_cifar_names_the_other_half(tmp_path: Path) -> None:
    (write_cifar(tmp_path) / "data_batch_4.bin").unlink()
    assert not Cifar10().present(tmp_path)
    with pytest.raises(DataError, match=r"only half.*data_batch_4\.bin missing"):
        load(Cifar10(), data_dir=tmp_path)
    write_png(tmp_path)
    assert len(load(Cifar10(), data_dir=tmp_path)) == 54, "a whole layout comes before half of one"


def test_unreadable_pictures_are_dropped_counted_and_named(tmp_path: Path) -> None:
    root = write_png(tmp_path)
    whole = load(Cifar10(), "test", data_dir=tmp_path)
    (root / "test" / "cat" / "00000.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    said: list[str] = []
    part = load(Cifar10(), "test", data_dir=tmp_path, note=said.append)
    assert [d.name for d in part.dropped] == ["test/cat/00000"]
    assert part.names == tuple(n for n in whole.names if n != "test/cat/00000")
    keep = [n in part.names for n in whole.names]
    assert (part.images == whole.images[keep]).all()
    assert (part.labels == whole.labels[keep]).all()
    assert any("dropped 1" in line and "test/cat/00000" in line for line in said)
    for path in root.glob("test/*/*.png"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match="none of the 12 pictures of the test split"):
        load(Cifar10(), "test", data_dir=tmp_path)


def test_decoded_pictures_are_kept_and_follow_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_png(tmp_path)
    plain = load(Cifar10(), data_dir=tmp_path)
    monkeypatch.setenv("NETLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("netlab.data.readers.cache._WORTH_CACHING", 1)
    said: list[str] = []
    for _ in range(2):
        kept = load(Cifar10(), data_dir=tmp_path, note=said.append)
        assert kept.names == plain.names
        assert (kept.images == plain.images).all()
        assert (kept.labels == plain.labels).all()
        assert kept.images.flags.writeable
    assert sum("54 pictures decoded once" in line for line in said) == 1
    assert load(Cifar10(), size=8, data_dir=tmp_path).images.shape == (54, 8, 8, 3)
    part, name, stem = plain.names[0].split("/")
    Image.new("RGB", (32, 32), "red").save(root / part / name / f"{stem}.png")
    assert (load(Cifar10(), data_dir=tmp_path).images[0] == (255, 0, 0)).all()


# Downloads


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server on this machine, and its folder."""
    files = tmp_path / "served"
    files.mkdir()
    with serving(files) as address:
        yield address, files


def test_mnist_is_fetched_checked_and_unpacked(
    served: tuple[str, Path],
    mnist_copy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    address, files = served
    for path in (mnist_copy / "MNIST" / "raw").iterdir():
        (files / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))

    def publish_with(sums: dict[str, str]) -> None:
        archives = [Archive(f"MNIST/raw/{n}", (address + n,), s) for n, s in sums.items()]
        monkeypatch.setattr(Mnist, "archives", archives)

    publish_with({path.name: md5(path) for path in files.iterdir()})
    Mnist().download(tmp_path / "new")
    assert Mnist().present(tmp_path / "new")
    assert len(load(Mnist(), "test", data_dir=tmp_path / "new")) == 20
    publish_with({path.name: "0" * 32 for path in files.iterdir()})
    with pytest.raises(WorkFailed, match="mnist could not be downloaded") as caught:
        Mnist().download(tmp_path / "newer")
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == "", "progress is not for stdout"


def test_cifar_is_fetched_checked_and_unpacked(
    served: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, files = served
    root = write_py(tmp_path / "theirs", monkeypatch)
    [theirs] = Cifar10.archives
    archive = files / theirs.path
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(root, arcname=root.name)

    def publish_with(sum_: str) -> None:
        ours = theirs._replace(addresses=(address + archive.name,), md5=sum_)
        monkeypatch.setattr(Cifar10, "archives", [ours])

    publish_with(md5(archive))
    Cifar10().download(tmp_path / "new")
    assert Cifar10().present(tmp_path / "new")
    assert len(load(Cifar10(), "test", data_dir=tmp_path / "new")) == 12
    publish_with("0" * 32)
    with pytest.raises(WorkFailed, match="cifar10 could not be downloaded"):
        Cifar10().download(tmp_path / "newer")


# The real ones


def real(dataset: Any, name: str) -> Path:
    folder = Path(os.environ.get("NETLAB_REAL_DATA", "no-such-folder"))
    if not dataset.present(folder):
        pytest.skip(f"the real {name} data are absent: set NETLAB_DATA to their folder")
    return folder


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize(
    ("dataset", "name", "train", "test"),
    [(Mnist(), "MNIST", 60_000, 10_000), (Cifar10(), "CIFAR-10", 50_000, 10_000)],
)
def test_real_data_have_the_counts_that_are_published(
    dataset: Any, name: str, train: int, test: int
) -> None:
    folder = real(dataset, name)
    parts = [load(dataset, s, 28, data_dir=folder) for s in ("train", "val", "test")]
    assert [len(part) for part in parts] == [train - train // 10, train // 10, test]
    assert not any(part.dropped for part in parts)
    labels = np.bincount(np.concatenate([part.labels for part in parts[:2]]))
    if name == "MNIST":
        assert labels.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    else:
        assert labels.tolist() == [5000] * 10
