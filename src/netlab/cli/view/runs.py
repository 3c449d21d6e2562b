"""How runs look to a person: a table, and all about one of them."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.cells import cell_len, set_cell_size

from netlab import registry
from netlab.cli.view.text import clean, decimal, duration, mebibytes, terminal_width
from netlab.components import parts_of
from netlab.config import MACHINE_FIELDS
from netlab.contracts.score import Score
from netlab.errors import NetlabError, counted, listing
from netlab.runs.summary import Row, RunSummary
from netlab.settings import Layer, flat, merge, recipe

_LEAST = 20  # columns for the settings, or they go to a line of their own
_USUAL = "settings: the recipe's"


def table(summaries: Sequence[RunSummary]) -> list[str]:
    """A line for each run; on a terminal too narrow for that, two lines."""
    from netlab.figures.text_table import text_table

    rows = [_cells(summary) for summary in summaries]
    notes = [[clean(note) for note in (s.failure, *s.faults) if note] for s in summaries]
    width = terminal_width()
    if width is None:
        whole = [[*row, "  ".join(texts)] for row, texts in zip(rows, notes, strict=True)]
        return text_table(whole, numbers=False)
    heads: list[list[str]] = [[] for _ in rows]
    lines = text_table(rows, numbers=False)
    if max(map(cell_len, lines), default=0) > width:
        # The name, whole for copying, on a line of its own; the settings as far as there is room.
        heads = [[row[0]] for row in rows]
        rest = [["", *row[2:]] for row in rows]
        room = width - max(map(cell_len, text_table(rest, numbers=False))) - 2
        if room >= _LEAST:
            short = [[f"  {_shortened(row[1], room)}", *row[2:]] for row in rows]
            lines = text_table(short, numbers=False)
        else:
            lines = [_indented("  ".join(row[1:]), width, 2) for row in rows]
    blocks = [
        [*head, line, *(_indented(note, width, 4) for note in texts)]
        for head, line, texts in zip(heads, lines, notes, strict=True)
    ]
    return [line for block in blocks for line in block]


def comparisons(folders: Sequence[Path]) -> str:
    """How many comparisons there are, and the newest of them."""
    names = [clean(path.name) for path in reversed(folders)]
    return f"{counted(len(names), 'comparison')}: {listing(names, limit=3)}"


def details(
    summary: RunSummary, rows: Sequence[Row], sizes: Sequence[tuple[str, int]]
) -> list[str]:
    """All about a run."""
    from netlab.figures.text_table import text_table

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
    width = terminal_width()
    named = [[name, clean(text)] for name, text in facts.items() if text]
    lines = text_table(named, width=width, numbers=False)
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
    parts = parts_of(arch) if arch in registry.names("architecture") else ("encoder", "decoder")
    if "conditioning" in parts:
        conditioning = config.get("conditioning", "?")
        return f"{arch} {dataset} {conditioning}, latent {config.get('latent', '?')}"
    decoder = f"+{config.get('decoder', '?')}" if "decoder" in parts else ""
    return f"{arch} {dataset} {encoder}{decoder} {loss}"


def _cells(summary: RunSummary) -> list[str]:
    return [
        clean(summary.name),
        clean(short(summary.config)),
        f"{summary.epoch}/{summary.epochs or '?'}",
        _best(summary) or "no score",
        duration(summary.seconds),
        summary.state,
    ]


def _best(summary: RunSummary) -> str:
    if summary.best is None:
        return ""
    number = decimal(summary.best)
    return f"best {number}" if summary.score is None else summary.score.text(number)


def _shortened(text: str, room: int) -> str:
    return text if cell_len(text) <= room else set_cell_size(text, room - 1) + "…"


def _indented(text: str, width: int, indent: int) -> str:
    space = " " * indent
    return textwrap.fill(text, width, initial_indent=space, subsequent_indent=space)


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
    room = terminal_width()
    if room is None:
        return list(lines)
    return [
        part for line in lines for part in textwrap.wrap(line, room, subsequent_indent=" " * 17)
    ]


def _epochs(rows: Sequence[Row], score: Score | None) -> list[str]:
    """The rows of metrics.csv, with as many columns as there is room for."""
    from netlab.figures.text_table import text_table

    first = ["epoch", "train_loss", "val_loss", "lr", "seconds", "images_per_second"]
    if score is not None and not score.is_loss:
        first.insert(3, score.column)
    columns = sorted(rows[0], key=lambda name: first.index(name) if name in first else len(first))
    texts = {
        c: [c.replace("_", " "), *["" if (v := row.get(c)) is None else _cell(v) for row in rows]]
        for c in columns
    }
    chosen, used, room = [], 0, terminal_width()
    for column in columns:
        wide = max(map(len, texts[column])) + 2
        if room is not None and used + wide > room:
            continue
        used += wide
        chosen.append(texts[column])
    heading, *cells = zip(*chosen, strict=True)
    return text_table(cells, heading)


def _cell(value: float) -> str:
    if value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 0.01 else decimal(value)
