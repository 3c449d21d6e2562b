"""Levels of a network: their shapes, weights and multiply-adds, found by one forward pass.

Weights and multiply-adds of all levels sum to those of the network; `netlab.inspect.trace` says
what is counted.
"""

import contextlib
import inspect
from collections.abc import Iterator

import torch
from torch import nn

from netlab.contracts.structure import LABEL, OUTPUT, PICTURE, Level, Link, Shape, Structure
from netlab.errors import WeightsError
from netlab.inspect.trace import Trace, Unit, trace
from netlab.tasks.load import Loaded

OTHER = "other"
"""Kind of the level that holds what belongs to no part."""

_BATCH = 2  # pictures; some norms refuse a single one whose map is a single pixel


def structure(network: nn.Module, channels: int, size: int, classes: int = 1) -> Structure:
    """What a network is made of, from a pass of black pictures through it.

    Modes, weights and statistics of the network stay as they are.

    Args:
        network: on any device.
        channels: of its pictures.
        size: side of its pictures in pixels.
        classes: of the labels (B, K) that it takes, if its `forward` asks for them.
    """
    like = next((p for p in network.parameters() if p.is_floating_point()), torch.zeros(()))
    shapes: dict[str, Shape] = {PICTURE: (channels, size, size)}
    shapes |= {LABEL: (classes,)} if _takes_labels(network) else {}
    inputs = {name: like.new_zeros(_BATCH, *shape) for name, shape in shapes.items()}
    # In inference mode, torch does not tell all that it computes.
    with torch.inference_mode(False), torch.no_grad(), _evaluating(network):
        seen = trace(network, lambda: network(*inputs.values()), inputs)
    groups = _groups(seen.units)
    levels = tuple(_level(name, units) for name, units in groups.items())
    links = _links(seen, groups)
    return Structure(tuple(shapes.items()), tuple(seen.shape[1:]), levels, links)


def structure_of(loaded: Loaded) -> Structure:
    """What the network of a weights file is made of; see `structure`.

    Raises:
        WeightsError: the file does not describe what its network takes.
    """
    try:
        about = loaded.about["input"]
        channels, size = int(about.get("channels", 3)), int(about["size"])
        classes = len(loaded.about["classes"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"the weights do not say what pictures their network takes ({error!r})"
        ) from error
    return structure(loaded.network, channels, size, classes)


def _takes_labels(network: nn.Module) -> bool:
    """Whether `forward` asks for labels behind the picture."""
    required = [
        p
        for p in inspect.signature(network.forward).parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return len(required) > 1


@contextlib.contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _groups(units: list[Unit]) -> dict[str, list[Unit]]:
    """Level name to its units: those of one part that run one after another at one size.

    What is around the units of a part joins the unit that comes next, or else the last one. Parts
    without weights that compute nothing, such as dropout, are no levels.
    """
    groups: list[list[Unit]] = []
    for part in dict.fromkeys(unit.part for unit in units):
        levels = _by_size([unit for unit in units if unit.part == part])
        if any(unit.weights or unit.multiply_adds for group in levels for unit in group):
            groups += levels
    # In the order of running, and last what belongs to no part.
    groups.sort(key=lambda group: (group[0].part == "", units.index(group[0])))
    parts = [group[0].part for group in groups]
    names: dict[str, list[Unit]] = {}
    for group in groups:
        part = group[0].part
        number = sum(g[0].part == part for g in names.values()) + 1
        name = part.replace("_", " ") or OTHER
        label = f"{name} {number}" if parts.count(part) > 1 else name
        while label in names or label in (PICTURE, LABEL, OUTPUT):
            label, number = f"{name} {number}", number + 1
        names[label] = group
    return names


def _by_size(units: list[Unit]) -> list[list[Unit]]:
    groups: list[list[Unit]] = []
    size: Shape | None = None
    around: list[Unit] = []
    for unit in units:
        if unit.whole:
            around.append(unit)
            continue
        if groups and unit.shape[2:] == size:
            groups[-1] += [*around, unit]
        else:
            groups.append([*around, unit])
        size, around = unit.shape[2:], []
    if not groups:
        return [around]
    groups[-1] += around
    return groups


def _level(name: str, units: list[Unit]) -> Level:
    own = [unit for unit in units if not unit.whole and unit.shape]
    return Level(
        name=name,
        kind=units[0].part or OTHER,
        takes=tuple(own[0].takes[1:]) if own else (),
        shape=tuple(own[-1].shape[1:]) if own else (),
        weights=sum(unit.weights for unit in units),
        multiply_adds=sum(unit.multiply_adds for unit in units) // _BATCH,
    )


def _links(seen: Trace, groups: dict[str, list[Unit]]) -> tuple[Link, ...]:
    """Where the numbers go, between levels, from the inputs and to the output."""
    level_of = {unit.name: name for name, units in groups.items() for unit in units}
    through = {unit.name: tuple(unit.sources) for unit in seen.units}

    def origins(name: str) -> list[str]:
        if name in level_of or name not in through:
            return [level_of.get(name, name)]
        return [origin for source in through[name] for origin in origins(source)]

    links: dict[Link, None] = {}
    targets = [(level_of.get(unit.name), unit.sources) for unit in seen.units]
    for target, sources in [*targets, (OUTPUT, dict.fromkeys(seen.sources))]:
        for origin in (o for source in sources for o in origins(source)):
            if target is not None and origin != target:
                links[Link(origin, target)] = None
    return tuple(links)
