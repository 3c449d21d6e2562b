"""What a weights file says of itself, read without torch.

A safetensors file begins with eight bytes (the length of a JSON header, little endian), then the
header, then the tensors (https://github.com/huggingface/safetensors, "Format"). Netlab keeps its
own description as JSON under the key `netlab` of the header's metadata.
"""

import json
import math
import struct
from pathlib import Path
from typing import Any, NamedTuple

from netlab.errors import WeightsError

_FORMER_TASKS = {"conditional-vae": "vae"}  # what tasks were called in older files
FORMAT = 1
"""Version of the description below; files of a newer one are refused by name."""

_LONGEST_HEADER = 100 * 2**20


class Header(NamedTuple):
    """A weights file's description and the shapes of its tensors."""

    about: dict[str, Any]
    shapes: dict[str, tuple[str, tuple[int, ...]]]
    """Tensor name to (dtype, shape)."""
    bytes: int

    @property
    def weights(self) -> int:
        """Number of trainable weights, as the file says, or of all stored numbers."""
        stated = self.about.get("weights")
        if isinstance(stated, int):
            return stated
        return sum(math.prod(shape) for _, shape in self.shapes.values())


def read_header(path: Path) -> Header:
    """Read and check the description of a weights file.

    Raises:
        WeightsError: no such file, not safetensors, truncated, not netlab's, or of a newer format.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as handle:
            start = handle.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else _LONGEST_HEADER + 1
            raw = handle.read(length) if length <= min(_LONGEST_HEADER, size) else b""
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from error
    tensors, text = _parse(path, raw)
    end = max((t["data_offsets"][1] for t in tensors.values()), default=0)
    expected = 8 + length + end
    if size != expected:
        raise WeightsError(
            f"{path}: damaged, has {size} bytes instead of {expected}; copy it again"
        )
    shapes = {name: (t["dtype"], tuple(t["shape"])) for name, t in tensors.items()}
    return Header(_about(path, text), shapes, size)


def _parse(path: Path, raw: bytes) -> tuple[dict[str, Any], str | None]:
    try:
        header = json.loads(raw)
        metadata = header.pop("__metadata__", {})
        for tensor in header.values():
            _begin, _end = map(int, tensor["data_offsets"])
            math.prod(map(int, tensor["shape"]))
            str(tensor["dtype"])
        return header, metadata.get("netlab")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WeightsError(
            f"{path}: not a safetensors file, or a truncated one; weights come from netlab train"
        ) from error


def _about(path: Path, text: str | None) -> dict[str, Any]:
    if text is None:
        raise WeightsError(f"{path}: a safetensors file, but not one that netlab wrote")
    try:
        about = json.loads(text)
        version = about["format"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WeightsError(f"{path}: its description of itself is damaged") from error
    if not isinstance(version, int) or version > FORMAT:
        raise WeightsError(
            f"{path}: format {version}, but this netlab reads up to {FORMAT}; update netlab"
        )
    assert isinstance(about, dict)
    about["task"] = _FORMER_TASKS.get(about.get("task", ""), about.get("task"))
    return about
