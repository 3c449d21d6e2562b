"""How long a training will still take."""

from collections import deque
from collections.abc import Callable

_LOOKED_BACK = 3  # epochs


class Pace:
    """Measures whole epochs by the clock on the wall: training, validation, saving and all.

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
        self.seen_begin = False
        self.share = 0.0
        """Of the epoch's batches that are done."""
        self.unsaved = 0.0
        """Length of the newest epoch without its saving, for the moment in which that is all."""
        self.guess = 0.0
        """Seconds left, by the rate of steps."""

    def batch(self, epoch: int, done: int, total: int, seconds: float) -> None:
        """A batch is done; `seconds` is what all that are left take at the rate of this epoch."""
        now = self.clock()
        if epoch != self.epoch:
            if self.seen_begin and epoch == self.epoch + 1:
                self.whole.append(now - self.began)
            # The first batch itself is over by now; it is over in the next epoch, too.
            self.epoch, self.began, self.seen_begin = epoch, now, done == 1
        self.share, self.guess = done / total, seconds

    def epoch_done(self) -> None:
        """Training and validation of an epoch are done; its saving is still to come."""
        if self.seen_begin:
            self.unsaved = self.clock() - self.began

    @property
    def seen(self) -> bool:
        """Whether there is anything to go by."""
        return self.epoch >= 0

    @property
    def measured(self) -> bool:
        """Whether a whole epoch has been seen."""
        return bool(self.whole or self.unsaved)

    def left(self) -> float:
        """Seconds to the end of the last epoch."""
        if not self.measured:
            return self.guess
        length = sum(self.whole) / len(self.whole) if self.whole else self.unsaved
        # By the clock; by the batches where they are slower than before.
        rest = max(length - (self.clock() - self.began), length * (1 - self.share))
        return max(self.epochs - self.epoch - 1, 0) * length + rest
