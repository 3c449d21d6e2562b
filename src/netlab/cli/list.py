"""`netlab list`."""

import json
from typing import Annotated

import typer

from netlab import registry
from netlab.cli.flags import Debug, Json
from netlab.cli.view.text import terminal_width
from netlab.errors import UnknownComponent
from netlab.settings import preset_summaries


def list_components(
    kind: Annotated[
        str | None, typer.Argument(help="encoder, decoder, loss, dataset, preset, weights, …")
    ] = None,
    json_: Json = False,
    debug: Debug = False,  # noqa: ARG001 - the boundary in main acts on it
) -> None:
    """List components, data sets, recipes and bundled weights, one line each."""
    kinds = [k for k in registry.FOLDERS if k != "task"]
    known = [*kinds, "preset", "weights"]
    wanted = (kind or "").removesuffix("s") if kind not in known else kind
    if kind is not None and wanted not in known:
        raise UnknownComponent(registry.unknown("kind", kind, known))
    tables = {k: _lines(k) for k in ([wanted] if wanted else known)}
    if json_:
        document = {k: [{"name": n, "about": a} for n, a in lines] for k, lines in tables.items()}
        print(json.dumps(document, ensure_ascii=False))
        return
    from netlab.figures.text_table import text_table

    rows = []
    for title, lines in tables.items():
        rows += [[title, ""]] * (not wanted)
        rows += [[f"  {name}", about] for name, about in lines]
    print("\n".join(text_table(rows, width=terminal_width(), numbers=False)))


def _lines(kind: str) -> list[tuple[str, str]]:
    if kind == "preset":
        return preset_summaries()
    if kind == "weights":
        from netlab.weights.bundled import summaries

        return summaries()
    return [
        (s.name, s.text + (f" [{s.distribution}]" if s.distribution else ""))
        for s in registry.summaries(kind)
    ]
