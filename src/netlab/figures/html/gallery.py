"""Examples as pictures in named layers, all switched at once."""

from collections.abc import Sequence
from typing import NamedTuple

from netlab.contracts.report import Html
from netlab.figures.html.images import image
from netlab.figures.html.markup import element

SIDE_BY_SIDE = "Side by side"
"""The view that shows every layer; without script, and on paper, the only one."""


class Example(NamedTuple):
    """One picture and what was made of it."""

    name: str
    layers: Sequence[str]
    """Data URIs, one for each layer of the gallery (see `images`)."""
    caption: str


class Group(NamedTuple):
    """Examples under a heading of their own."""

    title: str
    examples: Sequence[Example]


def gallery(
    name: str,
    layers: Sequence[str],
    groups: Sequence[Group],
    *,
    first: str = SIDE_BY_SIDE,
    opacity: float = 0.6,
    legend: Html | None = None,
) -> Html:
    """Examples whose layers a switch shows: one over the first, or all side by side.

    The address chooses as well: `#view=LAYER`.

    Args:
        name: tells the gallery from others in the page.
        layers: names, the picture itself first; with one alone there is nothing to switch.
        groups: examples under their headings.
        first: the view at the beginning, a layer or `SIDE_BY_SIDE`.
        opacity: share of a layer over the first one, 0 to 1, which a slider changes.
        legend: stands beside the switch.

    Raises:
        ValueError: an example without exactly one picture a layer, or an unknown first view.
    """
    views = [SIDE_BY_SIDE, *layers]
    if first not in views:
        raise ValueError(f"first view '{first}' is none of {', '.join(views)}")
    switched = len(layers) > 1
    controls = element(
        "div",
        _switch(name, views, first) if switched else None,
        _slider(name, opacity) if switched else None,
        legend,
        class_="controls",
    )
    return element(
        "div",
        controls if switched or legend else None,
        *(_group(group, layers) for group in groups if group.examples),
        class_="gallery",
        style=f"--layers:{len(layers)};--opacity:{opacity:g}",
    )


def _switch(name: str, views: Sequence[str], first: str) -> Html:
    """Radio buttons: the arrow keys move between them."""
    buttons = []
    for number, view in enumerate(views):
        id_ = f"{name}-view-{number}"
        chosen = view == first
        radio = {"name": f"{name}-view", "value": number, "checked": chosen}
        buttons.append(_input("radio", id=id_, data_view=view, **radio))
        buttons.append(element("label", view, for_=id_))
    return element("fieldset", element("legend", "Show", class_="unseen"), *buttons, class_="views")


def _slider(name: str, opacity: float) -> Html:
    id_ = f"{name}-opacity"
    slider = _input("range", id=id_, min=0, max=100, step=5, value=round(100 * opacity))
    return element("p", element("label", "Opacity", for_=id_), slider, class_="opacity")


def _input(kind: str, **attributes: object) -> Html:
    # Browsers keep a form's values when a page is loaded again; the pictures would not follow.
    return element("input", type=kind, autocomplete="off", **attributes)


def _group(group: Group, layers: Sequence[str]) -> Html:
    figures = [_figure(example, layers) for example in group.examples]
    return element(
        "div",
        element("h3", group.title) if group.title else None,
        element("div", *figures, class_="examples"),
        class_="group",
    )


def _figure(example: Example, layers: Sequence[str]) -> Html:
    if len(example.layers) != len(layers):
        raise ValueError(
            f"example '{example.name}' needs {len(layers)} layers, got {len(example.layers)}"
        )
    pictures = []
    for number, (layer, uri) in enumerate(zip(layers, example.layers, strict=True), start=1):
        picture = image(uri, f"{layer}: {example.name}")
        name = element("span", layer, aria_hidden="true") if len(layers) > 1 else None
        pictures.append(element("div", picture, name, class_="layer", data_layer=number))
    return element(
        "figure",
        element("div", *pictures, class_="layers"),
        element("figcaption", example.caption),
        class_="example",
    )
