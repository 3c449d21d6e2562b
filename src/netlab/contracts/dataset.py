"""What a data set is: `Dataset` is implemented by each, the sets are what it gives."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from netlab.components import breach

Split = Literal["train", "val", "test", "all"]

Target = Literal["masks", "labels"]
"""What a data set gives beside its pictures: `SegmentationSet` or `LabelledSet`."""

PET_CLASSES = ("pet", "background", "border")
"""Names of the house classes; their ids are their indices."""


class Dropped(NamedTuple):
    """A picture that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class SegmentationSet:
    """One split of a segmentation data set, decoded and resized."""

    images: NDArray[np.uint8]
    """(N, H, W, 3), RGB."""
    masks: NDArray[np.uint8]
    """(N, H, W), class ids."""
    names: tuple[str, ...]
    """A name for each picture, for people; unique."""
    classes: tuple[str, ...]
    dropped: tuple[Dropped, ...] = ()
    mirrors: ClassVar[bool] = True
    """A mask is mirrored with its picture."""

    @property
    def targets(self) -> NDArray[np.uint8]:
        """What each picture comes with: its mask."""
        return self.masks

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class LabelledSet:
    """One split of a set of labelled pictures, decoded and resized; lives in memory as bytes."""

    images: NDArray[np.uint8]
    """(N, H, W, C); C is 1 (gray) or 3 (RGB)."""
    labels: NDArray[np.int64]
    """(N,), class ids."""
    names: tuple[str, ...]
    """A name for each picture, for people; unique."""
    classes: tuple[str, ...]
    dropped: tuple[Dropped, ...] = ()
    mirrors: bool = True
    """Whether a picture seen in a mirror is still one of its class (digits and letters are not)."""

    @property
    def targets(self) -> NDArray[np.int64]:
        """What each picture comes with: its label."""
        return self.labels

    def __len__(self) -> int:
        return len(self.names)


PictureSet = SegmentationSet | LabelledSet
"""One split of any data set, whatever its pictures come with."""


@dataclass(frozen=True, kw_only=True)
class DataRequest:
    """Which split of a data set, and how it is prepared."""

    split: Split
    image_size: int
    """Side of the square that pictures are stretched to, in pixels."""
    data_dir: Path | None = None
    images: Path | None = None
    masks: Path | None = None
    classes: tuple[str, ...] | None = None
    mask_values: tuple[int, ...] | None = None
    limit: int | None = None
    skip_bad: bool = False
    seed: int = 0
    note: Callable[[str], None] = lambda text: None  # noqa: ARG005
    """Called with a line on what takes long or was left out."""


class Dataset(Protocol):
    """A data set; which split of it is wanted stands in the request."""

    @property
    def target(self) -> Target:
        """What each picture comes with."""

    def load(self, request: DataRequest, /) -> PictureSet:
        """Decode, resize and return one split, in the form that fits `target`.

        Raises:
            DataError: data that are missing, half present or damaged.
        """


def load_split(dataset: Dataset, request: DataRequest) -> PictureSet:
    """What a data set gives for a request, if it keeps its contract.

    Raises:
        ComponentFault: other types or shapes than those above, or ids without a class.
        DataError: see `Dataset.load`.
    """
    split = dataset.load(request)
    if reason := _broken(split, dataset.target, request.image_size):
        raise breach(dataset, reason)
    return split


def _broken(split: object, target: Target, size: int) -> str | None:
    """How what a data set gave differs from what it should; None if it does not."""
    wanted = SegmentationSet if target == "masks" else LabelledSet
    if not isinstance(split, PictureSet) or not isinstance(split, wanted):
        return f"pictures with {target} come as {wanted.__name__}, not as {type(split).__name__}"
    count = len(split.names)
    if target == "masks":
        images = _misshapen("images", split.images, np.uint8, (count, size, size, 3))
        targets = _misshapen("masks", split.targets, np.uint8, (count, size, size))
    else:
        shapes = [(count, size, size, channels) for channels in (1, 3)]
        images = _misshapen("images", split.images, np.uint8, *shapes)
        targets = _misshapen("labels", split.targets, np.int64, (count,))
    if images or targets or not count:
        return images or targets
    least, most = int(split.targets.min()), int(split.targets.max())
    if least < 0 or most >= len(split.classes):
        return f"{target} are ids from 0 to {len(split.classes) - 1}, not from {least} to {most}"
    return None


def _misshapen(
    name: str, array: object, dtype: type[np.generic], *shapes: tuple[int, ...]
) -> str | None:
    shown = type(array).__name__
    if isinstance(array, np.ndarray):
        if array.dtype == dtype and array.shape in shapes:
            return None
        shown = f"{array.dtype} {array.shape}"
    return f"{name} are {np.dtype(dtype)} {' or '.join(map(str, shapes))}, not {shown}"


class DatasetBuilder(Protocol):
    """A component of the kind `dataset`."""

    @property
    def target(self) -> Target:
        """What each picture comes with; an attribute of the class."""

    def __call__(self) -> Dataset:
        """Prepare it; further arguments have defaults."""


@runtime_checkable
class Downloadable(Protocol):
    """A data set whose owners publish an archive."""

    download_size: ClassVar[str]
    """What a download transfers, for the question to the user: `773 MiB`."""

    def present(self, folder: Path) -> bool:
        """Whether `folder` holds the data."""

    def download(self, folder: Path) -> None:
        """Fetch, check and unpack the official archives below `folder`."""
