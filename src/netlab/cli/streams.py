"""stdin, stdout and stderr: closed ones, pipes that nobody reads, encodings with few characters."""

import codecs
import os
import sys
from pathlib import Path
from typing import TextIO

_SPELLED = {
    "…": "...",
    "×": "x",
    "→": "->",
    "±": "+-",
    "·": "-",
    "–": "-",
    "—": "-",
    "−": "-",
    "≤": "<=",
    "≥": ">=",
    "’": "'",
    "━": "#",
    "─": "-",
}
"""What stands for a character that a terminal's encoding lacks; others become `\\uXXXX`."""
_ESCAPED = "netlab.escaped"
_READABLE = "netlab.readable"
_RAW = "netlab.raw"


def prepare_streams(*, json: bool) -> None:
    """Let every command write whatever it has to say, wherever its streams lead.

    A closed stream is opened on nothing: Python leaves None in its place, and the next file that is
    opened would take its number. What an encoding cannot say is spelled or escaped.

    Args:
        json: stdout carries a document, in which only escapes keep the text.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            _hold(number, os.O_WRONLY if number else os.O_RDONLY)
            mode = "w" if number else "r"
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - stays open
            setattr(sys, name, stream)
    codecs.register_error(_ESCAPED, _escaped)
    codecs.register_error(_READABLE, _readable)
    codecs.register_error(_RAW, _raw)
    _use_errors(sys.stdout, _ESCAPED if json else _READABLE)
    _use_errors(sys.stderr, _READABLE)


def flush_streams() -> None:
    """Write what is left.

    Raises:
        BrokenPipeError: nobody reads it any more.
        OSError: it cannot be written, as on a full disk.
    """
    sys.stderr.flush()
    sys.stdout.flush()


def drop_output() -> None:
    """Forget what is left for a broken pipe; Python would complain once more when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _hold(number: int, flags: int) -> None:
    """Let the stream of this number, if it is closed, lead nowhere."""
    try:
        os.fstat(number)
    except OSError:
        descriptor = os.open(os.devnull, flags)
        if descriptor != number:
            os.dup2(descriptor, number)
            os.close(descriptor)


def _use_errors(stream: TextIO, errors: str) -> None:
    if errors == _READABLE and stream.errors == "surrogateescape":
        errors = _RAW
    if hasattr(stream, "reconfigure"):  # not so for what notebooks put in place of a stream
        stream.reconfigure(errors=errors)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    r"""`\uXXXX` for each character, two of them beyond the first 65,536: as JSON reads them."""
    text = _unencodable(error)
    units = text.encode("utf-16-be", "surrogatepass")
    codes = (units[i : i + 2].hex() for i in range(0, len(units), 2))
    return "".join(f"\\u{code}" for code in codes), error.end  # type: ignore[attr-defined]


def _readable(error: UnicodeError) -> tuple[str, int]:
    text = _unencodable(error)
    spelled = (_SPELLED.get(c) or c.encode("ascii", "backslashreplace").decode() for c in text)
    return "".join(spelled), error.end  # type: ignore[attr-defined]


def _raw(error: UnicodeError) -> tuple[str | bytes, int]:
    """As Python does where it knows no encoding: names of files go out as they came in."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return _readable(error)


def _unencodable(error: UnicodeError) -> str:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return error.object[error.start : error.end]
