"""How a training looks to a person: live on a terminal, one line an epoch in a pipe."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

_FIRST_GUESS = 8  # batches; the first are slower than the rest
_LONG = 2 * 3600
_SCORES = {"val_miou": "mIoU", "val_accuracy": "accuracy"}


class TerminalReport:
    """Writes to stderr, and every line to the run's log.

    Args:
        log: file that lines are appended to; None keeps them until `log_to`.
    """

    def __init__(self, log: Path | None) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.log = log
        self.said: list[str] = []
        self.facts: Mapping[str, Any] = {}
        self.started = time.perf_counter()
        self.told_time = False
        self.seen = 0
        self.bar: Progress | None = None
        self.task = TaskID(0)
        self.score = ""

    def __enter__(self) -> "TerminalReport":
        return self

    def __exit__(self, *_: Any) -> None:
        if self.bar is not None:
            self.bar.stop()

    def message(self, text: str) -> None:
        """Say one line."""
        self.console.print(text, markup=False)
        self.said.append(text)
        if self.log is not None:
            self.log_to(self.log)

    def log_to(self, log: Path) -> None:
        """Append what was said so far, and from now on all, to a file."""
        self.log = log
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(f"{line}\n" for line in self.said)
        self.said = []

    def plan(self, facts: Mapping[str, Any]) -> None:
        """Say what will be done."""
        self.facts, self.started = facts, time.perf_counter()
        self.message(
            f"{facts['network']}, {facts['weights']:,} weights, loss {facts['loss']}; "
            f"{facts['data']}: {facts['train']:,} to train, {facts['val']:,} to validate"
        )
        self.message(
            f"{facts['epochs']} epochs of {facts['batches']} batches of {facts['batch_size']} "
            f"on {facts['machine']}"
        )
        if facts["first_epoch"] >= facts["epochs"]:
            self.message("all epochs are done; more with --epochs N")
        elif facts["first_epoch"] or facts["first_batch"]:
            self.message(
                f"going on at epoch {facts['first_epoch'] + 1}, batch {facts['first_batch'] + 1}"
            )
        if self.console.is_terminal:
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.completed}/{task.total} {task.fields[info]}"),
                console=self.console,
                transient=True,
            )
            self.bar.start()
            self.task = self.bar.add_task("epoch", total=facts["batches"], info="")

    def batch(self, epoch: int, done: int, total: int, loss: float, rate: float) -> None:
        """Move the bar; after the first batches say how long it will take."""
        self.seen += 1
        left = ((self.facts["epochs"] - epoch) * total - done) * self.facts["batch_size"] / rate
        if not self.told_time and self.seen >= min(_FIRST_GUESS, total):
            self.told_time = True
            hint = ""
            if left > _LONG:
                hint = "; --preset quick, a smaller --width or --stem 2 are quicker"
            self.message(f"about {duration(left)} at {rate:.0f} images/s{hint}")
        if self.bar is not None:
            info = f"loss {loss:.4f}{self.score}  {rate:.0f} images/s  {duration(left)} left"
            self.bar.update(
                self.task,
                description=f"epoch {epoch + 1}/{self.facts['epochs']}",
                completed=done,
                info=info,
            )

    def epoch(self, row: Mapping[str, Any], best: bool) -> None:
        """Say how the epoch went."""
        shown = next((f"  {_SCORES[k]} {row[k]:.4f}" for k in _SCORES if k in row), "")
        self.score = shown
        self.message(
            f"epoch {row['epoch']}/{self.facts['epochs']}  train loss {row['train_loss']:.4f}  "
            f"val loss {row['val_loss']:.4f}{shown}{' *' if best else ''}  "
            f"{row['images_per_second']:.0f} images/s  {duration(row['seconds'])}"
        )


def duration(seconds: float) -> str:
    """A time for people: `45 s`, `12 min`, `2 h 05 min`.

    >>> duration(45), duration(720), duration(7500)
    ('45 s', '12 min', '2 h 05 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def note(text: str) -> None:
    """Say one line on stderr."""
    print(text, file=sys.stderr)
