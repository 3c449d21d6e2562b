"""Components as a config wants them: by name, with the further arguments it has for them."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from netlab import registry
from netlab.config import LOSS_KINDS, TrainConfig
from netlab.errors import ConfigError


def component(config: TrainConfig, kind: str, name: str | None = None) -> Callable[..., Any]:
    """The component that a config names, called with the config's further arguments for it.

    Args:
        config: names components in its fields, their further arguments in `parts`.
        kind: kind of component.
        name: another name than that in the field of the kind; for terms of a loss, whose further
            arguments are kept by term.

    Raises:
        UnknownComponent: no such component; when called, ConfigError: arguments it does not take.
    """
    name = name or str(getattr(config, kind))
    extra: Any = config.parts.get(kind, {})
    if kind in LOSS_KINDS:  # both are terms of the setting `loss`
        extra = config.parts.get("loss", {}).get(name, {})
    part = registry.get(kind, name)
    kind = "loss" if kind in LOSS_KINDS else kind
    if not isinstance(extra, Mapping):
        raise ConfigError(f"{kind}.{name}: expected arguments, such as --set {kind}.{name}.x=1")

    def call(*args: Any, **kwargs: Any) -> Any:
        if extra and (odd := sorted(set(extra) - _named(part))):
            raise ConfigError(f"{kind} '{name}' does not take {', '.join(odd)}")
        try:
            return part(*args, **kwargs, **extra)
        except TypeError as error:
            if not extra:
                raise
            raise ConfigError(f"{kind} '{name}' does not take {dict(extra)}: {error}") from error

    return call


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


def _named(part: Any) -> set[str]:
    """Arguments that a component names; one that it would take by `**` alone is a misspelt one."""
    owners = inspect.getmro(part) if inspect.isclass(part) else ()
    makers = [vars(owner)["__init__"] for owner in owners if "__init__" in vars(owner)]
    return {
        name
        for maker in makers or [part]
        for name, parameter in inspect.signature(maker).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
