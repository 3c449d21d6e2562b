"""Words for people that several commands share."""

import shutil
import sys

_NARROWEST = 40  # columns


def terminal_width() -> int | None:
    """Columns of the terminal that stdout is; None for a pipe or a file, which have no width."""
    if not sys.stdout.isatty():
        return None
    return max(shutil.get_terminal_size().columns, _NARROWEST)


def duration(seconds: float) -> str:
    """A time for people: `45 s`, `12 min`, `2 h 05 min`.

    >>> duration(45), duration(720), duration(7500)
    ('45 s', '12 min', '2 h 05 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def decimal(value: float) -> str:
    """A score or loss: four decimals, or one from 10 on.

    >>> decimal(0.73125), decimal(-2295.05)
    ('0.7312', '-2295.1')
    """
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"


def mebibytes(size: int) -> str:
    """A size for people.

    >>> mebibytes(900), mebibytes(52_000), mebibytes(3 * 2**20)
    ('900 bytes', '50.8 KiB', '3.0 MiB')
    """
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 2**10:.1f} KiB" if size < 1000 * 2**10 else f"{size / 2**20:,.1f} MiB"


def clean(text: str) -> str:
    """Text from a file or a name, without anything that a terminal would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
