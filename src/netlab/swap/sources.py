"""What is swapped: test pictures, a picture of one's own, or z drawn from the prior."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image
from torch import Tensor

from netlab.components import component
from netlab.config import TrainConfig
from netlab.contracts.dataset import Downloadable, LabelledSet
from netlab.data.readers.folders import data_dir as data_folder
from netlab.data.readers.pictures import read_picture, stretch
from netlab.errors import DataError, PictureError, UsageError
from netlab.runs.pictures import with_paths
from netlab.swap.request import SwapRequest
from netlab.swap.swapper import Labels, Pictures, Swapper, border
from netlab.tasks.data import load_scored
from netlab.tasks.vae.task import ConditionalVae

Note = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Source:
    """Pictures with their true labels, or z from the prior."""

    names: tuple[str, ...]
    labels: Labels
    """(N,), true labels; those that z is first shown with where it is from the prior."""
    pictures: Pictures | None = None
    """(N, S, S, C)."""
    z: Tensor | None = None
    """(N, D), where there are no pictures."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def from_prior(self) -> bool:
        """Whether z is from the prior, so that no label is the true one."""
        return self.pictures is None

    def at(self, indices: slice) -> "Source":
        """The pictures or z at these indices."""
        return Source(
            self.names[indices],
            self.labels[indices],
            None if self.pictures is None else self.pictures[indices],
            None if self.z is None else self.z[indices],
        )

    def latents(self, swapper: Swapper) -> Tensor:
        """z (N, D)."""
        if self.pictures is not None:
            return swapper.encode(self.pictures, self.labels)
        assert self.z is not None
        return self.z


def source_for(
    request: SwapRequest,
    swapper: Swapper,
    weights: Path,
    *,
    image: Path | None = None,
    true_label: int | None = None,
    data_dir: Path | None = None,
    note: Note,
) -> Source:
    """What a request is carried out on.

    Args:
        request: what is asked for.
        swapper: made from the weights.
        weights: their file; the run folder it lies in knows where the data were.
        image: a picture of one's own, of the class `true_label`.
        data_dir: where the test pictures are, if not where the weights say.
        note: called with lines on where z is from if not from pictures, and on what was left out.

    Raises:
        UsageError: `image` cannot be read, or is asked to be what it is.
        DataError: data that are damaged or do not fit the weights; that are not in `data_dir`; or
            that are not there at all, and the whole test split was asked for.
    """
    if image is not None and true_label is not None:
        if true_label == request.excluded:
            name = swapper.classes[true_label]
            raise UsageError(f"--image {image} is a {name} already: ask for another label")
        try:
            picture = read_picture(image)
        except PictureError as error:
            raise UsageError(f"--image {image}: {error}") from error
        return own_picture(swapper, picture, image.name, true_label, note)
    if not request.from_prior:
        config = with_paths(swapper.config, weights)
        if data_dir is not None:
            path = str(data_dir)
            own = config.dataset == "class-folder"
            config = replace(config, images=path) if own else replace(config, data_dir=path)
        try:
            scored = load_scored(ConditionalVae, config, swapper.about, "test", {}, note)
        except DataError as error:
            if data_dir is not None or request.count is None or not _missing(config):
                raise
            note(f"{error}; instead of pictures:")
        else:
            data = cast(LabelledSet, scored.data)  # as the task needs
            source = pick_pictures(data, request.excluded, request.total, request.seed)
            if request.total is not None and len(source) < request.total:
                note(f"the test split has only {len(source)} pictures for this")
            return source
    assert request.total is not None
    note(f"z drawn from N(0, I), seed {request.seed}")
    return from_prior(swapper, request.excluded, request.total, request.seed)


def pick_pictures(data: LabelledSet, excluded: int | None, count: int | None, seed: int) -> Source:
    """Draw pictures that are not of the class `excluded`; all, in their order, without a count.

    Raises:
        DataError: there are none.
    """
    indices = np.arange(len(data))
    if count is not None:
        indices = np.random.default_rng(seed).permutation(indices)
    if excluded is not None:
        indices = indices[data.labels[indices] != excluded]
        if not len(indices):
            name = data.classes[excluded]
            raise DataError(f"all test pictures are of the class {name}: no swap")
    indices = indices[:count]
    names = tuple(data.names[index] for index in indices)
    return Source(names, data.labels[indices], data.images[indices])


def from_prior(swapper: Swapper, excluded: int | None, count: int, seed: int) -> Source:
    """Draw z, and for each a label other than `excluded` that it is first shown with."""
    labels = [k for k in range(len(swapper.classes)) if k != excluded]
    drawn = np.random.default_rng(seed).choice(labels, count)
    names = tuple(f"prior-{number}" for number in range(count))
    return Source(names, drawn.astype(np.int64), z=swapper.prior(count, seed))


def own_picture(
    swapper: Swapper, picture: Image.Image, name: str, label: int, note: Note
) -> Source:
    """A picture of one's own, made like those that the network knows.

    It is stretched to their size and loses its colours if they have none. Dark strokes on paper
    are inverted if they are bright on dark; `note` gets a line about it.
    """
    if swapper.channels == 1:
        picture = picture.convert("L")
    shape = (1, swapper.size, swapper.size, swapper.channels)
    pixels = np.array(stretch(picture, swapper.size)).reshape(shape)
    if swapper.channels == 1 and border(pixels) > 127 and swapper.on_dark():
        note(f"{name}: dark on bright, so it is inverted: the network knows bright on dark")
        pixels = 255 - pixels
    return Source((name,), np.array([label], np.int64), pixels)


def _missing(config: TrainConfig) -> bool:
    """Whether data are absent, not damaged."""
    dataset = component(config, "dataset")()
    if isinstance(dataset, Downloadable):
        return not dataset.present(data_folder(config.data_dir))
    return config.dataset == "class-folder" and config.images is None
