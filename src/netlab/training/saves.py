"""When the state of a training is saved, what that costs, and the way back to it."""

import contextlib
import time
from collections.abc import Iterator

from netlab.components import fault_of
from netlab.config import TrainConfig
from netlab.errors import Interrupted, NetlabError, WorkFailed
from netlab.files import write_text
from netlab.runs.folder import RunDir
from netlab.training.listener import Listener
from netlab.training.loop import NotFinite
from netlab.training.state import State

_LEAST_FACTOR = 1 / 64  # on the learning rate: six rollbacks


class Saves:
    """Saves a state into its run folder.

    Args:
        state: what is trained.
        run: its folder.
        config: of the run; `save_every` says how often within an epoch.
    """

    def __init__(self, state: State, run: RunDir, config: TrainConfig) -> None:
        self.state, self.run, self.config = state, run, config
        self.started = self.last = time.monotonic()
        self.seconds = 0.0
        """Spent on saving."""

    def save(self) -> None:
        """Save now."""
        before = time.monotonic()
        self.state.save(self.run, self.config)
        self.last = time.monotonic()
        self.seconds += self.last - before

    def if_due(self) -> None:
        """Save if the last time is `save_every` seconds ago."""
        if time.monotonic() - self.last >= self.config.save_every:
            self.save()

    def go_back(self, error: NotFinite, listener: Listener) -> None:
        """Take up the saved state with half its learning rate.

        Raises:
            NotFinite: it has been halved too often.
        """
        for text in self.state.restore(self.run, self.config):
            listener.message(text)
        progress = self.state.progress
        if progress.rate_factor / 2 < _LEAST_FACTOR:
            raise error
        progress.rate_factor /= 2
        self.save()
        listener.message(
            f"rolled back: {error.what}; going on from epoch {progress.epoch + 1}, "
            f"batch {progress.batch + 1} at {progress.rate_factor:g} of the learning rate"
        )

    def cost(self) -> str:
        """What saving has cost, in words."""
        share = self.seconds / max(time.monotonic() - self.started, 1e-9)
        return f"saving the state took {100 * share:.2g} % of the time"


@contextlib.contextmanager
def failure_noted(run: RunDir) -> Iterator[None]:
    """Leave the reason in the run's folder if the training in here fails; forget an older one.

    A kill or an interrupt leaves nothing: `runs.summary` tells a failed run from a stopped one so.
    """
    run.failure.unlink(missing_ok=True)
    try:
        yield
    except Interrupted:
        raise
    except Exception as error:
        fault = fault_of(error)
        reason = " ".join(str(fault or error).split()) or type(error).__name__
        with contextlib.suppress(NetlabError):  # the disk may be full: the error itself is told
            write_text(run.failure, f"{reason}\n")
        if fault:
            raise WorkFailed(reason) from error
        raise
