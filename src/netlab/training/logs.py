"""What a training writes beside its metrics for other programs: `events.jsonl`, TensorBoard.

Each of them is a listener (`training.listener`) that also hears how the training ends. A training
asks for them by its setting `log`.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from netlab import __version__
from netlab.config import TrainConfig
from netlab.errors import Interrupted, UsageError, WorkFailed
from netlab.files import finite, write_text
from netlab.runs.folder import RunDir
from netlab.training.listener import Listener, Listeners, Silent
from netlab.training.state import State


class Log(Listener, Protocol):
    """A listener that hears the end, too."""

    def ended(self, event: str, facts: Mapping[str, Any]) -> None:
        """Once, at the end: `ended`, `interrupted` or `failed`."""


def check_logs(config: TrainConfig) -> None:
    """Refuse a log whose package is not installed.

    Raises:
        UsageError: naming what to install.
    """
    if "tensorboard" in config.logs:
        _summary_writer()


@contextlib.contextmanager
def logged(
    listener: Listener, run: RunDir, config: TrainConfig, state: State
) -> Iterator[Listener]:
    """The listener of a training together with the logs that its config asks for.

    Args:
        listener: hears all that they hear.
        run: the folder they write into.
        config: of the run.
        state: restored; what an earlier session logged beyond it is taken back.

    Raises:
        UsageError: see `check_logs`.
        WorkFailed: a file that cannot be written.
    """
    logs = [_MAKERS[name](run, config, state) for name in config.logs]
    try:
        yield Listeners(listener, *logs) if logs else listener
    except BaseException as error:
        event = "interrupted" if isinstance(error, Interrupted | KeyboardInterrupt) else "failed"
        with contextlib.suppress(WorkFailed):  # the first error is the one to hear of
            _end(logs, event, {"reason": " ".join(str(error).split()) or type(error).__name__})
        raise
    _end(logs, "ended", {})


def _end(logs: list[Log], event: str, facts: Mapping[str, Any]) -> None:
    for log in logs:
        log.ended(event, facts)


class EventLog(Silent):
    """`events.jsonl`: an object a line, written as it happens, for `tail -f` and programs.

    Each has `event` (`started` or `resumed`, `message`, `epoch`, and at the end `ended`,
    `interrupted` or `failed`) and `time` (UTC, ISO 8601). An epoch holds its row of metrics.csv
    and whether it is the best so far; each epoch stands in the file once.

    Args:
        run, config, state: see `logged`.

    Raises:
        WorkFailed: the file cannot be read or written.
    """

    def __init__(self, run: RunDir, config: TrainConfig, state: State) -> None:
        self.path, self.config, self.state = run.events, config, state
        self.begun = state.progress.step > 0
        with _written(self.path):
            _take_back(self.path, state.progress.epoch)

    def message(self, text: str) -> None:
        """A line for what a person is told."""
        self._add("message", {"text": text})

    def plan(self, facts: Mapping[str, Any]) -> None:
        """The first line of a session, with the whole configuration."""
        settings = {"netlab": __version__, "config": self.config.to_dict()}
        plan = {name: value for name, value in facts.items() if name != "rows"}
        self._add("resumed" if self.begun else "started", {**settings, "plan": plan})

    def epoch(self, row: Mapping[str, Any], best: bool) -> None:
        """A line for an epoch."""
        self._add("epoch", {**row, "best": best})

    def ended(self, event: str, facts: Mapping[str, Any]) -> None:
        """The last line of a session: where the run stands, and its best epoch."""
        progress = self.state.progress
        best = progress.rows[progress.best_epoch - 1] if progress.best_epoch else None
        reached = {"epoch": progress.epoch, "batch": progress.batch, "step": progress.step}
        self._add(event, {**reached, "best": best, **facts})

    def _add(self, event: str, facts: Mapping[str, Any]) -> None:
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"event": event, "time": time, **finite(facts)}, allow_nan=False)
        with _written(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class TensorBoardLog(Silent):
    """Scalars by their names in metrics.csv, over epochs, and the sample of the best epoch.

    Args:
        run, config, state: see `logged`.

    Raises:
        UsageError: the package `tensorboard` is not installed.
    """

    def __init__(self, run: RunDir, config: TrainConfig, state: State) -> None:
        self.run, self.config = run, config
        # What an earlier session wrote of the epochs that are trained again is hidden.
        purge = state.progress.epoch + 1 if state.progress.step else None
        with _written(run.tensorboard):
            self.writer = _summary_writer()(str(run.tensorboard), purge_step=purge)

    def plan(self, facts: Mapping[str, Any]) -> None:  # noqa: ARG002 - the config says it all
        """The configuration as text."""
        lines = "".join(f"    {line}\n" for line in self.config.to_yaml().splitlines())
        self.writer.add_text("config", lines, 0)

    def epoch(self, row: Mapping[str, Any], best: bool) -> None:
        """A scalar for each number of a row."""
        number = row["epoch"]
        with _written(self.run.tensorboard):
            for name, value in row.items():
                if name != "epoch" and isinstance(value, int | float):
                    self.writer.add_scalar(name, value, number)
            sample = self.run.samples / "best.png"
            if best and sample.is_file():
                with Image.open(sample) as image:
                    pixels = np.asarray(image.convert("RGB"))
                self.writer.add_image("best", pixels, number, dataformats="HWC")
            self.writer.flush()

    def ended(self, event: str, facts: Mapping[str, Any]) -> None:  # noqa: ARG002 - TensorBoard knows no end
        """Write what is left."""
        with _written(self.run.tensorboard):
            self.writer.close()


_MAKERS: Mapping[str, Callable[[RunDir, TrainConfig, State], Log]] = {
    "events": EventLog,
    "tensorboard": TensorBoardLog,
}


def _summary_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError(
            "--log tensorboard needs the package tensorboard: pip install 'netlab[tensorboard]', "
            "or use --log events"
        ) from error
    return SummaryWriter


@contextlib.contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorkFailed(f"{path}: cannot be written ({error.strerror or error})") from error


def _take_back(path: Path, epoch: int) -> None:
    """Leave out lines that a killed process left half-written, and epochs to be trained again."""
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = text.splitlines(keepends=True)  # ASCII alone, as JSON is written
    kept = [line for line in lines if line.endswith("\n") and _stays(line, epoch)]
    if kept != lines:
        write_text(path, "".join(kept))


def _stays(line: str, epoch: int) -> bool:
    try:
        event = json.loads(line)
        return bool(event["event"] != "epoch" or event["epoch"] <= epoch)
    except (KeyError, TypeError, ValueError):
        return False
