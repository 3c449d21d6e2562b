"""The peak rate from the first step to the last; no warm-up."""

from netlab.registry import register


@register("schedule")
def constant(step: int, *, steps: int, warmup: int) -> float:  # noqa: ARG001
    """Always 1.

    >>> constant(5, steps=10, warmup=2)
    1.0
    """
    return 1.0
