"""Weights files: self-describing safetensors, written whole, read strictly."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import torch
from safetensors.torch import save
from torch import Tensor, nn

from netlab import __version__, registry
from netlab.config import TrainConfig
from netlab.errors import NetlabError, WeightsError
from netlab.header import FORMAT, read_header
from netlab.rundir import write_bytes
from netlab.settings import Layer, merge
from netlab.zoo import find_weights


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
        "task": registry.get("architecture", config.arch).task,
        "weights": sum(p.numel() for p in network.parameters()),
        "config": config.portable(),
        **facts,
    }


def save_weights(
    path: Path,
    tensors: Mapping[str, Tensor],
    about: Mapping[str, Any],
    *,
    half: bool = False,
    keep: Path | None = None,
) -> None:
    """Write tensors and their description, with a checksum over both.

    Args:
        path: replaced in one step; an older file stays whole until then.
        tensors: a network's `state_dict`.
        about: see `describe`.
        half: store floating-point tensors as fp16, half the size.
        keep: where an older file goes, instead of nowhere.

    Raises:
        WorkFailed: the file cannot be written.
    """
    # safetensors wants plain layouts; the network itself may be channels_last.
    plain = {
        name: (t.half() if half and t.is_floating_point() else t).detach().cpu().contiguous()
        for name, t in tensors.items()
    }
    text = json.dumps(about, allow_nan=False)
    metadata = {"netlab": text, "crc32": _checksum(plain, text)}
    # save_file would make a file that only its owner can read.
    write_bytes(path, save(plain, metadata), keep=keep)


def load_weights(path: Path, *, task: str | None = None) -> Loaded:
    """Rebuild the network that a weights file describes.

    Raises:
        WeightsError: a file that is damaged, of a newer format, for another task, whose tensors
            do not fit the network it describes, or that names a component which is not installed.
    """
    about = read_header(path).about
    found = about.get("task")
    if task is not None and found != task:
        raise WeightsError(f"{path}: weights for {found}, but this needs weights for {task}")
    try:
        config = merge({}, [Layer("its config", about["config"])])
        network = registry.get("task", str(found)).build(config, about)
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


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, on the CPU.

    Raises:
        WeightsError: the file is damaged, as its structure or its checksum shows.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # Cloned: what is mapped cannot be replaced on Windows, and takes up space elsewhere.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise WeightsError(f"{path}: damaged or not a safetensors file ({error})") from error
    # Older files and those of other programs carry no checksum.
    told = metadata.get("crc32")
    if told is not None and told != _checksum(tensors, metadata.get("netlab", "")):
        raise WeightsError(f"{path}: damaged, its checksum does not agree; copy it again")
    return tensors


def _checksum(tensors: Mapping[str, Tensor], text: str) -> str:
    """CRC-32 of a description and of tensors in the order of their names."""
    crc = zlib.crc32(text.encode())
    for name in sorted(tensors):
        crc = zlib.crc32(name.encode(), crc)
        crc = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"


def _fill(network: nn.Module, path: Path) -> None:
    stored = read_tensors(path)
    wanted = network.state_dict()
    if stored.keys() != wanted.keys():
        odd = sorted(stored.keys() ^ wanted.keys())
        raise WeightsError(f"{path}: does not fit its own description, at {odd[0]}")
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
