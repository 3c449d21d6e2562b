"""What can go wrong for a user, each kind with its exit code.

Domain code raises these with one clear line: what is wrong, where, what to do. Only the command
line turns them into output (`netlab.cli.main`).
"""

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    SOME_FAILED = 1
    BAD_INPUT = 2
    FAILED = 3
    INTERRUPTED = 130


class NetlabError(Exception):
    """Base of all errors that a user can cause and mend."""

    exit_code = ExitCode.BAD_INPUT


class UsageError(NetlabError):
    """An option, a combination of options, or an existing output that must not be touched."""


class ConfigError(NetlabError):
    """A setting that is unknown, of the wrong type or out of range."""


class UnknownComponent(NetlabError):
    """A component name that is not registered."""


class ComponentFault(NetlabError):
    """A component of another package that raised something else, or breaks its contract."""


class DataError(NetlabError):
    """A data folder or file that is missing, half present, damaged or inconsistent."""


class WeightsError(NetlabError):
    """A weights or state file that is damaged, too new or meant for something else."""


class PictureError(NetlabError):
    """One picture that cannot be read; in a batch it is skipped and reported."""


class WorkFailed(NetlabError):
    """Work that had begun and could not go on; what was saved before is intact."""

    exit_code = ExitCode.FAILED


class Interrupted(NetlabError):
    """Stopped by the user; the state is saved."""

    exit_code = ExitCode.INTERRUPTED


_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "alloc_failed",
)


def out_of_memory(error: Exception) -> bool:
    """Whether an error, of Python or of torch on any device, says that memory has run out."""
    return isinstance(error, MemoryError) or any(s in str(error).lower() for s in _NO_MEMORY)


def counted(count: int, what: str) -> str:
    """A number with its noun, for a message.

    >>> counted(1, "epoch"), counted(2, "epoch"), counted(3, "batch")
    ('1 epoch', '2 epochs', '3 batches')
    """
    ending = "" if count == 1 else "es" if what.endswith("tch") else "s"
    return f"{count} {what}{ending}"


def listing(names: Sequence[str], limit: int = 5) -> str:
    """Join names for a message, at most `limit` of them, with a count of the rest.

    >>> listing(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    shown = ", ".join(names[:limit])
    rest = len(names) - limit
    return f"{shown} and {rest} more" if rest > 0 else shown
