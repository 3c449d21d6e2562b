"""`netlab`: the commands, and the one place where errors become a line and an exit code."""

import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

from netlab import registry
from netlab.cli.streams import drop_output, flush_streams, prepare_streams
from netlab.errors import ComponentFault, ExitCode, NetlabError, UnknownComponent, out_of_memory

_STOPPED = "stopped"


COMMANDS = {
    "train": (
        "train:train",
        "Train a network; everything it makes goes into a new folder in runs/.",
    ),
    "eval": (
        "evaluate:evaluate",
        "Score a network on unseen pictures, beside trivial predictors.",
    ),
    "predict-mask": (
        "predict_mask:predict_mask",
        "Write a mask of pet, background and border for every picture.",
    ),
    "swap-label": (
        "swap_label:swap_label",
        "Hand a conditional VAE a wrong label, and draw what comes out.",
    ),
    "compare": (
        "compare:compare",
        "Train methods with one recipe, or take runs, and put them side by side.",
    ),
    "list": (
        "list:list_components",
        "List components, data sets, recipes and bundled weights, one line each.",
    ),
    "info": (
        "info:info",
        "Say what a weights file is: network, data, scores, and the command that made it.",
    ),
    "download": ("download:download", "Fetch a data set from its owners, with checked sums."),
    "runs": (
        "runs:app",
        "List the runs, the newest last; `runs show RUN` and `runs rm RUN` take one.",
    ),
}
"""netlab's own commands in the order of the help, which is shown without importing them: module in
`netlab.cli` and function (or `typer.Typer`) in it, and the first line of its docstring. Other
packages add theirs (`registry`)."""


def _show_version(wanted: bool) -> None:
    if wanted:
        from netlab import __version__

        print(f"netlab {__version__}")
        raise typer.Exit


def netlab(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """A lab for small encoder-decoder networks: train, score and use them."""


def commands(words: Sequence[str] | None = None) -> typer.Typer:
    """The command line.

    Args:
        words: that it will be called with; only the command they name is imported, and all others
            are no more than their line in the help. Without them, all of netlab's own are imported.

    Raises:
        UnknownComponent: the command is one of another package that cannot be used.
    """
    asked = None if words is None else next((word for word in words if word[:1] != "-"), "")
    app = typer.Typer(
        name="netlab",
        # The list of commands is plain text: to draw boxes would double the time it takes.
        rich_markup_mode="rich" if asked != "" else None,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(netlab)
    for name, (function, about) in COMMANDS.items():
        if asked in (None, name):
            module, attribute = function.split(":")
            _add(app, name, getattr(import_module(f"netlab.cli.{module}"), attribute))
        else:
            app.command(name, short_help=about)(_not_imported)
    if asked in COMMANDS:
        return app
    for name, about, package in registry.commands():
        if name == asked:
            _add_foreign(app, name)
        elif name not in COMMANDS:
            app.command(name, short_help=f"{about} [{package}]")(_not_imported)
    return app


def _not_imported() -> None:
    """A command that is listed, not called."""


def _add(app: typer.Typer, name: str, command: typer.Typer | Callable[..., Any]) -> None:
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name)
    else:
        app.command(name)(command)


def _add_foreign(app: typer.Typer, name: str) -> None:
    command, label = registry.command(name)
    try:
        _add(app, name, command)
        typer.main.get_command(app)  # reads the parameters
    except Exception as error:
        raise UnknownComponent(f"{label} cannot be used: {error}") from error


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code; errors are one line on stderr."""
    words = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    prepare_streams(json="--json" in words)
    # Pillow warns of odd metadata, which is no news to the user; what is unreadable is reported.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    # Threads that spin while they wait lose whole time slices to whatever else runs on a core:
    # beside one busy process on two cores, training was ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = commands(words)(words, standalone_mode=False)
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
    usage_message = getattr(error, "format_message", None)
    if usage_message is not None:
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context else ""
        return _say(" ".join(usage_message().split()) + hint, ExitCode.BAD_INPUT)
    if out_of_memory(error):
        return _say(
            "out of memory: try a smaller --batch-size; in training also --image-size, --width "
            "or --auto-batch",
            ExitCode.FAILED,
        )
    from netlab.components import fault_of

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
