"""The one frozen description of a training run.

Values are layered: field defaults < the architecture's default preset < `--preset` < `--config` <
flags and `--set`. The result flows into the run folder, the weights file and the rebuilt model; no
other place holds a setting. Nothing here imports torch.
"""

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from netlab import registry
from netlab.errors import ConfigError, UnknownComponent
from netlab.expressions import parse_sum

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
AUGMENTS = ("none", "flip", "standard", "strong")
MACHINE_PATHS = ("data_dir", "images", "masks")
"""Fields that name places on one machine: kept in config.yaml, left out of weights files."""

_PRESETS = files("netlab") / "presets"


def option(
    default: Any,
    help: str,  # noqa: A002 - the word users of the field read
    *,
    group: str,
    kind: str | None = None,
    choices: tuple[str, ...] = (),
    sum_of: str | None = None,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    flag: bool = True,
) -> Any:
    """Declare a setting once: its flag, YAML key, help and limits follow from this line."""
    facts = {
        "help": help,
        "group": group,
        "kind": kind,
        "choices": choices,
        "sum_of": sum_of,
        "minimum": minimum,
        "above": above,
        "maximum": maximum,
        "flag": flag,
    }
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=facts)
    return field(default=default, metadata=facts)


_NETWORK, _DATA, _OPTIM, _MACHINE = "Network", "Data", "Optimisation", "Machine"


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """All settings of a training run; see `netlab train --help` for their meaning.

    Raises:
        ConfigError: values out of range, unknown components, or settings that do not fit each
            other; all faults are named at once.
    """

    arch: str = option("unet", "architecture", group=_NETWORK, kind="architecture", flag=False)
    encoder: str = option(
        "maxpool", "how the encoder halves the size", group=_NETWORK, kind="encoder"
    )
    bottleneck: str = option(
        "conv", "what stands between encoder and decoder", group=_NETWORK, kind="bottleneck"
    )
    decoder: str = option(
        "transpose", "how the decoder doubles the size", group=_NETWORK, kind="decoder"
    )
    norm: str = option("batch", "normalisation layer", group=_NETWORK, kind="norm")
    activation: str = option("relu", "activation function", group=_NETWORK, kind="activation")
    width: int = option(
        32, "channels of the first level; each level doubles them", group=_NETWORK, minimum=1
    )
    depth: int = option(3, "number of halvings", group=_NETWORK, minimum=1, maximum=8)
    stem: int = option(
        1,
        "pixel-unshuffle factor in front of the network: 2 is several times faster than 1",
        group=_NETWORK,
        minimum=1,
        maximum=8,
    )

    dataset: str = option("synthetic", "data set", group=_DATA, kind="dataset")
    data_dir: str | None = option(
        None, "folder with the data (default: $NETLAB_DATA, then ./data)", group=_DATA
    )
    images: str | None = option(None, "folder of pictures (data set pairs)", group=_DATA)
    masks: str | None = option(
        None, "folder of id masks with the same stems (data set pairs)", group=_DATA
    )
    classes: tuple[str, ...] | None = option(
        None, "class names in the order of their ids, a,b,c (data set pairs)", group=_DATA
    )
    mask_values: tuple[int, ...] | None = option(
        None,
        "pixel value of each class in the masks, such as 255,0 (default: 0,1,2,…)",
        group=_DATA,
    )
    image_size: int = option(
        128,
        "pictures are stretched to this square, in pixels",
        group=_DATA,
        minimum=8,
        maximum=4096,
    )
    limit: int | None = option(
        None, "use at most this many pictures of each part", group=_DATA, minimum=2
    )
    skip_bad: bool = option(
        False, "drop unpaired files and bad masks instead of stopping", group=_DATA
    )
    augment: str = option(
        "standard", "augmentation of training pictures", group=_DATA, choices=AUGMENTS
    )

    loss: str = option(
        "ce", "loss, or a weighted sum such as ce+0.5*dice", group=_OPTIM, sum_of="loss"
    )
    class_weights: str = option(
        "none", "none, balanced, or numbers in the order of the classes, 1,1,2", group=_OPTIM
    )
    epochs: int = option(20, "passes over the training part", group=_OPTIM, minimum=1)
    batch_size: int = option(16, "pictures per step", group=_OPTIM, minimum=1)
    lr: float = option(1e-3, "peak learning rate", group=_OPTIM, above=0)
    optimizer: str = option("adamw", "optimiser", group=_OPTIM, kind="optimizer")
    schedule: str = option("onecycle", "how the learning rate moves", group=_OPTIM, kind="schedule")
    warmup: float = option(
        0.1, "share of all steps in which the rate rises", group=_OPTIM, minimum=0, maximum=0.9
    )
    weight_decay: float = option(1e-2, "weight decay", group=_OPTIM, minimum=0)
    clip: float = option(1.0, "largest gradient norm; 0 is no clipping", group=_OPTIM, minimum=0)
    ema: float = option(
        0.0,
        "decay of the moving average of the weights, such as 0.998; 0 is none",
        group=_OPTIM,
        minimum=0,
        maximum=0.99999,
    )
    early_stop: int = option(
        0,
        "stop after this many epochs without a better validation score; 0 is never",
        group=_OPTIM,
        minimum=0,
    )
    seed: int = option(
        0,
        "everything random derives from this number",
        group=_OPTIM,
        minimum=0,
        maximum=2**31 - 1,
    )

    device: str = option("auto", "auto, cpu, cuda, cuda:N or mps", group=_MACHINE)
    precision: str = option(
        "auto",
        "arithmetic of the network; auto is bf16 where the hardware has it",
        group=_MACHINE,
        choices=PRECISIONS,
    )
    threads: int = option(
        0, "CPU threads; 0 is one per available core", group=_MACHINE, minimum=0, maximum=1024
    )

    parts: Mapping[str, Mapping[str, Any]] = option(
        {},
        "further arguments of components, by kind: --set encoder.blocks=2",
        group=_NETWORK,
        flag=False,
    )

    def __post_init__(self) -> None:
        faults = [fault for f in dataclasses.fields(self) for fault in _faults(f, self)]
        if faults:
            raise ConfigError("; ".join(faults))

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain YAML-able values, in the order of declaration."""
        return {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}

    def to_yaml(self) -> str:
        """The whole configuration as YAML that `--config` reads back unchanged."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)

    def portable(self) -> dict[str, Any]:
        """`to_dict` without the places of one machine, for weights files."""
        return {k: v for k, v in self.to_dict().items() if k not in MACHINE_PATHS}

    def merged(self, changes: Mapping[str, Any], source: str) -> "TrainConfig":
        """A copy with `changes`, all faults of which are named together with `source`.

        Raises:
            ConfigError: unknown keys, wrong types or bad values.
        """
        return merge(self.to_dict(), [Layer(source, changes)])


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
    parts: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise ConfigError(
                f"--set {pair}: write key=value, such as lr=0.001 or encoder.blocks=2"
            )
        kind, dot, argument = key.partition(".")
        value = _read_value(text, f"--set {pair}")
        if dot:
            parts.setdefault(kind, {})[argument.replace("-", "_")] = value
        else:
            values[key.replace("-", "_")] = value
    return Layer("--set", values | ({"parts": parts} if parts else {}))


def flag_of(name: str) -> str:
    """The flag of a field: `image_size` is `--image-size`."""
    return "--" + name.replace("_", "-")


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
        except (TypeError, ValueError):
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


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return value


def _faults(f: "dataclasses.Field[Any]", config: TrainConfig) -> list[str]:
    value = getattr(config, f.name)
    facts = f.metadata
    if value is None:
        return []
    label = f.name.replace("_", "-")
    try:
        if facts["kind"]:
            registry.check(facts["kind"], value)
        if facts["sum_of"]:
            for term in parse_sum(value):
                registry.check(facts["sum_of"], term.name)
    except (UnknownComponent, ConfigError) as error:
        return [str(error)]
    if facts["choices"] and value not in facts["choices"]:
        return [registry.unknown(label, value, list(facts["choices"]))]
    if f.name == "parts":
        known = [*registry.FOLDERS, *(f.name for f in dataclasses.fields(config))]
        return [
            registry.unknown("kind of component", kind, known)
            for kind in value
            if kind not in registry.FOLDERS
        ]
    return _out_of_range(label, value, facts)


def _out_of_range(label: str, value: Any, facts: Mapping[str, Any]) -> list[str]:
    if isinstance(value, float) and value != value:
        return [f"{label} must be a number, not nan"]
    if facts["minimum"] is not None and value < facts["minimum"]:
        return [f"{label} must be at least {facts['minimum']}, not {value}"]
    if facts["above"] is not None and value <= facts["above"]:
        return [f"{label} must be above {facts['above']}, not {value}"]
    if facts["maximum"] is not None and value > facts["maximum"]:
        return [f"{label} must be at most {facts['maximum']}, not {value}"]
    return []
