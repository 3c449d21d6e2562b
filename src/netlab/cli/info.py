"""`netlab info`."""

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from netlab import registry
from netlab.cli.flags import Debug, Json, Overwrite, RunsDir
from netlab.cli.view.messages import note
from netlab.cli.view.text import terminal_width
from netlab.components import network_words
from netlab.errors import UnknownComponent, UsageError, WeightsError
from netlab.files import output_path, write_text
from netlab.runs.find import find_weights, name_of, run_of
from netlab.weights.header import Header, read_header


def info(
    file: Annotated[str, typer.Argument(help="Weights file, run folder, last, or bundled name.")],
    runs_dir: RunsDir = Path("runs"),
    diagram: Annotated[
        bool,
        typer.Option(
            "--diagram", help="Draw the network, with shapes, weights and multiply-adds, as SVG."
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="The drawing (default: diagram.svg in the run, or NAME_diagram.svg)."),
    ] = None,
    overwrite: Overwrite = False,
    json_: Json = False,
    debug: Debug = False,  # noqa: ARG001 - the boundary in main acts on it
) -> None:
    """Say what a weights file is: network, data, scores, and the command that made it."""
    if not diagram and (out is not None or overwrite):
        raise UsageError("--out and --overwrite are for the drawing: add --diagram")
    path = find_weights(file, runs_dir)
    header = read_header(path)
    if header.about.get("task") == "state":
        raise WeightsError(
            f"{path}: the state of a run, no weights; see best.safetensors beside it"
        )
    try:
        lines = [] if json_ and not diagram else _lines(header)
    except (AttributeError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: its description of itself is damaged ({error})") from error
    drawn = _draw(path, dict(lines)["network"], out, overwrite=overwrite) if diagram else {}
    if json_:
        document = {"file": str(path), "bytes": header.bytes, "weights": header.weights}
        print(json.dumps({**document, **header.about, **drawn}, ensure_ascii=False))
        return
    print(path)
    if diagram:
        lines.append(("computes", f"{drawn['multiply_adds']:,} multiply-adds a picture"))
    from netlab.figures.text_table import text_table

    rows = [[f"  {name}", text] for name, text in lines]
    print("\n".join(text_table(rows, width=terminal_width(), numbers=False)))


def _draw(path: Path, network: str, out: Path | None, *, overwrite: bool) -> dict[str, Any]:
    """Draw the network of a weights file; what it measures, as JSON-able facts.

    Raises:
        UsageError: a file that is there already, or no such folder; nothing was computed.
        WeightsError: weights that cannot be loaded.
    """
    run = run_of(path)
    usual = Path(f"{path.stem}_diagram.svg") if run is None else run.path / "diagram.svg"
    file = output_path(out, usual, overwrite)
    from netlab.figures.diagram import diagram as draw_svg
    from netlab.inspect.structure import structure_of
    from netlab.tasks.load import load_weights

    structure = structure_of(load_weights(path))
    write_text(file, draw_svg(structure, f"{name_of(path)} · {network}"))
    note(f"diagram: {file}")
    return {
        "diagram": str(file),
        "multiply_adds": structure.multiply_adds,
        "inputs": {name: list(shape) for name, shape in structure.inputs},
        "output": list(structure.output),
        "levels": [dataclasses.asdict(level) for level in structure.levels],
    }


def _lines(header: Header) -> list[tuple[str, str]]:
    about: dict[str, Any] = header.about
    config = about.get("config", {})
    dtypes = sorted({dtype for dtype, _ in header.shapes.values()})
    task = about.get("task")
    shape = ["width", "depth", "stem", "block", "norm", "activation"]
    if task in registry.names("task") and "latent" in (registry.stated("task", task, "uses") or ()):
        shape.append("latent")
    lines = [
        ("network", _network(config)),
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


def _network(config: Mapping[str, Any]) -> str:
    with contextlib.suppress(UnknownComponent):  # of another package, which is not here
        return network_words(config)
    return str(config.get("arch"))


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{k} {round(v, 4) if isinstance(v, float) else v}" for k, v in values.items())
