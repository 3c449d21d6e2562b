"""Flags that follow from the fields of the configuration."""

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from netlab import registry
from netlab.config import flag_of
from netlab.settings import defaults_of

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")]

RUN_PANEL = "Run"
Preset = Annotated[
    str | None,
    typer.Option("--preset", help="A named recipe (netlab list).", rich_help_panel=RUN_PANEL),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(help="Settings from a YAML file, such as a run's.", rich_help_panel=RUN_PANEL),
]
SetWords = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any setting, or an argument of a component: bottleneck.x=1.",
        rich_help_panel=RUN_PANEL,
    ),
]
RunsDir = Annotated[Path, typer.Option(help="Folder of all runs.", rich_help_panel=RUN_PANEL)]
Download = Annotated[
    bool | None,
    typer.Option(
        "--download/--no-download",
        help="Fetch missing data without asking, or never.",
        show_default=False,
        rich_help_panel=RUN_PANEL,
    ),
]

F = TypeVar("F", bound=Callable[..., Any])


def flags_from(owner: type) -> Callable[[F], F]:
    """Give a command, which takes `**flags`, one flag for each field of a dataclass of options.

    Each defaults to None, which means "not given", so that silence overrides nothing.
    """
    hints = typing.get_type_hints(owner)
    shown = [f for f in dataclasses.fields(owner) if f.metadata["flag"]]
    recipes = _recipes()

    def decorate(command: F) -> F:
        signature = inspect.signature(command)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        made = [
            inspect.Parameter(
                f.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=_annotation(f, hints[f.name], recipes),
            )
            for f in shown
        ]
        all_ = [*own, *made]
        setattr(command, "__signature__", signature.replace(parameters=all_))  # noqa: B010
        command.__annotations__ = {p.name: p.annotation for p in all_}
        return command

    return decorate


def given(flags: dict[str, Any]) -> dict[str, Any]:
    """The flags that the user gave."""
    return {name: value for name, value in flags.items() if value is not None}


def _annotation(field: "dataclasses.Field[Any]", hint: Any, recipes: dict[str, str]) -> Any:
    facts = field.metadata
    kind = facts["kind"]
    names = registry.names(kind) if kind else [*facts["choices"]]
    text = facts["help"] + (f": {', '.join(names)}" if names else "")
    default = recipes.get(field.name, _shown(field.default))
    if default is not None and "(default" not in text:
        text += f" (default: {default})"
    flag = flag_of(field.name)
    plain = _plain_type(hint)
    declared = f"{flag}/--no-{flag[2:]}" if plain is bool else flag
    return Annotated[
        plain | None,
        typer.Option(
            declared,
            help=text,
            rich_help_panel=facts["group"],
            metavar=_metavar(hint),
            show_default=False,
        ),
    ]


def _plain_type(hint: Any) -> type:
    if isinstance(hint, types.UnionType):
        hint = typing.get_args(hint)[0]
    return str if typing.get_origin(hint) is tuple else hint


def _metavar(hint: Any) -> str | None:
    inner = typing.get_args(hint)[0] if isinstance(hint, types.UnionType) else hint
    if typing.get_origin(inner) is tuple:
        return "A,B,…"
    return {int: "N", float: "X", str: "TEXT"}.get(inner)


def _shown(default: Any) -> str | None:
    if default is None or default == () or isinstance(default, bool):
        return None
    return str(default)


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
