"""Networks rebuilt from their weights files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from netlab import __version__, registry
from netlab.components import task_class, task_of
from netlab.config import TrainConfig
from netlab.errors import NetlabError, WeightsError
from netlab.runs.find import find_weights
from netlab.settings import Layer, merge
from netlab.weights.file import read_tensors
from netlab.weights.header import FORMAT, read_header


class Loaded(NamedTuple):
    """A network rebuilt from its file, in evaluation mode, on the CPU in fp32."""

    network: nn.Module
    about: dict[str, Any]
    config: TrainConfig


def describe(config: TrainConfig, network: nn.Module, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a weights file says of itself; `facts` come from the task and the training."""
    return {
        "format": FORMAT,
        "netlab": __version__,
        "task": task_of(config),
        "score": task_class(config).score._asdict(),
        "weights": sum(p.numel() for p in network.parameters()),
        "config": config.portable(),
        **facts,
    }


def load_weights(path: Path, *, task: str | None = None) -> Loaded:
    """Rebuild the network that a weights file describes.

    Raises:
        WeightsError: a file that is damaged, of a newer format, for another task, whose tensors
            do not fit the network it describes, or that names a component which is not installed.
    """
    about = read_header(path).about
    own_task = str(about.get("task"))
    if task is not None and own_task != task:
        raise WeightsError(f"{path}: weights for {own_task}, but this needs weights for {task}")
    try:
        config = merge({}, [Layer("its config", about["config"])])
        network = registry.get("task", own_task).of_weights(config, about).build_network()
    except NetlabError as error:
        raise WeightsError(f"{path}: cannot be rebuilt: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"{path}: its description is incomplete ({error!r})") from error
    _fill(network, path)
    return Loaded(network.eval(), about, config)


def load(weights: str | Path) -> Loaded:
    """Rebuild a network from a file, a run folder, `last`, or a bundled name.

    Raises:
        UsageError: nothing of that name.
        WeightsError: see `load_weights`.
    """
    return load_weights(find_weights(str(weights), Path("runs")))


def _fill(network: nn.Module, path: Path) -> None:
    stored = read_tensors(path)
    wanted = network.state_dict()
    if stored.keys() != wanted.keys():
        first = min(stored.keys() ^ wanted.keys())
        raise WeightsError(f"{path}: does not fit its own description, at {first}")
    for name, tensor in stored.items():
        if tensor.shape != wanted[name].shape:
            raise WeightsError(
                f"{path}: {name} has shape {tuple(tensor.shape)}, "
                f"its description says {tuple(wanted[name].shape)}"
            )
        if tensor.is_floating_point() != wanted[name].is_floating_point():
            raise WeightsError(f"{path}: {name} has type {tensor.dtype}")
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise WeightsError(f"{path}: {name} holds numbers that are not finite")
    network.load_state_dict(stored)
