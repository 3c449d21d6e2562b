"""Linear warm-up, then half a cosine down to zero (Loshchilov and Hutter 2017)."""

import math

from netlab.registry import register


@register("schedule")
def cosine(step: int, *, steps: int, warmup: int) -> float:
    """Share of the peak rate (Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts).

    >>> [round(cosine(s, steps=6, warmup=2), 3) for s in range(6)]
    [0.5, 1.0, 0.962, 0.75, 0.402, 0.117]
    """
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup + 0.5) / max(1, steps - warmup) if step > warmup else 0.0
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
