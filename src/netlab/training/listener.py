"""What a training tells whoever started it; it never prints."""

from collections.abc import Mapping
from typing import Any, Protocol


class Listener(Protocol):
    """Hears how a training goes."""

    def message(self, text: str) -> None:
        """Something a person should know, in one line."""

    def plan(self, facts: Mapping[str, Any]) -> None:
        """What will be done, before it begins."""

    def batch(self, epoch: int, done: int, total: int, loss: float, rate: float) -> None:
        """A step of an epoch: `done` of `total`, mean loss so far, pictures per second."""

    def epoch(self, row: Mapping[str, Any], best: bool) -> None:
        """A finished epoch: its row of metrics.csv, and whether it is the best so far."""


class Listeners:
    """Several listeners as one; each hears everything, in this order."""

    def __init__(self, *listeners: Listener) -> None:
        self.listeners = listeners

    def message(self, text: str) -> None:
        """See `Listener`."""
        for listener in self.listeners:
            listener.message(text)

    def plan(self, facts: Mapping[str, Any]) -> None:
        """See `Listener`."""
        for listener in self.listeners:
            listener.plan(facts)

    def batch(self, epoch: int, done: int, total: int, loss: float, rate: float) -> None:
        """See `Listener`."""
        for listener in self.listeners:
            listener.batch(epoch, done, total, loss, rate)

    def epoch(self, row: Mapping[str, Any], best: bool) -> None:
        """See `Listener`."""
        for listener in self.listeners:
            listener.epoch(row, best)


class Silent:
    """A listener that says nothing."""

    def message(self, text: str) -> None:
        """Ignore."""

    def plan(self, facts: Mapping[str, Any]) -> None:
        """Ignore."""

    def batch(self, epoch: int, done: int, total: int, loss: float, rate: float) -> None:
        """Ignore."""

    def epoch(self, row: Mapping[str, Any], best: bool) -> None:
        """Ignore."""
