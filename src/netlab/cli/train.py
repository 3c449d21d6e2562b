"""`netlab train`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from netlab import registry
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
    in_run,
)
from netlab.cli.training import NewRun, ensure_data, train_run
from netlab.cli.view.text import duration, terminal_width
from netlab.cli.view.training import TerminalView
from netlab.config import AUTO, MACHINE_FIELDS, TrainConfig, changes
from netlab.errors import UsageError
from netlab.runs.folder import RunDir, find_run
from netlab.settings import Layer, choose_arch, merge, read_config_file, recipe, user_layers


@flags_from(TrainConfig)
def train(
    arch: Annotated[str | None, typer.Argument(help="Architecture, such as unet.")] = None,
    resume: Annotated[str | None, in_run(help="Go on with a run: its folder or last.")] = None,
    allow_changes: Annotated[
        bool,
        in_run("--allow-changes", help="Go on with other settings, and give up exact resume."),
    ] = False,
    preset_: Preset = None,
    config: ConfigFile = None,
    set_: SetWords = None,
    name: Annotated[str | None, in_run(help="Name of the run.")] = None,
    runs_dir: NewRunsDir = Path("runs"),
    run_dir: Annotated[Path | None, in_run(help="Folder of this run.")] = None,
    dry_run: Annotated[
        bool, in_run("--dry-run", help="Only show shapes, weights, memory and time.")
    ] = False,
    download: Download = None,
    auto_batch: Annotated[
        bool,
        in_run("--auto-batch", help="Halve the batch until a step fits into the GPU's memory."),
    ] = False,
    preview: Annotated[
        bool, in_run("--preview", help="Show the newest sample in the terminal as well.")
    ] = False,
    json_: Json = False,
    debug: Debug = False,  # noqa: ARG001 - the boundary in main acts on it
    **flags: Any,
) -> None:
    """Train a network; everything it makes goes into a new folder in runs/.

    Settings are layered: the architecture's recipe, --preset, --config, --set and flags.
    """
    if resume is not None:
        if auto_batch:
            raise UsageError("--auto-batch is for a new run: --resume keeps the run's batch")
        if name or run_dir:
            raise UsageError(
                "--resume goes on in the run's own folder: leave out --name, --run-dir"
            )
        if preset_ or config:
            raise UsageError(
                "--resume takes its settings from the run: leave out --preset and --config"
            )
        # A run that goes on keeps its machine: --precision auto and the like change nothing.
        typed = {k: v for k, v in given(flags).items() if not (k in MACHINE_FIELDS and v in AUTO)}
        layers = user_layers(set_ or [], typed)
        run, merged = _resumed(arch, resume, runs_dir, layers, allow_changes=allow_changes)
    elif allow_changes:
        raise UsageError("--allow-changes goes with --resume RUN")
    else:
        merged = merged_settings(arch, preset_, config, set_, flags)
        run = None
    from netlab.training.prepare import check

    check(merged)
    ensure_data(merged, download)
    if dry_run:
        _dry_run(merged, fitting_batch=auto_batch, as_json=json_)
        return
    done, best = train_run(
        merged,
        run or NewRun(runs_dir, name, run_dir),
        allow_changes=allow_changes,
        fitting_batch=auto_batch,
        preview=preview,
    )
    if json_:
        print(json.dumps({"run": str(done.path), "weights": str(done.best), "best": best}))


def _dry_run(config: TrainConfig, *, fitting_batch: bool, as_json: bool) -> None:
    from netlab.training.dry_run import dry_run

    with TerminalView(None) as view:
        facts = dry_run(config, view, fitting_batch=fitting_batch)
    if as_json:
        print(json.dumps(facts))
        return
    lines = {name: " × ".join(map(str, shape)) for name, shape in facts["shapes"].items()}
    lines |= {
        "weights": f"{facts['weights']:,}",
        "data": f"{facts['train']:,} to train, {facts['val']:,} to validate",
        "machine": facts["machine"],
        "peak memory": f"{facts['peak_memory_mib']:,} MiB",
        "time": f"{duration(facts['seconds_per_epoch'])} an epoch, "
        f"{duration(facts['seconds'])} in all",
    }
    from netlab.figures.text_table import text_table

    print("\n".join(text_table([*lines.items()], width=terminal_width(), numbers=False)))


def merged_settings(
    arch: str | None,
    preset_: str | None,
    config: Path | None,
    set_: list[str] | None,
    flags: dict[str, Any],
) -> TrainConfig:
    """The config of a new run: recipe, preset, file, `--set` and flags, the later one winning."""
    file = read_config_file(config) if config else Layer("", {})
    arch = choose_arch(file, arch)
    if arch is None:
        known = ", ".join(registry.names("architecture"))
        raise UsageError(f"say what to train: netlab train ARCH (known: {known}), or --resume RUN")
    layers = [file, *user_layers(set_ or [], given(flags))]
    return merge({}, recipe(arch, layers, preset_))


def _resumed(
    arch: str | None, name: str, runs_dir: Path, layers: list[Layer], *, allow_changes: bool
) -> tuple[RunDir, TrainConfig]:
    """The run to go on with and its config; what breaks equality has to be allowed."""
    run = find_run(name, runs_dir)
    from netlab.runs.pictures import with_own_paths

    stored = with_own_paths(merge({}, [read_config_file(run.config)]), run)
    if arch is not None and arch != stored.arch:
        raise UsageError(f"{run.path}: the run trains {stored.arch}, not {arch}")
    changed = merge(stored.to_dict(), layers)
    breaking = changes(stored.to_dict(), changed.to_dict())
    if breaking and not allow_changes:
        raise UsageError(
            f"{run.path}: the run would no longer end as it would have: "
            f"{'; '.join(breaking)}; to go on all the same, add --allow-changes"
        )
    return run, changed
