"""A network as a drawing in SVG: its levels, what they cost, and where the numbers go."""

from collections.abc import Iterator, Sequence
from html import escape

from netlab.contracts.structure import Level, Shape, Structure
from netlab.figures.canvas import shorten, text_width
from netlab.figures.palette import FAINT, FRAME, INK, WHITE, Colour, line_colours
from netlab.figures.u_shape import MARGIN, WIDTH, Arrow, Box, Layout, lay_out

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_TITLE, _HEADING, _TEXT = 20, 14, 12.5
_HEADER = 82
_FOOTER = 58
_WIDER, _BOLDER = 1.15, 1.35
"""How much wider than Pillow's font a reader's may be."""
_STRIP, _PADDING = 5, 10
_BLUE, _, _, _PURPLE, _SKY, _ORANGE, _ = line_colours(7)
_PALE = 0.45  # of a colour behind text, the rest is white
_LINES = {"main": (FAINT, ""), "skip": (_BLUE, ""), "label": (_PURPLE, "5 3")}
"""Colour and dashes of each kind of arrow."""


def diagram(structure: Structure, title: str) -> str:
    """Draw a network as SVG, 900 pixels wide, on its own white ground.

    Args:
        structure: the network's levels.
        title: what it is called, on one line; the totals stand below it.

    Returns:
        A whole SVG document.
    """
    layout = lay_out(structure, _HEADER)
    height = round(layout.bottom) + _FOOTER
    colours = _colours(structure, layout)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title desc" '
        f'font-family="{_FONT}" font-size="{_TEXT}" fill="{_hex(INK)}">',
        f'<title id="title">{_escaped(title)}</title>',
        f'<desc id="desc">{_escaped(_description(structure))}</desc>',
        f"<defs>{''.join(_heads())}</defs>",
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="{_hex(WHITE)}"/>',
        *_header(structure, title),
        *(_arrow(arrow) for arrow in layout.arrows),
    ]
    for name, shape in (*structure.inputs, ("output", structure.output)):
        lines += _pill(name, shape, layout.pills[name])
    for level in structure.levels:
        lines += _level(level, structure, layout.boxes[level.name], colours[level.kind])
    lines += _legend({arrow.kind for arrow in layout.arrows}, height)
    return "\n".join([*lines, "</svg>", ""])


def shape_words(shape: Shape) -> str:
    """A shape for people.

    >>> shape_words((32, 64, 64)), shape_words((3136,)), shape_words(())
    ('32 × 64 × 64', '3,136', '')
    """
    return " × ".join(f"{side:,}" if len(shape) == 1 else str(side) for side in shape)


def quantity(count: int) -> str:
    """A number for people, exact below a million.

    >>> quantity(384), quantity(62_720), quantity(51_904_512), quantity(1_208_000_000)
    ('384', '62,720', '51.9 M', '1.21 G')
    """
    if count < 10**6:
        return f"{count:,}"
    units = ((10**6, "M"), (10**9, "G"), (10**12, "T"))
    unit, name = next((u for u in units if count < 999.5 * u[0]), units[-1])
    share = count / unit
    return f"{share:.{max(0, 2 - len(str(int(share))) + 1)}f} {name}"


def totals(structure: Structure) -> str:
    """Weights and multiply-adds of the whole network, in one line."""
    picture = shape_words(dict(structure.inputs)["picture"])
    return (
        f"{structure.weights:,} weights · {quantity(structure.multiply_adds)} multiply-adds "
        f"for a picture of {picture}"
    )


def _colours(structure: Structure, layout: Layout) -> dict[str, Colour]:
    """A colour for each kind of level, from left to right; the main way before what is above."""
    boxes = layout.boxes
    levels = sorted(structure.levels, key=lambda v: (boxes[v.name].x, -boxes[v.name].y))
    kinds = list(dict.fromkeys(level.kind for level in levels))
    return dict(zip(kinds, line_colours(len(kinds)), strict=True))


def _header(structure: Structure, title: str) -> Iterator[str]:
    shown = shorten(title, round((WIDTH - 2 * MARGIN) / _BOLDER), _TITLE)
    # Kept as it is where it fits: what is shortened is spelled in Pillow's few characters.
    shown = shown if "…" in shown else " ".join(title.split())
    yield _text(MARGIN, MARGIN + 16, shown, size=_TITLE, weight="600")
    yield _text(MARGIN, MARGIN + 39, totals(structure), size=_HEADING, colour=FAINT)


def _level(level: Level, structure: Structure, box: Box, colour: Colour) -> Iterator[str]:
    left, inner = box.x + _STRIP + _PADDING, box.width - _STRIP - 2 * _PADDING
    yield f'<g class="level"><title>{_escaped(_sentence(level))}</title>'
    yield _rect(box, WHITE, rx=5, stroke=FRAME)
    yield _rect(Box(box.x, box.y, _STRIP, box.height), colour, rx=2.5)
    name = shorten(level.name, round(inner / _BOLDER), _HEADING)
    yield _text(left, box.y + 19, name, size=_HEADING, weight="600")
    yield _text(left, box.y + 37, _level_shape(level))
    rows = (
        ("weights", f"{level.weights:,}", level.weights, structure.weights, _SKY),
        (
            "multiply-adds",
            quantity(level.multiply_adds),
            level.multiply_adds,
            structure.multiply_adds,
            _ORANGE,
        ),
    )
    for index, (label, shown, part, total, tint) in enumerate(rows):
        top = box.y + 44 + index * 19
        if part:
            share = Box(left - 3, top, (inner + 6) * part / total, 16)
            yield _rect(share, _pale(tint), rx=2)
        words = f"{shown} {label}" if part else f"no {label}"
        yield _text(left, top + 12.5, words, colour=INK if part else FAINT)
    yield "</g>"


def _level_shape(level: Level) -> str:
    if not level.shape:
        return "around the parts" if level.multiply_adds else "not used"
    if len(level.shape) == len(level.takes) == 1:
        return f"{shape_words(level.takes)} → {shape_words(level.shape)}"
    return shape_words(level.shape)


def _pill(name: str, shape: Shape, box: Box) -> Iterator[str]:
    x, y = box.middle
    yield _rect(box, (244, 246, 248), rx=box.height / 2, stroke=FRAME)
    yield _text(x, y + 4.5, f"{name}  {shape_words(shape)}", anchor="middle")


def _arrow(arrow: Arrow) -> str:
    colour, dashes = _LINES[arrow.kind]
    points = " ".join(f"{x:g},{y:g}" for x, y in arrow.points)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<polyline class="{arrow.kind}" points="{points}" fill="none" stroke="{_hex(colour)}" '
        f'stroke-width="1.6" stroke-linejoin="round"{dashed} marker-end="url(#{arrow.kind})"/>'
    )


def _heads() -> Iterator[str]:
    for kind, (colour, _) in _LINES.items():
        yield (
            f'<marker id="{kind}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="9" '
            f'markerHeight="9" markerUnits="userSpaceOnUse" orient="auto">'
            f'<path d="M0,0.5 L8,4 L0,7.5 z" fill="{_hex(colour)}"/></marker>'
        )


def _legend(kinds: set[str], height: int) -> Iterator[str]:
    """What bars and coloured arrows mean, in one line at the bottom."""
    x, y = float(MARGIN), height - 24.0
    entries: list[tuple[str, str]] = [
        (_rect(Box(0, -7, 22, 14), _pale(_SKY), rx=2), "share of the weights"),
        (_rect(Box(0, -7, 22, 14), _pale(_ORANGE), rx=2), "share of the multiply-adds"),
    ]
    named = [kind for kind in ("skip", "label") if kind in kinds]
    entries += [(_arrow(Arrow(kind, ((0, 0), (22, 0)))), kind) for kind in named]
    for swatch, words in entries:
        yield f'<g transform="translate({x:g} {y:g})">{swatch}{_text(29, 4.5, words)}</g>'
        x += 29 + text_width(words, round(_TEXT)) * _WIDER + 24


def _description(structure: Structure) -> str:
    return " ".join(
        [f"{totals(structure)}.", *(f"{_sentence(level)}." for level in structure.levels)]
    )


def _sentence(level: Level) -> str:
    return (
        f"{level.name}: {_level_shape(level)}, {level.weights:,} weights, "
        f"{level.multiply_adds:,} multiply-adds"
    )


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: float | None = None,
    weight: str = "",
    colour: Colour | None = None,
    anchor: str = "",
) -> str:
    facts = {
        "font-size": size and f"{size:g}",
        "font-weight": weight,
        "fill": colour and _hex(colour),
        "text-anchor": anchor,
    }
    attributes = "".join(f' {key}="{value}"' for key, value in facts.items() if value)
    return f'<text x="{x:g}" y="{y:g}"{attributes}>{_escaped(text)}</text>'


def _rect(box: Box, fill: Colour, *, rx: float, stroke: Colour | None = None) -> str:
    edge = f' stroke="{_hex(stroke)}" class="box"' if stroke else ""
    return (
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:.4g}" height="{box.height:g}" '
        f'rx="{rx:g}" fill="{_hex(fill)}"{edge}/>'
    )


def _pale(colour: Colour) -> Colour:
    red, green, blue = (round(255 - _PALE * (255 - part)) for part in colour)
    return red, green, blue


def _hex(colour: Sequence[int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)


def _escaped(text: str) -> str:
    """Text as XML may hold it: control characters are not allowed even in disguise."""
    return escape("".join(c for c in text if c.isprintable()))
