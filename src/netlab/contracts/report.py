"""What a task says of a network: scores of an epoch, and the report of `netlab eval`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab.contracts.dataset import PictureSet

Pictures = NDArray[np.uint8]


class Html(str):
    """Markup, as `element` and `join` make it."""

    __slots__ = ()


class Headline(NamedTuple):
    """A score that a page begins with."""

    label: str
    value: str
    remark: str = ""
    """What it has to be compared with, in words."""


class Section(NamedTuple):
    """A part of a page, with a line in its table of contents."""

    name: str
    """Its place in the address (`#name`); unique in a page."""
    title: str
    body: Html


class Measure(NamedTuple):
    """One row of a comparison."""

    label: str
    keys: tuple[str, ...]
    """Place in a result: `("iou", "pet")`."""
    higher_is_better: bool | None
    """None where neither is."""

    @property
    def name(self) -> str:
        """The place as one word, for CSV and JSON: `iou_pet`."""
        return "_".join(self.keys)

    def of(self, result: Mapping[str, Any]) -> float | None:
        """The value in a result, or in that of a trivial predictor; None where there is no number.

        Args:
            result: JSON-able, with numbers at this place.
        """
        value: Any = result
        for key in self.keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return float(value) if value is not None and math.isfinite(value) else None


class Shown(NamedTuple):
    """Some pictures, for a figure in which networks stand side by side; all (n, H, W, 3)."""

    common: Sequence[tuple[str, Pictures]]
    """What is the same for every network, with its heading: input, target."""
    own: Pictures
    """What this network makes of them."""
    names: Sequence[str]
    scores: Sequence[str]
    """How well, in few characters."""
    legend: Sequence[tuple[str, tuple[int, int, int]]] = ()
    """Classes and their colours."""


Batch = tuple[Tensor, ...]
"""Tensors on the device of the network; only the task knows what they mean."""


class Gathers(Protocol):
    """Sees what a network does with a split; built anew for each pass."""

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take one batch in; the caller sets evaluation mode, precision and no gradients.

        Batches come in the order of the pictures.
        """


class Evaluation(Gathers, Protocol):
    """Gathers scores over a split."""

    def row(self) -> dict[str, float | None]:
        """Scores for a row of metrics.csv, each named `val_*`; `val_loss` is one of them."""


class Report(Gathers, Protocol):
    """Gathers all that is said of a network on a split: `netlab eval`.

    `netlab.tasks.report.BaseReport` has the usual methods.
    """

    split: str

    @property
    def data(self) -> PictureSet:
        """What is scored."""

    def result(self) -> dict[str, Any]:
        """The JSON document of `netlab eval`."""

    def table(self, width: int | None = None) -> list[str]:
        """The scores as lines of text; `width` is that of the terminal, in characters."""

    def rows(self) -> list[dict[str, Any]]:
        """A row for each picture, for `--csv`."""

    def figure(self, title: str) -> Image.Image:
        """Pictures of what the network did."""

    def outcome(self) -> NDArray[Any]:
        """What the network made of the pictures, a row for each."""

    def measures(self) -> list[Measure]:
        """What runs are compared by; the first is the score."""

    def resampled(self, draws: NDArray[np.int64]) -> NDArray[np.float64]:
        """The score of resamples of the pictures, (R,); draws (R, N) say how often each is in."""

    def by_rank(self) -> NDArray[np.float64]:
        """How well each picture went, (N,), more is better; for choosing pictures to show."""

    def shown(self, indices: NDArray[np.int64]) -> Shown | None:
        """What the network made of some pictures; None where that is no picture."""

    def headlines(self) -> list[Headline]:
        """The scores that its page begins with."""

    def confusion(self) -> Section | None:
        """Which classes are taken for which, as a part of its page; None without a matrix."""

    def sections(self) -> list[Section]:
        """The parts of its page."""
