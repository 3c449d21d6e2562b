"""How a training looks to a person: live on a terminal, one line an epoch in a pipe."""

import math
import textwrap
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from netlab.cli.signals import StopSignal
from netlab.cli.view.live import LiveView, TimeLeft
from netlab.cli.view.messages import stderr_console
from netlab.cli.view.text import clean, duration
from netlab.contracts.score import Score
from netlab.errors import counted
from netlab.runs.folder import RunDir

if TYPE_CHECKING:
    from rich.live import Live

_FIRST_GUESS = 8  # batches; the first are slower than the rest
_LONG = 2 * 3600
_REPEATED = 200  # lines, after the terminal's width has changed


class TerminalView:
    """Writes to stderr, and every line to the run's log.

    Args:
        log: file that lines are appended to; None keeps them until `log_to`.
        preview: show the newest sample of the run as well.
        stop: what Ctrl-C asks for; the live view then says so.
        console: where to write, instead of stderr.
        clock: seconds.
    """

    def __init__(
        self,
        log: Path | None,
        *,
        preview: bool = False,
        stop: StopSignal | None = None,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.console = console or stderr_console()
        self.log, self.preview, self.clock = log, preview, clock
        self.stop = stop or StopSignal()
        self.unlogged: list[str] = []
        self.on_screen: deque[str] = deque(maxlen=_REPEATED)
        self.facts: Mapping[str, Any] = {}
        self.time_is_known = False
        self.batches = 0
        self.time_left = TimeLeft(0, clock)
        self.view: LiveView | None = None
        self.live: Live | None = None
        self.width = 0

    def __enter__(self) -> "TerminalView":
        return self

    def __exit__(self, *_: object) -> None:
        self._hide()

    def message(self, text: str) -> None:
        """Say one line."""
        self._write(text, text)

    def log_to(self, log: Path) -> None:
        """Append all lines so far, and from now on every line, to a file."""
        self.log = log
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(f"{line}\n" for line in self.unlogged)
        self.unlogged = []

    def plan(self, facts: Mapping[str, Any]) -> None:
        """Say what will be done."""
        self.facts, self.time_left = facts, TimeLeft(facts["epochs"], self.clock)
        self.message(
            f"{facts['network']}, {facts['weights']:,} weights, loss {facts['loss']}; "
            f"{facts['data']}: {facts['train']:,} to train, {facts['val']:,} to validate"
        )
        self.message(
            f"{counted(facts['epochs'], 'epoch')} of {counted(facts['batches'], 'batch')} "
            f"of {facts['batch_size']} on {facts['machine']}"
        )
        if facts["first_epoch"] >= facts["epochs"]:
            self.message("all epochs are done; more with --epochs N")
        elif facts["first_epoch"] or facts["first_batch"]:
            self.message(
                f"going on at epoch {facts['first_epoch'] + 1}, batch {facts['first_batch'] + 1}"
            )
        if self.preview and self._no_preview:
            self.message(f"no preview: {self._no_preview}")
        if self._animated:
            samples = None
            if self.preview and not self._no_preview and self.log is not None:
                samples = RunDir(self.log.parent).samples
            self.view = LiveView(
                self.console, facts, self.time_left, lambda: self.stop.asked, samples
            )
            self._show()

    def batch(self, epoch: int, done: int, total: int, loss: float, rate: float) -> None:
        """Move the bars; after the first batches say how long it will take."""
        self.batches += 1
        left = ((self.facts["epochs"] - epoch) * total - done) * self.facts["batch_size"] / rate
        self.time_left.batch(epoch, done, total, left)
        if not self.time_is_known and self.batches >= min(_FIRST_GUESS, total):
            self.time_is_known = True
            hint = ""
            if left > _LONG:
                hint = "; --preset quick, a smaller --width or --stem 2 are quicker"
            self.message(f"about {duration(left)} at {rate:.0f} images/s{hint}")
        if self.view is not None:
            self.view.batch(epoch, done, total, loss, rate)
            if self.console.width != self.width:
                self._redraw()

    def epoch(self, row: Mapping[str, Any], best: bool) -> None:
        """Say how the epoch went."""
        self.time_left.epoch_done()
        score: Score = self.facts["score"]
        parts = [
            f"epoch {row['epoch']}/{self.facts['epochs']}",
            f"train loss {row['train_loss']:.4f}",
            f"val loss {row['val_loss']:.4f}",
        ]
        if not score.is_loss:
            parts.append(score.text(f"{row[score.column]:.4f}"))
        parts[-1] += " *" * best
        time_taken = duration(row["seconds"])
        whole = "  ".join([*parts, f"{row['images_per_second']:.0f} images/s", time_taken])
        short = "  ".join([*parts, time_taken])
        narrow = self.console.is_terminal and len(whole) > self.console.width
        self._write(whole, short if narrow else whole)
        if self.view is not None:
            self.view.add(row, best)

    @property
    def _animated(self) -> bool:
        console = self.console
        return console.is_terminal and not console.is_dumb_terminal and not console.is_jupyter

    @property
    def _no_preview(self) -> str:
        """Why no sample can be shown here; empty if one can."""
        if not self._animated or self.console.color_system not in ("256", "truecolor", "windows"):
            return "it needs a terminal with 256 colours or more"
        return "NO_COLOR is set" if self.console.no_color else ""

    def _write(self, text: str, short: str) -> None:
        """Put `text` into the log, and `short` on the screen."""
        self.unlogged.append(clean(text))
        self.on_screen.append(clean(short))
        self._print(self.on_screen[-1])
        if self.log is not None:
            self.log_to(self.log)

    def _print(self, text: str) -> None:
        if self.console.is_terminal:
            # In lines between words; a path that is longer than a line stays whole, for copying.
            width = self.console.width
            text = textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)
        self.console.print(Text(text), soft_wrap=True)

    def _show(self) -> None:
        from rich.live import Live

        self.width = self.console.width
        self.stop.view_is_up = True
        # Redirected, stdout would go to stderr while the view is up.
        self.live = Live(
            self.view,
            console=self.console,
            transient=True,
            redirect_stdout=False,
            refresh_per_second=2 if self.preview else 4,  # a sample is kilobytes of colours
        )
        self.live.start(refresh=True)

    def _hide(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None
        self.stop.view_is_up = False

    def _redraw(self) -> None:
        """Start afresh on a terminal of another width, which has broken the lines of the view."""
        self._hide()
        self.console.clear()
        for text in self._newest_lines():
            self._print(text)
        self._show()

    def _newest_lines(self) -> list[str]:
        """The newest lines, as many as there is room for; older ones stand above the screen."""
        lines: list[str] = []
        room = self.console.height
        for text in reversed(self.on_screen):
            room -= max(1, math.ceil(len(text) / self.console.width))
            if room < 0:
                break
            lines.insert(0, text)
        return lines
