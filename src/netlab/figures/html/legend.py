"""What the colours of a chart or a mask stand for."""

from collections.abc import Sequence
from typing import Literal

from netlab.contracts.report import Html
from netlab.figures.html.markup import element
from netlab.figures.palette import Colour

Shape = Literal["area", "line", "dashed", "ring"]


def colour_style(colour: Colour) -> str:
    """The style with which `page.css` draws in a colour; on dark pages it makes it lighter."""
    return f"--c:rgb({','.join(map(str, colour))})"


def legend(entries: Sequence[tuple[str, Colour, Shape]]) -> Html:
    """Names, each behind a swatch of its colour and shape."""
    items = [
        element(
            "li",
            element("span", class_=f"swatch {shape}", style=colour_style(colour)),
            element("span", name),
        )
        for name, colour, shape in entries
    ]
    return element("ul", *items, class_="legend")
