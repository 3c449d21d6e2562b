"""Write `docs/cli.md`, the reference of every command and option: `tools/cli_reference.py`.

All of it follows from the commands themselves. What other packages add and how wide the terminal is
make no difference. `--check` writes nothing and exits with 1 where the page is out of date.
"""

import argparse
import sys
import textwrap
from pathlib import Path
from typing import Any
from unittest.mock import patch

import typer

from netlab.files import write_text

_PAGE = Path(__file__).parent.parent / "docs" / "cli.md"
_WIDTH = 100
_NAMES = 24  # columns for an option and its value; longer ones get a line of their own
_HEAD = """\
# Commands

Written by `python tools/cli_reference.py` from what `netlab COMMAND --help` says, which also names
the components of other packages. All commands and the exit codes they share are explained in the
[README](../README.md).
"""
# Typer's names for types have changed once already.
_VALUES = {"text": "TEXT", "str": "TEXT", "integer": "N", "int": "N", "float": "X"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare")
    args = parser.parse_args()
    page = reference()
    if not args.check:
        write_text(_PAGE, page)
    elif not _PAGE.is_file() or _PAGE.read_text(encoding="utf-8") != page:
        sys.exit("docs/cli.md is out of date: run python tools/cli_reference.py")


def reference() -> str:
    """The whole page."""
    with patch("netlab.registry.installed", tuple):  # as if no package added components
        from netlab.cli.main import commands

        group: Any = typer.main.get_command(commands())
    parts = [_HEAD, _section("netlab", group)]
    parts += [_section(f"netlab {name}", command) for name, command in group.commands.items()]
    return "\n".join(parts)


def _section(title: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    usage = " ".join([title, "[OPTIONS]", *map(_placeholder, arguments)])
    usage += " COMMAND …" if hasattr(command, "commands") else ""
    lines = [usage]
    if arguments:
        lines += ["", "Arguments", *(_entry(_value(p), p) for p in arguments)]
    panels: dict[str, list[Any]] = {}
    for option in options:
        panels.setdefault(option.rich_help_panel or "Options", []).append(option)
    for panel, inside in panels.items():
        lines += ["", panel, *(_entry(_declared(p), p) for p in inside)]
    text = "\n".join(lines)
    return f"## {title}\n\n{_about(command)}\n\n```text\n{text}\n```\n"


def _about(command: Any) -> str:
    paragraphs = (command.help or "").split("\n\n")
    return "\n\n".join(textwrap.fill(" ".join(p.split()), _WIDTH) for p in paragraphs)


def _placeholder(argument: Any) -> str:
    return _value(argument) if argument.required else f"[{_value(argument)}]"


def _value(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"{param.metavar or param.name.upper()}{'…' * (param.nargs != 1)}"
    name: str = param.type.name.partition(" ")[0]  # "integer range" where there are limits
    return str(param.metavar or _VALUES.get(name, name.upper()))


def _declared(option: Any) -> str:
    flags = " / ".join([", ".join(option.opts), *option.secondary_opts])
    return flags if option.is_flag else f"{flags} {_value(option)}"


def _entry(declared: str, param: Any) -> str:
    """An option in front, what it does beside it; or below it, where it is long."""
    words = [param.help or ""]
    if param.show_default and not any(param.default is silent for silent in (None, False)):
        words.append(f"[default: {param.default}]")
    words += ["[repeatable]"] * getattr(param, "multiple", False)
    room = " " * (_NAMES + 2)
    text = textwrap.fill(
        " ".join(words),
        _WIDTH,
        initial_indent=room,
        subsequent_indent=room,
        break_on_hyphens=False,  # names stay whole
    )
    front = f"  {declared}"
    if len(front) < _NAMES + 2:
        return front.ljust(_NAMES + 2) + text[_NAMES + 2 :]
    return f"{front}\n{text}"


if __name__ == "__main__":
    main()
