"""Files of the idx form: a header that announces their shape, then bytes; plain or `.gz`."""

import contextlib
import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netlab.errors import DataError

_MOST = 1_000_000  # entries; the largest set of pictures in this form has 814,255
_DENSEST = 1032  # bytes that one byte of a gz stream can unpack to


def read_idx(path: Path, sides: tuple[int, ...] = (), *, mend: str) -> NDArray[np.uint8]:
    """The bytes of an idx file, (N, *sides); at most a million entries.

    Args:
        path: the file.
        sides: shape of each entry: height and width for pictures, nothing for labels.
        mend: what to do about a damaged file, for the message.

    Raises:
        DataError: with the name of the file, and the sizes expected and found.
    """
    packed = path.suffix == ".gz"
    head = 4 * (2 + len(sides))
    size = 0
    try:
        size = path.stat().st_size
        shape = _shape(path, _start(path, head)[0], sides, mend)
        expected = head + math.prod(shape)
        announced = (
            f"{path}: expected {expected} bytes (a header and {' × '.join(map(str, shape))}), found"
        )
        # Before memory is taken for what the header announces.
        if expected > size * (_DENSEST if packed else 1):
            raise DataError(f"{announced} {size}{' bytes of gz' * packed}; {mend}")
        data, whole = _start(path, expected + 1)
    except (OSError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"{path}: {size} bytes, cannot be read ({reason}); {mend}") from error
    if len(data) > expected:
        raise DataError(f"{announced} {'more' if packed else size}; {mend}")
    if not whole or len(data) < expected:
        rest = " without their check sum" * (len(data) == expected)
        raise DataError(f"{announced} {len(data)}{rest}; {mend}")
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)


def _start(path: Path, limit: int) -> tuple[bytes, bool]:
    """The first bytes of the content, at most `limit`, and whether the file did not break off."""
    if path.suffix != ".gz":
        with path.open("rb") as plain:
            return plain.read(limit), True
    data = bytearray()
    with gzip.open(path) as stream, contextlib.suppress(EOFError):
        while len(data) < limit and (block := stream.read1(min(limit - len(data), 2**20))):
            data += block
        return bytes(data), True
    return bytes(data), False


def _shape(path: Path, start: bytes, sides: tuple[int, ...], mend: str) -> tuple[int, ...]:
    dimensions = 1 + len(sides)
    head = 4 + 4 * dimensions
    if len(start) < head:
        raise DataError(
            f"{path}: expected a header of {head} bytes, found {len(start)} bytes; {mend}"
        )
    magic = bytes((0, 0, 8, dimensions))
    if start[:4] != magic:
        raise DataError(
            f"{path}: no idx file of {dimensions} dimensions: it begins with {start[:4].hex()}, "
            f"expected {magic.hex()}; {mend}"
        )
    shape = tuple(int.from_bytes(start[i : i + 4]) for i in range(4, head, 4))
    if shape[1:] != sides:
        actual, expected = (" × ".join(map(str, pixels)) for pixels in (shape[1:], sides))
        raise DataError(f"{path}: pictures of {actual} pixels, expected {expected}")
    if shape[0] > _MOST:
        raise DataError(
            f"{path}: its header announces {shape[0]} entries, at most {_MOST} are read"
        )
    return shape
