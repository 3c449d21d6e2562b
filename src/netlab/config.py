"""The one frozen description of a training run.

It flows from the command line (`netlab.settings`) into the run folder, the weights file and the
rebuilt model; no other place holds a setting. Nothing here imports torch.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
PART_KINDS = (
    "task",
    "architecture",
    "encoder",
    "bottleneck",
    "decoder",
    "conditioning",
    "block",
    "norm",
    "activation",
    "loss",
    "dataset",
    "optimizer",
    "schedule",
)
"""Kinds of components that take further arguments from `parts`."""
MACHINE_PATHS = ("data_dir", "images", "masks")
"""Fields that name places on one machine: kept in config.yaml, left out of weights files."""


def option(
    default: Any,
    help: str,  # noqa: A002 - the word users of the field read
    *,
    group: str,
    kind: str | None = None,
    choices: tuple[str, ...] = (),
    several: bool = False,
    sum_of: tuple[str, ...] = (),
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    flag: bool = True,
    optional: bool = False,
) -> Any:
    """Declare a setting once: its flag, YAML key, help and limits follow from this line.

    One that is `optional` is read by some tasks alone, which name it in `uses`, or by the
    architectures that have such a part.
    """
    facts = {
        "help": help,
        "group": group,
        "kind": kind,
        "choices": choices,
        "several": several,
        "sum_of": sum_of,
        "minimum": minimum,
        "above": above,
        "maximum": maximum,
        "flag": flag,
        "optional": optional,
    }
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=facts)
    return field(default=default, metadata=facts)


MACHINE_FIELDS = ("device", "precision", "threads")
AUTO = ("auto", 0)
"""Wishes that leave the fields of the machine to what is there, or to what a run has."""
FREE_ON_RESUME = (*MACHINE_PATHS, "epochs", "early_stop", "save_every", "on_nan", "log")
"""Fields that may be given anew on resume: places, the length, and what is done beside the steps;
no finished step depends on them. A longer run stretches the schedule from there on."""

_NETWORK, _DATA, _OPTIM, _MACHINE = "Network", "Data", "Optimisation", "Machine"
_RUN = "Run"


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
        "transpose",
        "how the decoder doubles the size",
        group=_NETWORK,
        kind="decoder",
        optional=True,
    )
    block: str = option("conv", "convolutions of one level", group=_NETWORK, kind="block")
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
        optional=True,
    )

    latent: int = option(
        16, "numbers of the latent z (vae)", group=_NETWORK, minimum=1, maximum=65536, optional=True
    )
    conditioning: str = option(
        "film",
        "how the label enters encoder and decoder (vae)",
        group=_NETWORK,
        kind="conditioning",
        optional=True,
    )

    dataset: str = option("synthetic", "data set", group=_DATA, kind="dataset")
    data_dir: str | None = option(
        None, "folder with the data (default: $NETLAB_DATA, then ./data)", group=_DATA
    )
    images: str | None = option(
        None, "folder of pictures (pairs), or of a folder a class (class-folder)", group=_DATA
    )
    masks: str | None = option(
        None, "folder of id masks with the same stems (data set pairs)", group=_DATA
    )
    classes: tuple[str, ...] | None = option(
        None, "class names in the order of their ids, a,b,c (pairs, class-folder)", group=_DATA
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
        None,
        "train and validate on at most this many pictures each; the test part stays whole",
        group=_DATA,
        minimum=1,
    )
    skip_bad: bool = option(
        False, "drop unpaired files and bad masks instead of stopping", group=_DATA
    )
    augment: str = option(
        "standard", "augmentation of training pictures", group=_DATA, choices=tuple(STRENGTHS)
    )
    disturb: float = option(
        0.0,
        "share of training pictures that are blurred, noisy or JPEG-compressed (classifier)",
        group=_DATA,
        minimum=0,
        maximum=1,
        optional=True,
    )

    loss: str = option(
        "ce", "loss, or a weighted sum such as ce+0.5*dice", group=_OPTIM, sum_of=LOSS_KINDS
    )
    class_weights: str = option(
        "none",
        "none, balanced, or numbers in the order of the classes, 1,1,2",
        group=_OPTIM,
        optional=True,
    )
    epochs: int = option(20, "passes over the training part", group=_OPTIM, minimum=1)
    batch_size: int = option(16, "pictures per step", group=_OPTIM, minimum=1)
    lr: float = option(1e-3, "peak learning rate", group=_OPTIM, above=0)
    helper_lr: float = option(
        1.0,
        "learning rate of networks inside the loss's terms, such as an adversary, in --lr (vae)",
        group=_OPTIM,
        above=0,
        optional=True,
    )
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
    save_every: int = option(
        60, "seconds between saves of the state within an epoch", group=_OPTIM, minimum=1
    )
    on_nan: str = option(
        "stop",
        "when loss or gradient is no number: stop; skip the batch; or rollback to the saved state "
        "at half the rate",
        group=_OPTIM,
        choices=("stop", "skip", "rollback"),
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
        "arithmetic of the network; auto is the quickest, measured at the start",
        group=_MACHINE,
        choices=("auto", *PRECISIONS),
    )
    threads: int = option(
        0,
        "CPU threads; 0 is as many as are quickest, measured at the start",
        group=_MACHINE,
        minimum=0,
        maximum=1024,
    )

    log: str = option(
        "none",
        "what else is written into the run folder, one or several (events,tensorboard)",
        group=_RUN,
        choices=LOGS,
        several=True,
    )

    parts: Mapping[str, Mapping[str, Any]] = option(
        {},
        "further arguments of components, by kind: --set encoder.blocks=2",
        group=_NETWORK,
        flag=False,
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
        """`to_dict` without the places of one machine, for weights files."""
        return {k: v for k, v in self.to_dict().items() if k not in MACHINE_PATHS}


def optional_settings() -> list[str]:
    """Names of the settings that only some tasks read."""
    return [f.name for f in dataclasses.fields(TrainConfig) if f.metadata["optional"]]


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
                registry.check_any(facts["sum_of"], term.name)
    except (UnknownComponent, ConfigError) as error:
        return [str(error)]
    if facts["choices"]:
        named = split_names(value) if facts["several"] else [value]
        if odd := [name for name in named if name not in facts["choices"]]:
            return [registry.unknown(label, odd[0], list(facts["choices"]))]
    if f.name == "parts":
        odd = [kind for kind in value if kind not in PART_KINDS]
        return [registry.unknown("kind of component", kind, list(PART_KINDS)) for kind in odd]
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
