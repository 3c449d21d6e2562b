"""Network and loss of a conditional VAE, built from the components that a config names."""

from collections.abc import Iterable

from torch import nn

from netlab import registry
from netlab.components import component, find_component
from netlab.config import TrainConfig
from netlab.contracts.likelihood import Likelihood
from netlab.errors import ConfigError
from netlab.expressions import parse_sum
from netlab.tasks.build import build_block, build_decoder, build_encoder, build_terms
from netlab.tasks.criterion import WeightedSum

TASK = "vae"


def build_network(config: TrainConfig, classes: int, channels: int) -> nn.Module:
    """Put a conditional VAE together from the components that a config names.

    Raises:
        ConfigError: components that do not fit each other, or arguments they do not take.
    """
    if registry.get("decoder", config.decoder).needs_skips:
        raise ConfigError(
            f"decoder '{config.decoder}' needs skips, which a vae has not; choose another --decoder"
        )
    block = build_block(config)
    conditioning = component(config, "conditioning")(
        classes=classes, size=config.image_size, block=block
    )
    in_channels = (channels + conditioning.image_channels) * config.stem**2
    encoder, bottleneck = build_encoder(config, in_channels, block)
    decoder = build_decoder(config, encoder, bottleneck, conditioning.block, with_skips=False)
    network: nn.Module = component(config, "architecture", config.arch)(
        encoder,
        bottleneck,
        decoder,
        conditioning,
        size=config.image_size,
        latent=config.latent,
        out_channels=channels * likelihood_class(config).numbers,
        stem=config.stem,
    )
    return network


def build_criterion(config: TrainConfig, classes: int, channels: int) -> WeightedSum:
    """The loss that a config names, as a weighted sum of its terms in their own order.

    Raises:
        ConfigError: not exactly one likelihood among the terms.
    """
    likelihood_class(config)
    weights = {term.name: term.weight for term in parse_sum(config.loss)}
    terms = build_terms(
        config,
        TASK,
        "vae-term",
        order=in_order,
        classes=classes,
        channels=channels,
        size=config.image_size,
        latent=config.latent,
    )
    return WeightedSum(terms, [weights[name] for name in terms])


def in_order(names: Iterable[str]) -> list[str]:
    """Terms in the order in which they are built, learn and are added, however they were typed.

    The likelihood comes first, then what looks at z, then what looks at swapped pictures, then what
    looks at those encoded again; of each, those without a helper before those with one, by name.
    """

    def key(name: str) -> tuple[bool, int, bool, str]:
        term = registry.get("vae-term", name)
        helped = hasattr(term, "helper_loss")
        return not hasattr(term, "nats"), term.swaps + term.reencodes, helped, name

    return sorted(names, key=key)


def build_likelihood(config: TrainConfig, channels: int) -> Likelihood:
    """The likelihood alone, with its arguments, for weights that are not trained any more."""
    name = _likelihood_name(config)
    built: Likelihood = find_component(config, "vae-term", name)(
        channels=channels, size=config.image_size
    )
    return built


def likelihood_class(config: TrainConfig) -> type[Likelihood]:
    """The class of the one likelihood in a config's loss."""
    found: type[Likelihood] = registry.find("vae-term", _likelihood_name(config))
    return found


def _likelihood_name(config: TrainConfig) -> str:
    known = [
        name
        for name in registry.names("vae-term")
        if hasattr(registry.get("vae-term", name), "nats")
    ]
    found = [term.name for term in parse_sum(config.loss) if term.name in known]
    if len(found) != 1:
        raise ConfigError(
            f"loss '{config.loss}' of a vae needs exactly one likelihood ({', '.join(known)}), "
            f"not {len(found)}; such as bce+kl"
        )
    return found[0]
