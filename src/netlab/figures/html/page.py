"""One HTML document with its style and script inside it."""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Literal

from netlab import __version__
from netlab.contracts.report import Headline, Html, Section
from netlab.figures.html.markup import element, join
from netlab.figures.palette import Colour

Swatch = Literal["area", "line", "dashed", "ring"]


def page(
    title: str,
    sections: Sequence[Section],
    *,
    subtitle: str = "",
    headlines: Sequence[Headline] = (),
) -> str:
    """A whole document that opens without network, on a telephone and on paper.

    Args:
        title: of the document.
        sections: from above to below.
        subtitle: one line below the title.
        headlines: scores in large figures before all sections.
    """
    links = [element("a", s.title, href=f"#{s.name}") for s in sections]
    body = element(
        "body",
        element(
            "header",
            element("h1", title),
            element("p", subtitle, class_="subtitle") if subtitle else None,
            _headlines(headlines) if headlines else None,
            element("nav", *links, aria_label="Sections"),
        ),
        element("main", *map(_section, sections)),
        element("footer", element("p", f"netlab {__version__}")),
        element("script", _asset("page.js")),
    )
    return f'<!DOCTYPE html>\n<html lang="en">{join(_head(title), body)}</html>\n'


def _head(title: str) -> Html:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", _asset("page.css")),
    )


def details(summary: str, body: Html, *, paper: bool = True) -> Html:
    """Something that is folded away until it is asked for.

    Printing unfolds it; without `paper` it stays as it is, as what is too wide for paper should.
    """
    kind = None if paper else "screen"
    return element("details", element("summary", summary), body, class_=kind)


def paragraph(text: str) -> Html:
    """A remark between tables and pictures."""
    return element("p", text)


def colour_style(colour: Colour) -> str:
    """The style with which `page.css` draws in a colour; on dark pages it makes it lighter."""
    return f"--c:rgb({','.join(map(str, colour))})"


def legend(entries: Sequence[tuple[str, Colour, Swatch]]) -> Html:
    """Names, each behind a swatch of its colour and shape."""
    items = [
        element(
            "li",
            element("span", class_=f"swatch {swatch}", style=colour_style(colour)),
            element("span", name),
        )
        for name, colour, swatch in entries
    ]
    return element("ul", *items, class_="legend")


def _section(section: Section) -> Html:
    heading = f"{section.name}-title"
    return element(
        "section",
        element("h2", section.title, id=heading),
        section.body,
        id=section.name,
        aria_labelledby=heading,
    )


def _headlines(headlines: Sequence[Headline]) -> Html:
    cells = [
        element(
            "div",
            element("dt", line.label),
            element("dd", line.value, class_="value"),
            element("dd", line.beside, class_="beside") if line.beside else None,
        )
        for line in headlines
    ]
    return element("dl", *cells, class_="headlines")


@cache
def _asset(name: str) -> Html:
    """A file of this package; style and script are markup already, and hold no end tag."""
    return Html((resources.files(__package__) / name).read_text(encoding="utf-8"))
