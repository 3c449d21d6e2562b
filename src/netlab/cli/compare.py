"""`netlab compare`."""

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from netlab.cli.flags import (
    ConfigFile,
    Debug,
    Download,
    Json,
    NewRunsDir,
    Preset,
    SetWords,
    flags_from,
    given,
)
from netlab.cli.signals import StopSignal
from netlab.cli.training import NewRun, ensure_data, train_run
from netlab.cli.view.comparison import comparison_lines
from netlab.cli.view.messages import note
from netlab.compare.methods import method_configs, named_runs, task_of_run
from netlab.config import MACHINE_FIELDS, TrainConfig, flag_of
from netlab.errors import ExitCode, UsageError
from netlab.files import free_path
from netlab.registry import stated
from netlab.runs.find import find_weights
from netlab.runs.folder import RunDir, stamped
from netlab.settings import Layer, merge
from netlab.weights.header import read_header

_option = partial(typer.Option, rich_help_panel="Comparison")
_FOLDERS = ("images", "masks")  # of runs on own pictures, which may lie elsewhere by now
_FOR_RUNS = {"data_dir", *_FOLDERS, *MACHINE_FIELDS}
"""Settings that are for runs which are trained already."""


@flags_from(TrainConfig)
def compare(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Runs to put side by side; without any, methods are trained."),
    ] = None,
    grid_: Annotated[
        list[str] | None,
        _option(
            "--grid",
            metavar="KEY=A,B",
            help="Train all combinations of these instead of the four methods.",
        ),
    ] = None,
    seeds: Annotated[int, _option(min=1, help="Seeds for each method.")] = 1,
    arch: Annotated[str | None, _option(help="Architecture (default: unet).")] = None,
    preset_: Preset = None,
    config: ConfigFile = None,
    set_: SetWords = None,
    split: Annotated[str, _option(help="val or test.")] = "test",
    judge: Annotated[str | None, _option(help="vae: classifier that reads the pictures.")] = None,
    runs_dir: NewRunsDir = Path("runs"),
    out: Annotated[
        Path | None, _option(help="Folder of the comparison (default: in the folder of runs).")
    ] = None,
    download: Download = None,
    json_: Json = False,
    debug: Debug = False,  # noqa: ARG001 - the boundary in main acts on it
    **flags: Any,
) -> int:
    """Train methods with one recipe, or take runs, and put them side by side.

    Without arguments the four methods: max-pool + transpose with cross-entropy and with Dice,
    strided + transpose with cross-entropy, strided + upsample with Dice. What is trained already is
    not trained again, what is unfinished goes on. Flags of `netlab train` are shared by all.
    """
    if split not in ("val", "test"):
        raise UsageError(f"--split {split}: write val or test")
    if out is not None:
        _check_out(out)
    typed = given(flags)
    failures: list[str] = []
    moved: dict[str, str] = {}
    if runs:
        if grid_ or seeds > 1 or arch or preset_ or config or set_ or set(typed) - _FOR_RUNS:
            refused = [flag_of(name) for name in typed if name not in _FOR_RUNS]
            listed = ", ".join(refused) or "--grid, --seeds and recipes"
            raise UsageError(f"the runs are trained already: leave out {listed}")
        moved = {name: typed.pop(name) for name in _FOLDERS if name in typed}
        shared = merge({}, [Layer("flags", typed)])
        methods = dict.fromkeys(named_runs(runs, runs_dir, note), "")
        _check_judge(judge, next(filter(None, map(task_of_run, methods)), "vae"), runs_dir)
    else:
        configs = method_configs(arch, preset_, config, set_ or [], typed, grid_ or [], seeds)
        shared = configs[0]
        _check_judge(judge, str(stated("architecture", shared.arch, "task")), runs_dir)

        from netlab.compare.training import train_methods
        from netlab.training import prepare

        for each in configs:  # what cannot be trained is refused before anything is
            prepare.check(each)
            prepare.settle(each)
        for dataset in dict.fromkeys(config.dataset for config in configs):
            ensure_data(next(c for c in configs if c.dataset == dataset), download)
        stop = StopSignal()

        def train(config: TrainConfig, run: RunDir | None) -> RunDir:
            return train_run(config, run or NewRun(runs_dir), stop=stop)[0]

        methods, failures = train_methods(configs, runs_dir, train, note=note, stopped=stop)
    folder = out or free_path(runs_dir / stamped("compare"))

    from netlab.compare.comparison import document, score_run, score_runs, side_by_side
    from netlab.compare.files import write_comparison

    score = partial(
        score_run,
        split=split,
        moved=moved,
        data_dir=Path(shared.data_dir) if shared.data_dir else None,
        device=shared.device,
        precision=shared.precision,
        threads=shared.threads,
        judge=judge,
        runs_dir=runs_dir,
    )
    entries, unscored = score_runs(methods, score, note)
    failures += unscored
    comparison = side_by_side(entries, methods)
    result = {**document(comparison, split), "failed": failures}
    write_comparison(comparison, result, folder)
    if json_:
        print(json.dumps({**result, "folder": str(folder)}, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(comparison_lines(comparison)))
    note(f"comparison: {folder}")
    for line in failures:
        note(f"netlab: {line}")
    return ExitCode.SOME_FAILED if failures else ExitCode.DONE


def _check_out(out: Path) -> None:
    """Refuse a folder that cannot be made, before hours of training."""
    try:
        if out.exists():
            raise UsageError(f"{out} exists already: choose another --out")
        parent = next(folder for folder in out.absolute().parents if folder.exists())
        Path(tempfile.mkdtemp(dir=parent)).rmdir()
    except OSError as error:
        raise UsageError(f"{out}: cannot be made ({error.strerror}); choose another") from error


def _check_judge(judge: str | None, task: str, runs_dir: Path) -> None:
    """Refuse a judge where the networks make no pictures to judge, and one that is no classifier.

    Raises:
        UsageError: see above.
    """
    if judge is None:
        return
    if not stated("task", task, "judged"):
        raise UsageError(f"--judge is for a vae, not for {task}")
    path = find_weights(judge, runs_dir)
    own = read_header(path).about.get("task")
    if own != "classification":
        raise UsageError(f"--judge {judge}: a judge is a classifier, but {path} is for {own}")
