"""How the learning rate moves."""

from typing import Protocol


class Schedule(Protocol):
    """A component of the kind `schedule`: a pure function of the step.

    So nothing has to be stored to go on with a run.
    """

    def __call__(self, step: int, /, *, steps: int, warmup: int) -> float:
        """The share of the peak rate, in (0, 1], for a step.

        Args:
            step: 0 for the first step of the run.
            steps: all steps of the run.
            warmup: the first steps, in which the rate rises.
        """
