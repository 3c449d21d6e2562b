"""What reports and score-keepers usually do: their tables follow from one list of scores."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from netlab.contracts.dataset import PictureSet
from netlab.contracts.report import Measure, Section, Shown
from netlab.device import read_together
from netlab.errors import counted
from netlab.figures.html.markup import join
from netlab.figures.html.page import paragraph
from netlab.figures.html.table import ScoreRow, score, score_table
from netlab.figures.text_table import text_table

_BEST: Mapping[bool | None, Literal["highest", "lowest"] | None] = {
    True: "highest",
    False: "lowest",
    None: None,
}


def finite(value: float | Tensor) -> float | None:
    """A number that JSON has; None where there was nothing to measure."""
    number = float(value)
    return number if math.isfinite(number) else None


class Means:
    """Means over pictures of what is known as means over batches."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.pictures = 0

    def add(self, values: Mapping[str, Tensor], pictures: int) -> None:
        """Take in the means of a batch of so many pictures; waits for the GPU, once."""
        numbers = read_together([*values.values()])
        for name, number in zip(values, numbers, strict=True):
            self.sums[name] = self.sums.get(name, 0.0) + number * pictures
        self.pictures += pictures

    def row(self) -> dict[str, float | None]:
        """The means for a row of metrics.csv, each as `val_NAME`."""
        return {f"val_{name}": total / self.pictures for name, total in self.sums.items()}


class BaseReport:
    """The usual methods of a report (`netlab.contracts.report.Report`).

    A report derives from it, gathers with `update`, and says its `scores` and `score_rows`.

    Args:
        data: what is scored.
        split: its name.
    """

    def __init__(self, data: PictureSet, split: str) -> None:
        self.data, self.split = data, split
        self.seconds = 0.0
        """Spent in the network, for its pictures per second."""

    # What a new report says of itself.

    def scores(self) -> dict[str, Any]:
        """What the JSON document holds between counts and speed; `baselines` holds the scores of
        trivial predictors by their names, under the same keys."""
        raise NotImplementedError

    def score_rows(self) -> list[Measure]:
        """The rows of its tables; a label that begins with two spaces belongs to the row above."""
        raise NotImplementedError

    def score_by_picture(self) -> NDArray[np.float64]:
        """The score of each picture, (N,); their mean is the score of all."""
        raise NotImplementedError

    # What follows from that.

    def result(self) -> dict[str, Any]:
        """The JSON document of `netlab eval`; see the contract of its keys in the README."""
        return self._result

    @cached_property
    def _result(self) -> dict[str, Any]:
        count = len(self.data)
        return {
            "split": self.split,
            "count": count,
            "dropped": len(self.data.dropped),
            **self.scores(),
            "images_per_second": round(count / max(self.seconds, 1e-9), 1),
        }

    def measures(self) -> list[Measure]:
        """What runs are compared by, the score first: all rows, unless it says otherwise."""
        return [row._replace(label=row.label.strip()) for row in self.score_rows()]

    def resampled(self, draws: NDArray[np.int64]) -> NDArray[np.float64]:
        """The score of resamples of the pictures: draws (R, N) to (R,)."""
        with np.errstate(invalid="ignore"):  # a diverged network has infinite scores
            scores: NDArray[np.float64] = draws @ self.score_by_picture() / draws.sum(axis=1)
        return scores

    def table(self, width: int | None = None) -> list[str]:
        """The scores as lines of text, beside those of the trivial predictors."""
        result = self.result()
        about = (
            f"{counted(result['count'], 'picture')} of {result['split']}, "
            f"{result['dropped']} dropped, {result['images_per_second']:.0f} images/s"
        )
        names = ["network", *(name.replace("_", " ") for name in result["baselines"])]
        cells = [[row.label, *map(score, row.values)] for row in self._valued_rows()]
        return [about, *text_table(cells, ["", *names], width=width)]

    def scores_section(
        self, remark: str = "", *, columns: Sequence[str] | None = None, caption: str = ""
    ) -> Section:
        """The scores as a part of its page.

        Args:
            remark: a paragraph below the table.
            columns: names of the baselines; without them, those of the JSON document.
            caption: more to say of the pictures.
        """
        result = self.result()
        columns = columns or [name.replace("_", " ") for name in result["baselines"]]
        caption = f"{result['count']:,} pictures of {result['split']}{caption}"
        table = score_table(["network", *columns], self._valued_rows(), caption)
        return Section("scores", "Scores", join(table, paragraph(remark)) if remark else table)

    def _valued_rows(self) -> list[ScoreRow]:
        results = [self.result(), *self.result()["baselines"].values()]
        return [
            ScoreRow(row.label, [row.of(r) for r in results], _BEST[row.higher_is_better])
            for row in self.score_rows()
        ]

    def shown(self, indices: NDArray[np.int64]) -> Shown | None:  # noqa: ARG002
        """What it makes of pictures is no picture."""
        return None

    def confusion(self) -> Section | None:
        """It takes no class for another."""
        return None
