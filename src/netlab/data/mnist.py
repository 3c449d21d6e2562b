"""MNIST: handwritten digits, 28 × 28 gray (LeCun, Cortes, Burges 1998)."""

import contextlib
import gzip
import math
import zlib
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from netlab.contracts.dataset import DataRequest, LabelledSet, Target
from netlab.data.readers.download import Archive, fetch
from netlab.data.readers.folders import data_dir
from netlab.data.readers.labelled import Numbers, from_numbers
from netlab.data.readers.parts import Official
from netlab.errors import DataError, listing
from netlab.registry import register

CLASSES = tuple("0123456789")
SIDE = 28

_PLACES = ("MNIST/raw", "raw", ".")
_STEMS: dict[Official, str] = {"train": "train", "test": "t10k"}
_IMAGES, _LABELS = 3, 1  # dimensions
_MOST = 1_000_000  # pictures; the largest set in this form has 814,255
_DENSEST = 1032  # bytes that one byte of a gz stream can unpack to
_AGAIN = "fetch it again with netlab download mnist --again"


@register("dataset")
class Mnist:
    """LeCun, Bottou, Bengio, Haffner, "Gradient-based learning", Proc. IEEE 1998.

    The idx files of its owners, plain or as `.gz`: `MNIST/raw/{train,t10k}-images-idx3-ubyte` and
    `-labels-idx1-ubyte`; `raw/` or the files themselves may lie in the data folder as well. A
    tenth of train, fixed by a hash of the names, is the validation part.
    """

    target: ClassVar[Target] = "labels"
    download_size: ClassVar[str] = "11 MiB"

    def load(self, request: DataRequest) -> LabelledSet:
        """Read one part, (N, S, S, 1); see `netlab.contracts.dataset.Dataset`."""
        files = _files(data_dir(request.data_dir))
        return from_numbers(lambda part: _read(files, part), CLASSES, request, mirrors=False)

    def present(self, folder: Path) -> bool:
        """Whether `folder` holds the data."""
        return any(not _missing(_found(folder / place)) for place in _PLACES)

    def download(self, folder: Path) -> None:
        """Fetch and check the idx files; they stay packed, and stand in for plain ones.

        Raises:
            WorkFailed: no network, a wrong sum, or no room.
        """

        def archives(datasets: Any) -> list[Archive]:
            found, place = datasets.MNIST, folder / "MNIST" / "raw"
            return [
                Archive(place / name, tuple(mirror + name for mirror in found.mirrors), md5)
                for name, md5 in found.resources
            ]

        fetch("mnist", folder, archives)
        for packed in (folder / "MNIST" / "raw").glob("*.gz"):
            packed.with_suffix("").unlink(missing_ok=True)


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array of an idx file of bytes, plain or `.gz`; at most a million entries.

    Raises:
        DataError: the name of the file, and the sizes expected and found.
    """
    packed = path.suffix == ".gz"
    read = _inflated if packed else _plain
    head = 4 + 4 * dimensions
    size = 0
    try:
        size = path.stat().st_size
        shape = _shape(path, read(path, head)[0], dimensions)
        expected = head + math.prod(shape)
        # Before memory is taken for what the header announces.
        if expected > size * (_DENSEST if packed else 1):
            raise DataError(_wrong(path, shape, expected, f"{size}{' bytes of gz' * packed}"))
        data, whole = read(path, expected + 1)
    except (OSError, zlib.error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"{path}: {size} bytes, cannot be read ({why}); {_AGAIN}") from error
    if len(data) > expected:
        raise DataError(_wrong(path, shape, expected, f"{'more' if packed else size}"))
    if not whole or len(data) < expected:
        rest = " without their check sum" * (len(data) == expected)
        raise DataError(_wrong(path, shape, expected, f"{len(data)}{rest}"))
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)


def _plain(path: Path, most: int) -> tuple[bytes, bool]:
    with path.open("rb") as stream:
        return stream.read(most), True


def _inflated(path: Path, most: int) -> tuple[bytes, bool]:
    """Up to `most` bytes of a gz file, and whether it did not break off before."""
    data = bytearray()
    with gzip.open(path) as stream, contextlib.suppress(EOFError):
        while len(data) < most and (block := stream.read1(min(most - len(data), 2**20))):
            data += block
        return bytes(data), True
    return bytes(data), False


def _shape(path: Path, start: bytes, dimensions: int) -> tuple[int, ...]:
    head = 4 + 4 * dimensions
    if len(start) < head:
        raise DataError(
            f"{path}: expected a header of {head} bytes, found {len(start)} bytes; {_AGAIN}"
        )
    magic = bytes((0, 0, 8, dimensions))
    if start[:4] != magic:
        raise DataError(
            f"{path}: no idx file of {dimensions} dimensions: it begins with {start[:4].hex()}, "
            f"expected {magic.hex()}; {_AGAIN}"
        )
    shape = tuple(int.from_bytes(start[i : i + 4]) for i in range(4, head, 4))
    sides = (SIDE,) * (dimensions - 1)
    if shape[1:] != sides:
        found = " × ".join(map(str, shape[1:]))
        raise DataError(f"{path}: pictures of {found} pixels, expected {SIDE} × {SIDE}")
    if shape[0] > _MOST:
        raise DataError(
            f"{path}: its header announces {shape[0]} entries, at most {_MOST} are read"
        )
    return shape


def _wrong(path: Path, shape: tuple[int, ...], expected: int, found: str) -> str:
    announced = " × ".join(map(str, shape))
    return f"{path}: expected {expected} bytes (a header and {announced}), found {found}; {_AGAIN}"


def _read(files: dict[str, Path], part: Official) -> Numbers:
    stem = _STEMS[part]
    images_file, labels_file = (
        files[f"{stem}-images-idx3-ubyte"],
        files[f"{stem}-labels-idx1-ubyte"],
    )
    images, labels = read_idx(images_file, _IMAGES), read_idx(labels_file, _LABELS)
    if len(images) != len(labels):
        raise DataError(
            f"{images_file} has {len(images)} pictures, {labels_file.name} {len(labels)} labels; "
            "fetch both again with netlab download mnist --again"
        )
    if len(labels) and labels.max() >= len(CLASSES):
        raise DataError(f"{labels_file}: has the label {labels.max()}, expected 0 to 9; {_AGAIN}")
    return Numbers(images[..., None], labels)


def _found(folder: Path) -> dict[str, Path | None]:
    """Each idx file by its name without `.gz`, the plain one first; None where it is missing."""
    found: dict[str, Path | None] = {}
    for stem in _STEMS.values():
        for kind in ("images-idx3", "labels-idx1"):
            name = f"{stem}-{kind}-ubyte"
            choices = (folder / name, folder / f"{name}.gz")
            found[name] = next((path for path in choices if path.is_file()), None)
    return found


def _missing(found: dict[str, Path | None]) -> list[str]:
    return [name for name, path in found.items() if path is None]


def _files(base: Path) -> dict[str, Path]:
    candidates = {base / place: _found(base / place) for place in _PLACES}
    for found in candidates.values():
        if not _missing(found):
            return {name: path for name, path in found.items() if path is not None}
    for folder, found in candidates.items():
        if len(_missing(found)) < len(found):
            raise DataError(
                f"{folder}: only half of the MNIST data, {listing(_missing(found))} missing; "
                "fetch them again with netlab download mnist --again"
            )
    raise DataError(
        f"no MNIST data in {base}: name their folder with --data-dir or NETLAB_DATA, "
        "fetch them with netlab download mnist, or try --dataset digits, which needs none"
    )
