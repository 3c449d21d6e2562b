"""A comparison as lines of text that fit a terminal."""

import shutil
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from netlab.cli.view.text import duration
from netlab.errors import counted

_LABEL, _CELL = 20, 12
_MOST = 6  # pairs of methods that are named though they do not differ: all pairs of four methods
_MARK = "*"
_CAPTION = f"{_MARK} best of the methods"


def comparison_lines(comparison: Any, costs: Sequence[Any]) -> list[str]:
    """The methods as columns, beside the best trivial predictor; then who is really better.

    Args:
        comparison: an `compare.comparison.Comparison`.
        costs: measures of what the methods cost.
    """
    columns = list(range(len(comparison.methods)))
    room = max(1, (shutil.get_terminal_size().columns - _LABEL) // _CELL)
    blocks = [columns[i : i + room] for i in range(0, len(columns), room)]
    lines = [_heading(comparison)]
    for number, block in enumerate(blocks):
        last = number == len(blocks) - 1 and len(block) < room
        lines += ["", *_block(comparison, costs, block, trivial=last)]
    if room < 2 or len(blocks[-1]) == room:
        lines += ["", *_block(comparison, (), [], trivial=True)]
    if not comparison.same_machine:
        lines.append("not all were trained on the same device: their times are not ranked")
    return [*lines, _CAPTION, *_verdicts(comparison)]


def _heading(comparison: Any) -> str:
    if not comparison.same_pictures:
        return "not scored on the same pictures: the scores are not to be compared"
    result = comparison.first.values
    return (
        f"{counted(result['count'], 'picture')} of {result['split']}, {result['dropped']} dropped"
    )


def _block(
    comparison: Any, costs: Sequence[Any], places: Sequence[int], *, trivial: bool
) -> list[str]:
    score = comparison.measures[0]
    name, values = comparison.best_trivial() if trivial else ("", {})
    name = name.replace("_", " ")
    heads = [_wrapped(comparison.methods[place].name) for place in places]
    heads += [_wrapped(name)] * bool(name)
    if not heads:
        return []
    depth = max(map(len, heads))
    lines = [
        " " * _LABEL + "".join(f"{_line(head, depth, row):>{_CELL}}" for head in heads)
        for row in range(depth)
    ]
    for measure in (*comparison.measures, *costs):
        show = _FORMATS.get(measure.name, _score)
        best = comparison.best(measure)
        cells = [_cell(comparison.methods[p], measure, show, p in best) for p in places]
        if name and measure in comparison.measures:
            value = measure.of(values)
            cells.append("" if value is None else show(value) + " ")
        if any(cells) or measure == score:
            lines.append(
                f"{measure.label:<{_LABEL}}" + "".join(f"{cell:>{_CELL}}" for cell in cells)
            )
    return lines


def _cell(method: Any, measure: Any, show: Callable[[float], str], best: bool) -> str:
    mean, spread = method.mean(measure), method.spread(measure)
    if mean is None:
        return ""
    text = show(mean)
    if spread is not None and show is _score:
        digits = 3 if abs(mean) < 10 else 1
        text = "±".join(f"{x:.{digits}f}".removeprefix("0") for x in (mean, spread))
    return text + (_MARK if best else " ")


def _wrapped(name: str) -> list[str]:
    """A line for each setting, if they do not fit on one."""
    parts = name.split(" + ") if len(name) > _CELL - 1 else [name]
    parts = [f"{part} +" for part in parts[:-1]] + parts[-1:]
    return [line for part in parts for line in textwrap.wrap(part, _CELL - 1)]


def _line(head: Sequence[str], depth: int, row: int) -> str:
    """Heads of fewer lines stand at the bottom."""
    place = row - (depth - len(head))
    return head[place] + " " if place >= 0 else ""


def _verdicts(comparison: Any) -> list[str]:
    names = [method.name for method in comparison.methods]
    label = comparison.measures[0].label
    lines, unclear = [], []
    for (a, b), difference in comparison.differences.items():
        better, worse = (a, b) if difference.value >= 0 else (b, a)
        low, high = sorted(abs(end) for end in (difference.low, difference.high))
        if difference.clear:
            lines.append(
                f"{names[better]} is better than {names[worse]}: "
                f"{abs(difference.value):.4f} {label} (95 %: {low:.4f} to {high:.4f})"
            )
        else:
            unclear.append(f"{names[better]} and {names[worse]}: no clear difference in {label}")
    if len(unclear) > _MOST:
        others = "other pairs" if lines else "pairs"
        unclear = [f"no clear difference in {label} between {len(unclear)} {others} of methods"]
    lines += unclear
    if lines:
        seeds = min(len(method.entries) for method in comparison.methods)
        over = "pictures and seeds" if seeds > 1 else "pictures, for these trained networks"
        lines = ["", f"by a paired bootstrap over the {over}:", *(f"  {line}" for line in lines)]
    return lines


def _score(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"


def _large(value: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M")):
        if value >= size:
            return f"{value / size:.2f} {unit}"
    return f"{value:,.0f}"


_FORMATS: dict[str, Callable[[float], str]] = {
    "weights": _large,
    "multiply_adds": _large,
    "training_images_per_second": lambda value: f"{value:.1f}",
    "images_per_second": lambda value: f"{value:.1f}",
    "memory_mib": lambda value: f"{value:,.0f}",
    "seconds": duration,
}
