"""Confusion matrices of class ids, and the scores that follow from them.

Counts are integers and may be added over pictures, batches and processes; a score divides them
once, at the end. The mean of per-batch scores would depend on how pictures fall into batches.

A class that neither target nor prediction has scores nan and is left out of the mean: there was
nothing to find and nothing was found, and a 1 or a 0 for it would move the mean without evidence.
A class that is predicted but not there scores 0: those pixels are wrong, and leaving the class out
would reward inventing it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def confusion(predicted: Tensor, target: Tensor, classes: int) -> Tensor:
    """Count the pixels of each picture by their true and their predicted class.

    Args:
        predicted: (B, H, W), ids in [0, classes), any integer type.
        target: (B, H, W), likewise.
        classes: number of classes K.

    Returns:
        (B, K, K) int64, rows are the target, columns the prediction; on the device of the ids.

    Raises:
        ValueError: different shapes, or an id out of range (it would be counted for another class).
    """
    if predicted.shape != target.shape:
        raise ValueError(
            f"predicted is {tuple(predicted.shape)}, target {tuple(target.shape)}: "
            "both must be (B, H, W)"
        )
    check_ids(predicted, "predicted", classes)
    check_ids(target, "target", classes)
    pictures = len(target)
    first = torch.arange(pictures, device=target.device).view(-1, 1, 1) * classes**2
    cells = first + target.long() * classes + predicted  # (B, H, W)
    counts = torch.bincount(cells.flatten(), minlength=pictures * classes**2)
    return counts.view(pictures, classes, classes)


def label_confusion(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Count whole pictures by their true and their predicted class.

    Args:
        predicted: (B,), ids in [0, classes), any integer type.
        labels: (B,), likewise.
        classes: number of classes K.

    Returns:
        (K, K) int64 on the CPU, rows are the truth, columns the prediction.

    Raises:
        ValueError: see `confusion`.
    """
    return confusion(predicted.view(1, 1, -1), labels.view(1, 1, -1), classes)[0].cpu()


def iou(counts: Tensor) -> Tensor:
    """Intersection over union of each class: (…, K, K) to (…, K), float64 in [0, 1] or nan.

    Also called Jaccard index (Everingham et al., "The PASCAL VOC Challenge", IJCV 2010, section 4).
    """
    hits, true, predicted = _sums(counts)
    return hits / (true + predicted - hits)


def dice(counts: Tensor) -> Tensor:
    """2 |A ∩ B| / (|A| + |B|) of each class: (…, K, K) to (…, K), float64 in [0, 1] or nan.

    Also called F1 score; never below the IoU of the same class (Dice, Ecology 1945).
    """
    hits, true, predicted = _sums(counts)
    return 2 * hits / (true + predicted)


def pixel_accuracy(counts: Tensor) -> Tensor:
    """Share of pixels with the right class: (…, K, K) to (…), float64; nan without pixels."""
    hits, true, _ = _sums(counts)
    return hits.sum(dim=-1) / true.sum(dim=-1)


def mean_iou(counts: Tensor) -> Tensor:
    """IoU averaged over the classes that occur: (…, K, K) to (…), float64; nan if none does."""
    return iou(counts).nanmean(dim=-1)


def merged_iou(counts: Tensor, positive: Sequence[int]) -> Tensor:
    """IoU of the union of some classes against all others: (…, K, K) to (…), float64 or nan.

    The same as the binary IoU of masks whose `positive` ids were merged before counting.

    Raises:
        IndexError: a class that the counts do not have.
    """
    inside = torch.zeros(counts.shape[-1], dtype=torch.bool)
    inside[list(positive)] = True
    _, true, predicted = _sums(counts)
    hits = counts.cpu()[..., inside, :][..., inside].sum(dim=(-2, -1)).double()
    return hits / (true[..., inside].sum(dim=-1) + predicted[..., inside].sum(dim=-1) - hits)


def _sums(counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hits, true and predicted pixels of each class: three of (…, K), float64 on the CPU."""
    counts = counts.cpu()  # a few numbers, and mps has no float64
    hits = counts.diagonal(dim1=-2, dim2=-1)
    return hits.double(), counts.sum(dim=-1).double(), counts.sum(dim=-2).double()


def check_ids(ids: Tensor, name: str, classes: int) -> None:
    """Refuse ids, called `name` in the ValueError, that are out of [0, classes)."""
    if ids.numel() == 0:
        return
    low, high = int(ids.min()), int(ids.max())  # waits for the GPU, as bincount does
    if low < 0 or high >= classes:
        raise ValueError(f"{name} has ids from {low} to {high}, expected 0 to {classes - 1}")
