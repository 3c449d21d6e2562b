"""Swap the labels of pictures: their z, decoded with labels that they do not have."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from netlab.data.readers.pictures import upright
from netlab.errors import DataError, UsageError
from netlab.swap.pictures import PictureFolder, Record
from netlab.swap.request import LAYOUTS, Asked, SwapRequest
from netlab.swap.sources import Note, Source, own_picture
from netlab.swap.swapper import BATCH, Labels, Pictures, Swapper
from netlab.tasks.load import Loaded
from netlab.tasks.vae.judge import Judge
from netlab.weights.bundled import bundled_vae

_STEPS, _FRAMES = 11, 21


class Swapped(NamedTuple):
    """B pictures under P labels each."""

    source: Source
    reconstructions: Pictures
    """(B, S, S, C), decoded with their true label."""
    asked: Labels
    """(P, B)."""
    pictures: Pictures
    """(P, B, S, S, C)."""
    read: Labels | None
    """(P, B), what the judge sees in them."""

    @property
    def is_swap(self) -> NDArray[np.bool_]:
        """(B, P): a true label gives no more than the reconstruction."""
        wrong: NDArray[np.bool_] = self.asked != self.source.labels
        return (wrong | self.source.from_prior).T

    def first(self, count: int) -> "Swapped":
        """The first `count` pictures."""
        return Swapped(
            self.source.at(slice(count)),
            self.reconstructions[:count],
            self.asked[:, :count],
            self.pictures[:, :count],
            None if self.read is None else self.read[:, :count],
        )


class Interpolation(NamedTuple):
    """N pictures in T equal steps, of the labels' weights or of z."""

    source: Source
    pictures: Pictures
    """(T, N, S, S, C)."""
    records: list[Record]
    """One for each picture that a row starts from, then those that rows end at, if any."""


class SwapResult(NamedTuple):
    """What came of a request."""

    records: list[Record]
    """What each swapped picture is."""
    shown: Swapped | Interpolation
    """Those that a figure has room for."""


def asked_labels(source: Source, asked: Asked, classes: int, seed: int) -> Labels:
    """The labels (P, N) that pictures are decoded with.

    Raises:
        UsageError: there is but one.
    """
    count = len(source)
    if classes < 2:
        raise UsageError("the weights know a single class: there is no other label")
    if asked == "all":
        return np.repeat(np.arange(classes)[:, None], count, axis=1)
    if asked == "any":
        turn = np.random.default_rng(seed).integers(1, classes, count)
        return ((source.labels + turn) % classes)[None]
    return np.full((1, count), asked, np.int64)


def swap(
    swapper: Swapper, source: Source, asked: Labels, judge: Judge | None = None
) -> Iterator[Swapped]:
    """Decode pictures under labels (P, N), a batch of pictures at a time.

    Each label has a pass of its own over the same z, so that the true label gives the
    reconstruction to the last bit.
    """
    for start in range(0, len(source), BATCH):
        batch, labels = source.at(slice(start, start + BATCH)), asked[:, start : start + BATCH]
        z = batch.latents(swapper)
        reconstructions = swapper.decode(z, swapper.one_hot(batch.labels))
        pictures = np.stack([swapper.decode(z, swapper.one_hot(row)) for row in labels])
        read = None if judge is None else _read(swapper, judge, pictures)
        yield Swapped(batch, reconstructions, labels, pictures, read)


def swap_records(swapped: Swapped, classes: Sequence[str]) -> list[Record]:
    """What each swap is: source, true_label, asked_label and, with a judge, read."""
    return [
        _record(swapped.source, index, classes, int(swapped.asked[turn, index]))
        | ({} if swapped.read is None else {"read": classes[swapped.read[turn, index]]})
        for index, turn in np.argwhere(swapped.is_swap)
    ]


def swap_pictures(swapped: Swapped) -> Pictures:
    """The pictures (N, S, S, C) that `swap_records` describes, in its order."""
    return np.swapaxes(swapped.pictures, 0, 1)[swapped.is_swap]


def morph(swapper: Swapper, source: Source, start: Labels, end: int, steps: int) -> Interpolation:
    """The same z while the labels' weights move from those of `start` (N,) to one other label."""
    z, classes = source.latents(swapper), swapper.classes
    weights = swapper.one_hot(start), swapper.one_hot(np.full(len(source), end, np.int64))
    pictures = [swapper.decode(z, torch.lerp(*weights, t)) for t in _shares(steps)]
    records = [
        _record(source, index, classes, end) | {"from_label": classes[start[index]]}
        for index in range(len(source))
    ]
    return Interpolation(source, np.stack(pictures), records)


def between(swapper: Swapper, source: Source, label: int, steps: int) -> Interpolation:
    """From the z of each picture to that of the one half the source further on, under one label.

    Raises:
        DataError: a single picture.
    """
    half = len(source) // 2
    if not half:
        raise DataError("a way between two pictures needs two; there is one")
    z = source.latents(swapper)
    weights = swapper.one_hot(np.full(half, label, np.int64))
    ends = z[:half], z[half : 2 * half]
    pictures = [swapper.decode(torch.lerp(*ends, t), weights) for t in _shares(steps)]
    records = [_record(source, index, swapper.classes, label) for index in range(2 * half)]
    return Interpolation(source, np.stack(pictures), records)


def carry_out(
    request: SwapRequest,
    swapper: Swapper,
    source: Source,
    judge: Judge | None = None,
    folder: PictureFolder | None = None,
    advance: Callable[[], None] = lambda: None,
) -> SwapResult:
    """Do what a request asks for.

    Args:
        request: what is asked for.
        swapper: the network.
        source: what is swapped.
        judge: reads the swapped pictures.
        folder: takes each swapped picture; not of a morph or between.
        advance: called after each batch of `swapper.BATCH` pictures.

    Raises:
        UsageError, DataError, WorkFailed: see `asked_labels`, `between`, `PictureFolder.add`.
    """
    classes = swapper.classes
    if request.morph_to is not None or request.between:
        steps = _FRAMES if request.animated else _STEPS
        start = source.labels
        if isinstance(request.asked, int):
            start = np.full(len(source), request.asked, np.int64)
        if request.morph_to is not None:
            shown = morph(swapper, source, start, request.morph_to, steps)
            ends = shown.pictures[-1]
        else:
            shown = between(swapper, source, int(start[0]), steps)
            ends = np.concatenate([shown.pictures[0], shown.pictures[-1]])
        if judge is not None:
            read = _read(swapper, judge, ends)
            for record, label in zip(shown.records, read, strict=True):
                record["read"] = classes[label]
        return SwapResult(shown.records, shown)
    records: list[Record] = []
    first: Swapped | None = None
    asked = asked_labels(source, request.asked, len(classes), request.seed)
    for swapped in swap(swapper, source, asked, judge):
        batch = swap_records(swapped, classes)
        if folder is not None:
            folder.add(swap_pictures(swapped), batch)
        records += batch
        first = first or swapped.first(LAYOUTS[request.layout].most)
        advance()
    assert first is not None  # a source is never empty
    return SwapResult(records, first)


def read_as_asked(records: Sequence[Record]) -> int:
    """How many swapped pictures a judge reads as asked."""
    return sum(record["read"] == record["asked_label"] for record in records)


def verdict(records: Sequence[Record]) -> str:
    """How a judge reads the swapped pictures, in words; without one, nothing."""
    if not records or "read" not in records[0]:
        return ""
    return f"judge reads {read_as_asked(records)} of {len(records)} as asked"


def swap_label(
    picture: Path | str | bytes | Image.Image,
    true_label: str | int,
    label: str | int,
    *,
    weights: str | Path | Loaded | None = None,
    dataset: str = "mnist",
    device: str = "auto",
    note: Note = lambda text: None,  # noqa: ARG005
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
        note: called with a line on what was done to the picture.

    Returns:
        The swapped picture in the network's own size, gray or RGB.

    Raises:
        PictureError: a picture that cannot be read.
        UsageError, WeightsError: unknown labels; else see `Swapper.load`.
    """
    opened = upright(picture)
    swapper = Swapper.load(bundled_vae(dataset) if weights is None else weights, device=device)
    asked = swapper.label(label)
    source = own_picture(swapper, opened, "picture", swapper.label(true_label, "true label"), note)
    one_hot = swapper.one_hot(np.array([asked], np.int64))
    [swapped] = swapper.decode(source.latents(swapper), one_hot)
    return Image.fromarray(swapped[..., 0] if swapper.channels == 1 else swapped)


def _read(swapper: Swapper, judge: Judge, pictures: Pictures) -> Labels:
    """What a judge sees in pictures (..., S, S, C): class ids (...)."""
    flat = np.ascontiguousarray(pictures.reshape(-1, *pictures.shape[-3:]))
    read: Labels = judge.read(swapper.floats(flat)).numpy()
    return read.reshape(pictures.shape[:-3])


def _record(source: Source, index: int, classes: Sequence[str], asked: int) -> Record:
    true = None if source.from_prior else classes[source.labels[index]]
    return {"source": source.names[index], "true_label": true, "asked_label": classes[asked]}


def _shares(steps: int) -> list[float]:
    return [step / (steps - 1) for step in range(steps)]
