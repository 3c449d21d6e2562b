"""Tasks whose networks turn a picture into another picture: scores, report and page of all of them.

A new one says its `score`, what a batch is and how good each picture is.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab.contracts.dataset import PictureSet
from netlab.contracts.report import Batch, Headline, Html, Measure, Pictures, Section, Shown
from netlab.figures.grid import as_rgb, draw_stacks
from netlab.figures.html.gallery import Example, Group, gallery
from netlab.figures.html.images import picture_uri
from netlab.figures.html.table import score as digits
from netlab.tasks.base import BaseTask
from netlab.tasks.pixels import to_bytes
from netlab.tasks.report import BaseReport, Means, finite
from netlab.tasks.sections import best_first, ranked

_SHOWN = 6  # pictures in the figure


class PictureTask(BaseTask):
    """Networks that give pictures (B, C, H, W) in [0, 1] for pictures; see `BaseTask`.

    Any data set will do: what its pictures come with is not used. The score is the mean over the
    pictures; its key in results is its column without `val_`.
    """

    normalised: ClassVar[bool] = False
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


class PictureScores(Means):
    """Loss and score over a split (see `contracts.report.Evaluation`)."""

    def __init__(self, task: PictureTask) -> None:
        super().__init__()
        self.task = task

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take one batch in."""
        inputs, targets = batch
        outputs = network(inputs)
        loss = self.task.criterion(outputs, targets)
        quality = self.task.quality(outputs.float(), targets).mean()
        scores = {"loss": loss.total, self.task.score.column.removeprefix("val_"): quality}
        self.add(scores | loss.terms, len(inputs))


class PictureReport(BaseReport):
    """Gathers what a network makes of every picture (see `contracts.report.Report`).

    Args:
        task: says how good each picture is.
        data: what is scored.
        split: its name.
    """

    def __init__(self, task: PictureTask, data: PictureSet, split: str) -> None:
        super().__init__(data, split)
        self.task = task
        self.key = task.score.column.removeprefix("val_")
        self.pictures: list[tuple[Pictures, Pictures, Pictures]] = []
        self.quality: list[Tensor] = []
        self.trivial: dict[str, list[Tensor]] = {}

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

    def scores(self) -> dict[str, Any]:
        """See `BaseReport`."""
        return {
            self.key: finite(torch.cat(self.quality).double().mean()),
            "baselines": {
                name: {self.key: finite(torch.cat(quality).double().mean())}
                for name, quality in self.trivial.items()
            },
        }

    def score_rows(self) -> list[Measure]:
        """The score alone."""
        score = self.task.score
        label = f"{score.label} ({score.unit})" if score.unit else score.label
        return [Measure(label, (self.key,), higher_is_better=score.higher_is_better)]

    def score_by_picture(self) -> NDArray[np.float64]:
        """See `BaseReport`."""
        values: NDArray[np.float64] = torch.cat(self.quality).double().numpy()
        return values

    def rows(self) -> list[dict[str, Any]]:
        """A row for each picture for `--csv`: name and score."""
        values = torch.cat(self.quality).tolist()
        return [
            {"name": name, self.key: round(value, 6) if math.isfinite(value) else ""}
            for name, value in zip(self.data.names, values, strict=True)
        ]

    def by_rank(self) -> NDArray[np.float64]:
        """The score of each picture, (N,), its sign such that more is better."""
        values = self.score_by_picture()
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
        remark = f"{best.replace('_', ' ')}: {digits(known[best])}" if best else ""
        return [Headline(measure.label, digits(measure.of(result)), remark)]

    def sections(self) -> list[Section]:
        """The score, and pictures from the best to the worst."""
        return [self.scores_section(), Section("pictures", "Pictures", self._gallery())]

    def figure(self, title: str) -> Image.Image:
        """Pictures evenly spread from the best to the worst."""
        order = best_first(self.by_rank())
        spread = np.unique(np.linspace(0, len(order) - 1, min(_SHOWN, len(order))).astype(np.int64))
        names = [self.data.names[i] for i in order[spread]]
        return self.rows_of_pictures(order[spread], self.captions(order[spread], names), title)

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
            Group(title, [example(int(i)) for i in indices])
            for title, indices in ranked(self.by_rank()).items()
        ]
        return gallery("pictures", self.task.titles, groups)
