"""Weights files: self-describing safetensors, written whole, read strictly."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save
from torch import Tensor

from netlab.errors import WeightsError
from netlab.files import write_bytes


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
    stored = metadata.get("crc32")
    if stored is not None and stored != _checksum(tensors, metadata.get("netlab", "")):
        raise WeightsError(f"{path}: damaged, its checksum does not agree; copy it again")
    return tensors


def _checksum(tensors: Mapping[str, Tensor], text: str) -> str:
    """CRC-32 of a description and of tensors in the order of their names."""
    crc = zlib.crc32(text.encode())
    for name in sorted(tensors):
        crc = zlib.crc32(name.encode(), crc)
        crc = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"
