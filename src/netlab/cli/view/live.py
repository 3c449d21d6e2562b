"""The live view of a training: two bars, the curves so far, and perhaps a sample."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.text import Text

from netlab.cli.view.plot import Series, plot
from netlab.cli.view.preview import Sample, draw_sample, newest_sample
from netlab.cli.view.text import clean, duration
from netlab.contracts.score import Score

_ROWS, _COLUMNS = 8, 60  # of a plot, at most
_NARROW = 56  # columns; below, the score has no plot of its own
_LONGEST, _SHORTEST = 40, 8  # columns of a bar
_MESSAGES = 2  # lines of the terminal that stay free for messages above the view
_SAMPLE = 16  # lines, at most
_LOOKED_BACK = 3  # epochs


class TimeLeft:
    """How long a training still takes, by whole epochs on the clock: with validation and saving.

    Only epochs count that this process has seen from their first batch to the first batch of the
    next; before there is one, the rate of steps gives a guess.

    Args:
        epochs: of the whole run.
        clock: seconds.
    """

    def __init__(self, epochs: int, clock: Callable[[], float]) -> None:
        self.epochs, self.clock = epochs, clock
        self.whole: deque[float] = deque(maxlen=_LOOKED_BACK)
        self.epoch = -1
        self.began = 0.0
        self.saw_begin = False
        self.share = 0.0
        """Of the epoch's batches that are done."""
        self.unsaved = 0.0
        """Length of the newest epoch without its saving, for the moment in which that is all."""
        self.guess = 0.0
        """Seconds left, by the rate of steps."""

    def batch(self, epoch: int, done: int, total: int, guess: float) -> None:
        """A batch is done; `guess` is what all that are left take at the rate of this epoch."""
        now = self.clock()
        if epoch != self.epoch:
            if self.saw_begin and epoch == self.epoch + 1:
                self.whole.append(now - self.began)
            # The first batch itself is over by now; it is over in the next epoch, too.
            self.epoch, self.began, self.saw_begin = epoch, now, done == 1
        self.share, self.guess = done / total, guess

    def epoch_done(self) -> None:
        """Training and validation of an epoch are done; its saving is still to come."""
        if self.saw_begin:
            self.unsaved = self.clock() - self.began

    @property
    def seen(self) -> bool:
        """Whether there is anything to go by."""
        return self.epoch >= 0

    @property
    def measured(self) -> bool:
        """Whether a whole epoch has been seen."""
        return bool(self.whole or self.unsaved)

    def seconds(self) -> float:
        """To the end of the last epoch."""
        if not self.measured:
            return self.guess
        length = sum(self.whole) / len(self.whole) if self.whole else self.unsaved
        # By the clock; by the batches where they are slower than before.
        rest = max(length - (self.clock() - self.began), length * (1 - self.share))
        return max(self.epochs - self.epoch - 1, 0) * length + rest


class LiveView:
    """Drawn anew several times a second by rich's `Live`; `TerminalView` passes on what happens.

    Args:
        console: where it is shown; asked for its size each time.
        facts: of the plan, see `training.listener.Listener.plan`.
        time_left: knows the time that is left.
        stopping: whether the user has asked to stop.
        samples: the folder whose newest picture is shown; None for none.
    """

    def __init__(
        self,
        console: Console,
        facts: Mapping[str, Any],
        time_left: TimeLeft,
        stopping: Callable[[], bool] = lambda: False,
        samples: Path | None = None,
    ) -> None:
        self.console, self.facts, self.time_left, self.stopping = (
            console,
            facts,
            time_left,
            stopping,
        )
        self.samples = samples
        self.rows: list[Mapping[str, Any]] = list(facts.get("rows", ()))
        self.epoch, self.done = facts["first_epoch"], facts["first_batch"]
        self.total = facts["batches"]
        self.progress = ""
        self.sample: Sample | None = None
        self.sample_epoch: int | None = None
        self._cache: dict[str, tuple[Any, list[Text]]] = {}
        self._load_sample()

    def batch(self, epoch: int, done: int, total: int, loss: float, rate: float) -> None:
        """A step is done."""
        self.epoch, self.done, self.total = epoch, done, total
        self.progress = f"loss {loss:.4f}  {rate:.0f} images/s"

    def add(self, row: Mapping[str, Any], best: bool) -> None:
        """An epoch is done."""
        self.rows = [*self.rows, row]
        if best:
            self.sample_epoch = row["epoch"]
            self._load_sample()

    def __rich__(self) -> Group:
        """All that there is room for: bars first, then curves, then the sample."""
        width, height = self.console.width, self.console.height - _MESSAGES
        lines = self._bars(width)
        curves = self._cached(
            "curves", (len(self.rows), width, self._ascii), lambda: self._curves(width)
        )
        if len(lines) + len(curves) <= height:
            lines += curves
        room = min(height - len(lines) - 1, _SAMPLE)
        if self.sample is not None and room > 0:
            sample = self.sample
            key = (id(sample), width, room)
            drawn = self._cached("sample", key, lambda: draw_sample(sample, width, room))
            lines += [self._heading(sample, width), *drawn] if drawn else []
        for line in lines:
            line.no_wrap = True
        return Group(*lines)

    def _load_sample(self) -> None:
        if self.samples is not None:
            self.sample = newest_sample(self.samples) or self.sample

    def _cached(self, name: str, key: Any, make: Callable[[], list[Text]]) -> list[Text]:
        """What `make` gives, made anew only if the key is another: a view is drawn often."""
        if self._cache.get(name, (None, []))[0] != key:
            self._cache[name] = key, make()
        return self._cache[name][1]

    def _bars(self, width: int) -> list[Text]:
        epochs = self.facts["epochs"]
        steps = self.epoch * self.total + self.done
        share = steps / max(epochs * self.total, 1)
        about = "" if self.time_left.measured else "about "
        left = f"{about}{duration(self.time_left.seconds())} left" if self.time_left.seen else ""
        if self.stopping():
            left = "stopping at the next batch; Ctrl-C once more: at once"
        step = f"{self.done}/{self.total}  "
        status = f"{step}{self.progress if self.done < self.total else 'validation'}"
        names = [f"epoch {min(self.epoch + 1, epochs)}/{epochs}", f"run {100 * share:.0f} %"]
        first = max(map(len, names))
        room = min(width - first - 2 - max(len(status), len(left)), _LONGEST)
        if room < _SHORTEST:  # the status of the epoch is cut, the time that is left is not
            room = max(min(width - first - 2 - len(left), _SHORTEST), 0)
        bars = [_bar(s, room, ascii_only=self._ascii) for s in (self.done / self.total, share)]
        lines = []
        for name, bar, text in zip(names, bars, (status, left), strict=True):
            line = Text(f"{name:<{first}} ").append_text(bar).append(f" {text}")
            line.truncate(width)
            lines.append(line)
        return lines

    @property
    def _ascii(self) -> bool:
        return self.console.options.ascii_only

    def _curves(self, width: int) -> list[Text]:
        """Loss, and beside it the score if there is one and there is room."""
        if not self.rows:
            return []
        score: Score = self.facts["score"]
        both = not score.is_loss and width >= _NARROW
        wide = min((width - 3) // 2 if both else width, _COLUMNS)
        losses = [
            Series("train loss", self._column("train_loss"), "cyan", dotted=True),
            Series("val loss", self._column("val_loss"), "yellow"),
        ]
        drawn = plot(losses, wide, _ROWS, ascii_only=self._ascii)
        if not both:
            return drawn
        scores = [Series(score.label, self._column(score.column), "green")]
        right = plot(scores, wide, _ROWS, ascii_only=self._ascii)
        return _side_by_side(drawn, right, wide) if drawn and right else drawn or right

    def _column(self, name: str) -> list[float | None]:
        return [row.get(name) for row in self.rows]

    def _heading(self, sample: Sample, width: int) -> Text:
        epoch = "" if self.sample_epoch is None else f" of epoch {self.sample_epoch}"
        text = Text(f"sample{epoch}: {clean(', '.join(sample.names))}", "dim")
        text.truncate(width, overflow="ellipsis")
        return text


def _bar(share: float, width: int, *, ascii_only: bool) -> Text:
    done = round(min(max(share, 0.0), 1.0) * width)
    full, rest = ("#", "-") if ascii_only else ("━", "─")
    return Text(full * done, "green").append(rest * (width - done), "dim")


def _side_by_side(left: Sequence[Text], right: Sequence[Text], width: int) -> list[Text]:
    lines = []
    for a, b in zip(left, right, strict=True):
        line = a.copy()
        line.pad_right(width + 3 - line.cell_len)
        lines.append(line.append_text(b))
    return lines
