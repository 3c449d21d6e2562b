"""Where settings come from, and how they are laid over each other.

Field defaults < the architecture's default preset < what that architecture does otherwise for the
data set < `--preset` < `--config` < `--set` and flags.
Faults of all layers are named together, in the words the user typed. Nothing here imports torch.
"""

import contextlib
import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from netlab import registry
from netlab.config import TrainConfig
from netlab.errors import ConfigError
from netlab.expressions import parse_sum

_PRESETS = Path(__file__).parent / "presets"


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
        kept = _still_meant(values.get("parts", {}), values, good)
        parts = _merged_parts(kept, good.pop("parts", {}))
        values |= good | {"parts": parts}
        faults += bad
    if faults:
        raise ConfigError("; ".join(faults))
    return TrainConfig(**values)


def defaults_of(arch: str) -> Layer:
    """The default preset of an architecture, or the `defaults` of one from another package."""
    path = _PRESETS / arch / "default.yaml"
    values: Mapping[str, Any] = {}
    if path.is_file():
        values = _read_yaml(path.read_text(encoding="utf-8"), path.name)
    elif arch in registry.names("architecture"):
        values = registry.stated("architecture", arch, "defaults") or {}
    return Layer(f"default preset of {arch}", {"arch": arch, **values})


def recipe(arch: str, layers: Iterable[Layer], preset_name: str | None = None) -> list[Layer]:
    """The architecture's default preset, a named one, and `layers`, in this order.

    Behind each preset comes what it does otherwise for the data set that the layers end up with:
    the file `PRESET.DATASET.yaml` beside `PRESET.yaml`.

    Raises:
        ConfigError: no such preset.
    """
    presets = [("default", defaults_of(arch))]
    if preset_name is not None:
        presets.append((preset_name, preset(arch, preset_name)))
    layers = list(layers)
    datasets = [
        layer.values["dataset"]
        for layer in (*(layer for _, layer in presets), *layers)
        if "dataset" in layer.values
    ]
    recipe_layers = []
    for name, layer in presets:
        recipe_layers.append(layer)
        if datasets and (_PRESETS / arch / (special := f"{name}.{datasets[-1]}.yaml")).is_file():
            recipe_layers.append(_read_preset(arch, special.removesuffix(".yaml")))
    return [*recipe_layers, *layers]


def preset(arch: str, name: str) -> Layer:
    """A named preset of an architecture.

    Raises:
        ConfigError: no such preset; the message lists those there are.
    """
    known = preset_names(arch)
    if name not in known:
        raise ConfigError(registry.unknown(f"preset of {arch}", name, known))
    return _read_preset(arch, name)


def preset_names(arch: str) -> list[str]:
    """Names of an architecture's presets, without what they do otherwise for single data sets."""
    return sorted(p.stem for p in (_PRESETS / arch).glob("*.yaml") if "." not in p.stem)


def _read_preset(arch: str, name: str) -> Layer:
    text = (_PRESETS / arch / f"{name}.yaml").read_text(encoding="utf-8")
    return Layer(f"preset {name}", _read_yaml(text, f"preset {name}"))


def preset_summaries() -> list[tuple[str, str]]:
    """`ARCH/NAME` and the first comment line of every preset."""
    summaries = []
    for folder in _PRESETS.iterdir():
        for name in preset_names(folder.name):
            text = (folder / f"{name}.yaml").read_text(encoding="utf-8")
            summaries.append((f"{folder.name}/{name}", text.split("\n", 1)[0].lstrip("# ")))
    return sorted(summaries)


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


def choose_arch(file: Layer, asked: str | None) -> str | None:
    """The architecture that was asked for, or that a file of settings is for; None if neither says.

    Raises:
        ConfigError: the file is for another one, or says no text.
        UnknownComponent: no architecture of that name.
    """
    written = file.values.get("arch")
    if written is not None and not isinstance(written, str):
        raise ConfigError(f"{file.source}: arch must be text, not {written!r}")
    arch = asked or written
    if arch is not None:
        registry.check("architecture", arch)
    if written not in (None, arch):
        raise ConfigError(f"{file.source} is for {written}, not for {arch}")
    return arch


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
            arguments = parts.setdefault(kind, {})
            for term in terms:
                arguments = arguments.setdefault(term, {})
            arguments[argument.replace("-", "_")] = value
        else:
            values[key.replace("-", "_")] = value
    return Layer("--set", values | ({"parts": parts} if parts else {}))


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """All settings side by side, arguments of components as `--set` takes them: `loss.dice.smooth`.

    Args:
        values: `TrainConfig.to_dict`.
        prefix: of all names.
    """
    settings: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            settings |= flat(value, "" if key == "parts" else f"{prefix}{key}.")
        else:
            settings[prefix + key] = value
    return settings


def user_layers(pairs: Iterable[str], flags: Mapping[str, Any]) -> list[Layer]:
    """`--set` words and the flags that were given, which win over them.

    Arguments of components come last: they are meant for the components that the flags name.
    """
    others = dict(read_settings(pairs).values)
    parts = {"parts": others.pop("parts", {})}
    return [Layer("--set", others), Layer("flags", flags), Layer("--set", parts)]


def _still_meant(
    parts: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of components that a layer keeps; those of one it replaces are dropped."""
    kept = {
        kind: dict(a) for kind, a in parts.items() if new.get(kind, old.get(kind)) == old.get(kind)
    }
    if "loss" in parts and "loss" in new:
        with contextlib.suppress(ConfigError):  # a loss that is no sum is refused later, by name
            names = [term.name for term in parse_sum(str(new["loss"]))]
            kept["loss"] = {name: a for name, a in parts["loss"].items() if name in names}
    return kept


def _merged_parts(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in new.items():  # by kind, then by argument; those of the loss by term as well
        before = merged.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            value = _merged_parts(before, value)
        merged[key] = value
    return merged


def _read_yaml(text: str, source: str) -> dict[str, Any]:
    values = _read_value(text, source)
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError(f"{source}: expected lines 'setting: value'")
    return values


def _read_value(text: str, source: str) -> Any:
    """What a YAML text says.

    Raises:
        ConfigError: it is no YAML, or has a key twice: YAML forbids that, the library lets it pass.
    """
    try:
        loader = yaml.SafeLoader(text)
        try:
            document = loader.get_single_node()
            _check_keys(document, source, set())
            return None if document is None else loader.construct_document(document)
        finally:
            loader.dispose()
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"{source}: not valid YAML ({_reason(error)})") from error


def _check_keys(node: yaml.Node | None, source: str, seen: set[yaml.Node]) -> None:
    """Refuse mappings with a key twice, at any depth; `seen` are nodes that need no second look."""
    if node in seen or not isinstance(node, yaml.CollectionNode):
        return
    seen.add(node)
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_keys(item, source, seen)
        return
    lines: dict[tuple[str, str], int] = {}
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            name, line = (key.tag, key.value), key.start_mark.line + 1
            if name in lines:
                where = f"lines {lines[name]} and {line}" if lines[name] != line else f"line {line}"
                raise ConfigError(f"{source}: {key.value} is set twice, in {where}: remove one")
            lines[name] = line
        _check_keys(value, source, seen)


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
    if isinstance(value, bool) is not (hint is bool):  # Python takes true for the number 1
        raise TypeError
    if hint is bool:
        return value
    if hint is int:
        if isinstance(value, float) and value != int(value):
            raise TypeError
        return int(value)
    if hint is float:
        return float(value)  # YAML 1.1 reads 1e-3 as a string: accept it
    if hint is str:
        if isinstance(value, list):  # class_weights: [1, 1, 2]
            return ",".join(map(str, value))
        if not isinstance(value, str | int | float):
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
