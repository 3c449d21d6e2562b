"""A comparison as lines of text that fit a terminal."""

import shutil
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from netlab.cli.view.text import decimal, duration
from netlab.errors import counted

if TYPE_CHECKING:
    from netlab.compare.comparison import Comparison, Method
    from netlab.contracts.report import Measure

_HEADING = 11  # characters of a heading's line
_MOST = 6  # pairs of methods that are named though they do not differ: all pairs of four methods
_MARK = "*"
_CAPTION = f"{_MARK} best of the methods"


def comparison_lines(comparison: "Comparison") -> list[str]:
    """The methods as columns, beside the best trivial predictor; then who is really better."""
    width = shutil.get_terminal_size().columns
    indices: list[int | None] = [*range(len(comparison.methods))]
    indices += [None] * bool(comparison.best_trivial()[0])
    for count in range(len(indices), 0, -1):
        blocks = [indices[start : start + count] for start in range(0, len(indices), count)]
        tables = [_block(comparison, block) for block in blocks]
        if all(len(line) <= width for table in tables for line in table):
            break
    lines = [_heading(comparison)]
    for table in tables:
        lines += ["", *table]
    if not comparison.same_machine:
        lines.append("not all were trained on the same device: their times are not ranked")
    return [*lines, _CAPTION, *_verdicts(comparison)]


def _heading(comparison: "Comparison") -> str:
    if not comparison.same_pictures:
        return "not scored on the same pictures: the scores are not to be compared"
    result = comparison.first.values
    return (
        f"{counted(result['count'], 'picture')} of {result['split']}, {result['dropped']} dropped"
    )


def _block(comparison: "Comparison", indices: Sequence[int | None]) -> list[str]:
    """A table of some of the methods; None stands for the best trivial predictor."""
    from netlab.compare.comparison import COSTS
    from netlab.figures.text_table import text_table

    trivial, trivial_scores = comparison.best_trivial()
    methods = [None if index is None else comparison.methods[index] for index in indices]
    names = [trivial.replace("_", " ") if method is None else method.name for method in methods]
    rows = []
    for measure in (*comparison.measures, *COSTS):
        show = _FORMATS.get(measure.name, decimal)
        best = comparison.best(measure)
        cells = []
        for index, method in zip(indices, methods, strict=True):
            if method is not None:
                cells.append(_cell(method, measure, show, index in best))
            else:
                value = measure.of(trivial_scores) if measure in comparison.measures else None
                cells.append("" if value is None else show(value) + " ")
        if any(cells) or measure == comparison.measures[0]:
            rows.append([measure.label, *cells])
    return text_table(rows, ["", *map(_wrapped, names)], gap=1)


def _cell(method: "Method", measure: "Measure", show: Callable[[float], str], best: bool) -> str:
    mean, spread = method.mean(measure), method.spread(measure)
    if mean is None:
        return ""
    text = show(mean)
    if spread is not None and show is decimal:
        digits = 3 if abs(mean) < 10 else 1
        text = "±".join(f"{x:.{digits}f}".removeprefix("0") for x in (mean, spread))
    return text + (_MARK if best else " ")


def _wrapped(name: str) -> str:
    """A name with a line for each setting, if they do not fit on one."""
    settings = name.split(" + ") if len(name) > _HEADING else [name]
    settings = [f"{setting} +" for setting in settings[:-1]] + settings[-1:]
    lines = [line for setting in settings for line in textwrap.wrap(setting, _HEADING)]
    return "\n".join(f"{line} " for line in lines)  # above the digits, not above the mark


def _verdicts(comparison: "Comparison") -> list[str]:
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
