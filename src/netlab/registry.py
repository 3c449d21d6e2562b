"""The catalogue of components: a folder per kind, a file per component.

A component is one file `<folder>/<name>.py` whose class or function carries `@register(kind)`; a
task is a package `tasks/<name>/` with a file `task.py`. The name of the file or package
(underscores read as hyphens) is its name on the command line, the first line of the file's
docstring is its line in `netlab list`. Other installed packages add components through
the entry-point group `netlab.<kind>`. Nothing here imports torch, and listing imports no component.
"""

import functools
import importlib
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, overload

from netlab.errors import UnknownComponent

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from netlab.contracts.architecture import ArchitectureBuilder
    from netlab.contracts.block import Activation, BlockBuilder, Norm
    from netlab.contracts.bottleneck import BottleneckBuilder
    from netlab.contracts.conditioning import ConditioningBuilder
    from netlab.contracts.dataset import DatasetBuilder
    from netlab.contracts.decoder import DecoderBuilder
    from netlab.contracts.encoder import EncoderBuilder
    from netlab.contracts.loss import LossBuilder
    from netlab.contracts.optimizer import OptimizerBuilder
    from netlab.contracts.schedule import Schedule
    from netlab.contracts.task import Task
    from netlab.contracts.vae_term import VaeTermBuilder

FOLDERS = {
    "architecture": "models",
    "encoder": "encoders",
    "bottleneck": "bottlenecks",
    "decoder": "decoders",
    "conditioning": "conditioning",
    "block": "layers/blocks",
    "norm": "layers/norms",
    "activation": "layers/activations",
    "loss": "losses",
    "vae-term": "vae_terms",
    "dataset": "data",
    "optimizer": "optimizers",
    "schedule": "schedules",
    "task": "tasks",
}
"""Each kind of component and the folder, inside the package, that holds it."""

_PACKAGES = {"task"}  # kinds whose components are packages
_MARK = "__netlab_kind__"
_PACKAGE = Path(__file__).parent

# What a component of each kind keeps; `register` gives back the very class that it was given.
_ArchitectureBuilder = TypeVar("_ArchitectureBuilder", bound="ArchitectureBuilder")
_EncoderBuilder = TypeVar("_EncoderBuilder", bound="EncoderBuilder")
_BottleneckBuilder = TypeVar("_BottleneckBuilder", bound="BottleneckBuilder")
_DecoderBuilder = TypeVar("_DecoderBuilder", bound="DecoderBuilder")
_ConditioningBuilder = TypeVar("_ConditioningBuilder", bound="ConditioningBuilder")
_BlockBuilder = TypeVar("_BlockBuilder", bound="BlockBuilder")
_Norm = TypeVar("_Norm", bound="Norm")
_Activation = TypeVar("_Activation", bound="Activation")
_LossBuilder = TypeVar("_LossBuilder", bound="LossBuilder")
_VaeTermBuilder = TypeVar("_VaeTermBuilder", bound="VaeTermBuilder")
_DatasetBuilder = TypeVar("_DatasetBuilder", bound="DatasetBuilder")
_OptimizerBuilder = TypeVar("_OptimizerBuilder", bound="OptimizerBuilder")
_Schedule = TypeVar("_Schedule", bound="Schedule")
_Task = TypeVar("_Task", bound="type[Task]")


class Summary(NamedTuple):
    """One line of the catalogue."""

    name: str
    text: str
    distribution: str | None
    """The package a component comes from; None for netlab's own."""


@overload
def register(
    kind: Literal["architecture"],
) -> Callable[[_ArchitectureBuilder], _ArchitectureBuilder]: ...
@overload
def register(kind: Literal["encoder"]) -> Callable[[_EncoderBuilder], _EncoderBuilder]: ...
@overload
def register(kind: Literal["bottleneck"]) -> Callable[[_BottleneckBuilder], _BottleneckBuilder]: ...
@overload
def register(kind: Literal["decoder"]) -> Callable[[_DecoderBuilder], _DecoderBuilder]: ...
@overload
def register(
    kind: Literal["conditioning"],
) -> Callable[[_ConditioningBuilder], _ConditioningBuilder]: ...
@overload
def register(kind: Literal["block"]) -> Callable[[_BlockBuilder], _BlockBuilder]: ...
@overload
def register(kind: Literal["norm"]) -> Callable[[_Norm], _Norm]: ...
@overload
def register(kind: Literal["activation"]) -> Callable[[_Activation], _Activation]: ...
@overload
def register(kind: Literal["loss"]) -> Callable[[_LossBuilder], _LossBuilder]: ...
@overload
def register(kind: Literal["vae-term"]) -> Callable[[_VaeTermBuilder], _VaeTermBuilder]: ...
@overload
def register(kind: Literal["dataset"]) -> Callable[[_DatasetBuilder], _DatasetBuilder]: ...
@overload
def register(kind: Literal["optimizer"]) -> Callable[[_OptimizerBuilder], _OptimizerBuilder]: ...
@overload
def register(kind: Literal["schedule"]) -> Callable[[_Schedule], _Schedule]: ...
@overload
def register(kind: Literal["task"]) -> Callable[[_Task], _Task]: ...
def register(kind: str) -> Callable[[Any], Any]:
    """Mark the class or function that a component file offers.

    What each kind has to keep stands in `netlab.contracts`; mypy refuses a component that does not.

    Raises:
        UnknownComponent: `kind` is not one of `FOLDERS`.
    """
    _check_kind(kind)

    def mark(component: Any) -> Any:
        setattr(component, _MARK, kind)
        return component

    return mark


def names(kind: str) -> list[str]:
    """Names of all components of a kind, sorted, without importing any of them."""
    return sorted({*_own(kind), *_plugins(kind)})


def summaries(kind: str) -> list[Summary]:
    """Name, description and origin of all components of a kind, without importing any of them."""
    own = _own(kind)
    lines = [Summary(name, _first_line(path), None) for name, path in own.items()]
    for name, point in _plugins(kind).items():
        if name not in own:
            lines.append(_summary(point))
    return sorted(lines)


@overload
def get(kind: Literal["architecture"], name: str) -> "ArchitectureBuilder": ...
@overload
def get(kind: Literal["encoder"], name: str) -> "EncoderBuilder": ...
@overload
def get(kind: Literal["bottleneck"], name: str) -> "BottleneckBuilder": ...
@overload
def get(kind: Literal["decoder"], name: str) -> "DecoderBuilder": ...
@overload
def get(kind: Literal["conditioning"], name: str) -> "ConditioningBuilder": ...
@overload
def get(kind: Literal["block"], name: str) -> "BlockBuilder": ...
@overload
def get(kind: Literal["norm"], name: str) -> "Norm": ...
@overload
def get(kind: Literal["activation"], name: str) -> "Activation": ...
@overload
def get(kind: Literal["loss"], name: str) -> "LossBuilder": ...
@overload
def get(kind: Literal["vae-term"], name: str) -> "VaeTermBuilder": ...
@overload
def get(kind: Literal["dataset"], name: str) -> "DatasetBuilder": ...
@overload
def get(kind: Literal["optimizer"], name: str) -> "OptimizerBuilder": ...
@overload
def get(kind: Literal["schedule"], name: str) -> "Schedule": ...
@overload
def get(kind: Literal["task"], name: str) -> "type[Task]": ...
def get(kind: str, name: str) -> Any:
    """Import and return one component, typed by its kind.

    Netlab's own components come before those of other packages.

    Raises:
        UnknownComponent: no such component (the message names the nearest), or a plug-in that
            cannot be imported or offers another kind.
    """
    return find(kind, name)


def find(kind: str, name: str) -> Any:
    """As `get`, for a kind that is known only when the program runs."""
    check(kind, name)
    own = _own(kind)
    if name in own:
        parts = own[name].relative_to(_PACKAGE).with_suffix("").parts
        module = importlib.import_module(".".join(["netlab", *parts]))
        for value in vars(module).values():
            if _is_component(value, kind) and getattr(value, "__module__", None) == module.__name__:
                return value
        raise UnknownComponent(f"{module.__name__} registers no {kind}: add @register({kind!r})")
    point = _plugins(kind)[name]
    component = _loaded(point)
    if not _is_component(component, kind):
        raise UnknownComponent(
            f"{_label(point)} is no {kind}: decorate {point.value} with @register({kind!r})"
        )
    return component


def foreign(module: str, qualname: str = "") -> str | None:
    """The component of another package that some code belongs to: `encoder 'x' of package y`.

    Args:
        module: where the code stands.
        qualname: of the function or class; tells apart the components of one module.

    Returns:
        Its label; the package alone where that has several and this is a part of none of them in
        particular. None for netlab itself and for packages that add nothing to it.
    """
    top = module.partition(".")[0]
    points = [point for point in installed() if point.module.partition(".")[0] == top]
    if not points or top == "netlab":
        return None
    same = [point for point in points if point.module == module]
    exact = [p for p in same if p.attr and f"{qualname}.".startswith(f"{p.attr}.")]
    for choice in (exact, same, points):
        if len(choice) == 1:
            return _label(choice[0])
    return _package(points[0])


def commands() -> list[Summary]:
    """Commands of other packages, without importing any of them."""
    return sorted(_summary(point) for point in installed() if point.group == "netlab.command")


def command(name: str) -> tuple[Any, str]:
    """Import a command of another package: a function, or a `typer.Typer` of several; its label.

    Raises:
        UnknownComponent: no such command, or one that cannot be imported.
    """
    points = {point.name: point for point in installed() if point.group == "netlab.command"}
    if name not in points:
        raise UnknownComponent(unknown("command", name, [*points]))
    return _loaded(points[name]), _label(points[name])


def stated(kind: str, name: str, attribute: str) -> Any:
    """The constant that a component's class states; of netlab's own ones, without importing them.

    Returns:
        Its value; None where it is not stated.

    Raises:
        UnknownComponent: see `get`.
    """
    own = _own(kind)
    if name not in own:
        return getattr(find(kind, name), attribute, None)
    import ast

    module = ast.parse(own[name].read_text(encoding="utf-8"))
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    for node in (node for owner in classes for node in owner.body):
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == attribute and node.value:
            return ast.literal_eval(node.value)
    return None


def check(kinds: str | Sequence[str], name: str) -> None:
    """Refuse a name that is registered under none of the kinds, the first of which names all.

    Raises:
        UnknownComponent: with the nearest name and the whole list.
    """
    kinds = [kinds] if isinstance(kinds, str) else kinds
    known = sorted({known for kind in kinds for known in names(kind)})
    if name not in known:
        raise UnknownComponent(unknown(kinds[0], name, known))


def unknown(what: str, name: str, known: list[str], more: Iterable[str] = ()) -> str:
    """The one-line message for a name that is not known; `more` may be meant, but is not listed."""
    import difflib

    near = difflib.get_close_matches(name, [*known, *more], n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"unknown {what} '{name}'.{hint} Known: {', '.join(known)}."


def _check_kind(kind: str) -> None:
    if kind not in FOLDERS:
        raise UnknownComponent(unknown("kind of component", kind, list(FOLDERS)))


def _is_component(value: object, kind: str) -> bool:
    return getattr(value, _MARK, None) == kind


@functools.cache
def _own(kind: str) -> dict[str, Path]:
    _check_kind(kind)
    folder, packages = _PACKAGE / FOLDERS[kind], kind in _PACKAGES
    files = sorted(folder.glob(f"*/{kind}.py" if packages else "*.py"))
    named = {(path.parent.name if packages else path.stem): path for path in files}
    return {name.replace("_", "-"): path for name, path in named.items() if name[0] != "_"}


def _summary(point: "EntryPoint") -> Summary:
    text = point.dist.metadata["Summary"] if point.dist else None
    return Summary(point.name, text or point.value, point.dist.name if point.dist else point.value)


def _loaded(point: "EntryPoint") -> Any:
    try:
        return point.load()
    except (Exception, SystemExit) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UnknownComponent(f"{_label(point)} cannot be imported: {reason}") from error


def _label(point: "EntryPoint") -> str:
    kind = point.group.removeprefix("netlab.")
    return f"{kind} '{point.name}' of {_package(point)}"


def _package(point: "EntryPoint") -> str:
    name = point.dist.name if point.dist else point.module.partition(".")[0]
    return f"package {name}"


def _plugins(kind: str) -> dict[str, "EntryPoint"]:
    _check_kind(kind)
    return {point.name: point for point in installed() if point.group == f"netlab.{kind}"}


@functools.cache
def installed() -> tuple["EntryPoint", ...]:
    """What other packages add to netlab: their entry points in groups `netlab.…`.

    Read once a process. Most people have none: then the module that reads them, which takes a third
    of the time of `netlab --help`, is not even imported.
    """
    if not _any_installed():
        return ()
    from importlib.metadata import entry_points

    points = entry_points()
    groups = sorted(group for group in points.groups if group.startswith("netlab."))
    return tuple(point for group in groups for point in points.select(group=group))


def _any_installed() -> bool:
    """Whether a package on the path names such a group, or may do so where it cannot be seen."""
    for folder in map(Path, sys.path):
        if folder.is_file():  # an archive
            return True
        for about in (*folder.glob("*.dist-info"), *folder.glob("*.egg-info")):
            points = about / "entry_points.txt"
            if points.is_file() and b"[netlab." in points.read_bytes():
                return True
    return any(
        hasattr(finder, "find_distributions") and finder is not PathFinder
        for finder in sys.meta_path
    )


def _first_line(path: Path) -> str:
    import ast

    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return doc.split("\n", 1)[0]
