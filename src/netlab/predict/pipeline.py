"""Many pictures through one network: read ahead, predicted in batches, finished in threads."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from netlab.data.readers.pictures import read_picture, stretch
from netlab.errors import PictureError
from netlab.predict.predictor import Prediction, Predictor, Size

J = TypeVar("J")
T = TypeVar("T")
Read = tuple[NDArray[np.uint8], Size]


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
    jobs: Sequence[J],
    predictor: Predictor,
    finish: Callable[[J, Prediction], T],
    *,
    source: Callable[[J], Path | bytes],
    batch_size: int = 16,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome[J, T]]:
    """Predict many pictures, in order; one that cannot be read becomes a `Failure`.

    Only stretched pictures wait for the network, and results are finished by as many threads as
    there are cores: a long list of huge photos needs no more memory than a few of them.

    Args:
        jobs: whatever tells the pictures apart.
        predictor: the network.
        finish: called in a thread for each prediction; writes it, say. Its `PictureError` is a
            failure of the one picture, any other error ends everything.
        source: file or bytes of a job's picture.
        batch_size: pictures that go through the network at a time.
        stop: asked before each batch; what has begun is finished and yielded.
    """
    workers = min(8, os.cpu_count() or 1)
    batches = [jobs[i : i + batch_size] for i in range(0, len(jobs), batch_size)]
    pending: deque[tuple[J, Future[T] | Failure]] = deque()
    # One pool for both: reading what comes next and writing what is done share the same cores.
    pool = ThreadPoolExecutor(workers, "netlab-files")
    try:
        for job, prediction in _predictions(batches, predictor, pool, source, stop):
            if isinstance(prediction, Failure):
                pending.append((job, prediction))
            else:
                pending.append((job, pool.submit(finish, job, prediction)))
            while len(pending) > batch_size + workers:  # a slow disk slows the network down
                yield _outcome(*pending.popleft())
        while pending:
            yield _outcome(*pending.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _predictions(
    batches: Sequence[Sequence[J]],
    predictor: Predictor,
    pool: ThreadPoolExecutor,
    source: Callable[[J], Path | bytes],
    stop: Callable[[], bool],
) -> Iterator[tuple[J, Prediction | Failure]]:
    def begin(batch: Sequence[J]) -> "list[Future[Read]]":
        return [pool.submit(_read, source(job), predictor.input_size) for job in batch]

    ahead = begin(batches[0]) if batches else []
    for number, batch in enumerate(batches):
        if stop():
            return
        reading, ahead = ahead, begin(batches[number + 1]) if number + 1 < len(batches) else []
        found: list[Read | Failure] = []
        for future in reading:
            read = _result(future)
            found.append(read)
        good = [read for read in found if not isinstance(read, Failure)]
        made = iter(_predict(predictor, good))
        for job, given in zip(batch, found, strict=True):
            yield job, given if isinstance(given, Failure) else next(made)


def _read(source: Path | bytes, size: int) -> Read:
    picture = read_picture(source)
    return stretch(picture, size), (picture.height, picture.width)


def _predict(predictor: Predictor, pictures: Sequence[Read]) -> list[Prediction]:
    if not pictures:
        return []
    pixels, sizes = zip(*pictures, strict=True)
    return predictor.predict_stretched(np.stack(pixels), sizes)


def _result(future: "Future[T]") -> "T | Failure":
    try:
        return future.result()
    except PictureError as error:
        return Failure(str(error))


def _outcome(job: J, result: "Future[T] | Failure") -> Outcome[J, T]:
    if isinstance(result, Failure):
        return Outcome(job, result)
    finished = _result(result)
    return Outcome(job, finished)
