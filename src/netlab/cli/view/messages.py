"""What any command says on stderr: lines, and a progress bar on a terminal."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_BUFFER = 2**16  # bytes


def note(text: str) -> None:
    """Write one line on stderr."""
    print(text, file=sys.stderr)


def stderr_console() -> "Console":
    """The console that messages and progress go to."""
    from rich.console import Console

    error = sys.stderr
    if error is None or not error.isatty():
        # FORCE_COLOR, which many set for their logs, would make rich take a pipe for a terminal.
        return Console(stderr=True, highlight=False, force_terminal=False)
    # With PYTHONUNBUFFERED, Python's own stderr loses the rest of a write that a signal cuts off.
    file = os.fdopen(
        error.fileno(),
        "w",
        _BUFFER,
        encoding=error.encoding,
        errors=error.errors or "backslashreplace",
        closefd=False,
    )
    return Console(file=file, highlight=False)


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[], None]]:
    """Give a function that counts one more of `total` as done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal or total < 2:
        yield lambda: None
        return
    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
    # Redirected, stdout would go to stderr while the bar is up.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("", total=total)
        yield lambda: progress.advance(task)
