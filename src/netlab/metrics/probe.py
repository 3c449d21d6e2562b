"""How much of a label can be read from features that should not tell it.

A probe is a classifier that is fitted to the features and labels of one set and scored on another:
`train_x` (N, D) floats, `train_y` (N,) ids of any integer type, `test_x` (M, D), `test_y` (M,). It
bounds from below what the features tell, so a weak one would flatter them. Both work on the CPU in
float32 with features standardised by `train_x`, whatever mode the caller has set, leave the global
random state alone, and repeat their number on the same machine.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

_HIDDEN, _EPOCHS, _LR = (128, 128), 20, 4e-3
_WEIGHT_DECAYS = (0.1, 1.0)  # little is better where much is to be learnt, much where noise is


def chance(train_y: Tensor, test_y: Tensor, classes: int) -> float:
    """Accuracy of always saying the most frequent class of `train_y` (of equals, the lowest id).

    What a probe comes to without information; in [0, 1].

    Raises:
        ValueError: no label, or an id out of [0, classes).
    """
    train_y, test_y = _labels(train_y, classes), _labels(test_y, classes)
    most_frequent = torch.bincount(train_y, minlength=classes).argmax()
    return float((test_y == most_frequent).double().mean())


def linear_probe(
    train_x: Tensor, train_y: Tensor, test_x: Tensor, test_y: Tensor, classes: int
) -> float:
    """Test accuracy of multinomial logistic regression, in [0, 1].

    Alain, Bengio, "Understanding intermediate layers using linear classifier probes", 2016. Mean
    cross entropy over the N training rows plus |W|² / 2N (scikit-learn's C = 1), minimised with
    L-BFGS from zero; convex, so that no chance is involved.

    Raises:
        ValueError: shapes that do not fit, an empty set, an id out of range, or a feature that is
            not finite (the fit would fail, and failure would pass for no leak).
    """
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        x, y, test_x, test_y = _prepared(train_x, train_y, test_x, test_y, classes)
        shapes = (classes, x.shape[1]), (classes,)
        layer = [torch.zeros(shape, requires_grad=True) for shape in shapes]
        optimizer = torch.optim.LBFGS(layer, max_iter=100, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(_logits(x, layer), y) + layer[0].square().sum() / (2 * len(x))
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        return _accuracy(layer, test_x, test_y)


def mlp_probe(
    train_x: Tensor, train_y: Tensor, test_x: Tensor, test_y: Tensor, classes: int, *, seed: int = 0
) -> float:
    """Test accuracy of a network with two hidden layers of 128 ReLU units, in [0, 1].

    Finds what `linear_probe` cannot, such as an exclusive or. Fitted with AdamW to nine tenths of
    the training rows, once with little and once with much weight decay; of all epochs of both, the
    one with the best accuracy on the last tenth counts (the first of equals). `seed` draws the
    tenth, the weights and the order of the rows.

    Raises:
        ValueError: as there, or fewer than 10 training rows.
    """
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        x, y, test_x, test_y = _prepared(train_x, train_y, test_x, test_y, classes)
        if len(x) < 10:
            raise ValueError(f"train_x has {len(x)} rows, expected 10 or more")
        order = torch.randperm(len(x), generator=Generator().manual_seed(seed))
        held, rest = order.tensor_split([len(x) // 10])
        best, kept = -1.0, list[Tensor]()
        for weight_decay in _WEIGHT_DECAYS:
            for layers in _epochs(x[rest], y[rest], classes, weight_decay, seed):
                accuracy = _accuracy(layers, x[held], y[held])
                if accuracy > best:
                    best, kept = accuracy, [part.detach().clone() for part in layers]
        return _accuracy(kept, test_x, test_y)


def _epochs(
    x: Tensor, y: Tensor, classes: int, weight_decay: float, seed: int
) -> Iterator[list[Tensor]]:
    """Weight and bias of each layer in turn, after each epoch."""
    generator, layers = Generator().manual_seed(seed), list[Tensor]()
    for fan_in, fan_out in pairwise((x.shape[1], *_HIDDEN, classes)):
        weight = torch.randn(fan_out, fan_in, generator=generator) * (2 / fan_in) ** 0.5
        layers += [weight.requires_grad_(), torch.zeros(fan_out, requires_grad=True)]
    batch = min(max(len(x) // 100, 16), 512, len(x))  # small sets need steps, large ones speed
    steps = len(x) // batch
    optimizer = torch.optim.AdamW(layers, lr=_LR, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=_EPOCHS * steps)
    for _ in range(_EPOCHS):
        order = torch.randperm(len(x), generator=generator)
        for rows in order[: steps * batch].view(steps, batch):
            optimizer.zero_grad()
            loss = F.cross_entropy(_logits(x[rows], layers), y[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        yield layers


def _logits(x: Tensor, layers: list[Tensor]) -> Tensor:
    """(N, D) to (N, K), with ReLU between layers."""
    *hidden, weight, bias = layers
    for w, b in zip(hidden[::2], hidden[1::2], strict=True):
        x = F.linear(x, w, b).relu()
    return F.linear(x, weight, bias)


@torch.no_grad()
def _accuracy(layers: list[Tensor], x: Tensor, y: Tensor) -> float:
    return float((_logits(x, layers).argmax(dim=1) == y).double().mean())


def _prepared(x: Tensor, y: Tensor, test_x: Tensor, test_y: Tensor, classes: int) -> list[Tensor]:
    """Checked and standardised copies on the CPU, in the same order."""
    y, test_y = _labels(y, classes), _labels(test_y, classes)
    dims = x.shape[-1] if x.ndim == 2 else "D"
    for name, features, ids in (("train_x", x, y), ("test_x", test_x, test_y)):
        if features.shape != (len(ids), dims):
            raise ValueError(f"{name} is {tuple(features.shape)}, expected ({len(ids)}, {dims})")
        if not features.isfinite().all():
            raise ValueError(f"{name} has values that are not finite")
    x, test_x = x.detach().cpu().double(), test_x.detach().cpu().double()
    mean, deviation = x.mean(dim=0), x.std(dim=0, correction=0)
    deviation[deviation == 0] = 1
    return [((x - mean) / deviation).float(), y, ((test_x - mean) / deviation).float(), test_y]


def _labels(labels: Tensor, classes: int) -> Tensor:
    """(N,) int64 on the CPU; a copy, as a tensor of inference mode cannot take part in training."""
    labels = labels.detach().cpu().long().clone()
    if labels.ndim != 1 or not len(labels):
        raise ValueError(f"labels are {tuple(labels.shape)}, expected (N,) with N of 1 or more")
    if labels.min() < 0 or labels.max() >= classes:
        low, high = labels.min(), labels.max()
        raise ValueError(f"labels from {low} to {high}, expected 0 to {classes - 1}")
    return labels
