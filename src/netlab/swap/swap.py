"""Swap the labels of pictures: their z, decoded with labels that they do not have."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from netlab.data.readers.pictures import upright
from netlab.errors import DataError, UsageError
from netlab.swap.sources import Source, own_picture
from netlab.swap.swapper import BATCH, Labels, Pictures, Swapper
from netlab.tasks.load import Loaded
from netlab.tasks.vae.judge import Judge
from netlab.weights.bundled import bundled_vae

Asked = int | Literal["any", "all"]
"""One label for all pictures, another one for each, or every one for each."""


class Swapped(NamedTuple):
    """Some pictures under P labels each."""

    source: Source
    """B of them."""
    again: Pictures
    """(B, S, S, C), decoded with their true label."""
    asked: Labels
    """(P, B)."""
    pictures: Pictures
    """(P, B, S, S, C)."""
    read: NDArray[np.int64] | None
    """(P, B), what the judge sees in them."""

    @property
    def real(self) -> NDArray[np.bool_]:
        """(B, P), whether it is a swap: a true label gives no more than the reconstruction."""
        others: NDArray[np.bool_] = self.asked != self.source.labels
        return (others | self.source.drawn).T

    def first(self, count: int) -> "Swapped":
        """Some of them."""
        read = None if self.read is None else self.read[:, :count]
        return Swapped(
            self.source.part(slice(count)),
            self.again[:count],
            self.asked[:, :count],
            self.pictures[:, :count],
            read,
        )


def asked_labels(source: Source, asked: Asked, kinds: int, seed: int) -> Labels:
    """The labels (P, N) that pictures are decoded with.

    Raises:
        UsageError: there is but one.
    """
    count = len(source)
    if kinds < 2:
        raise UsageError("the weights know a single class: there is no other label")
    if asked == "all":
        return np.repeat(np.arange(kinds)[:, None], count, axis=1)
    if asked == "any":
        turn = np.random.default_rng(seed).integers(1, kinds, count)
        return ((source.labels + turn) % kinds)[None]
    return np.full((1, count), asked, np.int64)


def swap(
    swapper: Swapper, source: Source, asked: Labels, judge: Judge | None = None
) -> Iterator[Swapped]:
    """Decode pictures under labels (P, N), some pictures at a time.

    Each label has a pass of its own over the same z, so that the true label gives the
    reconstruction to the last bit.
    """
    for start in range(0, len(source), BATCH):
        place = slice(start, start + BATCH)
        part, labels = source.part(place), asked[:, place]
        z = part.latents(swapper)
        again = swapper.decode(z, swapper.one_hot(part.labels))
        pictures = np.stack([swapper.decode(z, swapper.one_hot(some)) for some in labels])
        seen = None if judge is None else read(swapper, judge, pictures)
        yield Swapped(part, again, labels, pictures, seen)


def records(swapped: Swapped, classes: Sequence[str]) -> list[dict[str, Any]]:
    """What each swap is: source, true_label, asked_label and, with a judge, read."""
    return [
        _record(swapped.source, number, classes, int(swapped.asked[turn, number]))
        | ({} if swapped.read is None else {"read": classes[swapped.read[turn, number]]})
        for number, turn in np.argwhere(swapped.real)
    ]


def swap_pictures(swapped: Swapped) -> Pictures:
    """The pictures (N, S, S, C) that `records` tells of."""
    return np.swapaxes(swapped.pictures, 0, 1)[swapped.real]


def morph(
    swapper: Swapper, source: Source, start: Labels, end: int, steps: int
) -> tuple[Pictures, list[dict[str, Any]]]:
    """The same z on the way from the labels (N,) to one other, and what each row is.

    Returns:
        (T, N, S, S, C), the labels' weights moving in equal steps, and a record for each picture.
    """
    z, goal = source.latents(swapper), np.full(len(source), end, np.int64)
    sides = swapper.one_hot(start), swapper.one_hot(goal)
    pictures = np.stack([swapper.decode(z, torch.lerp(*sides, t)) for t in _ways(steps)])
    classes = swapper.classes
    told = [
        _record(source, number, classes, end) | {"from_label": classes[start[number]]}
        for number in range(len(source))
    ]
    return pictures, told


def between(
    swapper: Swapper, source: Source, label: int, steps: int
) -> tuple[Pictures, list[dict[str, Any]]]:
    """From the z of each picture to that of the one half the source further on, under one label.

    Returns:
        (T, N / 2, S, S, C), z moving in equal steps, and a record for each picture.

    Raises:
        DataError: a single picture.
    """
    half = len(source) // 2
    if not half:
        raise DataError("a way between two pictures needs two; there is one")
    z = source.latents(swapper)
    weights = swapper.one_hot(np.full(half, label, np.int64))
    sides = z[:half], z[half : 2 * half]
    pictures = np.stack([swapper.decode(torch.lerp(*sides, t), weights) for t in _ways(steps)])
    told = [_record(source, number, swapper.classes, label) for number in range(2 * half)]
    return pictures, told


def read(swapper: Swapper, judge: Judge, pictures: Pictures) -> NDArray[np.int64]:
    """What a judge sees in pictures (..., S, S, C): class ids (...)."""
    flat = np.ascontiguousarray(pictures.reshape(-1, *pictures.shape[-3:]))
    found: NDArray[np.int64] = judge.read(swapper.floats(flat)).numpy()
    return found.reshape(pictures.shape[:-3])


def swap_label(
    picture: Path | str | bytes | Image.Image,
    true_label: str | int,
    label: str | int,
    *,
    weights: str | Path | Loaded | None = None,
    dataset: str = "mnist",
    device: str = "auto",
    note: Callable[[str], None] = lambda text: None,  # noqa: ARG005
) -> Image.Image:
    """Hand a conditional VAE a picture with a wrong label; for many, see `Swapper` and `swap`.

    Args:
        picture: a file, its bytes, or an opened picture of any mode.
        true_label: its class, by name or number.
        label: the class that it shall have.
        weights: a file, a run, `last`, a bundled name, or what `netlab.load` gave; None is the
            bundled VAE of `dataset`.
        dataset: whose bundled VAE.
        device: auto, cpu, cuda, cuda:N or mps.
        note: told of what was done to the picture.

    Returns:
        The swapped picture in the network's own size, gray or RGB.

    Raises:
        PictureError: a picture that cannot be read.
        UsageError, WeightsError: unknown labels; else see `Swapper.load`.
    """
    shown = upright(picture)
    swapper = Swapper.load(bundled_vae(dataset) if weights is None else weights, device=device)
    asked = swapper.label(label)
    source = own_picture(swapper, shown, "picture", swapper.label(true_label, "true label"), note)
    weight = swapper.one_hot(np.array([asked], np.int64))
    [made] = swapper.decode(source.latents(swapper), weight)
    return Image.fromarray(made[..., 0] if swapper.channels == 1 else made)


def _record(source: Source, number: int, classes: Sequence[str], asked: int) -> dict[str, Any]:
    true = None if source.drawn else classes[source.labels[number]]
    return {"source": source.names[number], "true_label": true, "asked_label": classes[asked]}


def _ways(steps: int) -> list[float]:
    return [step / (steps - 1) for step in range(steps)]
