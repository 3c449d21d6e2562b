"""`netlab list`."""

import json
from typing import Annotated

import typer

from netlab import registry
from netlab.cli.flags import Debug, Json
from netlab.errors import UnknownComponent
from netlab.settings import preset_summaries

_HIDDEN = {"task"}


def list_components(
    kind: Annotated[
        str | None, typer.Argument(help="encoder, decoder, loss, dataset, preset, weights, …")
    ] = None,
    json_: Json = False,
    debug: Debug = False,  # noqa: ARG001 - the boundary in main acts on it
) -> None:
    """List components, data sets, recipes and bundled weights, a line each."""
    kinds = [k for k in registry.FOLDERS if k not in _HIDDEN]
    known = [*kinds, "preset", "weights"]
    wanted = (kind or "").removesuffix("s") if kind not in known else kind
    if kind is not None and wanted not in known:
        raise UnknownComponent(registry.unknown("kind", kind, known))
    tables = {k: _lines(k) for k in ([wanted] if wanted else known)}
    if json_:
        rows = {k: [{"name": n, "about": a} for n, a in lines] for k, lines in tables.items()}
        print(json.dumps(rows, ensure_ascii=False))
        return
    width = max((len(n) for lines in tables.values() for n, _ in lines), default=0)
    for title, lines in tables.items():
        if not wanted:
            print(title)
        for name, about in lines:
            print(f"  {name:<{width}}  {about}")


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
