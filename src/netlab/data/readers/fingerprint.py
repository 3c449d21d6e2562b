"""Tells one set of pictures from another, wherever it is kept."""

import hashlib
from typing import Any

import numpy as np

_LOOKED_AT = 1000  # pictures


def fingerprint(*parts: Any) -> str:
    """A digest of names and contents of parts of a data set, in their order.

    Of a large part some pictures and targets, spread evenly: reading all would take long.

    Args:
        parts: each with `names`, `images` and `targets`.
    """
    found = hashlib.sha256()
    for part in parts:
        found.update("\n".join(part.names).encode(errors="surrogateescape") + b"\n\n")
        for row in np.unique(np.linspace(0, len(part) - 1, _LOOKED_AT).astype(np.int64)):
            for values in (part.images, part.targets):
                found.update(np.ascontiguousarray(values[row]).tobytes())
    return found.hexdigest()
