"""`netlab eval`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from netlab.cli._flags import Debug, Device, Json, Overwrite
from netlab.cli._report import note
from netlab.errors import UsageError, WorkFailed
from netlab.rundir import output_path, write_rows
from netlab.zoo import find_weights, name_of

_SPLITS = ("val", "test")


def evaluate(
    weights: Annotated[
        str | None,
        typer.Argument(help="Run folder, last, weights file or bundled name (default: bundled)."),
    ] = None,
    split: Annotated[str, typer.Option(help="val or test.")] = "test",
    data_dir: Annotated[Path | None, typer.Option(help="Folder with the data.")] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="Own pictures to score on, all; a vae or classifier takes a folder a class."
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
    csv: Annotated[Path | None, typer.Option(help="A row a picture into this file.")] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Where the figure goes (default: beside the weights).")
    ] = None,
    runs_dir: Annotated[Path, typer.Option(help="Folder of all runs.")] = Path("runs"),
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures at a time.")] = 32,
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 is all cores.")] = 0,
    overwrite: Overwrite = False,
    json_: Json = False,
    debug: Debug = False,  # noqa: ARG001 - the boundary in main acts on it
) -> None:
    """Score a network on unseen pictures, beside trivial predictors."""
    if split not in _SPLITS:
        raise UsageError(f"--split {split}: write val or test")
    path = find_weights(weights, runs_dir)
    picture = output_path(figure, _figure_path(path, split), overwrite)
    if csv is not None:
        csv = output_path(csv, csv, overwrite)

    from netlab.engine.scoring import evaluate as score
    from netlab.figures.png import save_png

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
        note=note,
    )
    result = report.result()
    if json_:
        print(json.dumps(result, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(report.table()))
    if csv is not None:
        write_rows(csv, report.rows())
    try:
        save_png(report.figure(f"{name_of(path)} · {result['split']}"), picture)
        note(f"figure: {picture}")
    except WorkFailed as error:
        if figure is not None:
            raise
        note(f"no figure: {error}")  # the scores are there; the folder may be read-only


def _figure_path(weights: Path, split: str) -> Path:
    """In its run folder; for a file outside of one, here."""
    if (weights.parent / "config.yaml").is_file():
        return weights.parent / f"eval_{split}.png"
    return Path(f"{weights.stem}_eval_{split}.png")
