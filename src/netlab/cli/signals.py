"""Ctrl-C and SIGTERM as a wish to stop at the next batch."""

import os
import signal
from types import FrameType
from typing import Any


class StopSignal:
    """True once the user wants to stop; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.asked = False
        self.view_is_up = False
        """Whether a live view says so; a line written into its middle would tear it."""
        self.handlers_before: dict[int, Any] = {}

    def __enter__(self) -> "StopSignal":
        for number in (signal.SIGINT, signal.SIGTERM):
            self.handlers_before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.handlers_before.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        """Whether the user wants to stop."""
        return self.asked

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        if not self.view_is_up:
            # A handler may run in the middle of a print: write past Python's buffers.
            os.write(2, b"stopping at the next batch; once more to stop at once\n")
