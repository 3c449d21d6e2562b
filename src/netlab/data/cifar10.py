"""CIFAR-10: things and animals in ten classes, 32 × 32 colour (Krizhevsky 2009)."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from pickletools import genops
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netlab.contracts.dataset import DataRequest, LabelledSet, Target
from netlab.data.readers.download import Archive, fetch
from netlab.data.readers.folders import data_dir
from netlab.data.readers.labelled import Example, Numbers, from_files, from_numbers, joined
from netlab.data.readers.parts import OFFICIAL, Official, part_of
from netlab.errors import DataError, listing
from netlab.registry import register

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
SIDE = 32

_PIXELS = 3 * SIDE * SIDE
_KEYS = ("batch_label", "labels", "data", "filenames")
_AGAIN = "fetch it again with netlab download cifar10 --again"
_SUMS = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
"""MD5 of the pickles, as their owners and torchvision publish them."""


class _Layout(NamedTuple):
    folder: str
    needs: tuple[str, ...]
    load: Callable[[Path, DataRequest], LabelledSet]


@register("dataset")
class Cifar10:
    """Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

    One of three layouts in the data folder: the binary archive (`cifar-10-batches-bin/`), the
    Python archive (`cifar-10-batches-py/`, whose pickles are read after a check of their sums, and
    never executed), or pictures (`cifar10/{train,test}/CLASS/*.png`). A tenth of train, fixed by a
    hash of the names, is the validation part.
    """

    target: ClassVar[Target] = "labels"
    download_size: ClassVar[str] = "163 MiB"

    def load(self, request: DataRequest) -> LabelledSet:
        """Read one part, (N, S, S, 3); see `netlab.contracts.dataset.Dataset`."""
        base = data_dir(request.data_dir)
        layout, root = _found(base)
        return layout.load(root, request)

    def present(self, folder: Path) -> bool:
        """Whether `folder` holds the data."""
        return any(not _missing(root, layout) for layout, root in _candidates(folder))

    def download(self, folder: Path) -> None:
        """Fetch, check and unpack the Python archive.

        Raises:
            WorkFailed: no network, a wrong sum, or no room.
        """

        def archives(datasets: Any) -> list[Archive]:
            found = datasets.CIFAR10
            place = folder / found.filename
            return [Archive(place, (found.url,), found.tgz_md5, unpacked=folder)]

        fetch("cifar10", folder, archives)


def read_records(path: Path) -> Numbers:
    """Pictures (N, 32, 32, 3) and labels of a file of the binary archive.

    Raises:
        DataError: not a whole number of records, or a label above 9.
    """
    record = 1 + _PIXELS
    values = np.frombuffer(_bytes(path), np.uint8)
    if not len(values) or len(values) % record:
        raise DataError(
            f"{path}: expected records of {record} bytes, found {len(values)} bytes "
            f"({len(values) / record:.2f} records); {_AGAIN}"
        )
    records = values.reshape(-1, record)
    return _numbers(records[:, 1:], records[:, 0], path)


def read_batch(path: Path) -> Numbers:
    """Pictures (N, 32, 32, 3) and labels of a pickle of the Python archive, without unpickling.

    Raises:
        DataError: a sum that is not the published one, or no such numbers inside.
    """
    data = _bytes(path)
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != _SUMS[path.name]:
        raise DataError(
            f"{path}: its MD5 sum is {found}, published is {_SUMS[path.name]}: the file is "
            f"damaged or not the owners'; {_AGAIN}"
        )
    raw, labels, columns_first = _literals(data)
    if not labels or len(raw) != _PIXELS * len(labels):
        raise DataError(
            f"{path}: {len(raw)} bytes of pixels for {len(labels)} labels, expected {_PIXELS} "
            f"for each; {_AGAIN}"
        )
    rows = np.frombuffer(raw, np.uint8)
    rows = rows.reshape(_PIXELS, -1).T if columns_first else rows.reshape(-1, _PIXELS)
    return _numbers(rows, np.array(labels), path)


def _literals(data: bytes) -> tuple[bytes, list[int], bool]:
    """The pixels, the labels, and whether the pixels are stored column by column.

    The pickle is a dictionary; what follows a key, up to the next key, is its value. `genops` names
    the operations of a pickle and executes none.
    """
    raw, labels, columns_first = b"", list[int](), False
    key, flag = "", False
    for operation, value, _ in genops(data):
        if isinstance(value, str) and value in _KEYS:
            key = value
        elif operation.name in ("NEWTRUE", "NEWFALSE"):
            flag = operation.name == "NEWTRUE"
        elif key == "labels" and "INT" in operation.name and isinstance(value, int):
            labels.append(value)
        elif key == "data" and isinstance(value, str | bytes) and len(value) > len(raw):
            raw = value.encode("latin-1") if isinstance(value, str) else value
            columns_first = flag
    return raw, labels, columns_first


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {_AGAIN}") from error


def _numbers(rows: NDArray[np.uint8], labels: NDArray[Any], path: Path) -> Numbers:
    if labels.max() >= len(CLASSES):
        raise DataError(f"{path}: has the label {labels.max()}, expected 0 to 9; {_AGAIN}")
    return Numbers(rows.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1), labels.astype(np.uint8))


def _load_records(root: Path, request: DataRequest) -> LabelledSet:
    meta = root / "batches.meta.txt"
    if meta.is_file():
        named = tuple(meta.read_text(encoding="utf-8", errors="replace").split())
        if named != CLASSES:
            raise DataError(
                f"{meta}: names {listing(named)}, expected {listing(CLASSES)}; {_AGAIN}"
            )
    sizes = {name: (root / name).stat().st_size for name in _RECORDS.needs}
    largest = max(sizes.values())
    for name, size in sizes.items():
        if size < largest:
            raise DataError(
                f"{root / name}: expected {largest} bytes, as its siblings have, found {size}; "
                f"{_AGAIN}"
            )

    def read(part: Official) -> Numbers:
        return joined([read_records(root / name) for name in _batches(_RECORDS, part)])

    return from_numbers(read, CLASSES, request, mirrors=True)


def _load_pickles(root: Path, request: DataRequest) -> LabelledSet:
    def read(part: Official) -> Numbers:
        return joined([read_batch(root / name) for name in _batches(_PICKLES, part)])

    return from_numbers(read, CLASSES, request, mirrors=True)


def _load_pictures(root: Path, request: DataRequest) -> LabelledSet:
    examples = {
        f"{part}/{name}/{path.stem}": (path, label)
        for part in OFFICIAL[request.split]
        for label, name in enumerate(CLASSES)
        for path in (root / part / name).glob("[!.]*.png")
    }
    chosen = [Example(name, *examples[name]) for name in part_of(list(examples), request)]
    return from_files(chosen, CLASSES, request, root)


def _candidates(base: Path) -> list[tuple[_Layout, Path]]:
    return [(layout, root) for layout in _LAYOUTS for root in (base / layout.folder, base)]


def _found(base: Path) -> tuple[_Layout, Path]:
    candidates = _candidates(base)
    for layout, root in candidates:
        if not _missing(root, layout):
            return layout, root
    for layout, root in candidates:
        missing = _missing(root, layout)
        if len(missing) < len(layout.needs):
            raise DataError(
                f"{root}: only half of the CIFAR-10 data, {listing(missing)} missing; "
                "fetch them again with netlab download cifar10 --again"
            )
    raise DataError(
        f"no CIFAR-10 data in {base}: name their folder with --data-dir or NETLAB_DATA, "
        "fetch them with netlab download cifar10, or try --dataset digits, which needs none"
    )


def _batches(layout: _Layout, part: Official) -> list[str]:
    return [name for name in layout.needs if name.startswith("test") == (part == "test")]


def _missing(root: Path, layout: _Layout) -> list[str]:
    return [name for name in layout.needs if not (root / name).exists()]


_RECORDS = _Layout("cifar-10-batches-bin", tuple(f"{name}.bin" for name in _SUMS), _load_records)
_PICKLES = _Layout("cifar-10-batches-py", tuple(_SUMS), _load_pickles)
_PICTURES = _Layout(
    "cifar10",
    tuple(f"{part}/{name}" for part in OFFICIAL["all"] for name in CLASSES),
    _load_pictures,
)
_LAYOUTS = (_RECORDS, _PICKLES, _PICTURES)
