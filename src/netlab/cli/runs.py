"""`netlab runs`."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from netlab.cli.flags import Debug, Json
from netlab.cli.view.runs import comparisons, details, table
from netlab.cli.view.text import mebibytes
from netlab.errors import UsageError, counted
from netlab.files import finite
from netlab.runs.removal import check_removable, files, remove
from netlab.runs.summary import (
    RunSummary,
    epoch_rows,
    find_folder,
    list_comparisons,
    list_runs,
    summarise,
)

app = typer.Typer(invoke_without_command=True)
RunsDir = Annotated[
    Path | None, typer.Option(help="Folder of all runs (default: runs).", show_default=False)
]


class _Given(NamedTuple):
    """Options before the name of the sub-command."""

    runs_dir: Path | None
    json: bool


@app.callback()
def runs(
    context: typer.Context,
    runs_dir: RunsDir = None,
    json_: Json = False,
    debug: Debug = False,  # noqa: ARG001 - the boundary in main acts on it
) -> None:
    """List the runs, the newest last; `runs show RUN` and `runs rm RUN` take one."""
    context.obj = _Given(runs_dir, json_)
    if context.invoked_subcommand is not None:
        return
    folder = _folder(context, None)
    summaries = list_runs(folder)
    if json_:
        print(json.dumps([_plain(summary) for summary in summaries], ensure_ascii=False))
        return
    if summaries:
        print("\n".join(table(summaries)), flush=True)
    else:
        print(f"no run in {folder} yet: start one with netlab train", file=sys.stderr)
    if compared := list_comparisons(folder):
        print(comparisons(compared), file=sys.stderr)  # a pipe gets runs alone


@app.command()
def show(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="Run folder, its name, or last.")],
    runs_dir: RunsDir = None,
    json_: Json = False,
    debug: Debug = False,  # noqa: ARG001 - the boundary in main acts on it
) -> None:
    """Show all about a run: settings that are not the recipe's, epochs, files."""
    folder = find_folder(run, _folder(context, runs_dir))
    summary, rows, sizes = summarise(folder), epoch_rows(folder), files(folder)
    if json_ or context.obj.json:
        more = {"rows": rows, "files": dict(sizes)}
        print(json.dumps(_plain(summary) | more, ensure_ascii=False))
        return
    print("\n".join(details(summary, rows, sizes)))


@app.command()
def rm(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="RUN…", help="Run folders or names.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    runs_dir: RunsDir = None,
    json_: Json = False,
    debug: Debug = False,  # noqa: ARG001 - the boundary in main acts on it
) -> None:
    """Remove the folders of runs or comparisons with all that is in them."""
    find = partial(find_folder, runs_dir=_folder(context, runs_dir), comparisons=True)
    folders = {f.path.resolve(): f for f in (find(name) for name in names)}.values()
    for folder in folders:
        check_removable(folder)
    if not yes:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError("runs rm: there is no terminal to ask on; add --yes")
        for folder in folders:
            sizes = files(folder)
            total = mebibytes(sum(size for _, size in sizes))
            print(f"{folder.path}: {counted(len(sizes), 'file')}, {total}", file=sys.stderr)
        if not typer.confirm("Remove for good?", err=True):
            print("nothing removed", file=sys.stderr)
            return
    removed = []
    for folder in folders:
        count, size = remove(folder)
        removed.append({"run": str(folder.path), "files": count, "bytes": size})
        if not (json_ or context.obj.json):
            print(f"removed {folder.path}: {counted(count, 'file')}, {mebibytes(size)}")
    if json_ or context.obj.json:
        print(json.dumps(removed, ensure_ascii=False))


def _folder(context: typer.Context, given: Path | None) -> Path:
    return given or context.obj.runs_dir or Path("runs")


def _plain(summary: RunSummary) -> dict[str, Any]:
    """For JSON, which has neither paths nor dates nor infinite numbers."""
    values = dict(vars(summary))
    del values["score"]
    values["best_name"] = "" if summary.score is None else summary.score.column
    started = summary.started.isoformat(timespec="seconds")
    plain: dict[str, Any] = finite(values | {"path": str(summary.path), "started": started})
    return plain
