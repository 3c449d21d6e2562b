"""`netlab eval`."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from netlab.cli.flags import BatchSize, DataDir, Debug, Device, Json, Overwrite, RunsDir, Threads
from netlab.cli.view.messages import note
from netlab.cli.view.text import terminal_width
from netlab.errors import NetlabError, UsageError
from netlab.files import output_path, write_rows, write_text
from netlab.runs.find import find_weights, name_of, run_of


def evaluate(
    weights: Annotated[
        str | None,
        typer.Argument(help="Run folder, last, weights file or bundled name (default: bundled)."),
    ] = None,
    split: Annotated[str, typer.Option(help="val or test.")] = "test",
    data_dir: DataDir = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="Own pictures, all scored; a vae or classifier takes a sub-folder for each class."
        ),
    ] = None,
    masks: Annotated[Path | None, typer.Option(help="Their masks.")] = None,
    mask_values: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Their pixel value of each class.")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Drop unpaired files and bad masks.")
    ] = False,
    judge: Annotated[
        str | None, typer.Option(help="vae: classifier that reads its pictures (default: bundled).")
    ] = None,
    beside: Annotated[
        list[str] | None, typer.Option(help="vae: further weights, scored in the same table.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures.")] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write a row for each picture into this file.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Where the figure goes (default: beside the weights).")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Where the page goes (default: beside the figure).")
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    batch_size: BatchSize = 32,
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    threads: Threads = 0,
    overwrite: Overwrite = False,
    json_: Json = False,
    debug: Debug = False,  # noqa: ARG001 - the boundary in main acts on it
) -> None:
    """Score a network on unseen pictures, beside trivial predictors."""
    if split not in ("val", "test"):
        raise UsageError(f"--split {split}: write val or test")
    path = find_weights(weights, runs_dir)
    run = run_of(path)
    scored = split if images is None else "all"
    stem = f"{path.stem}_eval_{scored}" if run is None else str(run.path / f"eval_{scored}")
    usual_page = Path(f"{stem}.html") if figure is None else figure.with_suffix(".html")
    rows_file = None if csv is None else output_path(csv, csv, overwrite)
    figure_file = output_path(figure, Path(f"{stem}.png"), overwrite)
    page_file = output_path(html, usual_page, overwrite)

    from netlab.figures.saving import save_png
    from netlab.scoring.evaluate import evaluate as score
    from netlab.scoring.page import weights_page

    if weights is None:
        note(f"weights: {path.stem} (bundled)")
    report = score(
        path,
        split=split,
        data_dir=data_dir,
        images=images,
        masks=masks,
        mask_values=mask_values,
        skip_bad=skip_bad,
        limit=limit,
        device=device,
        precision=precision,
        threads=threads,
        batch_size=batch_size,
        judge=judge,
        beside=beside or (),
        runs_dir=runs_dir,
        note=note,
    )
    if json_:
        print(json.dumps(report.result(), ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(report.table(terminal_width())))
    if rows_file is not None:
        write_rows(rows_file, report.rows())
    with _guarded("figure", asked=figure is not None):
        save_png(report.figure(f"{name_of(path)} · {report.split}"), figure_file)
        note(f"figure: {figure_file}")
    page = ""
    with _guarded("page", asked=html is not None):
        page = weights_page(path, report)
        write_text(page_file, page)
        note(f"page: {page_file}")
    # Of some pictures or other ones, a page would say less of the run than the one it has.
    whole = limit is None and images is None
    if run is not None and path.name == run.best.name and page and whole:
        with _guarded("report", asked=False):
            write_text(run.page, page)
            note(f"report: {run.page}")


@contextlib.contextmanager
def _guarded(what: str, *, asked: bool) -> Iterator[None]:
    """Say why a file is missing; an error only where it was asked for, as the scores are there."""
    try:
        yield
    except Exception as error:  # the folder may be read-only, or the page not be drawn
        if asked:
            raise
        note(f"no {what}: {error if isinstance(error, NetlabError) else repr(error)}")
