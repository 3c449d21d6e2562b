"""`netlab swap-label`."""

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netlab import registry
from netlab.cli.flags import DataDir, Debug, Device, Json, Overwrite, RunsDir, Threads
from netlab.cli.view.messages import note, progress_bar
from netlab.config import flag_of
from netlab.errors import UsageError, WeightsError
from netlab.files import output_path
from netlab.runs.find import find_weights
from netlab.swap.request import LAYOUTS, MOST_STRIPS, SwapRequest
from netlab.weights.bundled import bundled_vae

if TYPE_CHECKING:
    from netlab.swap.swapper import Swapper

_CLASHES = {
    "image": ("from_prior", "data_dir", "count", "between"),
    "from_prior": ("data_dir",),
    "morph": ("between", "layout", "pictures"),
    "between": ("layout", "pictures"),
}
"""Flags that contradict each other."""
_NEEDS = [("image", "true_label"), ("true_label", "image"), ("between", "label")]
"""Flags that need another one."""


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
    data_dir: DataDir = None,
    judge: Annotated[
        str | None, typer.Option(help="Classifier that reads the pictures (default: bundled).")
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    device: Device = "auto",
    threads: Threads = 0,
    overwrite: Overwrite = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Hand a conditional VAE a wrong label, and draw what comes out."""
    given = {name for name, value in locals().items() if value not in (None, False)}
    _check_flags(given, label, layout, out)
    number = _parse_count(count, layout, given)
    file = bundled_vae(dataset or "mnist") if weights is None else find_weights(weights, runs_dir)

    from netlab.scoring.judge import load_judge
    from netlab.swap.figure import draw_result, save_figure
    from netlab.swap.pictures import PictureFolder
    from netlab.swap.sources import source_for
    from netlab.swap.swap import carry_out, read_as_asked, verdict
    from netlab.swap.swapper import BATCH, Swapper

    swapper = Swapper.load(file, device=device, threads=threads)
    if dataset not in (None, swapper.dataset):
        raise WeightsError(f"{file}: weights for {swapper.dataset}, but --dataset is {dataset}")
    request = SwapRequest(
        asked="any" if label is None else "all" if label == "all" else swapper.label(label),
        layout="all-labels" if label == "all" else layout or "rows",
        count=number,
        seed=seed,
        morph_to=None if morph is None else swapper.label(morph, "label of --morph"),
        between=between,
        from_prior=from_prior,
        animated=out is not None and out.suffix.lower() == ".gif",
    )
    true_id = None if true_label is None else swapper.label(true_label, "true label")
    figure = output_path(out, _default_figure(swapper, request, image), overwrite)
    folder = None if pictures is None else PictureFolder(pictures, overwrite=overwrite)
    loaded_judge = load_judge(
        judge,
        swapper.dataset,
        swapper.classes,
        swapper.machine,
        channels=swapper.channels,
        runs_dir=runs_dir,
    )
    note(f"weights: {swapper.name} (bundled)" if weights is None else f"weights: {file}")
    source = source_for(
        request, swapper, file, image=image, true_label=true_id, data_dir=data_dir, note=note
    )
    if len(source) > (most := LAYOUTS[request.layout].most):
        note(f"the figure shows {most} of {len(source)} pictures")
    with folder or nullcontext(), progress_bar(-(-len(source) // BATCH)) as advance:
        result = carry_out(request, swapper, source, loaded_judge, folder, advance)
    save_figure(draw_result(result, request, swapper), figure)
    records = result.records
    if json_:
        document = {
            "figure": str(figure),
            "pictures": None if pictures is None else str(pictures),
            "weights": swapper.name if weights is None else str(file),
            "dataset": swapper.dataset,
            "from_prior": source.from_prior,
            "judge": None if loaded_judge is None else loaded_judge.name,
            "count": len(records),
            "swap_accuracy": None
            if loaded_judge is None
            else read_as_asked(records) / len(records),
            "examples": records,
        }
        print(json.dumps(document, ensure_ascii=False))
    else:
        print(figure)
        if pictures is not None:
            print(pictures)
    if loaded_judge is not None:
        note(f"judge {loaded_judge.name}: {verdict(records)}")


def _check_flags(given: set[str], label: str | None, layout: str | None, out: Path | None) -> None:
    """Refuse flags that make no sense together; `given` are the names of those in use."""
    for first, others in _CLASHES.items():
        for second in others:
            if {first, second} <= given:
                flags = f"{flag_of(first)} and {flag_of(second)}"
                raise UsageError(f"{flags} contradict each other: give one")
    for first, needed in _NEEDS:
        if first in given and needed not in given:
            raise UsageError(f"{flag_of(first)} needs {flag_of(needed)}")
    if layout is not None and layout not in LAYOUTS:
        raise UsageError(registry.unknown("layout", layout, [*LAYOUTS]))
    if label == "all" and given & {"morph", "between"}:
        raise UsageError("--label all shows each label by itself: give one, or none")
    if layout is not None and (label == "all") != (layout == "all-labels"):
        raise UsageError("--layout all-labels and --label all go together")
    endings = [".png"] + [".gif"] * bool(given & {"morph", "between"})
    if out is not None and out.suffix.lower() not in endings:
        raise UsageError(f"--out {out}: write a name that ends in {' or '.join(endings)}")


def _parse_count(text: str | None, layout: str | None, given: set[str]) -> int | None:
    """How many pictures `--count` asks for; None is all."""
    strips = bool(given & {"morph", "between"})
    if text is None:
        return LAYOUTS[layout or "rows"].default
    if text == "all":
        if strips or "from_prior" in given:
            raise UsageError("--count all is for test pictures in a figure of their own")
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--count {text}: write a number from 1 on, or all")
    if strips and int(text) > MOST_STRIPS:
        raise UsageError(f"--count {text}: at most {MOST_STRIPS} with --morph or --between")
    return int(text)


def _default_figure(swapper: "Swapper", request: SwapRequest, image: Path | None) -> Path:
    """Where the figure goes without `--out`: swap_mnist_3.png."""
    classes = swapper.classes
    words = ["swap", swapper.dataset if image is None else image.stem]
    words += [str(classes[request.asked])] if isinstance(request.asked, int) else []
    words += ["all"] * (request.asked == "all") + ["lesson"] * (request.layout == "lesson")
    words += ["between"] * request.between
    words += [] if request.morph_to is None else ["to", classes[request.morph_to]]
    return Path(re.sub(r"[^\w.-]+", "-", "_".join(words)) + ".png")
