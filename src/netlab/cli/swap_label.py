"""`netlab swap-label`."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from netlab.cli.flags import Debug, Device, Json, Overwrite
from netlab.cli.swap_use import LAYOUTS, check_use, default_figure, how_many
from netlab.cli.view.messages import note, progress_bar
from netlab.errors import WeightsError
from netlab.files import output_path
from netlab.runs.find import find_weights
from netlab.weights.bundled import bundled_vae


def swap_label(
    dataset: Annotated[
        str | None, typer.Option(help="Whose test pictures (default: that of --weights, or mnist).")
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="Label to ask for: number, name or all (default: any wrong one)."),
    ] = None,
    image: Annotated[Path | None, typer.Option(help="A picture of your own instead.")] = None,
    true_label: Annotated[
        str | None, typer.Option(help="What --image shows: number or name.")
    ] = None,
    from_prior: Annotated[
        bool, typer.Option("--from-prior", help="z from N(0, I) instead of pictures.")
    ] = False,
    weights: Annotated[
        str | None, typer.Option(help="File, run, last or bundled name (default: bundled).")
    ] = None,
    count: Annotated[
        str | None, typer.Option(metavar="N|all", help="Pictures (default: 8; lesson: 25).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws the pictures, or z.")] = 0,
    layout: Annotated[
        str | None, typer.Option(help=f"Figure: {', '.join(LAYOUTS)} (= --label all).")
    ] = None,
    morph: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="From the true label, or --label, to this; same z."),
    ] = None,
    between: Annotated[
        bool, typer.Option("--between", help="From one picture's z to another's, under --label.")
    ] = False,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for each swapped picture, and pictures.csv.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The figure: NAME.png; morph, between: or NAME.gif.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder with the data.")] = None,
    judge: Annotated[
        str | None, typer.Option(help="Classifier that reads the pictures (default: bundled).")
    ] = None,
    runs_dir: Annotated[Path, typer.Option(help="Folder of all runs.")] = Path("runs"),
    device: Device = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 is all cores.")] = 0,
    overwrite: Overwrite = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Hand a conditional VAE a wrong label, and draw what comes out."""
    given = {name for name, value in locals().items() if value not in (None, False)}
    check_use(given, label, layout, out)
    wanted = how_many(count, layout, given)
    file = bundled_vae(dataset or "mnist") if weights is None else find_weights(weights, runs_dir)

    from netlab.scoring.judge import load_judge
    from netlab.swap import job as swap_job
    from netlab.swap.figure import MOST, save_figure
    from netlab.swap.folder import PictureFolder
    from netlab.swap.swapper import Swapper

    swapper = Swapper.load(file, device=device, threads=threads)
    if dataset not in (None, swapper.dataset):
        raise WeightsError(f"{file}: weights for {swapper.dataset}, but --dataset is {dataset}")
    wish = swap_job.Wish(
        asked="any" if label is None else "all" if label == "all" else swapper.label(label),
        layout="all-labels" if label == "all" else layout or "rows",
        count=wanted,
        seed=seed,
        morph=None if morph is None else swapper.label(morph, "label of --morph"),
        between=between,
        from_prior=from_prior,
        moving=out is not None and out.suffix.lower() == ".gif",
    )
    true = None if true_label is None else swapper.label(true_label, "true label")
    figure = output_path(out, default_figure(swapper, wish, image), overwrite)
    folder = None if pictures is None else PictureFolder(pictures, overwrite=overwrite)
    reader = load_judge(
        judge,
        swapper.dataset,
        swapper.classes,
        swapper.machine,
        channels=swapper.about["input"]["channels"],
        runs_dir=runs_dir,
    )
    note(f"weights: {swapper.name} (bundled)" if weights is None else f"weights: {file}")
    source = swap_job.source_of(
        wish, swapper, file, image=image, true_label=true, data_dir=data_dir, note=note
    )
    if len(source) > (most := MOST[wish.layout]):
        note(f"the figure shows {most} of {len(source)} pictures")
    with folder or nullcontext(), progress_bar(swap_job.steps_of(source)) as advance:
        frames, examples = swap_job.carry_out(wish, swapper, source, reader, folder, advance)
    save_figure(frames, figure)
    facts = {
        "figure": str(figure),
        "pictures": None if pictures is None else str(pictures),
        "weights": swapper.name if weights is None else str(file),
        "dataset": swapper.dataset,
        "from_prior": source.drawn,
        "judge": None if reader is None else reader.name,
    }
    _report(facts, examples, json_)


def _report(facts: dict[str, Any], examples: list[dict[str, Any]], json_: bool) -> None:
    """Where everything went to stdout, or all of it as JSON; what a judge says to stderr."""
    from netlab.swap.figure import right_of, verdict

    if json_:
        judged = facts["judge"] is not None
        share = right_of(examples) / len(examples) if judged else None
        document = {**facts, "count": len(examples), "swap_accuracy": share, "examples": examples}
        print(json.dumps(document, ensure_ascii=False))
    else:
        print(facts["figure"])
        if facts["pictures"] is not None:
            print(facts["pictures"])
    if facts["judge"] is not None:
        note(f"judge {facts['judge']}: {verdict(examples)}")
