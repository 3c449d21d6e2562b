"""The one frozen description of a training run.

It flows from the command line (`netlab.settings`) into the run folder, the weights file and the
rebuilt model; no other place holds a setting. Nothing here imports torch.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import yaml

from netlab import registry
from netlab.choices import PRECISIONS, STRENGTHS
from netlab.errors import ConfigError, UnknownComponent
from netlab.expressions import parse_sum

LOGS = ("none", "events", "tensorboard")
OWN_FOLDERS = ("images", "masks", "classes", "mask_values")
"""Fields that describe people's own folders; a data set names in `reads` those that it takes."""
LOSS_KINDS = ("loss", "vae-term")
"""Kinds of components that `loss` is a sum of; which of them, an architecture's task says."""
PART_KINDS = tuple(kind for kind in registry.FOLDERS if kind != "vae-term")
"""Kinds of components that take further arguments from `parts`; those of terms are the loss's."""
MACHINE_PATHS = ("data_dir", "images", "masks")
"""Fields that name paths on one machine: kept in config.yaml, left out of weights files."""


class Setting(NamedTuple):
    """What is declared of a setting besides its type and default: flag, help and limits."""

    group: str
    """Heading in the help."""
    help: str
    kind: str | None = None
    """Of the component that it names."""
    choices: tuple[str, ...] = ()
    several: bool = False
    """Takes several of its choices, separated by commas."""
    sum_of: tuple[str, ...] = ()
    """Kinds of the components that it is a sum of."""
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    flag: bool = True
    optional: bool = False
    """Read only by the tasks that name it in `uses`, or by the architectures with such a part."""


def option(group: str, default: Any, help: str, **facts: Any) -> Any:  # noqa: A002
    """Declare a setting once: its flag, YAML key, help and limits follow from this line.

    Args:
        group, help: see `Setting`.
        default: its value where nothing else is given.
        facts: further fields of `Setting`.
    """
    metadata = {"setting": Setting(group, help, **facts)}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def setting_of(declared: "dataclasses.Field[Any]") -> Setting:
    """What `option` declared of a field."""
    setting: Setting = declared.metadata["setting"]
    return setting


MACHINE_FIELDS = ("device", "precision", "threads")
AUTO = ("auto", 0)
"""Wishes that leave the fields of the machine to what is there, or to what a run has."""
FREE_ON_RESUME = (*MACHINE_PATHS, "epochs", "early_stop", "save_every", "on_nan", "log")
"""Fields that may be given anew on resume: paths, the length, and what is done beside the steps;
no finished step depends on them. A longer run stretches the schedule from there on."""

_network = partial(option, "Network")
_data = partial(option, "Data")
_optim = partial(option, "Optimisation")
_machine = partial(option, "Machine")
_run = partial(option, "Run")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """All settings of a training run; see `netlab train --help` for their meaning.

    Raises:
        ConfigError: values out of range, unknown components, or settings that do not fit each
            other; all faults are named at once.
    """

    arch: str = _network("unet", "architecture", kind="architecture", flag=False)
    encoder: str = _network("maxpool", "how the encoder halves the size", kind="encoder")
    bottleneck: str = _network("conv", "what stands between encoder and decoder", kind="bottleneck")
    decoder: str = _network(
        "transpose", "how the decoder doubles the size", kind="decoder", optional=True
    )
    block: str = _network("conv", "convolutions of one level", kind="block")
    norm: str = _network("batch", "normalisation layer", kind="norm")
    activation: str = _network("relu", "activation function", kind="activation")
    width: int = _network(32, "channels of the first level; each level doubles them", minimum=1)
    depth: int = _network(3, "number of halvings", minimum=1, maximum=8)
    stem: int = _network(
        1,
        "pixel-unshuffle factor in front of the network: 2 is several times faster than 1",
        minimum=1,
        maximum=8,
        optional=True,
    )

    latent: int = _network(
        16, "numbers of the latent z (vae)", minimum=1, maximum=65536, optional=True
    )
    conditioning: str = _network(
        "film", "how the label enters encoder and decoder (vae)", kind="conditioning", optional=True
    )

    dataset: str = _data("synthetic", "data set", kind="dataset")
    data_dir: str | None = _data(None, "folder with the data (default: $NETLAB_DATA, then ./data)")
    images: str | None = _data(
        None, "folder of pictures (pairs), or of a sub-folder for each class (class-folder)"
    )
    masks: str | None = _data(None, "folder of id masks with the same stems (data set pairs)")
    classes: tuple[str, ...] | None = _data(
        None, "class names in the order of their ids, a,b,c (pairs, class-folder)"
    )
    mask_values: tuple[int, ...] | None = _data(
        None, "pixel value of each class in the masks, such as 255,0 (default: 0,1,2,…)"
    )
    image_size: int = _data(
        128, "pictures are stretched to this square, in pixels", minimum=8, maximum=4096
    )
    limit: int | None = _data(
        None,
        "train and validate on at most this many pictures each; the test split stays whole",
        minimum=1,
    )
    skip_bad: bool = _data(False, "drop unpaired files and bad masks instead of stopping")
    augment: str = _data("standard", "augmentation of training pictures", choices=tuple(STRENGTHS))
    disturb: float = _data(
        0.0,
        "share of training pictures that are blurred, noisy or JPEG-compressed (classifier)",
        minimum=0,
        maximum=1,
        optional=True,
    )

    loss: str = _optim("ce", "loss, or a weighted sum such as ce+0.5*dice", sum_of=LOSS_KINDS)
    class_weights: str = _optim(
        "none", "none, balanced, or numbers in the order of the classes, 1,1,2", optional=True
    )
    epochs: int = _optim(20, "passes over the training split", minimum=1)
    batch_size: int = _optim(16, "pictures per step", minimum=1)
    lr: float = _optim(1e-3, "peak learning rate", above=0)
    helper_lr: float = _optim(
        1.0,
        "learning rate of networks inside the loss's terms, such as an adversary, in --lr (vae)",
        above=0,
        optional=True,
    )
    optimizer: str = _optim("adamw", "optimiser", kind="optimizer")
    schedule: str = _optim("onecycle", "how the learning rate moves", kind="schedule")
    warmup: float = _optim(
        0.1, "share of all steps in which the rate rises", minimum=0, maximum=0.9
    )
    weight_decay: float = _optim(1e-2, "weight decay", minimum=0)
    clip: float = _optim(1.0, "largest gradient norm; 0 is no clipping", minimum=0)
    ema: float = _optim(
        0.0,
        "decay of the moving average of the weights, such as 0.998; 0 is none",
        minimum=0,
        maximum=0.99999,
    )
    early_stop: int = _optim(
        0, "stop after this many epochs without a better validation score; 0 is never", minimum=0
    )
    save_every: int = _optim(60, "seconds between saves of the state within an epoch", minimum=1)
    on_nan: str = _optim(
        "stop",
        "when the loss or a gradient is not a number: stop; skip the batch; or rollback to the "
        "saved state at half the rate",
        choices=("stop", "skip", "rollback"),
    )
    seed: int = _optim(
        0, "everything random derives from this number", minimum=0, maximum=2**31 - 1
    )

    device: str = _machine("auto", "auto, cpu, cuda, cuda:N or mps")
    precision: str = _machine(
        "auto",
        "arithmetic of the network; auto is the quickest, measured at the start",
        choices=("auto", *PRECISIONS),
    )
    threads: int = _machine(
        0,
        "CPU threads; 0 is as many as are quickest, measured at the start",
        minimum=0,
        maximum=1024,
    )

    log: str = _run(
        "none",
        "what else is written into the run folder, one or several (events,tensorboard)",
        choices=LOGS,
        several=True,
    )

    parts: Mapping[str, Mapping[str, Any]] = _network(
        {}, "further arguments of components, by kind: --set encoder.blocks=2", flag=False
    )

    def __post_init__(self) -> None:
        faults = [fault for f in dataclasses.fields(self) for fault in _faults(f, self)]
        if self.dataset in registry.names("dataset"):
            faults += self._unread_folders()
        if faults:
            raise ConfigError("; ".join(faults))

    def _unread_folders(self) -> list[str]:
        """What describes own folders, for a data set that does not read it."""
        described = [name for name in OWN_FOLDERS if getattr(self, name) is not None]
        if not described:
            return []
        reads = {
            dataset: registry.stated("dataset", dataset, "reads") or ()
            for dataset in registry.names("dataset")
        }
        faults = []
        for name in described:
            if name not in reads[self.dataset]:
                readers = [dataset for dataset, read in reads.items() if name in read]
                readers.sort(key=lambda dataset: -len(reads[dataset]))
                listed = " or ".join(readers)
                faults.append(f"{flag_of(name)} is for --dataset {listed}, not for {self.dataset}")
        return faults

    @property
    def logs(self) -> tuple[str, ...]:
        """What `log` asks for, each once."""
        return tuple(dict.fromkeys(name for name in split_names(self.log) if name != "none"))

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain YAML-able values, in the order of declaration."""
        return {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}

    def to_yaml(self) -> str:
        """The whole configuration as YAML that `--config` reads back unchanged."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)

    def portable(self) -> dict[str, Any]:
        """`to_dict` without the paths of one machine, for weights files."""
        return {k: v for k, v in self.to_dict().items() if k not in MACHINE_PATHS}


def optional_settings() -> list[str]:
    """Names of the settings that only some tasks read."""
    return [f.name for f in dataclasses.fields(TrainConfig) if setting_of(f).optional]


def split_names(text: str) -> list[str]:
    """The names in a comma-separated list."""
    return [name.strip() for name in text.split(",")]


def flag_of(name: str) -> str:
    """The flag of a field: `image_size` is `--image-size`."""
    return "--" + name.replace("_", "-")


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The settings that keep a resumed run from ending as it would have, with both values.

    Args:
        old, new: `TrainConfig.to_dict` of the run and of what is to go on.
    """
    pairs = [(flag_of(k), old.get(k), new[k]) for k in new if k != "parts"]
    pairs += [
        (f"--set {kind}", old.get("parts", {}).get(kind, {}), new["parts"].get(kind, {}))
        for kind in sorted({*old.get("parts", {}), *new["parts"]})
    ]
    free = {flag_of(name) for name in FREE_ON_RESUME}
    return [f"{name} was {a}, is {b}" for name, a, b in pairs if a != b and name not in free]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return value


def _faults(f: "dataclasses.Field[Any]", config: TrainConfig) -> list[str]:
    value, setting = getattr(config, f.name), setting_of(f)
    if value is None:
        return []
    label = f.name.replace("_", "-")
    try:
        if setting.kind:
            registry.check(setting.kind, value)
        if setting.sum_of:
            for term in parse_sum(value):
                registry.check(setting.sum_of, term.name)
    except (UnknownComponent, ConfigError) as error:
        return [str(error)]
    if setting.choices:
        names = split_names(value) if setting.several else [value]
        if unknown := [name for name in names if name not in setting.choices]:
            return [registry.unknown(label, unknown[0], list(setting.choices))]
    if f.name == "parts":
        kinds = [kind for kind in value if kind not in PART_KINDS]
        return [registry.unknown("kind of component", kind, list(PART_KINDS)) for kind in kinds]
    if isinstance(value, float) and value != value:
        return [f"{label} must be a number, not nan"]
    if setting.minimum is not None and value < setting.minimum:
        return [f"{label} must be at least {setting.minimum}, not {value}"]
    if setting.above is not None and value <= setting.above:
        return [f"{label} must be above {setting.above}, not {value}"]
    if setting.maximum is not None and value > setting.maximum:
        return [f"{label} must be at most {setting.maximum}, not {value}"]
    return []
