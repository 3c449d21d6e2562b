"""`netlab`: the commands, and the one place where errors become a line and an exit code."""

import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

from netlab import __version__
from netlab.cli.compare import compare
from netlab.cli.download import download
from netlab.cli.evaluate import evaluate
from netlab.cli.info import info
from netlab.cli.list import list_components
from netlab.cli.predict_mask import predict_mask
from netlab.cli.runs import app as runs
from netlab.cli.streams import drop_output, flush_streams, prepare_streams
from netlab.cli.swap_label import swap_label
from netlab.cli.train import train
from netlab.components import fault_of
from netlab.errors import ComponentFault, ExitCode, NetlabError, out_of_memory

_STOPPED = "stopped"

app = typer.Typer(
    name="netlab",
    help="A lab for small encoder-decoder networks: train, score and use them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train)
app.command("eval")(evaluate)
app.command("predict-mask")(predict_mask)
app.command("swap-label")(swap_label)
app.command("compare")(compare)
app.command("list")(list_components)
app.command("info")(info)
app.add_typer(runs, name="runs")
app.command("download")(download)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"netlab {__version__}")
        raise typer.Exit


@app.callback()
def netlab(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """A lab for small encoder-decoder networks: train, score and use them."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code; errors are one line on stderr."""
    words = list(sys.argv[1:] if argv is None else argv)
    prepare_streams(json="--json" in words)
    # Odd metadata in a picture is no news to the user; what cannot be read is reported by name.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    # Threads that spin while they wait lose whole time slices to whatever else runs on a core:
    # beside one busy process on two cores, training was ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = app(words, standalone_mode=False)
        if code == ExitCode.INTERRUPTED:  # what typer makes of a KeyboardInterrupt
            _say(_STOPPED, code)
    except Exception as error:
        code = explain(error, debug="--debug" in words)
    except KeyboardInterrupt:
        code = _say(_STOPPED, ExitCode.INTERRUPTED)
    except SystemExit as end:
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        code = ExitCode.DONE  # typer makes 1 of a reader that has seen enough
    try:
        flush_streams()
    except OSError as error:
        code = explain(error, debug=False)
        drop_output()
    sys.exit(int(code or 0))


def explain(error: Exception, *, debug: bool) -> int:
    """Say on stderr, in one line, what went wrong; the exit code for it."""
    if isinstance(error, BrokenPipeError):
        return int(ExitCode.DONE)
    if isinstance(error, typer.Abort):
        return _say(_STOPPED, ExitCode.INTERRUPTED)
    if debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, NetlabError):
        hint = "; --debug shows where" if isinstance(error, ComponentFault) else ""
        return _say(f"{error}{hint}", error.exit_code)
    # Typer's own errors of usage: its classes are private, this method is their contract.
    words = getattr(error, "format_message", None)
    if words is not None:
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context else ""
        return _say(" ".join(words().split()) + hint, ExitCode.BAD_INPUT)
    if out_of_memory(error):
        return _say(
            "out of memory: try a smaller --batch-size; in training also --image-size, --width "
            "or --auto-batch",
            ExitCode.FAILED,
        )
    if fault := fault_of(error):
        return _say(f"{fault}; --debug shows where", fault.exit_code)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return _say(f"{where}{error.strerror or error}", ExitCode.FAILED)
    text = " ".join(str(error).split())
    return _say(
        f"this is a fault of netlab: {type(error).__name__}: {text}; --debug shows where",
        ExitCode.FAILED,
    )


def _say(text: str, code: int) -> int:
    with contextlib.suppress(OSError):  # nobody reads it
        print(f"netlab: {text}", file=sys.stderr)
    return int(code)
