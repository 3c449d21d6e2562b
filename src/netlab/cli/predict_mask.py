"""`netlab predict-mask`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netlab import registry
from netlab.cli.flags import Debug, Device, Json, Overwrite
from netlab.cli.signals import StopSignal
from netlab.cli.view.messages import note, progress_bar
from netlab.errors import ExitCode, Interrupted, UsageError
from netlab.runs.find import find_weights

if TYPE_CHECKING:
    from netlab.predict.inputs import Job, Naming, Plan
    from netlab.predict.outputs import Done
    from netlab.predict.pipeline import Outcome

# Each format and what it adds to a picture's name.
_SUFFIXES = {
    "color": "_mask",
    "ids": "_ids",
    "binary": "_binary",
    "overlay": "_overlay",
    "cutout": "_cutout",
}
_PIPE = "-"


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
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures at a time.")] = 16,
    skip_done: Annotated[
        bool, typer.Option("--skip-done", help="Leave out pictures that have their output.")
    ] = False,
    overwrite: Overwrite = False,
    runs_dir: Annotated[Path, typer.Option(help="Folder of all runs.")] = Path("runs"),
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 is all cores.")] = 0,
    json_: Json = False,
    debug: Debug = False,  # noqa: ARG001 - the boundary in main acts on it
) -> None:
    """Write a mask of pet, background and border for every picture."""
    _check(format_, include_border, background, overwrite and skip_done)
    file = find_weights(weights, runs_dir)

    from netlab.predict.inputs import Naming

    naming = Naming(_SUFFIXES[format_], out, confidence, overwrite, skip_done)
    plan = _plan(paths, naming, recursive, json_)

    from netlab.predict.inputs import make_folders
    from netlab.predict.outputs import Style, Writer, check_format, read_background
    from netlab.predict.pipeline import predict_files
    from netlab.predict.predictor import Predictor

    behind = None if background is None else read_background(background)
    predictor = Predictor.load(file, device=device, precision=precision, threads=threads, tta=tta)
    check_format(format_, predictor.classes)
    note(f"weights: {file.stem} (bundled)" if weights is None else f"weights: {file}")
    make_folders(plan.jobs)
    writer = Writer(Style(format_, include_border, behind, certainty=json_))
    outcomes: list[Any] = []
    try:
        with StopSignal() as stop, progress_bar(len(plan.jobs)) as advance:
            for outcome in predict_files(
                plan.jobs, predictor, writer, source=_source, batch_size=batch_size, stop=stop
            ):
                outcomes.append(outcome)
                advance()
    finally:  # what was done before an error is listed too
        facts = {"weights": _label(weights, file), "format": format_}
        _report(plan, outcomes, facts if json_ else None)
    _leave(plan, outcomes)


def _check(format_: str, border: bool, background: str | None, both: bool) -> None:
    if format_ not in _SUFFIXES:
        raise UsageError(registry.unknown("format", format_, [*_SUFFIXES]))
    if border and format_ != "binary":
        raise UsageError("--include-border goes with --format binary")
    if background is not None and format_ != "cutout":
        raise UsageError("--background goes with --format cutout")
    if both:
        raise UsageError("--overwrite and --skip-done contradict each other: give one")


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


def _source(job: "Job") -> Path | bytes:
    return job.source


def _label(weights: str | None, file: Path) -> str:
    return file.stem if weights is None else str(file)


def _report(
    plan: "Plan", outcomes: "list[Outcome[Job, Done]]", facts: dict[str, Any] | None
) -> None:
    """Results to stdout, failures and where everything went to stderr."""
    from netlab.predict.pipeline import Failure

    done = [(o.job, o.result) for o in outcomes if not isinstance(o.result, Failure)]
    failed = [(o.job.name, o.result.reason) for o in outcomes if isinstance(o.result, Failure)]
    if facts is not None:
        print(json.dumps({**facts, **_document(plan, done, failed)}, ensure_ascii=False))
    for job, result in done:
        if result.png is not None:
            sys.stdout.buffer.write(result.png)
        elif facts is None:
            print(job.output)
    for name, reason in failed:
        note(f"failed: {name}: {reason}")
    counts = [f"{len(done)} of {len(plan.jobs)} done"]
    counts += [f"{len(failed)} failed"] * bool(failed)
    counts += [f"{len(plan.skipped)} had their output already"] * bool(plan.skipped)
    note(", ".join(counts) + _where([job for job, _ in done]))


def _document(
    plan: "Plan", done: "list[tuple[Job, Done]]", failed: list[tuple[str, str]]
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
        "failures": [{"input": name, "error": reason} for name, reason in failed],
        "skipped": [str(path) for path in plan.skipped],
    }


def _where(done: "list[Job]") -> str:
    outputs = [job.output for job in done]
    if not outputs:
        return ""
    if len(outputs) == 1:
        return f": {outputs[0] or 'stdout'}"
    folders = {path.parent for path in outputs if path is not None}
    return f": in {folders.pop()}" if len(folders) == 1 else f": in {len(folders)} folders"


def _leave(plan: "Plan", outcomes: "list[Outcome[Job, Done]]") -> None:
    from netlab.predict.pipeline import Failure

    if left := len(plan.jobs) - len(outcomes):
        raise Interrupted(f"interrupted, {left} not done; --skip-done goes on from here")
    if any(isinstance(outcome.result, Failure) for outcome in outcomes):
        raise typer.Exit(int(ExitCode.SOME_FAILED))
