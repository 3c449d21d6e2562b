"""Many pictures through one network: read ahead, predicted in batches, written in threads."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netlab.data.readers.pictures import read_picture, stretch
from netlab.errors import PictureError
from netlab.predict.inputs import Job
from netlab.predict.outputs import Done, Style, write_outputs
from netlab.predict.prediction import Prediction, Size
from netlab.predict.predictor import Predictor

Stretched = tuple[NDArray[np.uint8], Size]
"""A picture (S, S, 3) of the input size, and the size that it had before."""


Outcome = tuple[Job, Done | PictureError]
"""A job and what became of it: its outputs, or why there are none."""


def predict_files(
    jobs: Sequence[Job],
    predictor: Predictor,
    style: Style,
    *,
    batch_size: int = 16,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """Predict many pictures and write their outputs, in order.

    A picture that cannot be read gives its error. Only stretched pictures wait for the network,
    and outputs are written by as many threads as there are cores: a long list of huge photos needs
    no more memory than a few of them.

    Args:
        jobs: pictures, and where their outputs go.
        predictor: the network.
        style: how predictions become pictures.
        batch_size: pictures that go through the network at a time.
        stop: asked before each batch; what has begun is finished and yielded.

    Raises:
        WorkFailed: an output cannot be written.
    """
    workers = min(8, os.cpu_count() or 1)
    batches = [jobs[i : i + batch_size] for i in range(0, len(jobs), batch_size)]
    pending: deque[Future[Outcome] | Outcome] = deque()
    # One pool for both: reading what comes next and writing what is done share the same cores.
    pool = ThreadPoolExecutor(workers, "netlab-files")
    try:
        for job, prediction in _predictions(batches, predictor, pool, stop):
            if isinstance(prediction, PictureError):
                pending.append((job, prediction))
            else:
                pending.append(pool.submit(_write, job, prediction, style))
            while len(pending) > batch_size + workers:  # a slow disk slows the network down
                yield _outcome(pending.popleft())
        while pending:
            yield _outcome(pending.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _predictions(
    batches: Sequence[Sequence[Job]],
    predictor: Predictor,
    pool: ThreadPoolExecutor,
    stop: Callable[[], bool],
) -> Iterator[tuple[Job, Prediction | PictureError]]:
    def start_reading(batch: Sequence[Job]) -> list[Future[Stretched | PictureError]]:
        return [pool.submit(_read, job.source, predictor.input_size) for job in batch]

    ahead = start_reading(batches[0]) if batches else []
    for number, batch in enumerate(batches):
        if stop():
            return
        reading = ahead
        ahead = start_reading(batches[number + 1]) if number + 1 < len(batches) else []
        pictures = [future.result() for future in reading]
        readable = [picture for picture in pictures if not isinstance(picture, PictureError)]
        predictions: Iterator[Prediction] = iter(())
        if readable:
            pixels, sizes = zip(*readable, strict=True)
            predictions = iter(predictor.predict_stretched(np.stack(pixels), sizes))
        for job, picture in zip(batch, pictures, strict=True):
            yield job, picture if isinstance(picture, PictureError) else next(predictions)


def _read(source: Path | bytes, side: int) -> Stretched | PictureError:
    try:
        picture = read_picture(source)
    except PictureError as error:
        return error
    return stretch(picture, side), (picture.height, picture.width)


def _write(job: Job, prediction: Prediction, style: Style) -> Outcome:
    try:
        return job, write_outputs(job, prediction, style)
    except PictureError as error:
        return job, error


def _outcome(written: Future[Outcome] | Outcome) -> Outcome:
    return written.result() if isinstance(written, Future) else written
