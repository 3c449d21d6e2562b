"""`netlab info`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from netlab.cli._flags import Debug, Json
from netlab.errors import WeightsError
from netlab.header import Header, read_header
from netlab.zoo import find_weights

_DECODERS = ("segmentation", "conditional-vae")
"""Tasks whose networks have a decoder."""


def info(
    file: Annotated[str, typer.Argument(help="Weights file, run folder, last, or bundled name.")],
    runs_dir: Annotated[Path, typer.Option(help="Folder of all runs.")] = Path("runs"),
    json_: Json = False,
    debug: Debug = False,  # noqa: ARG001 - the boundary in main acts on it
) -> None:
    """Say what a weights file is: network, data, scores, and the command that made it."""
    path = find_weights(file, runs_dir)
    header = read_header(path)
    if header.about.get("task") == "state":
        raise WeightsError(
            f"{path}: the state of a run, no weights; see best.safetensors beside it"
        )
    if json_:
        document = {"file": str(path), "bytes": header.bytes, "weights": header.weights}
        print(json.dumps({**document, **header.about}, ensure_ascii=False))
        return
    try:
        lines = _lines(header)
    except (AttributeError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: its description of itself is damaged ({error})") from error
    print(path)
    for name, text in lines:
        print(f"  {name:<12} {text}")


def _lines(header: Header) -> list[tuple[str, str]]:
    about: dict[str, Any] = header.about
    config = about.get("config", {})
    dtypes = sorted({dtype for dtype, _ in header.shapes.values()})
    task = about.get("task")
    parts = ["encoder", "bottleneck", *["decoder"] * (task in _DECODERS)]
    parts += ["conditioning"] * (task == "conditional-vae")
    shape = ["width", "depth", "stem", "block", "norm", "activation"]
    shape += ["latent"] * (task == "conditional-vae")
    lines = [
        (
            "network",
            f"{config.get('arch')}: " + " + ".join(str(config.get(k)) for k in parts),
        ),
        ("shape", ", ".join(f"{k} {config[k]}" for k in shape if k in config)),
        ("weights", f"{header.weights:,}, {header.bytes / 2**20:.1f} MiB, {'/'.join(dtypes)}"),
        ("classes", ", ".join(about.get("classes", []))),
        ("input", f"{about.get('input', {}).get('size')} pixels, stretched to a square"),
        ("data", _pairs(about.get("data", {}))),
        ("training", f"loss {config.get('loss')}, {_pairs(about.get('progress', {}))}"),
        ("metrics", _pairs(about.get("metrics", {}))),
        ("command", str(about.get("command"))),
        ("format", f"{about.get('format')}, written by netlab {about.get('netlab')}"),
    ]
    if "licence" in about:
        lines.append(("licence", str(about["licence"])))
    return lines


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{k} {round(v, 4) if isinstance(v, float) else v}" for k, v in values.items())
