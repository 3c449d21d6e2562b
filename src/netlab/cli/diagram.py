"""The drawing that `netlab info --diagram` makes, and what it says beside."""

import dataclasses
from pathlib import Path
from typing import Any

from netlab.cli.view.messages import note
from netlab.files import output_path, write_text
from netlab.runs.find import name_of, run_of


def draw(path: Path, network: str, out: Path | None, *, overwrite: bool) -> dict[str, Any]:
    """Draw the network of a weights file, and say on stderr where.

    Args:
        path: the weights file.
        network: its architecture and components, in words.
        out: where the drawing goes; None is the folder of its run, or else the working folder.
        overwrite: what is there already.

    Returns:
        JSON-able facts: its file, multiply-adds, inputs, output and levels.

    Raises:
        UsageError: a place that is taken, or a folder that is not there; nothing was computed.
        WeightsError: weights that cannot be loaded.
    """
    place = output_path(out, _usual_place(path), overwrite)
    from netlab.figures.diagram import diagram
    from netlab.inspect.structure import structure_of
    from netlab.tasks.load import load_weights

    found = structure_of(load_weights(path))
    write_text(place, diagram(found, f"{name_of(path)} · {network}"))
    note(f"diagram: {place}")
    return {
        "diagram": str(place),
        "multiply_adds": found.multiply_adds,
        "inputs": {name: list(shape) for name, shape in found.inputs},
        "output": list(found.output),
        "levels": [dataclasses.asdict(level) for level in found.levels],
    }


def _usual_place(path: Path) -> Path:
    run = run_of(path)
    return Path(f"{path.stem}_diagram.svg") if run is None else run.path / "diagram.svg"
