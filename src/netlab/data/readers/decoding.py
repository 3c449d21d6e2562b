"""From files to arrays: the one loop that decodes pictures on all cores."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from netlab.contracts.dataset import Dropped
from netlab.errors import PictureError

_BLOCK = 32  # entries that a thread takes at a time; one by one, handing over costs as much
_MOST_THREADS = 8

Pixels = NDArray[np.uint8]


class Entry(Protocol):
    """What is decoded into one row of each array."""

    @property
    def name(self) -> str:
        """What a person calls it; unique in its set."""


EntryT = TypeVar("EntryT", bound=Entry)


class Decoded(NamedTuple):
    """Arrays of the same length by name, what a person calls their rows, what was left out."""

    arrays: Mapping[str, Pixels]
    names: tuple[str, ...]
    dropped: tuple[Dropped, ...]


class LeftOut(Exception):
    """An entry that is read well but of no use; its text is the reason."""


def decode_all(
    entries: Sequence[EntryT],
    decode: Callable[[EntryT], tuple[Pixels, ...]],
    shapes: Mapping[str, tuple[int, ...]],
) -> Decoded:
    """Decode entries in their order; those that cannot be used are dropped.

    Args:
        entries: what to decode.
        decode: gives the rows of one entry, in the order of `shapes`; called in several threads, as
            Pillow decodes and resizes without the interpreter's lock. A `PictureError` or
            `LeftOut` from it drops the entry, another error ends the decoding.
        shapes: name of each array, and the shape of its rows.

    Returns:
        The arrays, without rows for what was dropped.
    """

    def rows_or_reason(entry: EntryT) -> tuple[Pixels, ...] | str:
        try:
            return decode(entry)
        except PictureError as error:
            return f"cannot be read: {error}"
        except LeftOut as error:
            return str(error)

    def decode_block(block: Sequence[EntryT]) -> list[tuple[Pixels, ...] | str]:
        return [rows_or_reason(entry) for entry in block]

    arrays = {name: np.empty((len(entries), *row), np.uint8) for name, row in shapes.items()}
    names: list[str] = []
    dropped: list[Dropped] = []
    blocks = [entries[start : start + _BLOCK] for start in range(0, len(entries), _BLOCK)]
    with ThreadPoolExecutor(max_workers=min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
        for block, results in zip(blocks, pool.map(decode_block, blocks), strict=True):
            for entry, rows in zip(block, results, strict=True):
                if isinstance(rows, str):
                    dropped.append(Dropped(entry.name, rows))
                    continue
                for array, row in zip(arrays.values(), rows, strict=True):
                    array[len(names)] = row
                names.append(entry.name)
    kept = {name: array[: len(names)] for name, array in arrays.items()}
    return Decoded(kept, tuple(names), tuple(dropped))
