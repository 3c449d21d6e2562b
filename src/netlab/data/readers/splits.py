"""Splits of a data set, fixed by hashes of the names."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal

from netlab.contracts.dataset import DataRequest, Split
from netlab.errors import DataError

Official = Literal["train", "test"]

OFFICIAL: dict[Split, tuple[Official, ...]] = {
    "train": ("train",),
    "val": ("train",),
    "test": ("test",),
    "all": ("train", "test"),
}
"""The official splits from which each split is taken."""


def hashed_order(names: Sequence[str]) -> list[str]:
    """Names in an order that is fixed by their hashes, so that the first ones are a fair sample."""

    def digest(name: str) -> bytes:
        # Names of files need not be text.
        return hashlib.sha256(name.encode(errors="surrogateescape")).digest()

    return sorted(names, key=digest)


def names_in_split(
    names: Sequence[str], request: DataRequest, *, cut_test: bool = False
) -> list[str]:
    """The names that belong to the split asked for, at most `request.limit`.

    Their order is that of their hashes, so that the first ones are a fair sample of all classes.

    Args:
        names: of the official splits that `OFFICIAL` lists, or of the whole set with `cut_test`.
        request: names the split. By a hash of the names, a tenth is the validation split.
        cut_test: another tenth is the test split.

    Raises:
        DataError: nothing left for the split.
    """
    order = hashed_order(names)
    tenth = max(1, round(len(order) / 10))
    held_out = 2 * tenth if cut_test else tenth
    if request.split == "val":
        order = order[:tenth]
    elif request.split == "train":
        order = order[held_out:]
    elif request.split == "test" and cut_test:
        order = order[tenth:held_out]
    if not order:
        raise DataError(f"{len(names)} pictures are too few for a {request.split} split")
    return order[: request.limit]


def drawn_keys(sizes: Mapping[Split, int], request: DataRequest) -> list[tuple[Split, int]]:
    """Split and index of each picture of a drawn set that is asked for, at most `request.limit`.

    Args:
        sizes: how many pictures each split has.
        request: names the split; `all` is one after the other.
    """
    splits = list(sizes) if request.split == "all" else [request.split]
    return [(split, index) for split in splits for index in range(sizes[split])][: request.limit]
