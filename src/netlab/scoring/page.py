"""The page of a run, `report.html`, and that of weights which lie elsewhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from netlab.components import network_words
from netlab.config import TrainConfig
from netlab.contracts.report import Headline, Html, Report, Section
from netlab.figures.curves import other_panels, training_panels
from netlab.figures.html.chart import charts
from netlab.figures.html.images import file_uri, image
from netlab.figures.html.markup import element, join
from netlab.figures.html.page import details, page
from netlab.figures.html.table import plain_table
from netlab.figures.html.table import score as digits
from netlab.runs.find import name_of, run_of
from netlab.runs.folder import RunDir
from netlab.runs.summary import epoch_rows
from netlab.settings import Layer, merge, read_config_file
from netlab.tasks.build import score_of
from netlab.weights.header import read_header

Rows = Sequence[Mapping[str, Any]]


def run_page(run: RunDir, rows: Rows, config: TrainConfig, report: Report | None) -> str:
    """The page of a run: settings, curves, and what a report says of its best network.

    Args:
        run: its folder.
        rows: of its metrics.csv; numbers or their text.
        config: of the run.
        report: has seen the whole split that it is of; without one, sample pictures stand for it.
    """
    about = read_header(run.best).about if run.best.is_file() else {}
    parts = [_settings(config, about, rows), *_curves(config, about, rows)]
    parts += _samples(run) if report is None else report.sections()
    return _page(run.name, config, parts, _loss(about) if report is None else report)


def weights_page(weights: Path, report: Report) -> str:
    """The page of a weights file: that of its run if it is the best of one."""
    run = run_of(weights)
    if run is not None and weights.name == run.best.name:
        return run_page(run, epoch_rows(run), _config(run), report)
    about = read_header(weights).about
    config = merge({}, [Layer("its config", about["config"])])
    parts = [_settings(config, about, ()), *report.sections()]
    title = name_of(weights) if run is None else f"{run.name} · {weights.stem}"
    return _page(title, config, parts, report)


def _page(
    title: str, config: TrainConfig, parts: Sequence[Section], scored: Report | list[Headline]
) -> str:
    said = f"{config.arch} on {config.dataset}"
    if isinstance(scored, list):
        return page(title, parts, subtitle=said, headlines=scored)
    result = scored.result()
    said = f"{said} · {scored.split}, {result['count']:,} pictures"
    return page(title, parts, subtitle=said, headlines=scored.headlines())


def _loss(about: Mapping[str, Any]) -> list[Headline]:
    """What is known of a run without a report: the loss of its best epoch."""
    loss = about.get("metrics", {}).get("val_loss")
    if loss is None:
        return []
    return [Headline("Validation loss", digits(loss), f"best epoch: {_epoch(about)}")]


def _settings(config: TrainConfig, about: Mapping[str, Any], rows: Rows) -> Section:
    """The settings that tell runs apart, and all of them folded away."""
    data = about.get("data", {})
    network = [f"{network_words(config.to_dict())}, width {config.width}, depth {config.depth}"]
    if "weights" in about:
        network.append(f"{about['weights']:,} weights")
    counts = [f"{data[key]:,} {word}" for key, word in _COUNTS.items() if key in data]
    threads = f"{config.threads} thread{'' if config.threads == 1 else 's'}"
    rate = f"{config.optimizer}, learning rate {config.lr:g}, {config.schedule}"
    seconds = rows[-1].get("seconds") if rows else None
    told = {
        "network": ", ".join(network),
        "data": ", ".join([config.dataset, f"{config.image_size} pixels a side", *counts]),
        "loss": config.loss,
        "optimiser": f"{rate}, batches of {config.batch_size}",
        "epochs": _epochs(config, about, rows),
        "seed": str(config.seed),
        "machine": f"{config.device}, {config.precision}, {threads}",
        "time": f"{float(seconds):,.0f} s of training" if seconds else None,
        "command": about.get("command"),
    }
    known = [[name, text] for name, text in told.items() if text]
    # Pages are passed on: the places of this machine stay out.
    text = yaml.safe_dump(config.portable(), sort_keys=False, allow_unicode=True)
    body = join(
        plain_table(("", ""), known, "What was trained"),
        details("All settings as YAML", element("pre", text, tabindex=0)),
    )
    return Section("settings", "Settings", body)


def _epochs(config: TrainConfig, about: Mapping[str, Any], rows: Rows) -> str:
    """`3 of 30, best: 2`, and of weights without their run `30, weights of epoch 2`."""
    asked, epoch = str(config.epochs), _epoch(about)
    if not rows:
        return asked if epoch is None else f"{asked}, weights of epoch {epoch}"
    done = asked if len(rows) == config.epochs else f"{len(rows)} of {asked}"
    return done if epoch is None else f"{done}, best: {epoch}"


_COUNTS = {"train": "to train", "val": "to validate"}


def _curves(config: TrainConfig, about: Mapping[str, Any], rows: Rows) -> list[Section]:
    if not rows:
        return []
    score = score_of(config)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_text(row.get(name)) for name in columns] for row in rows]
    table = plain_table(columns, cells, "A row for each epoch, as in metrics.csv", numeric=True)
    others = other_panels(rows, score)
    body = join(
        charts(training_panels(rows, score, _epoch(about))),
        details("Each term and score by itself", charts(others)) if others else None,
        details("The same as a table", table, paper=False),
    )
    return [Section("curves", "Curves", body)]


def _epoch(about: Mapping[str, Any]) -> int | None:
    """That weights are of; of best.safetensors, the best."""
    epoch: int | None = about.get("progress", {}).get("epoch")
    return epoch


def _samples(run: RunDir) -> list[Section]:
    for name in ("best.png", "last.png"):
        path = run.samples / name
        if path.is_file():
            return [Section("samples", "Samples", _sample(path))]
    return []


def _sample(path: Path) -> Html:
    alt = "Pictures of the validation split and what the network makes of them"
    return element("div", image(file_uri(path.read_bytes()), alt), class_="sample", tabindex=0)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _config(run: RunDir) -> TrainConfig:
    return merge({}, [read_config_file(run.config)])
