"""Where settings come from, and how they are laid over each other.

Field defaults < the architecture's default preset < `--preset` < `--config` < `--set` and flags.
Faults of all layers are named together, in the words the user typed. Nothing here imports torch.
"""

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from netlab import registry
from netlab.config import TrainConfig
from netlab.errors import ConfigError

_PRESETS = files("netlab") / "presets"


class Layer(NamedTuple):
    """Settings from one place, such as a YAML file or the flags."""

    source: str
    values: Mapping[str, Any]


def merge(base: Mapping[str, Any], layers: Iterable[Layer]) -> TrainConfig:
    """Lay settings over each other, the last layer winning, and build the configuration.

    Raises:
        ConfigError: all unknown keys, wrong types and bad values, each with its source.
    """
    values = dict(base)
    faults: list[str] = []
    for layer in layers:
        good, bad = _typed(layer)
        parts = _merged_parts(values.get("parts", {}), good.pop("parts", {}))
        values |= good | {"parts": parts}
        faults += bad
    if faults:
        raise ConfigError("; ".join(faults))
    return TrainConfig(**values)


def defaults_of(arch: str) -> Layer:
    """The default preset of an architecture; empty where it has none."""
    path = _PRESETS / arch / "default.yaml"
    values = _read_yaml(path.read_text(encoding="utf-8"), path.name) if path.is_file() else {}
    return Layer(f"default preset of {arch}", {"arch": arch, **values})


def preset(arch: str, name: str) -> Layer:
    """A named preset of an architecture.

    Raises:
        ConfigError: no such preset; the message lists those there are.
    """
    known = preset_names(arch)
    if name not in known:
        raise ConfigError(registry.unknown(f"preset of {arch}", name, known))
    text = (_PRESETS / arch / f"{name}.yaml").read_text(encoding="utf-8")
    return Layer(f"preset {name}", _read_yaml(text, f"preset {name}"))


def preset_names(arch: str) -> list[str]:
    """Names of an architecture's presets."""
    folder = _PRESETS / arch
    return sorted(p.name[:-5] for p in _yaml_files(folder))


def preset_summaries() -> list[tuple[str, str]]:
    """`ARCH/NAME` and the first comment line of every preset."""
    found = []
    for folder in sorted(_PRESETS.iterdir(), key=lambda p: p.name):
        for path in _yaml_files(folder):
            first = path.read_text(encoding="utf-8").split("\n", 1)[0]
            found.append((f"{folder.name}/{path.name[:-5]}", first.lstrip("# ")))
    return sorted(found)


def read_config_file(path: Path) -> Layer:
    """Settings from a YAML file.

    Raises:
        ConfigError: no such file, not YAML, or no mapping of settings.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot read this configuration ({_reason(error)})") from error
    return Layer(str(path), _read_yaml(text, str(path)))


def read_settings(pairs: Iterable[str]) -> Layer:
    """Settings from `--set key=value` words; `kind.argument=value` goes to a component.

    Raises:
        ConfigError: a word without `=`, or a value that is not YAML.
    """
    values: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise ConfigError(
                f"--set {pair}: write key=value, such as lr=0.001 or encoder.blocks=2"
            )
        kind, *path = key.split(".")
        value = _read_value(text, f"--set {pair}")
        if path:
            *terms, argument = path  # loss.dice.smooth: an argument of one term of the loss
            place = parts.setdefault(kind, {})
            for term in terms:
                place = place.setdefault(term, {})
            place[argument.replace("-", "_")] = value
        else:
            values[key.replace("-", "_")] = value
    return Layer("--set", values | ({"parts": parts} if parts else {}))


def _merged_parts(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return {kind: {**old.get(kind, {}), **new.get(kind, {})} for kind in {**old, **new}}


def _yaml_files(folder: Traversable) -> list[Traversable]:
    return [p for p in folder.iterdir() if p.name.endswith(".yaml")] if folder.is_dir() else []


def _read_yaml(text: str, source: str) -> dict[str, Any]:
    values = _read_value(text, source)
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError(f"{source}: expected lines 'setting: value'")
    return values


def _read_value(text: str, source: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"{source}: not valid YAML ({_reason(error)})") from error


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _typed(layer: Layer) -> tuple[dict[str, Any], list[str]]:
    """Values in the types of their fields, and what is wrong with the others."""
    hints = typing.get_type_hints(TrainConfig)
    known = [f.name for f in dataclasses.fields(TrainConfig)]
    good: dict[str, Any] = {}
    faults = []
    for key, value in layer.values.items():
        if key not in known:
            faults.append(f"{layer.source}: {registry.unknown('setting', key, known)}")
            continue
        try:
            good[key] = _convert(value, hints[key])
        except (TypeError, ValueError, OverflowError):
            faults.append(f"{layer.source}: {key} must be {_words(hints[key])}, not {value!r}")
    return good, faults


def _convert(value: Any, hint: Any) -> Any:
    if isinstance(hint, types.UnionType):
        if value is None:
            return None
        return _convert(value, typing.get_args(hint)[0])
    origin = typing.get_origin(hint)
    if origin is tuple:
        items = value.split(",") if isinstance(value, str) else value
        items = [items] if isinstance(items, int) and not isinstance(items, bool) else items
        if not isinstance(items, list | tuple):
            raise TypeError
        inner = typing.get_args(hint)[0]
        return tuple(_convert(i.strip() if isinstance(i, str) else i, inner) for i in items)
    if hint is bool:
        if not isinstance(value, bool):
            raise TypeError
        return value
    if hint is int:
        if isinstance(value, bool) or (isinstance(value, float) and value != int(value)):
            raise TypeError
        return int(value)
    if hint is float:
        if isinstance(value, bool):
            raise TypeError
        return float(value)  # YAML 1.1 reads 1e-3 as a string: accept it
    if hint is str:
        if isinstance(value, list):  # class_weights: [1, 1, 2]
            return ",".join(map(str, value))
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise TypeError
        return str(value)
    if not isinstance(value, Mapping) or not all(isinstance(v, Mapping) for v in value.values()):
        raise TypeError
    return {str(kind): dict(arguments) for kind, arguments in value.items()}


def _words(hint: Any) -> str:
    if isinstance(hint, types.UnionType):
        return f"{_words(typing.get_args(hint)[0])} or null"
    if typing.get_origin(hint) is tuple:
        return f"a list, each {_words(typing.get_args(hint)[0])}"
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return names.get(hint, "a mapping of kind to arguments")
