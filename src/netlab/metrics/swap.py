"""Whether a picture with another label is read as that label, by a classifier of its own.

`true` is the label of the original, `asked` the one it was swapped to, `read` what the classifier
says of the result: (N,) ids of any integer type each.
"""

import torch
from torch import Tensor


def swap_table(asked: Tensor, read: Tensor, true: Tensor, classes: int) -> Tensor:
    """Share read as asked, by true (row) and asked (column) label: (N,) each to (K, K).

    float64 on the CPU, in [0, 1]; nan where there is no picture, and on the diagonal: a picture
    that is asked for the label it has is no swap.

    Raises:
        ValueError: different shapes, or an id out of [0, classes).
    """
    asked, read, true = _alike(asked=asked, read=read, true=true)
    for name, ids in (("asked", asked), ("read", read), ("true", true)):
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < classes:
            raise ValueError(
                f"{name} has ids from {ids.min()} to {ids.max()}, expected 0 to {classes - 1}"
            )
    cells = true * classes + asked
    pictures = torch.bincount(cells, minlength=classes**2)
    hits = torch.bincount(cells[read == asked], minlength=classes**2)
    table = (hits.double() / pictures).view(classes, classes)
    return table.fill_diagonal_(torch.nan)


def swap_accuracy(read: Tensor, asked: Tensor) -> float:
    """Share of pictures read as the asked label, in [0, 1]; nan without pictures.

    Raises:
        ValueError: different shapes.
    """
    read, asked = _alike(read=read, asked=asked)
    return float((read == asked).double().mean())


def kept_old_label(read: Tensor, true: Tensor) -> float:
    """Share of pictures still read as the original's label, in [0, 1]; nan without pictures.

    Raises:
        ValueError: different shapes.
    """
    read, true = _alike(read=read, true=true)
    return float((read == true).double().mean())


def _alike(**ids: Tensor) -> list[Tensor]:
    """The ids as int64 on the CPU; bytes would overflow when they are made into cells."""
    if len({tuple(i.shape) for i in ids.values()}) > 1 or next(iter(ids.values())).ndim != 1:
        shapes = ", ".join(f"{name} is {tuple(i.shape)}" for name, i in ids.items())
        raise ValueError(f"{shapes}: all must be (N,)")
    return [i.cpu().long() for i in ids.values()]
