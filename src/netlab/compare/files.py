"""The files of a comparison: JSON, table, curves, pictures under every method, and the page."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from netlab.compare.comparison import COSTS, Comparison, rows
from netlab.compare.methods import method_key
from netlab.components import task_class
from netlab.contracts.report import Headline, Html, Measure, Section, Shown
from netlab.errors import UsageError
from netlab.figures.curves import Panel, draw_panels, method_panels
from netlab.figures.grid import draw_stacks
from netlab.figures.html.chart import charts
from netlab.figures.html.gallery import Example, Group, gallery
from netlab.figures.html.images import picture_uri
from netlab.figures.html.markup import element, join
from netlab.figures.html.page import details, legend, page, paragraph
from netlab.figures.html.table import ScoreRow, plain_table, score_table
from netlab.figures.html.table import score as digits
from netlab.figures.saving import save_png
from netlab.files import write_rows, write_text
from netlab.tasks.sections import best_first, ranked

_SHOWN = 6  # pictures in the figure


def write_comparison(comparison: Comparison, document: Mapping[str, Any], folder: Path) -> None:
    """Write `comparison.json`, `comparison.csv`, `curves.png`, `pictures.png` and `report.html`.

    Args:
        comparison: of `side_by_side`.
        document: its `document`.
        folder: made for it.

    Raises:
        UsageError: the folder cannot be made.
        WorkFailed: a file cannot be written.
    """
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made ({error.strerror}); choose another") from error
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(folder / "comparison.json", text + "\n")
    write_rows(folder / "comparison.csv", rows(comparison))
    title = f"{len(comparison.methods)} methods"
    if remark := _scales(comparison):
        title += f" · {remark}"
    save_png(draw_panels(_panels(comparison), title=title), folder / "curves.png")
    if (figure := _pictures_figure(comparison)) is not None:
        save_png(figure, folder / "pictures.png")
    write_text(folder / "report.html", comparison_page(comparison, document))


def comparison_page(comparison: Comparison, document: Mapping[str, Any]) -> str:
    """The page of a comparison: scores, who is better, curves and pictures."""
    datasets = dict.fromkeys(entry.config.dataset for entry in comparison.entries)
    subtitle = f"{comparison.first.config.arch} on {' and '.join(datasets)}"
    if document["count"] is not None:
        subtitle += f" · {document['split']}, {document['count']:,} pictures"
    curves = [charts(_panels(comparison))]
    if remark := _scales(comparison):
        curves.append(paragraph(f"Losses are not to be compared: {remark}."))
    sections = [
        Section("scores", "Scores", _scores(comparison, document)),
        Section("differences", "Who is better", _differences(document)),
        Section("curves", "Curves", join(*curves)),
        *_confusions(comparison),
    ]
    if (examples := _gallery(comparison)) is not None:
        sections.append(Section("pictures", "Pictures", examples))
    sections.append(Section("settings", "Settings", _settings(comparison)))
    title = f"{len(comparison.methods)} methods side by side"
    return page(title, sections, subtitle=subtitle, headlines=_headlines(comparison))


def _headlines(comparison: Comparison) -> list[Headline]:
    """The best method's score, beside that of the better of the trivial predictors."""
    score = comparison.measures[0]
    _, trivial = comparison.best_trivial()
    remark = f"trivial: {digits(score.of(trivial))}" if trivial and score.higher_is_better else ""
    best = [comparison.methods[index] for index in sorted(comparison.best(score))]
    return [Headline(f"{score.label}, {m.name}", digits(m.mean(score)), remark) for m in best[:1]]


def _scores(comparison: Comparison, document: Mapping[str, Any]) -> Html:
    columns = [m.name for m in comparison.methods]
    trivial = comparison.baselines
    columns += [name.replace("_", " ") for name in trivial]

    def row(measure: Measure) -> ScoreRow:
        values = [method.mean(measure) for method in comparison.methods]
        values += [measure.of(result) for result in trivial.values()]
        return ScoreRow(measure.label, values, marked=comparison.best(measure))

    caption = "Each method on its own pictures"
    if document["count"] is not None:
        caption = f"{document['count']:,} pictures of {document['split']}"
    tables = [score_table(columns, [row(m) for m in comparison.measures], caption)]
    costs = [[m.name, *(_cost(m.mean(c)) for c in COSTS)] for m in comparison.methods]
    heads = ["method", *(f"{c.label}, s" if c.name == "seconds" else c.label for c in COSTS)]
    tables.append(plain_table(heads, costs, "What they cost", numeric=True))
    spreads = [
        [m.name, str(len(m.entries)), digits(m.spread(comparison.measures[0]))]
        for m in comparison.methods
    ]
    if any(len(method.entries) > 1 for method in comparison.methods):
        heads = ["method", "seeds", f"standard deviation of {comparison.measures[0].label}"]
        tables.append(plain_table(heads, spreads, "Spread over seeds", numeric=True))
    return join(*tables)


def _cost(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.1f}" if value < 1000 and value != int(value) else f"{value:,.0f}"


def _differences(document: Mapping[str, Any]) -> Html:
    if document["count"] is None:
        return paragraph("The methods were not scored on the same pictures.")
    if not document["differences"]:
        return paragraph("There are no two methods with scores.")
    lines = [
        [
            f"{d['better']} over {d['worse']}",
            digits(d["difference"]),
            " to ".join(map(digits, d["interval_95"])),
            "yes" if d["clear"] else "not clear",
        ]
        for d in document["differences"]
    ]
    heads = ["", "difference", "95 % interval", "clear"]
    caption = (
        "Paired bootstrap over the test pictures, and over seeds where there are several; with one "
        "seed a method it speaks of these trained networks, not of the next training"
    )
    return plain_table(heads, lines, caption, numeric=True)


def _confusions(comparison: Comparison) -> list[Section]:
    """The confusion matrix of each method, where its task has one."""
    matrices = []
    for method in comparison.methods:
        if (section := method.entries[0].report.confusion()) is not None:
            matrices.append(join(element("h3", method.name), section.body))
    return [Section("confusion", "Confusion matrices", join(*matrices))] if matrices else []


def _settings(comparison: Comparison) -> Html:
    """What all methods share, and what is each method's own."""
    configs = [method_key(m.entries[0].config).portable() for m in comparison.methods]
    shared = {k: v for k, v in configs[0].items() if all(config[k] == v for config in configs)}
    blocks = [details("Shared by all", element("pre", _yaml(shared), tabindex=0))]
    for method, config in zip(comparison.methods, configs, strict=True):
        own = {k: v for k, v in config.items() if k not in shared}
        text = _yaml({**own, "runs": [entry.run.name for entry in method.entries]})
        blocks.append(details(method.name, element("pre", text, tabindex=0)))
    return join(*blocks)


def _gallery(comparison: Comparison) -> Html | None:
    by_rank = _ranks(comparison)
    if by_rank is None:
        return None
    groups = []
    layers: list[str] = []
    key: Html | None = None
    for name, indices in ranked(by_rank).items():
        pictures = _pictures(comparison, indices)
        if pictures is None:
            return None
        by_method, captions = pictures
        first = by_method[0]
        layers = [*(head for head, _ in first.common), *(m.name for m in comparison.methods)]
        key = legend([(label, colour, "area") for label, colour in first.legend])
        stacks = [*(stack for _, stack in first.common), *(shown.own for shown in by_method)]
        examples = [
            Example(first.names[i], [picture_uri(stack[i]) for stack in stacks], caption)
            for i, caption in enumerate(captions)
        ]
        groups.append(Group(name, examples))
    order = "Ordered by the mean over the methods; numbers below a picture by method."
    return join(paragraph(order), gallery("pictures", layers, groups, legend=key))


def _yaml(values: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
    return text


def _panels(comparison: Comparison) -> list[Panel]:
    """Training and validation loss and the score, a colour for each method."""
    names = [method.name for method in comparison.methods]
    runs = [[entry.rows for entry in method.entries] for method in comparison.methods]
    return method_panels(names, runs, task_class(comparison.first.config).score)


def _scales(comparison: Comparison) -> str:
    """A remark where methods are trained with losses of different kinds."""
    losses = sorted({entry.config.loss for entry in comparison.entries})
    return f"{' and '.join(losses)} have scales of their own" if len(losses) > 1 else ""


def _ranks(comparison: Comparison) -> NDArray[np.float64] | None:
    """How well each picture goes (N,), mean over the methods; None for different pictures."""
    if not comparison.same_pictures:
        return None
    reports = [method.entries[0].report for method in comparison.methods]
    means: NDArray[np.float64] = np.mean([report.by_rank() for report in reports], axis=0)
    return means


def _pictures(
    comparison: Comparison, indices: NDArray[np.int64]
) -> tuple[list[Shown], list[str]] | None:
    """Pictures under every method, and a caption for each: its name and its scores by method.

    None where a method makes no pictures.
    """
    by_method = []
    for method in comparison.methods:
        shown = method.entries[0].report.shown(indices)
        if shown is None:
            return None
        by_method.append(shown)
    scores = zip(*(shown.scores for shown in by_method), strict=True)
    names = by_method[0].names
    return by_method, [f"{n} · {' / '.join(each)}" for n, each in zip(names, scores, strict=True)]


def _pictures_figure(comparison: Comparison) -> Image.Image | None:
    """A few pictures, from the best to the worst; None where there are none to put side by side."""
    by_rank = _ranks(comparison)
    if by_rank is None:
        return None
    order = best_first(by_rank)
    spread = np.linspace(0, len(order) - 1, min(_SHOWN, len(order)))
    pictures = _pictures(comparison, order[np.unique(spread.astype(np.int64))])
    if pictures is None:
        return None
    by_method, captions = pictures
    split = comparison.first.values["split"]
    pairs = zip(comparison.methods, by_method, strict=True)
    return draw_stacks(
        [*by_method[0].common, *((method.name, shown.own) for method, shown in pairs)],
        captions,
        title=f"{split} pictures, evenly spread from the best to the worst; numbers by method",
        legend=by_method[0].legend,
    )
