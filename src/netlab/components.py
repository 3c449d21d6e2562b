"""Components as a config wants them: by name, with the further arguments it has for them."""

import inspect
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

from netlab import registry
from netlab.config import LOSS_KINDS, TrainConfig
from netlab.errors import ComponentFault, ConfigError, NetlabError, out_of_memory

if TYPE_CHECKING:
    from netlab.contracts.architecture import ArchitectureBuilder
    from netlab.contracts.block import Activation, BlockBuilder, Norm
    from netlab.contracts.bottleneck import BottleneckBuilder
    from netlab.contracts.conditioning import ConditioningBuilder
    from netlab.contracts.dataset import DatasetBuilder
    from netlab.contracts.decoder import DecoderBuilder
    from netlab.contracts.encoder import EncoderBuilder
    from netlab.contracts.optimizer import OptimizerBuilder
    from netlab.contracts.schedule import Schedule
    from netlab.contracts.task import Task


@dataclass(frozen=True)
class Configured:
    """A component together with a config's further arguments for it; called as the component is.

    It can be pickled, as networks keep the builder of their blocks.
    """

    kind: str
    name: str
    component: Any
    arguments: Mapping[str, Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Build it.

        Raises:
            ConfigError: further arguments that it does not take.
        """
        kind = "loss" if self.kind in LOSS_KINDS else self.kind
        if unknown := sorted(set(self.arguments) - _named(self.component)):
            raise ConfigError(f"{kind} '{self.name}' does not take {', '.join(unknown)}")
        try:
            return self.component(*args, **kwargs, **self.arguments)
        except TypeError as error:
            if not self.arguments:
                raise
            raise ConfigError(
                f"{kind} '{self.name}' does not take {dict(self.arguments)}: {error}"
            ) from error
        except Exception as error:
            if fault := fault_of(error):
                raise fault from error
            raise

    def __getattr__(self, name: str) -> Any:
        """What the component states of itself, such as a decoder's `needs_skips`."""
        if name.startswith("_") or name not in dir(self.component):
            raise AttributeError(name)
        return getattr(self.component, name)


@overload
def component(config: TrainConfig, kind: Literal["architecture"]) -> "ArchitectureBuilder": ...
@overload
def component(config: TrainConfig, kind: Literal["encoder"]) -> "EncoderBuilder": ...
@overload
def component(config: TrainConfig, kind: Literal["bottleneck"]) -> "BottleneckBuilder": ...
@overload
def component(config: TrainConfig, kind: Literal["decoder"]) -> "DecoderBuilder": ...
@overload
def component(config: TrainConfig, kind: Literal["conditioning"]) -> "ConditioningBuilder": ...
@overload
def component(config: TrainConfig, kind: Literal["block"]) -> "BlockBuilder": ...
@overload
def component(config: TrainConfig, kind: Literal["norm"]) -> "Norm": ...
@overload
def component(config: TrainConfig, kind: Literal["activation"]) -> "Activation": ...
@overload
def component(config: TrainConfig, kind: Literal["dataset"]) -> "DatasetBuilder": ...
@overload
def component(config: TrainConfig, kind: Literal["optimizer"]) -> "OptimizerBuilder": ...
@overload
def component(config: TrainConfig, kind: Literal["schedule"]) -> "Schedule": ...
@overload
def component(config: TrainConfig, kind: Literal["task"]) -> Any: ...
def component(config: TrainConfig, kind: str) -> Any:
    """The component that a config names, with the config's further arguments for it.

    Raises:
        UnknownComponent: no such component; when called, ConfigError: arguments it does not take.
    """
    if kind == "architecture":
        return find_component(config, kind, config.arch)
    if kind == "task":
        return find_component(config, kind, task_of(config))
    return find_component(config, kind, str(getattr(config, kind)))


def find_component(config: TrainConfig, kind: str, name: str) -> Configured:
    """The component of a name, with a config's arguments for it.

    Args:
        config: holds the arguments in `parts`: by kind, and of the loss's terms by their names.
        kind: kind of component.
        name: of the component.

    Raises:
        UnknownComponent, ConfigError: see `component`.
    """
    arguments: Any = config.parts.get(kind, {})
    if kind in LOSS_KINDS:  # both are terms of the setting `loss`
        arguments = config.parts.get("loss", {}).get(name, {})
    if not isinstance(arguments, Mapping):
        kind = "loss" if kind in LOSS_KINDS else kind
        raise ConfigError(f"{kind}.{name}: expected arguments, such as --set {kind}.{name}.x=1")
    return Configured(kind, name, registry.find(kind, name), arguments)


def fault_of(error: Exception) -> ComponentFault | None:
    """What to tell of an error that came out of a component of another package.

    The innermost such component that was at work is named: by the code that ran, or by the object
    that netlab's code ran for. Wherever an unexpected error is caught, ask this first.

    Returns:
        None for errors that are for the user already, for want of memory, and for all others.
    """
    if isinstance(error, ComponentFault):
        return error
    if isinstance(error, NetlabError) or out_of_memory(error):
        return None
    for frame, _ in reversed([*traceback.walk_tb(error.__traceback__)]):
        code, owner = frame.f_code, type(frame.f_locals.get("self"))
        running = (str(frame.f_globals.get("__name__")), code.co_qualname)
        for module, qualname in (running, (owner.__module__, owner.__qualname__)):
            if label := registry.foreign(module, qualname):
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                return ComponentFault(f"{label} failed with {reason}")
    return None


def breach(component: object, reason: str) -> NetlabError:
    """What to raise for a component, or what it built, that does not keep its contract.

    Args:
        component: an instance, a class or a function.
        reason: what it should do, and what it does.
    """
    owner: Any = component if hasattr(component, "__qualname__") else type(component)
    label = registry.foreign(owner.__module__, owner.__qualname__) or owner.__qualname__
    return ComponentFault(f"{label} breaks its contract: {reason}")


def task_of(config: TrainConfig) -> str:
    """Name of the task that a config's architecture is for.

    Raises:
        UnknownComponent: no such architecture.
    """
    return registry.get("architecture", config.arch).task


def task_class(config: TrainConfig) -> "type[Task]":
    """The task that a config's architecture is for, for what it does without an instance.

    Raises:
        UnknownComponent: no such architecture or task.
    """
    return registry.get("task", task_of(config))


def parts_of(arch: str) -> tuple[str, ...]:
    """Kinds of the components that an architecture is put together from, as its `parts` say.

    Raises:
        UnknownComponent: no such architecture.
    """
    return tuple(registry.stated("architecture", arch, "parts") or ())


def network_words(config: Mapping[str, Any]) -> str:
    """The network of some settings: `unet: maxpool + conv + transpose`.

    Raises:
        UnknownComponent: an architecture that is not installed.
    """
    parts = [str(config[kind]) for kind in parts_of(str(config.get("arch"))) if kind in config]
    return f"{config.get('arch')}: {' + '.join(parts)}" if parts else str(config.get("arch"))


def _named(component: Any) -> set[str]:
    """Arguments that a component names; one that it would take by `**` alone is a misspelt one.

    Of a class also those of its bases, as far as `**` hands arguments on to them.
    """
    named: set[str] = set()
    owners = inspect.getmro(component) if inspect.isclass(component) else ()
    makers = [vars(owner)["__init__"] for owner in owners if "__init__" in vars(owner)]
    for maker in makers or [component]:
        parameters = inspect.signature(maker).parameters.values()
        named |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return named
