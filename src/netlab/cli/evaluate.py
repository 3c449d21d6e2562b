"""`netlab eval`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from netlab.cli._flags import Debug, Device, Json, Overwrite
from netlab.cli._report import note
from netlab.errors import UsageError, WorkFailed
from netlab.rundir import output_path, write_rows
from netlab.zoo import find_weights

_SPLITS = ("val", "test")


def evaluate(
    weights: Annotated[
        str | None,
        typer.Argument(help="Run folder, last, weights file or bundled name (default: bundled)."),
    ] = None,
    split: Annotated[str, typer.Option(help="val or test.")] = "test",
    data_dir: Annotated[Path | None, typer.Option(help="Folder with the data.")] = None,
    images: Annotated[Path | None, typer.Option(help="Own pictures to score on, all.")] = None,
    masks: Annotated[Path | None, typer.Option(help="Their masks.")] = None,
    mask_values: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Their pixel value of each class.")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Drop unpaired files and bad masks.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures.")] = None,
    csv: Annotated[Path | None, typer.Option(help="A row a picture into this file.")] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Best and worst pictures (default: beside the weights).")
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
    if (images is None) != (masks is None):
        raise UsageError("give --images and --masks together")
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
        note=note,
    )
    result = report.result()
    if json_:
        print(json.dumps(result, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(_table(result)))
    if csv is not None:
        write_rows(csv, report.rows())
    try:
        save_png(report.figure(f"{_name(path)} · {result['split']}"), picture)
        note(f"best and worst pictures: {picture}")
    except WorkFailed as error:
        if figure is not None:
            raise
        note(f"no figure: {error}")  # the scores are there; the folder may be read-only


def _name(weights: Path) -> str:
    """Run folders hold files of the same names: the folder tells them apart."""
    in_run = (weights.parent / "config.yaml").is_file()
    return weights.parent.name if in_run else weights.stem


def _figure_path(weights: Path, split: str) -> Path:
    """In its run folder; for a file outside of one, here."""
    if (weights.parent / "config.yaml").is_file():
        return weights.parent / f"eval_{split}.png"
    return Path(f"{weights.stem}_eval_{split}.png")


def _table(result: dict[str, Any]) -> list[str]:
    names = {"network": result, **result["baselines"]}
    lines = [
        f"{result['count']} pictures of {result['split']}, {result['dropped']} dropped, "
        f"{result['images_per_second']:.0f} images/s",
        f"{'':<22}" + "".join(f"{n.replace('_', ' '):>12}" for n in names),
    ]

    def row(label: str, pick: Any) -> None:
        cells = [pick(scores) for scores in names.values()]
        lines.append(f"{label:<22}" + "".join(f"{_cell(c):>12}" for c in cells))

    row("mIoU", lambda s: s["miou"])
    row("pixel accuracy", lambda s: s["pixel_accuracy"])
    for name in result["iou"]:
        row(f"IoU {name}", lambda s, n=name: s["iou"][n])
    for name in result["dice"]:
        row(f"Dice {name}", lambda s, n=name: s["dice"][n])
    for name in result.get("binary_iou", {}):
        row(f"IoU {name.replace('_', ' ')}", lambda s, n=name: s["binary_iou"][n])
    row("boundary F", lambda s: s.get("boundary_f"))
    row("calibration error", lambda s: s.get("ece"))
    return lines


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
