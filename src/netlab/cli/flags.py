"""Flags that follow from the fields of the configuration."""

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from netlab import registry
from netlab.config import flag_of, setting_of
from netlab.settings import defaults_of

in_run = partial(typer.Option, rich_help_panel="Run")
"""An option under the heading of what a run is."""

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")]
RunsDir = Annotated[Path, typer.Option(help="Folder of all runs.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder with the data.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Pictures at a time.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads; 0 is all cores.")]

Preset = Annotated[str | None, in_run("--preset", help="A named recipe (netlab list).")]
ConfigFile = Annotated[Path | None, in_run(help="Settings from a YAML file, such as a run's.")]
SetWords = Annotated[
    list[str] | None,
    in_run(
        "--set",
        metavar="KEY=VALUE",
        help="Any setting, or an argument of a component: bottleneck.x=1.",
    ),
]
NewRunsDir = Annotated[Path, in_run(help="Folder of all runs.")]
Download = Annotated[
    bool | None,
    in_run(
        "--download/--no-download",
        help="Fetch missing data without asking, or never.",
        show_default=False,
    ),
]

F = TypeVar("F", bound=Callable[..., Any])


def flags_from(owner: type) -> Callable[[F], F]:
    """Give a command, which takes `**flags`, one flag for each field of a dataclass of options.

    Each defaults to None, which means "not given", so that silence overrides nothing.
    """
    hints = typing.get_type_hints(owner)
    recipes = _recipes()
    flags = [
        inspect.Parameter(
            f.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=_annotation(f, hints[f.name], recipes),
        )
        for f in dataclasses.fields(owner)
        if setting_of(f).flag
    ]

    def decorate(command: F) -> F:
        signature = inspect.signature(command)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        parameters = [*own, *flags]
        setattr(command, "__signature__", signature.replace(parameters=parameters))  # noqa: B010
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


def given(flags: dict[str, Any]) -> dict[str, Any]:
    """The flags that the user gave."""
    return {name: value for name, value in flags.items() if value is not None}


def _annotation(field: "dataclasses.Field[Any]", hint: Any, recipes: dict[str, str]) -> Any:
    setting, flag = setting_of(field), flag_of(field.name)
    names = registry.names(setting.kind) if setting.kind else [*setting.choices]
    text = setting.help + (f": {', '.join(names)}" if names else "")
    usual = None if isinstance(field.default, bool) else field.default
    default = recipes.get(field.name, usual)
    if default is not None and "(default" not in text:
        text += f" (default: {default})"
    if isinstance(hint, types.UnionType):
        hint = typing.get_args(hint)[0]
    metavar = {int: "N", float: "X", str: "TEXT"}.get(hint)
    if typing.get_origin(hint) is tuple:
        hint, metavar = str, "A,B,…"
    option = typer.Option(
        f"{flag}/--no-{flag[2:]}" if hint is bool else flag,
        help=text,
        rich_help_panel=setting.group,
        metavar=metavar,
        show_default=False,
    )
    return Annotated[hint | None, option]


def _recipes() -> dict[str, str]:
    """What the architectures' default presets say of each setting, for the help."""
    values: dict[str, list[tuple[str, str]]] = {}
    archs = registry.names("architecture")
    for arch in archs:
        for key, value in defaults_of(arch).values.items():
            values.setdefault(key, []).append((arch, str(value)))
    one = len(archs) == 1
    return {
        key: ", ".join(value if one else f"{arch}: {value}" for arch, value in pairs)
        for key, pairs in values.items()
    }
