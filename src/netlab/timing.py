"""Which arithmetic and how many threads are quickest here: found by trying them.

What is printed on a processor does not tell. Some have instructions for bf16 with which a training
is four times slower than in fp32; and beside another busy process, one thread can be quicker than
two that wait for each other at the end of every layer.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from netlab.device import Machine, cpu_has_bf16, resolve
from netlab.errors import counted, out_of_memory

MOST_SECONDS = 2.5
"""For a measurement; the step that is under way when they end is finished, so that it takes less
than 4 s in all."""
MOST_SHARE = 0.05
"""For a measurement, of the time that the work itself will take."""
_FEW = 2  # pictures; of one alone, batch norm has no statistics
_ROUNDS = 10
_HOPELESS = 2.0  # times the quickest; such a machine is not tried again


class Pace(NamedTuple):
    """What a machine has been measured to do."""

    machine: Machine
    images_per_second: float


def machines_to_try(device: str, precision: str, threads: int) -> list[Machine]:
    """The pairs of precision and threads that may be the quickest, among what is left open.

    The first is the one to take where there is no time to try. On a CPU: fp32, and bf16 where it
    has the instructions; with all cores, one, and from four on half of them, as two that share
    their arithmetic count as two. On a GPU: bf16, or fp16 where it has no bf16, and fp32.

    Args:
        device, precision, threads: as for `resolve`; `auto` and 0 leave it open.

    Raises:
        UsageError: see `resolve`.
    """
    usual = resolve(device, precision, threads)
    precisions, counts = [usual.precision], [usual.threads]
    if precision == "auto" and usual.device.type == "cuda":
        precisions.append("fp32")
    if precision == "auto" and usual.device.type == "cpu":
        precisions = ["fp32", "bf16"] if cpu_has_bf16() else ["fp32"]
    if not threads and usual.device.type == "cpu":
        cores = usual.threads
        counts = list(dict.fromkeys([cores, *([cores // 2] if cores >= 4 else []), 1]))
    return [Machine(usual.device, name, count) for name in precisions for count in counts]


def measure(
    machines: Sequence[Machine],
    step: Callable[[Machine, int], None],
    *,
    batch_size: int,
    images: int,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Pace]:
    """Let machines do the same steps in turn, and say how many pictures a second each does.

    First steps on the first machine tell how long the work will take. Measuring may take
    `MOST_SHARE` of that, and at most `MOST_SECONDS`. There is to be time for three steps on each
    machine: their pictures are made fewer for that, then the machines, and where not two of them
    can be compared, nothing is measured. The median of a machine's steps counts, without those that
    set it up. One that is hopelessly slow, or out of memory, is not tried again.

    Changes the number of CPU threads: call `resolve` afterwards.

    Args:
        machines: see `machines_to_try`; the likeliest first.
        step: does the work for so many pictures on a machine.
        batch_size: the most pictures a step.
        images: pictures of the work as a whole.
        clock: seconds.

    Returns:
        The machines that were timed, the quickest first; none where the work is too short.
    """

    def seconds(machine: Machine, count: int) -> float:
        """Of a step, for each of its pictures."""
        machine.use_threads()
        started = clock()
        try:
            step(machine, count)
            machine.synchronize()
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            return math.inf
        return max(clock() - started, 1e-9) / count  # a clock may be coarse

    few = min(_FEW, batch_size)
    seconds(machines[0], few)  # sets up what the work needs in any case
    started = clock()
    each = seconds(machines[0], few)
    most = min(MOST_SECONDS, MOST_SHARE * each * images)
    if (more := min(batch_size, int(most / 8 / each))) > few:
        seconds(machines[0], more)
        each = min(each, seconds(machines[0], more))  # a few pictures take nearly as long as many
    end = started + min(MOST_SECONDS, MOST_SHARE * each * images)
    affordable = max(0, int((end - clock()) / (3 * each)))  # pictures, if each is seen thrice
    machines = machines[: affordable // few]
    if len(machines) < 2:
        return []
    count = min(batch_size, affordable // len(machines))

    times: dict[Machine, list[float]] = {}
    left = []
    for machine in machines:
        if clock() >= end:
            break
        spent = seconds(machine, few)  # sets it up as well
        if clock() + few * spent < end:
            spent = seconds(machine, few)
        times[machine] = [spent]
        if clock() + 2 * count * spent < end:
            seconds(machine, count)  # other sizes are set up anew
            times[machine] = [seconds(machine, count)]
            left.append(machine)
    medians = {machine: statistics.median(spans) for machine, spans in times.items()}
    for _ in range(_ROUNDS):
        most = _HOPELESS * min(medians.values())
        left = [machine for machine in left if medians[machine] <= most]
        for machine in left:
            if len(left) > 1 and clock() + count * medians[machine] < end:
                times[machine].append(seconds(machine, count))
                medians[machine] = statistics.median(times[machine])
    paces = [Pace(machine, 1 / median) for machine, median in medians.items()]
    return sorted((p for p in paces if p.images_per_second), key=lambda p: -p.images_per_second)


def measured_line(paces: Sequence[Pace], precision: str, threads: int) -> str:
    """What was measured, in one line: the quickest, the others, and how to choose otherwise.

    Args:
        paces: the quickest first.
        precision, threads: what was asked for; `auto` and 0 were left open.
    """
    names_threads = not threads and paces[0].machine.device.type == "cpu"
    flags = ["--precision"] * (precision == "auto") + ["--threads"] * names_threads

    def name(machine: Machine, separator: str) -> str:
        words = [machine.precision] if precision == "auto" or not names_threads else []
        words += [counted(machine.threads, "thread")] * names_threads
        return separator.join(words)

    quickest, *others = paces
    slower = "; ".join(f"{name(pace.machine, ', ')}: {_number(pace)}" for pace in others)
    return (
        f"measured: {name(quickest.machine, ' with ')} {_number(quickest)} images/s"
        f"{f' ({slower})' if slower else ''}; "
        f"{' and '.join(flags)} choose{'s' * (len(flags) == 1)} otherwise"
    )


def _number(pace: Pace) -> str:
    speed = pace.images_per_second
    return f"{speed:.0f}" if speed >= 10 else f"{speed:.2g}"
