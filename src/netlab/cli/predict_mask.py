"""`netlab predict-mask`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netlab import registry
from netlab.cli.flags import BatchSize, Debug, Device, Json, Overwrite, RunsDir
from netlab.cli.signals import StopSignal
from netlab.cli.view.messages import note, progress_bar
from netlab.errors import ExitCode, Interrupted, PictureError, UsageError
from netlab.runs.find import find_weights

if TYPE_CHECKING:
    from netlab.predict.inputs import Job, Naming, Plan
    from netlab.predict.outputs import Done

# Each format and what it adds to a picture's name.
_SUFFIXES = {
    "color": "_mask",
    "ids": "_ids",
    "binary": "_binary",
    "overlay": "_overlay",
    "cutout": "_cutout",
}
_PIPE = "-"
_MANY = 50  # pictures; beyond, the quickest arithmetic is worth a measurement


def predict_mask(
    paths: Annotated[
        list[str],
        typer.Argument(help="Pictures, folders, patterns, or - for stdin.", show_default=False),
    ],
    weights: Annotated[
        str | None, typer.Option(help="File, run folder, last, or bundled name.")
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", help=f"{', '.join(_SUFFIXES)}; pixels of color are ids too.")
    ] = "color",
    out: Annotated[
        Path | None, typer.Option(help="Folder, or NAME.png (default: beside the picture).")
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Sub-folders too.")] = False,
    include_border: Annotated[
        bool, typer.Option("--include-border", help="binary: the border belongs to the pet.")
    ] = False,
    background: Annotated[
        str | None, typer.Option(help="cutout: picture or colour behind the pet.")
    ] = None,
    confidence: Annotated[
        bool, typer.Option("--confidence", help="Also NAME_confidence.png: 255 is certain.")
    ] = False,
    tta: Annotated[bool, typer.Option("--tta", help="Average with the mirrored picture.")] = False,
    batch_size: BatchSize = 16,
    skip_done: Annotated[
        bool, typer.Option("--skip-done", help="Leave out pictures that have their output.")
    ] = False,
    overwrite: Overwrite = False,
    runs_dir: RunsDir = Path("runs"),
    device: Device = "auto",
    precision: Annotated[
        str,
        typer.Option(help="auto, fp32, bf16 or fp16; auto is measured with over 50 pictures."),
    ] = "auto",
    threads: Annotated[
        int,
        typer.Option(min=0, help="CPU threads; 0 is all cores, or measured with over 50 pictures."),
    ] = 0,
    json_: Json = False,
    debug: Debug = False,  # noqa: ARG001 - the boundary in main acts on it
) -> None:
    """Write a mask of pet, background and border for every picture."""
    if format_ not in _SUFFIXES:
        raise UsageError(registry.unknown("format", format_, [*_SUFFIXES]))
    if include_border and format_ != "binary":
        raise UsageError("--include-border goes with --format binary")
    if background is not None and format_ != "cutout":
        raise UsageError("--background goes with --format cutout")
    if overwrite and skip_done:
        raise UsageError("--overwrite and --skip-done contradict each other: give one")
    file = find_weights(weights, runs_dir)

    from netlab.predict.inputs import Naming, make_folders

    naming = Naming(_SUFFIXES[format_], out, confidence, overwrite, skip_done)
    plan = _plan(paths, naming, recursive, json_)

    from netlab.predict.outputs import Style, check_format, read_background
    from netlab.predict.pipeline import predict_files
    from netlab.predict.predictor import Predictor

    behind = None if background is None else read_background(background)
    predictor = Predictor.load(file, device=device, precision=precision, threads=threads, tta=tta)
    check_format(format_, predictor.classes)
    note(f"weights: {file.stem} (bundled)" if weights is None else f"weights: {file}")
    make_folders(plan.jobs)
    if len(plan.jobs) > _MANY:
        measured = predictor.take_quickest(
            precision, threads, pictures=len(plan.jobs), batch_size=batch_size
        )
        if measured:
            note(measured)
    style = Style(format_, include_border, behind, certainty=json_)
    done: list[tuple[Job, Done]] = []
    failed: list[tuple[Job, PictureError]] = []
    try:
        with StopSignal() as stop, progress_bar(len(plan.jobs)) as advance:
            for job, result in predict_files(
                plan.jobs, predictor, style, batch_size=batch_size, stop=stop
            ):
                if isinstance(result, PictureError):
                    failed.append((job, result))
                else:
                    done.append((job, result))
                advance()
    finally:  # what was done before an error is listed too
        if json_:
            facts = {"weights": file.stem if weights is None else str(file), "format": format_}
            print(json.dumps({**facts, **_document(plan, done, failed)}, ensure_ascii=False))
        _report(plan, done, failed, list_outputs=not json_)
    if left := len(plan.jobs) - len(done) - len(failed):
        raise Interrupted(f"interrupted, {left} not done; --skip-done goes on from here")
    if failed:
        raise typer.Exit(int(ExitCode.SOME_FAILED))


def _plan(paths: list[str], naming: "Naming", recursive: bool, json_: bool) -> "Plan":
    from netlab.predict.inputs import find_inputs, plan, plan_bytes

    if _PIPE not in paths:
        return plan(find_inputs(paths, recursive=recursive), naming)
    if len(paths) > 1:
        raise UsageError("- (stdin) goes alone: name the other pictures in a second command")
    if naming.out is None and json_:
        raise UsageError("- writes the mask to stdout, --json too: give --out as well")
    if naming.out is None and sys.stdout.isatty():
        raise UsageError("- writes a PNG to stdout: send it to a file or give --out")
    return plan_bytes(sys.stdin.buffer.read, naming)


def _report(
    plan: "Plan",
    done: "list[tuple[Job, Done]]",
    failed: "list[tuple[Job, PictureError]]",
    *,
    list_outputs: bool,
) -> None:
    """Results to stdout, failures and where everything went to stderr."""
    for job, result in done:
        if result.png is not None:
            sys.stdout.buffer.write(result.png)
        elif list_outputs:
            print(job.output)
    for job, error in failed:
        note(f"failed: {job.name}: {error}")
    counts = [f"{len(done)} of {len(plan.jobs)} done"]
    counts += [f"{len(failed)} failed"] * bool(failed)
    counts += [f"{len(plan.skipped)} had their output already"] * bool(plan.skipped)
    outputs = [job.output for job, _ in done]
    folders = {path.parent for path in outputs if path is not None}
    if len(outputs) == 1:
        counts[-1] += f": {outputs[0] or 'stdout'}"
    elif folders:
        counts[-1] += f": in {folders.pop() if len(folders) == 1 else f'{len(folders)} folders'}"
    note(", ".join(counts))


def _document(
    plan: "Plan", done: "list[tuple[Job, Done]]", failed: "list[tuple[Job, PictureError]]"
) -> dict[str, Any]:
    return {
        "count": len(done),
        "results": [
            {
                "input": job.name,
                "output": str(job.output),
                **({"confidence_map": str(job.confidence)} if job.confidence else {}),
                "size": list(result.size),
                "share": result.shares,
                "mean_confidence": result.mean_confidence,
            }
            for job, result in done
        ],
        "failures": [{"input": job.name, "error": str(error)} for job, error in failed],
        "skipped": [str(path) for path in plan.skipped],
    }
