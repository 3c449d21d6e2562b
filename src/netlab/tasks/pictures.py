"""Tasks whose networks turn a picture into another picture: scores, report and page of all of them.

A new one says its `score`, what a batch is and how good each picture is.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab.contracts.report import Batch, Headline, Html, Measure, Pictures, Section, Shown
from netlab.figures.grid import as_rgb, draw_stacks
from netlab.figures.html.gallery import Example, Group, gallery
from netlab.figures.html.images import picture_uri
from netlab.figures.html.table import score as digits
from netlab.figures.html.table import score_table
from netlab.tasks.base import BaseTask
from netlab.tasks.pixels import to_bytes
from netlab.tasks.sections import best_first, count_line, ranked, score_lines, score_row

_SHOWN = 6  # pictures in the figure


class PictureTask(BaseTask):
    """Networks that give pictures (B, C, H, W) in [0, 1] for pictures; see `BaseTask`.

    Any data set will do: what its pictures come with is not used. The score is the mean over the
    pictures; its key in results is its column without `val_`.
    """

    titles: ClassVar[tuple[str, str, str]] = ("Input", "Target", "Output")
    """What is fed in, what should come out, and what does, as headings of figures."""

    def network_arguments(self) -> dict[str, Any]:
        """Channels of the pictures that it makes."""
        return {"out_channels": self.channels}

    def quality(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The score of each picture, (B,).

        Args:
            outputs, targets: (B, C, H, W), float32.
        """
        raise NotImplementedError

    def baselines(self, inputs: Tensor) -> dict[str, Tensor]:
        """What trivial predictors make of the inputs, by their names; nothing is learnt."""
        return {"input": inputs}

    def facts(self) -> dict[str, Any]:
        """What a weights file must hold to use the network; pictures stay in [0, 1]."""
        facts = super().facts()
        return {**facts, "input": {**facts["input"], "mean": None, "std": None}}

    def evaluation(self) -> "PictureScores":
        """An empty score-keeper for validation."""
        return PictureScores(self)

    def report(
        self,
        data: Any,
        split: str,
        train: Callable[[], Any],  # noqa: ARG002
        **_: Any,
    ) -> "PictureReport":
        """The empty score-keeper of `netlab eval`; see `contracts.task.Task.report`."""
        return PictureReport(self, data, split)

    def sample_figure(
        self, network: nn.Module, data: Any, indices: NDArray[np.int64], batch: Batch, title: str
    ) -> Image.Image:
        """Input, target and output of the pictures at `indices`, a row each."""
        report = PictureReport(self, data, "")
        report.update(network, batch)
        captions = report.captions(np.arange(len(indices)), [data.names[i] for i in indices])
        return report.rows_of_pictures(np.arange(len(indices)), captions, title)


class PictureScores:
    """Loss and score over a split (see `contracts.report.Evaluation`)."""

    def __init__(self, task: PictureTask) -> None:
        self.task = task
        self.sums: dict[str, float] = {}
        self.pictures = 0

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take one batch in."""
        inputs, targets = batch
        outputs = network(inputs)
        loss = self.task.criterion(outputs, targets)
        quality = self.task.quality(outputs.float(), targets).mean()
        named = {"val_loss": loss.total, self.task.score.column: quality}
        named |= {f"val_{name}": term for name, term in loss.terms.items()}
        for name, value in named.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value) * len(inputs)
        self.pictures += len(inputs)

    def row(self) -> dict[str, float | None]:
        """Scores for a row of metrics.csv."""
        return {name: total / self.pictures for name, total in self.sums.items()}


class PictureReport:
    """Gathers what a network makes of every picture (see `contracts.report.Report`).

    Args:
        task: says how good each picture is.
        data: what is scored.
        split: its name.
    """

    def __init__(self, task: PictureTask, data: Any, split: str) -> None:
        self.task, self.data, self.split = task, data, split
        self.key = task.score.column.removeprefix("val_")
        self.pictures: list[tuple[Pictures, Pictures, Pictures]] = []
        self.quality: list[Tensor] = []
        self.trivial: dict[str, list[Tensor]] = {}
        self.seconds = 0.0

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take one batch in."""
        inputs, targets = batch
        started = time.perf_counter()
        outputs = network(inputs).float()
        shown = to_bytes(outputs)  # waits for the GPU
        self.seconds += time.perf_counter() - started
        self.pictures.append((to_bytes(inputs), to_bytes(targets), shown))
        self.quality.append(self.task.quality(outputs, targets).cpu())
        for name, guess in self.task.baselines(inputs).items():
            self.trivial.setdefault(name, []).append(self.task.quality(guess, targets).cpu())

    def result(self) -> dict[str, Any]:
        """The JSON document of `netlab eval`."""
        count = len(self.data)
        return {
            "split": self.split,
            "count": count,
            "dropped": len(self.data.dropped),
            self.key: _mean(self.quality),
            "baselines": {name: {self.key: _mean(parts)} for name, parts in self.trivial.items()},
            "images_per_second": round(count / max(self.seconds, 1e-9), 1),
        }

    def measures(self) -> list[Measure]:
        """What runs are compared by: the score."""
        score = self.task.score
        label = f"{score.label} ({score.unit})" if score.unit else score.label
        return [Measure(label, (self.key,), higher_is_better=score.higher_is_better)]

    def table(self, width: int | None = None) -> list[str]:
        """The score as lines of text, beside those of the trivial predictors."""
        result, columns = self.result(), ["network", *self.trivial]
        return [count_line(result), *score_lines(columns, [self._row(result)], width)]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each picture for `--csv`: name and score."""
        values = torch.cat(self.quality).tolist()
        return [
            {"name": name, self.key: round(value, 6) if math.isfinite(value) else ""}
            for name, value in zip(self.data.names, values, strict=True)
        ]

    def resampled(self, draws: NDArray[np.int64]) -> NDArray[np.float64]:
        """The score of resamples of the pictures: draws (R, N) to (R,)."""
        values = torch.cat(self.quality).double().numpy()
        scores: NDArray[np.float64] = draws @ values / draws.sum(axis=1)
        return scores

    def by_rank(self) -> NDArray[np.float64]:
        """The score of each picture, (N,), its sign such that more is better."""
        values: NDArray[np.float64] = torch.cat(self.quality).double().numpy()
        return values if self.task.score.higher_is_better else -values

    def outcome(self) -> Pictures:
        """What the network made of every picture, (N, H, W, C)."""
        return self._stacks()[2]

    def shown(self, indices: NDArray[np.int64]) -> Shown:
        """Input, target and output of some pictures."""
        inputs, targets, outputs = (as_rgb(stack[indices]) for stack in self._stacks())
        values = torch.cat(self.quality)[indices].tolist()
        return Shown(
            common=[(self.task.titles[0], inputs), (self.task.titles[1], targets)],
            own=outputs,
            names=[self.data.names[i] for i in indices],
            scores=[digits(value) for value in values],
        )

    def headlines(self) -> list[Headline]:
        """The score, beside that of the best trivial predictor."""
        result, measure = self.result(), self.measures()[0]
        values = {name: measure.of(scores) for name, scores in result["baselines"].items()}
        known = {name: value for name, value in values.items() if value is not None}
        sign = 1 if self.task.score.higher_is_better else -1
        best = max(known, key=lambda name: sign * known[name], default="")
        beside = f"{best.replace('_', ' ')}: {digits(known[best])}" if best else ""
        return [Headline(measure.label, digits(measure.of(result)), beside)]

    def confusion(self) -> None:
        """It takes no class for another."""

    def sections(self) -> list[Section]:
        """The score, and pictures from the best to the worst."""
        result = self.result()
        columns = ["network", *(name.replace("_", " ") for name in result["baselines"])]
        caption = f"{result['count']:,} pictures of {result['split']}"
        table = score_table(columns, [self._row(result)], caption)
        return [
            Section("scores", "Scores", table),
            Section("pictures", "Pictures", self._gallery()),
        ]

    def figure(self, title: str) -> Image.Image:
        """Pictures evenly spread from the best to the worst."""
        order = best_first(self.by_rank())
        places = np.unique(np.linspace(0, len(order) - 1, min(_SHOWN, len(order))).astype(np.int64))
        names = [self.data.names[i] for i in order[places]]
        return self.rows_of_pictures(order[places], self.captions(order[places], names), title)

    def captions(self, indices: NDArray[np.int64], names: Sequence[str]) -> list[str]:
        """Name and score of the pictures at `indices`."""
        values = torch.cat(self.quality)[indices].tolist()
        score = self.task.score
        return [f"{n} · {score.text(f'{v:.2f}')}" for n, v in zip(names, values, strict=True)]

    def rows_of_pictures(
        self, indices: NDArray[np.int64], captions: Sequence[str], title: str
    ) -> Image.Image:
        """A figure of input, target and output, a row for each picture."""
        stacks = [as_rgb(stack[indices]) for stack in self._stacks()]
        return draw_stacks(list(zip(self.task.titles, stacks, strict=True)), captions, title=title)

    def _row(self, result: Mapping[str, Any]) -> Any:
        measure = self.measures()[0]
        every = [result, *result["baselines"].values()]
        best: Any = "highest" if measure.higher_is_better else "lowest"
        return score_row(measure.label, every, *measure.keys, best=best)

    def _stacks(self) -> list[Pictures]:
        """Inputs, targets and outputs, each (N, H, W, C)."""
        return [np.concatenate(parts) for parts in zip(*self.pictures, strict=True)]

    def _gallery(self) -> Html:
        stacks = self._stacks()

        def example(index: int) -> Example:
            name = self.data.names[index]
            caption = self.captions(np.array([index]), [name])[0]
            return Example(name, [picture_uri(stack[index]) for stack in stacks], caption)

        groups = [
            Group(title, [example(int(i)) for i in places])
            for title, places in ranked(self.by_rank()).items()
        ]
        return gallery("pictures", self.task.titles, groups)


def _mean(parts: Sequence[Tensor]) -> float | None:
    """The mean over all pictures; None where it is no number that JSON has."""
    value = float(torch.cat(list(parts)).double().mean())
    return value if math.isfinite(value) else None
