"""The page of a run, `report.html`, and that of weights which lie elsewhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from netlab.components import network_words, task_class
from netlab.config import TrainConfig
from netlab.contracts.report import Headline, Report, Section
from netlab.errors import counted
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
    return _page(run.name, config, parts, about, report)


def weights_page(weights: Path, report: Report) -> str:
    """The page of a weights file: that of its run if it is the best of one."""
    run = run_of(weights)
    if run is not None and weights.name == run.best.name:
        return run_page(run, epoch_rows(run), merge({}, [read_config_file(run.config)]), report)
    about = read_header(weights).about
    config = merge({}, [Layer("its config", about["config"])])
    parts = [_settings(config, about, ()), *report.sections()]
    title = name_of(weights) if run is None else f"{run.name} · {weights.stem}"
    return _page(title, config, parts, about, report)


def _page(
    title: str,
    config: TrainConfig,
    parts: Sequence[Section],
    about: Mapping[str, Any],
    report: Report | None,
) -> str:
    subtitle = f"{config.arch} on {config.dataset}"
    loss = about.get("metrics", {}).get("val_loss")
    headlines = []
    if report is not None:
        result, headlines = report.result(), report.headlines()
        subtitle = f"{subtitle} · {report.split}, {result['count']:,} pictures"
    elif loss is not None:
        remark = f"best epoch: {_epoch(about)}"
        headlines = [Headline("Validation loss", digits(loss), remark)]
    return page(title, parts, subtitle=subtitle, headlines=headlines)


def _settings(config: TrainConfig, about: Mapping[str, Any], rows: Rows) -> Section:
    """The settings that tell runs apart, and all of them folded away."""
    data = about.get("data", {})
    network = [f"{network_words(config.to_dict())}, width {config.width}, depth {config.depth}"]
    if "weights" in about:
        network.append(f"{about['weights']:,} weights")
    words = {"train": "to train", "val": "to validate"}
    counts = [f"{data[key]:,} {word}" for key, word in words.items() if key in data]
    rate = f"{config.optimizer}, learning rate {config.lr:g}, {config.schedule}"
    seconds = rows[-1].get("seconds") if rows else None
    settings = {
        "network": ", ".join(network),
        "data": ", ".join([config.dataset, f"{config.image_size} pixels a side", *counts]),
        "loss": config.loss,
        "optimiser": f"{rate}, batches of {config.batch_size}",
        "epochs": _epochs(config, about, rows),
        "seed": str(config.seed),
        "machine": f"{config.device}, {config.precision}, {counted(config.threads, 'thread')}",
        "time": f"{float(seconds):,.0f} s of training" if seconds else None,
        "command": about.get("command"),
    }
    known = [[name, text] for name, text in settings.items() if text]
    # Pages are passed on: paths of this machine stay out.
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


def _curves(config: TrainConfig, about: Mapping[str, Any], rows: Rows) -> list[Section]:
    if not rows:
        return []
    score = task_class(config).score
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [["" if (v := row.get(name)) is None else str(v) for name in columns] for row in rows]
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
    alt = "Pictures of the validation split and what the network makes of them"
    for path in (run.samples / "best.png", run.samples / "last.png"):
        if path.is_file():
            picture = image(file_uri(path.read_bytes()), alt)
            body = element("div", picture, class_="sample", tabindex=0)
            return [Section("samples", "Samples", body)]
    return []
