"""One cycle: a cosine up from a 25th of the peak, a cosine down to almost zero (Smith 2018)."""

import math

from netlab.registry import register

_START, _END = 1 / 25, 1e-4


@register("schedule")
def onecycle(step: int, *, steps: int, warmup: int) -> float:
    """Share of the peak rate (Smith and Topin, "Super-Convergence", 2018; two phases).

    >>> [round(onecycle(s, steps=5, warmup=2), 3) for s in range(5)]
    [0.04, 0.52, 1.0, 0.5, 0.0]
    """
    if step < warmup:
        return _between(_START, 1.0, step / warmup)
    return _between(1.0, _END, (step - warmup) / max(1, steps - 1 - warmup))


def _between(first: float, last: float, share: float) -> float:
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
