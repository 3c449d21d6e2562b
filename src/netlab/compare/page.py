"""The page of a comparison."""

from collections.abc import Mapping
from typing import Any

import yaml

from netlab.compare.comparison import COSTS, Comparison
from netlab.compare.methods import method_key
from netlab.compare.parts import panels, pictures, ranks, scales
from netlab.contracts.report import Headline, Html, Measure, Section
from netlab.figures.html.chart import charts
from netlab.figures.html.gallery import Example, Group, gallery
from netlab.figures.html.images import picture_uri
from netlab.figures.html.legend import legend
from netlab.figures.html.markup import element, join
from netlab.figures.html.page import details, page, paragraph
from netlab.figures.html.table import ScoreRow, plain_table, score_table
from netlab.figures.html.table import score as digits
from netlab.tasks.sections import ranked


def comparison_page(comparison: Comparison, found: Mapping[str, Any]) -> str:
    """The page of a comparison: scores, who is better, curves and pictures."""
    first = comparison.first
    datasets = dict.fromkeys(entry.config.dataset for entry in comparison.entries)
    said = f"{first.config.arch} on {' and '.join(datasets)}"
    if found["count"] is not None:
        said += f" · {found['split']}, {found['count']:,} pictures"
    curves = [charts(panels(comparison))]
    if remark := scales(comparison):
        curves.append(paragraph(f"Losses are not to be compared: {remark}."))
    sections = [
        Section("scores", "Scores", _scores(comparison, found)),
        Section("differences", "Who is better", _differences(found)),
        Section("curves", "Curves", join(*curves)),
        *_confusions(comparison),
    ]
    if (shown := _gallery(comparison)) is not None:
        sections.append(Section("pictures", "Pictures", shown))
    sections.append(Section("settings", "Settings", _settings(comparison)))
    title = f"{len(comparison.methods)} methods side by side"
    return page(title, sections, subtitle=said, headlines=_headlines(comparison))


def _headlines(comparison: Comparison) -> list[Headline]:
    """The best method's score, beside that of the better of the trivial predictors."""
    score = comparison.measures[0]
    _, trivial = comparison.best_trivial()
    beside = f"trivial: {digits(score.of(trivial))}" if trivial and score.higher_is_better else ""
    best = [comparison.methods[place] for place in sorted(comparison.best(score))]
    return [Headline(f"{score.label}, {m.name}", digits(m.mean(score)), beside) for m in best[:1]]


def _scores(comparison: Comparison, found: Mapping[str, Any]) -> Html:
    columns = [m.name for m in comparison.methods]
    trivial = comparison.baselines
    columns += [name.replace("_", " ") for name in trivial]

    def row(measure: Measure) -> ScoreRow:
        values = [method.mean(measure) for method in comparison.methods]
        values += [measure.of(result) for result in trivial.values()]
        return ScoreRow(measure.label, values, marked=comparison.best(measure))

    caption = "Each method on its own pictures"
    if found["count"] is not None:
        caption = f"{found['count']:,} pictures of {found['split']}"
    parts = [score_table(columns, [row(m) for m in comparison.measures], caption)]
    costs = [[m.name, *(_cost(m.mean(c)) for c in COSTS)] for m in comparison.methods]
    heads = ["method", *(f"{c.label}, s" if c.name == "seconds" else c.label for c in COSTS)]
    parts.append(plain_table(heads, costs, "What they cost", numeric=True))
    spreads = [
        [m.name, str(len(m.entries)), digits(m.spread(comparison.measures[0]))]
        for m in comparison.methods
    ]
    if any(len(method.entries) > 1 for method in comparison.methods):
        heads = ["method", "seeds", f"standard deviation of {comparison.measures[0].label}"]
        parts.append(plain_table(heads, spreads, "Spread over seeds", numeric=True))
    return join(*parts)


def _cost(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.1f}" if value < 1000 and value != int(value) else f"{value:,.0f}"


def _differences(found: Mapping[str, Any]) -> Html:
    if found["count"] is None:
        return paragraph("The methods were not scored on the same pictures.")
    if not found["differences"]:
        return paragraph("There are no two methods with scores.")
    lines = [
        [
            f"{d['better']} over {d['worse']}",
            digits(d["difference"]),
            " to ".join(map(digits, d["interval_95"])),
            "yes" if d["clear"] else "not clear",
        ]
        for d in found["differences"]
    ]
    heads = ["", "difference", "95 % interval", "clear"]
    caption = (
        "Paired bootstrap over the test pictures, and over seeds where there are several; with one "
        "seed a method it speaks of these trained networks, not of the next training"
    )
    return plain_table(heads, lines, caption, numeric=True)


def _confusions(comparison: Comparison) -> list[Section]:
    """The confusion matrix of each method, where its task has one."""
    found = []
    for method in comparison.methods:
        if (section := method.entries[0].report.confusion()) is not None:
            found.append(join(element("h3", method.name), section.body))
    return [Section("confusion", "Confusion matrices", join(*found))] if found else []


def _settings(comparison: Comparison) -> Html:
    """What all methods share, and what is each method's own."""
    every = [method_key(m.entries[0].config).portable() for m in comparison.methods]
    shared = {k: v for k, v in every[0].items() if all(one[k] == v for one in every)}
    parts = [details("Shared by all", element("pre", _yaml(shared), tabindex=0))]
    for method, values in zip(comparison.methods, every, strict=True):
        own = {k: v for k, v in values.items() if k not in shared}
        runs = [entry.run.name for entry in method.entries]
        text = _yaml({**own, "runs": runs})
        parts.append(details(method.name, element("pre", text, tabindex=0)))
    return join(*parts)


def _gallery(comparison: Comparison) -> Html | None:
    by_rank = ranks(comparison)
    if by_rank is None:
        return None
    groups = []
    layers: list[str] = []
    key: Html | None = None
    for name, places in ranked(by_rank).items():
        shown = pictures(comparison, places)
        if shown is None:
            return None
        common = shown.common
        layers = [*(head for head, _ in common.common), *(m.name for m in comparison.methods)]
        key = legend([(label, colour, "area") for label, colour in common.legend])
        stacks = [*(stack for _, stack in common.common), *(s.own for s in shown.by_method)]
        examples = [
            Example(common.names[i], [picture_uri(stack[i]) for stack in stacks], shown.caption(i))
            for i in range(len(places))
        ]
        groups.append(Group(name, examples))
    said = "Ordered by the mean over the methods; numbers below a picture by method."
    return join(paragraph(said), gallery("pictures", layers, groups, legend=key))


def _yaml(values: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
    return text
