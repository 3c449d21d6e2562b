"""Parts of a data set, fixed by hashes of the names."""

import hashlib
from collections.abc import Sequence
from typing import Literal

from netlab.contracts.dataset import DataRequest, Split
from netlab.errors import DataError


def hashed_order(names: Sequence[str]) -> list[str]:
    """Names in an order that is fixed by their hashes, so that any first part is a fair sample."""

    def digest(name: str) -> bytes:
        # Names of files need not be text.
        return hashlib.sha256(name.encode(errors="surrogateescape")).digest()

    return sorted(names, key=digest)


Official = Literal["train", "test"]


OFFICIAL: dict[Split, tuple[Official, ...]] = {
    "train": ("train",),
    "val": ("train",),
    "test": ("test",),
    "all": ("train", "test"),
}
"""The official parts from which each part is taken."""


def part_of(names: Sequence[str], request: DataRequest, *, cut_test: bool = False) -> list[str]:
    """The names that belong to the part asked for, at most `request.limit`.

    Their order is that of their hashes, so that the first ones are a fair sample of all classes.

    Args:
        names: of the official parts that `OFFICIAL` lists, or of the whole set with `cut_test`.
        request: names the part. By a hash of the names, a tenth is the validation part.
        cut_test: another tenth is the test part.

    Raises:
        DataError: nothing left for the part.
    """
    order = hashed_order(names)
    tenth = max(1, round(len(order) / 10))
    rest = 2 * tenth if cut_test else tenth
    if request.split == "val":
        order = order[:tenth]
    elif request.split == "train":
        order = order[rest:]
    elif request.split == "test" and cut_test:
        order = order[tenth:rest]
    if not order:
        raise DataError(f"{len(names)} pictures are too few for a {request.split} part")
    return order[: request.limit]
