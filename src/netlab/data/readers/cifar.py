"""The two forms in which CIFAR's owners publish their pictures, each read to the same arrays."""

import hashlib
from pathlib import Path
from pickletools import genops
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netlab.data.readers.arrays import LabelledArrays
from netlab.errors import DataError

SIDE = 32
CLASSES = 10

_PIXELS = 3 * SIDE * SIDE
_KEYS = ("batch_label", "labels", "data", "filenames")


def read_records(path: Path, *, mend: str) -> LabelledArrays:
    """Pictures (N, 32, 32, 3) and labels of a file of the binary archive.

    Args:
        path: the file.
        mend: what to do about a damaged file, for the message.

    Raises:
        DataError: not a whole number of records, or a label above 9.
    """
    record = 1 + _PIXELS
    values = np.frombuffer(_contents(path, mend), np.uint8)
    if not len(values) or len(values) % record:
        raise DataError(
            f"{path}: expected records of {record} bytes, found {len(values)} bytes "
            f"({len(values) / record:.2f} records); {mend}"
        )
    records = values.reshape(-1, record)
    return _labelled(records[:, 1:], records[:, 0], path, mend)


def read_pickle(path: Path, md5: str, *, mend: str) -> LabelledArrays:
    """Pictures (N, 32, 32, 3) and labels of a pickle of the Python archive, without unpickling.

    Args:
        path: the file.
        md5: its sum, as published.
        mend: what to do about a damaged file, for the message.

    Raises:
        DataError: a sum that is not the published one, or no such numbers inside.
    """
    data = _contents(path, mend)
    actual = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if actual != md5:
        raise DataError(
            f"{path}: its MD5 sum is {actual}, published is {md5}: the file is "
            f"damaged or not the owners'; {mend}"
        )
    pixels, labels, columns_first = _literals(data)
    if not labels or len(pixels) != _PIXELS * len(labels):
        raise DataError(
            f"{path}: {len(pixels)} bytes of pixels for {len(labels)} labels, expected {_PIXELS} "
            f"for each; {mend}"
        )
    rows = np.frombuffer(pixels, np.uint8)
    rows = rows.reshape(_PIXELS, -1).T if columns_first else rows.reshape(-1, _PIXELS)
    return _labelled(rows, np.array(labels), path, mend)


def _literals(data: bytes) -> tuple[bytes, list[int], bool]:
    """The pixels, the labels, and whether the pixels are stored column by column.

    The pickle is a dictionary; what follows a key, up to the next key, is its value. `genops` names
    the operations of a pickle and executes none.
    """
    pixels, labels, columns_first = b"", list[int](), False
    key, flag = "", False
    for operation, value, _ in genops(data):
        if isinstance(value, str) and value in _KEYS:
            key = value
        elif operation.name in ("NEWTRUE", "NEWFALSE"):
            flag = operation.name == "NEWTRUE"
        elif key == "labels" and "INT" in operation.name and isinstance(value, int):
            labels.append(value)
        elif key == "data" and isinstance(value, str | bytes) and len(value) > len(pixels):
            pixels = value.encode("latin-1") if isinstance(value, str) else value
            columns_first = flag
    return pixels, labels, columns_first


def _contents(path: Path, mend: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {mend}") from error


def _labelled(
    rows: NDArray[np.uint8], labels: NDArray[Any], path: Path, mend: str
) -> LabelledArrays:
    """From rows that hold the red, the green and the blue plane of a picture."""
    if labels.max() >= CLASSES:
        raise DataError(f"{path}: has the label {labels.max()}, expected 0 to 9; {mend}")
    images = rows.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return LabelledArrays(images, labels.astype(np.uint8))
