"""Masks for pictures: one by one, or whole folders with reading, network and writing at once."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor, nn

from netlab.data._pictures import _as_rgb, read_picture, stretch
from netlab.engine.device import Machine, resolve
from netlab.engine.enlarge import certainty, coverage, decide, probabilities
from netlab.engine.weights import Loaded, load_weights
from netlab.errors import PictureError
from netlab.tasks.segmentation import to_unit
from netlab.zoo import find_weights

Size = tuple[int, int]
"""Height and width in pixels."""
J = TypeVar("J")
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the network says of one picture, at the picture's own size (H, W).

    The larger arrays are worked out when they are first asked for.
    """

    logits: Tensor
    """(K, S, S) float, at the network's input size, on its device."""
    size: Size
    classes: tuple[str, ...]

    @cached_property
    def mask(self) -> NDArray[np.uint8]:
        """Class ids, uint8 (H, W)."""
        return decide(self.logits, *self.size)

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """Probability of the chosen class, float (H, W), from 1/K to 1."""
        return certainty(self.logits, *self.size)

    def probabilities(self) -> NDArray[np.float32]:
        """Probability of every class, float (K, H, W)."""
        return probabilities(self.logits, *self.size)

    def coverage(self, weights: Sequence[float]) -> NDArray[np.uint8]:
        """Sum of the classes' probabilities, each times its weight, as 0 to 255 (H, W)."""
        return coverage(self.logits, *self.size, weights)

    @cached_property
    def shares(self) -> dict[str, float]:
        """Share of the pixels that each class has; they sum to 1."""
        counts = [np.count_nonzero(self.mask == index) for index in range(len(self.classes))]
        return {name: n / self.mask.size for name, n in zip(self.classes, counts, strict=True)}


class Predictor:
    """A network that is ready to predict masks.

    Args:
        network: gives logits (B, K, S, S) for normalised pictures (B, 3, S, S).
        about: description from its weights file: `classes` and `input`.
        machine: where it runs.
        tta: also predict the mirrored picture and average the logits.
    """

    def __init__(
        self, network: nn.Module, about: Mapping[str, Any], machine: Machine, *, tta: bool = False
    ) -> None:
        self.network = machine.place(network.eval())
        self.machine, self.tta = machine, tta
        self.classes = tuple(about["classes"])
        self.input_size = int(about["input"]["size"])
        mean, std = (torch.tensor(about["input"][key]) for key in ("mean", "std"))
        self.mean, self.std = (t.view(1, -1, 1, 1).to(machine.device) for t in (mean, std))

    @classmethod
    def load(
        cls,
        weights: str | Path | Loaded | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        tta: bool = False,
    ) -> "Predictor":
        """A predictor from weights: a file, a run, `last`, a bundled name; None is the bundled.

        Raises:
            UsageError: no such weights, or a device that is not there.
            WeightsError: weights that are damaged or for another task.
        """
        if not isinstance(weights, Loaded):
            path = weights if isinstance(weights, Path) and weights.is_file() else None
            name = None if weights is None else str(weights)
            weights = load_weights(path or find_weights(name, Path("runs")), task="segmentation")
        machine = resolve(device, precision, threads)
        return cls(weights.network, weights.about, machine, tta=tta)

    def predict(self, pictures: Sequence[Image.Image]) -> list[Prediction]:
        """Predict upright RGB pictures of any sizes, as one batch."""
        stretched = np.stack([stretch(picture, self.input_size) for picture in pictures])
        return self.predict_stretched(stretched, [(p.height, p.width) for p in pictures])

    def masks(self, pictures: Sequence[Image.Image]) -> list[NDArray[np.uint8]]:
        """Class ids (H, W) of upright RGB pictures of any sizes, as one batch."""
        return [prediction.mask for prediction in self.predict(pictures)]

    def predict_stretched(
        self, pictures: NDArray[np.uint8], sizes: Sequence[Size]
    ) -> list[Prediction]:
        """Predict pictures (B, S, S, 3) that have the input size already.

        Args:
            pictures: as `stretch` gives them.
            sizes: the size that each picture had before.
        """
        logits = self._logits(torch.from_numpy(pictures).to(self.machine.device))
        return [
            Prediction(own, size, self.classes) for own, size in zip(logits, sizes, strict=True)
        ]

    @torch.inference_mode()
    def _logits(self, pictures: Tensor) -> Tensor:
        x = (to_unit(pictures) - self.mean) / self.std  # (B, 3, S, S)
        with self.machine.autocast():
            logits: Tensor = self.network(x)
            if self.tta:
                logits = (logits + self.network(x.flip(-1)).flip(-1)) / 2
        return logits.float()


def predict_mask(
    picture: Path | str | bytes | Image.Image,
    *,
    weights: str | Path | Loaded | None = None,
    device: str = "auto",
    tta: bool = False,
) -> Prediction:
    """Predict the mask of one picture; for many, make one `Predictor` and use it again.

    Args:
        picture: a file, its bytes, or an opened picture of any mode.
        weights: a file, a run, `last`, a bundled name, or what `netlab.load` gave; None is the
            bundled weights.
        device: auto, cpu, cuda, cuda:N or mps.
        tta: also predict the mirrored picture and average the logits.

    Returns:
        The class of every pixel of the upright picture, and what follows from it.

    Raises:
        PictureError: a picture that cannot be read.
        UsageError, WeightsError: see `Predictor.load`.
    """
    if isinstance(picture, Image.Image):
        upright = _as_rgb(ImageOps.exif_transpose(picture))
    else:
        upright = read_picture(Path(picture) if isinstance(picture, str) else picture)
    return Predictor.load(weights, device=device, tta=tta).predict([upright])[0]


@dataclass(frozen=True)
class Failure:
    """Why one picture has no prediction."""

    reason: str


@dataclass(frozen=True)
class Outcome(Generic[J, T]):
    """A job and what became of it."""

    job: J
    result: T | Failure


def predict_files(
    jobs: Iterable[J],
    predictor: Predictor,
    finish: Callable[[J, Prediction], T],
    *,
    source: Callable[[J], Path | bytes],
    batch_size: int = 16,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome[J, T]]:
    """Predict many pictures, in order; a picture that cannot be read becomes a `Failure`.

    Pictures are read ahead and results finished in threads while the network works. Beside them no
    more than a few masks of full size are in memory, however many pictures there are.

    Args:
        jobs: whatever the caller wants to tell pictures apart by.
        predictor: the network.
        finish: called in a thread for each prediction; writes it, say. Its `PictureError` counts
            as a failure, other errors end everything.
        source: file or bytes of a job's picture.
        batch_size: pictures that go through the network at a time.
        stop: asked before each batch; what has begun is finished and yielded.
    """
    workers = min(8, (os.cpu_count() or 1) + 1)
    todo = iter(jobs)
    with (
        ThreadPoolExecutor(workers, "netlab-read") as readers,
        ThreadPoolExecutor(workers, "netlab-write") as writers,
    ):

        def read(count: int) -> list[tuple[J, Future[Any]]]:
            taken = islice(todo, count)
            return [(j, readers.submit(_read, source(j), predictor.input_size)) for j in taken]

        try:
            yield from _batches(predictor, finish, read, writers, batch_size, 2 * workers, stop)
        finally:
            readers.shutdown(cancel_futures=True)
            writers.shutdown(cancel_futures=True)


def _batches(
    predictor: Predictor,
    finish: Callable[[J, Prediction], T],
    read: Callable[[int], list[tuple[J, "Future[Any]"]]],
    writers: ThreadPoolExecutor,
    batch_size: int,
    backlog: int,
    stop: Callable[[], bool],
) -> Iterator[Outcome[J, T]]:
    pending: deque[tuple[J, Future[T] | Failure]] = deque()
    batch = read(batch_size)
    while batch and not stop():
        following = read(batch_size)
        found = [(job, _outcome(future)) for job, future in batch]
        good = [read_ for _, read_ in found if not isinstance(read_, Failure)]
        predictions = iter(())  # type: Iterator[Prediction]
        if good:
            pixels, sizes = zip(*good, strict=True)
            predictions = iter(predictor.predict_stretched(np.stack(pixels), sizes))
        for job, read_ in found:
            if isinstance(read_, Failure):
                pending.append((job, read_))
            else:
                pending.append((job, writers.submit(finish, job, next(predictions))))
        while len(pending) > backlog:  # do not run ahead of a slow disk
            yield _wait(*pending.popleft())
        batch = following
    while pending:
        yield _wait(*pending.popleft())


def _read(source: Path | bytes, size: int) -> tuple[NDArray[np.uint8], Size]:
    picture = read_picture(source)
    return stretch(picture, size), (picture.height, picture.width)


def _outcome(future: "Future[Any]") -> Any:
    try:
        return future.result()
    except PictureError as error:
        return Failure(str(error))


def _wait(job: J, result: "Future[T] | Failure") -> Outcome[J, T]:
    return Outcome(job, result if isinstance(result, Failure) else _outcome(result))
