"""The one number that a run is judged by; nothing here imports torch."""

from collections.abc import Container, Mapping
from typing import Any, NamedTuple


class Score(NamedTuple):
    """What a task's networks are judged by after each epoch; best.safetensors is the best epoch."""

    column: str
    """Of metrics.csv: `val_miou`."""
    label: str
    """What people call it: `mIoU`."""
    unit: str = ""
    """Such as `dB`; empty for shares and for numbers without one."""
    higher_is_better: bool = True

    def better(self, value: float, than: float | None) -> bool:
        """Whether a value beats another one; any value beats none."""
        return than is None or (value > than if self.higher_is_better else value < than)

    @property
    def is_loss(self) -> bool:
        """Whether it is the loss itself, which is shown in any case."""
        return self.column == "val_loss"

    def text(self, number: str) -> str:
        """Its name, a number and the unit: `mIoU 0.7312`, `PSNR 31.2040 dB`."""
        return f"{self.label} {number} {self.unit}".rstrip()


def read_score(written: Mapping[str, Any] | None) -> Score | None:
    """A score as a file holds it; None where it holds none, or one that is damaged."""
    try:
        score = Score(**written) if written else None
    except TypeError:
        return None
    if score is None or not isinstance(score.column, str) or not isinstance(score.label, str):
        return None
    return score


_FORMER = (
    Score("val_miou", "mIoU"),
    Score("val_accuracy", "accuracy"),
    Score("val_loss", "val loss", higher_is_better=False),
)


def former_score(columns: Container[str]) -> Score | None:
    """The score of files that are older than the word, by the columns of metrics.csv that are
    there; None where there is none of them.
    """
    return next((score for score in _FORMER if score.column in columns), None)
