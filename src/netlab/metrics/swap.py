"""Whether a picture with another label is read as that label, by a classifier of its own.

`true` is the label of the original, `asked` the one it was swapped to, `read` what the classifier
says of the result: (N,) ids of any integer type each.
"""

import torch
from torch import Tensor

from netlab.metrics.confusion import check_ids, label_confusion


def swap_table(asked: Tensor, read: Tensor, true: Tensor, classes: int) -> Tensor:
    """Share read as asked, by true (row) and asked (column) label: (N,) each to (K, K).

    float64 on the CPU, in [0, 1]; nan where there is no picture, and on the diagonal: a picture
    that is asked for the label it has is no swap.

    Raises:
        ValueError: different shapes, or an id out of [0, classes).
    """
    asked, read, true = _alike(asked=asked, read=read, true=true)
    for name, ids in (("asked", asked), ("read", read), ("true", true)):
        check_ids(ids, name, classes)
    pictures = label_confusion(asked, true, classes)
    right = read == asked
    hits = label_confusion(asked[right], true[right], classes)
    return (hits.double() / pictures).fill_diagonal_(torch.nan)


def share_read_as(read: Tensor, labels: Tensor) -> float:
    """Share of pictures read as their label, asked or true, in [0, 1]; nan without pictures.

    Raises:
        ValueError: different shapes.
    """
    read, labels = _alike(read=read, labels=labels)
    return float((read == labels).double().mean())


def _alike(**ids: Tensor) -> list[Tensor]:
    """The ids as int64 on the CPU; bytes would overflow when they are made into cells."""
    if len({tuple(i.shape) for i in ids.values()}) > 1 or next(iter(ids.values())).ndim != 1:
        shapes = ", ".join(f"{name} is {tuple(i.shape)}" for name, i in ids.items())
        raise ValueError(f"{shapes}: all must be (N,)")
    return [i.cpu().long() for i in ids.values()]
