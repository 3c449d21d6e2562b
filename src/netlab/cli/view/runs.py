"""How runs look to a person: a table, and all about one of them."""

import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.cells import cell_len, set_cell_size

from netlab.cli.view.text import clean, duration, mebibytes
from netlab.config import MACHINE_FIELDS
from netlab.contracts.score import Score
from netlab.errors import NetlabError, counted, listing
from netlab.runs.summary import Row, RunSummary
from netlab.settings import Layer, flat, merge, recipe

_NARROWEST = 40  # columns
_LEAST = 20  # columns for the settings, or they go to a line of their own
_USUAL = "settings: the recipe's"


def table(summaries: Sequence[RunSummary]) -> list[str]:
    """A line a run; on a terminal too narrow for that, two lines."""
    cells = [_cells(summary) for summary in summaries]
    notes = [[clean(note) for note in (s.failure, *s.faults) if note] for s in summaries]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    room = width()
    if room is None:
        return [
            "  ".join([*_padded(row, widths), *said]).rstrip()
            for row, said in zip(cells, notes, strict=True)
        ]
    lines = []
    for row, said in zip(cells, notes, strict=True):
        lines += _fitted(row, widths, room)
        for note in said:
            lines += textwrap.wrap(note, room, initial_indent="    ", subsequent_indent="    ")
    return lines


def comparisons(folders: Sequence[Path]) -> str:
    """How many comparisons there are, and the newest of them."""
    names = [clean(path.name) for path in reversed(folders)]
    return f"{counted(len(names), 'comparison')}: {listing(names, limit=3)}"


def details(
    summary: RunSummary, rows: Sequence[Row], sizes: Sequence[tuple[str, int]]
) -> list[str]:
    """All about a run."""
    best = f"{_best(summary)} (epoch {summary.best_epoch})" if summary.best is not None else "none"
    facts = {
        "folder": str(summary.path),
        "state": f"{summary.state}, epoch {summary.epoch} of {summary.epochs or '?'}",
        "failure": summary.failure,
        "damage": "; ".join(summary.faults),
        "started": f"{summary.started:%Y-%m-%d %H:%M:%S}",
        "trained for": duration(summary.seconds),
        "best": best,
        "network": short(summary.config),
        "machine": ", ".join(f"{k} {summary.config.get(k)}" for k in MACHINE_FIELDS),
    }
    lines = _wrapped([f"{name:<12} {clean(text)}" for name, text in facts.items() if text])
    if summary.config:
        lines += ["", *_differences(summary.config)]
    if rows:
        lines += ["", *_epochs(rows, summary.score)]
    total = mebibytes(sum(size for _, size in sizes))
    lines += ["", f"{counted(len(sizes), 'file')}, {total}"]
    return lines + [f"  {mebibytes(size):>10}  {clean(name)}" for name, size in sizes]


def short(config: Mapping[str, Any]) -> str:
    """The settings that tell runs apart, in a few words."""
    arch, dataset = config.get("arch", "?"), config.get("dataset", "?")
    encoder, loss = config.get("encoder", "?"), config.get("loss", "?")
    if arch == "vae":
        return (
            f"vae {dataset} {config.get('conditioning', '?')}, latent {config.get('latent', '?')}"
        )
    decoder = "" if arch == "classifier" else f"+{config.get('decoder', '?')}"
    return f"{arch} {dataset} {encoder}{decoder} {loss}"


def width() -> int | None:
    """Columns of the terminal; None for a pipe or a file, which have no width."""
    if not sys.stdout.isatty():
        return None
    return max(shutil.get_terminal_size().columns, _NARROWEST)


def _cells(summary: RunSummary) -> tuple[str, ...]:
    return (
        clean(summary.name),
        clean(short(summary.config)),
        f"{summary.epoch}/{summary.epochs or '?'}",
        _best(summary) or "no score",
        duration(summary.seconds),
        summary.state,
    )


def _best(summary: RunSummary) -> str:
    if summary.best is None:
        return ""
    number = _number(summary.best)
    return f"best {number}" if summary.score is None else summary.score.said(number)


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"


def _padded(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [set_cell_size(text, width) for text, width in zip(cells, widths, strict=True)]


def _fitted(row: Sequence[str], widths: Sequence[int], room: int) -> list[str]:
    """In one line, or name and rest in two, with as much of the settings as there is room for."""
    if sum(widths) + 2 * (len(widths) - 1) <= room:
        return ["  ".join(_padded(row, widths)).rstrip()]
    rest = widths[2:]
    left = room - 2 - sum(rest) - 2 * len(rest)
    if left < _LEAST:
        said, indent = "  ".join(row[1:]), "  "
        return [row[0], *textwrap.wrap(said, room, initial_indent=indent, subsequent_indent=indent)]
    settings = row[1]
    if cell_len(settings) > left:
        settings = set_cell_size(settings, left - 1) + "…"
    line = "  ".join([set_cell_size(settings, left), *_padded(row[2:], rest)])
    return [row[0], set_cell_size(f"  {line}", room).rstrip()]


def _differences(config: Mapping[str, Any]) -> list[str]:
    """The settings that are not those of the architecture's recipe for the data set."""
    own = _typed(config)
    try:
        named = Layer("", {"dataset": config["dataset"]})
        usual = _typed(merge({}, recipe(config["arch"], [named])).to_dict())
    except (NetlabError, KeyError):
        return _wrapped(["settings", *(f"  {name:<14} {own[name]}" for name in own)])
    changed = [
        f"  {name:<14} {own.get(name)} (recipe: {usual.get(name)})"
        for name in sorted({*own, *usual}, key=[*own, *usual].index)
        if own.get(name) != usual.get(name) and name not in MACHINE_FIELDS
    ]
    return _wrapped(["settings that are not the recipe's:", *changed] if changed else [_USUAL])


def _typed(config: Mapping[str, Any]) -> dict[str, str]:
    """Settings as they are typed: `image-size`, and `loss.dice.smooth` for an argument."""
    return {
        key if "." in key else key.replace("_", "-"): clean(str(value))
        for key, value in flat(config).items()
    }


def _wrapped(lines: Sequence[str]) -> list[str]:
    room = width()
    if room is None:
        return list(lines)
    return [
        part for line in lines for part in textwrap.wrap(line, room, subsequent_indent=" " * 17)
    ]


def _epochs(rows: Sequence[Row], score: Score | None) -> list[str]:
    """The rows of metrics.csv, with as many columns as there is room for."""
    first = ["epoch", "train_loss", "val_loss", "lr", "seconds", "images_per_second"]
    if score is not None and not score.is_loss:
        first.insert(3, score.column)
    columns = sorted(rows[0], key=lambda name: first.index(name) if name in first else len(first))
    texts = {
        c: [c.replace("_", " "), *["" if (v := row.get(c)) is None else _cell(v) for row in rows]]
        for c in columns
    }
    chosen, used, room = [], 0, width()
    for column in columns:
        wide = max(map(len, texts[column])) + 2
        if room is not None and used + wide > room:
            continue
        used += wide
        chosen.append((column, wide))
    return [
        "".join(f"{texts[column][i]:>{wide}}" for column, wide in chosen)
        for i in range(len(rows) + 1)
    ]


def _cell(value: float) -> str:
    if value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return (
        f"{value:.3g}"
        if abs(value) < 0.01
        else f"{value:.4f}"
        if abs(value) < 10
        else f"{value:.1f}"
    )
