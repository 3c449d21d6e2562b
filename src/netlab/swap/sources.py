"""What is swapped: test pictures, a picture of one's own, or z drawn from the prior."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from netlab import registry
from netlab.config import TrainConfig
from netlab.contracts.dataset import LabelledSet
from netlab.data.readers.folders import data_dir as data_folder
from netlab.data.readers.pictures import read_picture, stretch
from netlab.errors import DataError, PictureError, UsageError
from netlab.scoring.evaluate import with_places
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
    def drawn(self) -> bool:
        """Whether z is from the prior, so that no label is the true one."""
        return self.pictures is None

    def part(self, place: slice) -> "Source":
        """Some of them."""
        return Source(
            self.names[place],
            self.labels[place],
            None if self.pictures is None else self.pictures[place],
            None if self.z is None else self.z[place],
        )

    def latents(self, swapper: Swapper) -> Tensor:
        """z (N, D)."""
        if self.pictures is not None:
            return swapper.encode(self.pictures, self.labels)
        assert self.z is not None
        return self.z


def load_test_part(
    swapper: Swapper, weights: Path, data_dir: Path | None, note: Note
) -> LabelledSet | DataError:
    """The test part of the data that weights were trained on, or why there are none at hand.

    Args:
        swapper: made from the weights.
        weights: their file; the run folder it lies in knows where the data were.
        data_dir: where the data are, if not there.
        note: told of what was left out.

    Raises:
        DataError: data that are damaged, that do not fit the weights, or that are not in
            `data_dir`.
    """
    config = with_places(swapper.config, weights)
    if data_dir is not None:
        place = str(data_dir)
        own = config.dataset == "class-folder"
        config = replace(config, images=place) if own else replace(config, data_dir=place)
    try:
        data: LabelledSet = load_scored(
            ConditionalVae, config, swapper.about, "test", {}, note
        ).data
    except DataError as error:
        if data_dir is not None or not _missing(config):
            raise
        return error
    return data


def pick_pictures(data: LabelledSet, avoid: int | None, count: int | None, seed: int) -> Source:
    """Draw pictures that are not of the class `avoid`; all of them, in their order, if no count.

    Raises:
        DataError: there are none.
    """
    places = np.arange(len(data))
    if count is not None:
        places = np.random.default_rng(seed).permutation(places)
    if avoid is not None:
        places = places[data.labels[places] != avoid]
        if not len(places):
            raise DataError(f"all test pictures are of the class {data.classes[avoid]}: no swap")
    places = places[:count]
    names = tuple(data.names[place] for place in places)
    return Source(names, data.labels[places], data.images[places])


def from_prior(swapper: Swapper, avoid: int | None, count: int, seed: int) -> Source:
    """Draw z, and for each a label other than `avoid` that it is first shown with."""
    labels = [k for k in range(len(swapper.classes)) if k != avoid]
    drawn = np.random.default_rng(seed).choice(labels, count)
    names = tuple(f"prior-{number}" for number in range(count))
    return Source(names, drawn.astype(np.int64), z=swapper.prior(count, seed))


def read_own(path: Path) -> Image.Image:
    """A picture file, upright, in RGB.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return read_picture(path)
    except PictureError as error:
        raise UsageError(f"--image {path}: {error}") from error


def own_picture(
    swapper: Swapper, picture: Image.Image, name: str, label: int, note: Note
) -> Source:
    """A picture of one's own, made like those that the network knows.

    It is stretched to their size and loses its colours if they have none. Dark strokes on paper
    are inverted if they are bright on dark, which `note` is told.
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
    dataset = registry.get("dataset", config.dataset)()
    if hasattr(dataset, "present"):
        return not dataset.present(data_folder(config.data_dir))
    return config.dataset == "class-folder" and config.images is None
