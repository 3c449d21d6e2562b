"""Where the levels of a network stand in its diagram, and which way the arrows take.

Four columns: levels that halve go down the first, what is smallest stands along the bottom, levels
that enlarge go up the last. Maps of one size stand in one row, so that skips run level. What the
picture does not pass through, such as a conditioning, stands at the top between the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from netlab.contracts.structure import LABEL, OUTPUT, PICTURE, Level, Link, Structure

WIDTH = 900
MARGIN = 20
BOX_WIDTH, BOX_HEIGHT = 188, 86
PILL_HEIGHT = 26
ROW_GAP = 30
GAP = (WIDTH - 2 * MARGIN - 4 * BOX_WIDTH) // 3

_LAST = 3  # column
_ACROSS = 3  # levels that stand side by side at the bottom
_HIGH = 0.25  # of a box, where arrows of a label arrive; skips and the main way take the middle

Point = tuple[float, float]
Cell = tuple[int, float]
"""Row, from 0 at the top, and column."""


class Box(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height

    @property
    def middle(self) -> Point:
        """Its middle."""
        return self.x + self.width / 2, self.y + self.height / 2


class Arrow(NamedTuple):
    """A line with a head at its end; `kind` is `main`, `skip` or `label`."""

    kind: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Layout:
    """Where everything stands."""

    boxes: dict[str, Box]
    """Of levels."""
    pills: dict[str, Box]
    """Of inputs and the output."""
    arrows: tuple[Arrow, ...]
    bottom: float
    """Lower edge of the lowest box."""


class _Arms(NamedTuple):
    down: list[Level]
    across: list[Level]
    up: list[Level]
    aside: list[Level]


def lay_out(structure: Structure, top: float) -> Layout:
    """Place levels, inputs and arrows below `top`."""
    arms = _arms(structure)
    cells = _cells(arms)
    boxes = {name: _box(top + PILL_HEIGHT + ROW_GAP, cell) for name, cell in cells.items()}
    inputs = [name for name, _ in structure.inputs]
    pills = {
        name: Box(_column(column), top, BOX_WIDTH, PILL_HEIGHT)
        for name, column in ((PICTURE, 0), (LABEL, 1), (OUTPUT, _LAST))
        if name in inputs or name == OUTPUT
    }
    nodes = boxes | pills
    arrows = tuple(_arrow(link, structure, nodes) for link in structure.links)
    return Layout(boxes, pills, arrows, max(box.bottom for box in nodes.values()))


def _arms(structure: Structure) -> _Arms:
    chain = structure.chain
    aside = [level for level in structure.levels if level not in chain]
    areas = [prod(level.size) if level.size else None for level in chain]
    smallest = min((area for area in areas if area is not None), default=None)
    turn = areas.index(smallest) if smallest is not None else 0
    if turn and chain[turn].kind == chain[turn - 1].kind:
        turn += 1  # the last level of an encoder, halved, belongs to its arm
    down = [level for level in chain[:turn] if level.size]
    up = [
        level
        for level, area in zip(chain[turn:], areas[turn:], strict=True)
        if area is not None and area != smallest
    ]
    return _Arms(down, [v for v in chain if v not in down and v not in up], up, aside)


def _cells(arms: _Arms) -> dict[str, Cell]:
    """The cell of each level; no two share one."""
    cells: dict[str, Cell] = {}
    row = 0
    for size in sorted({v.size for v in (*arms.down, *arms.up)}, key=prod, reverse=True):
        down = [level for level in arms.down if level.size == size]
        up = [level for level in arms.up if level.size == size]
        row += max(len(down), len(up))
        cells |= {v.name: (row - len(down) + i, 0) for i, v in enumerate(down)}
        cells |= {v.name: (row - 1 - i, _LAST) for i, v in enumerate(up)}
    areas = [prod(v.size) for v in (*arms.down, *arms.across, *arms.up) if v.size]
    level_with_it = bool(arms.down) and prod(arms.down[-1].size) == min(areas)
    cells |= _cells_across(arms.across, row - 1 if level_with_it else row)
    return _with_aside(cells, arms.aside)


def _cells_across(levels: Sequence[Level], row: int) -> dict[str, Cell]:
    """Side by side between the arms, there and back again where they are many."""
    if len(levels) == 1:
        return {levels[0].name: (row, 1.5)}
    cells: dict[str, Cell] = {}
    for index, level in enumerate(levels):
        turn, step = divmod(index, _ACROSS)
        cells[level.name] = (row + turn, 1 + (_ACROSS - 1 - step if turn % 2 else step))
    return cells


def _with_aside(cells: dict[str, Cell], levels: Sequence[Level]) -> dict[str, Cell]:
    """Two in a row at the top; the lowest of these rows is the first one if it has room."""
    rows = -(-len(levels) // 2)
    room = not any(cell[0] == 0 and cell[1] < _LAST for cell in cells.values())
    lowered = max(0, rows - 1 if room else rows)
    moved = {name: (row + lowered, column) for name, (row, column) in cells.items()}
    return moved | {level.name: (index // 2, 1 + index % 2) for index, level in enumerate(levels)}


def _column(column: float) -> float:
    return MARGIN + column * (BOX_WIDTH + GAP)


def _box(top: float, cell: Cell) -> Box:
    row, column = cell
    return Box(_column(column), top + row * (BOX_HEIGHT + ROW_GAP), BOX_WIDTH, BOX_HEIGHT)


def _arrow(link: Link, structure: Structure, nodes: dict[str, Box]) -> Arrow:
    source, target = nodes[link.source], nodes[link.target]
    if link in structure.skips:
        return Arrow("skip", _by_lane(source, target, 0.5))
    if link.source == PICTURE or any(link.source == level.name for level in structure.chain):
        return Arrow("main", _by_corner(source, target))
    return Arrow("label", _by_lane(source, target, _HIGH))


def _by_corner(a: Box, b: Box) -> tuple[Point, ...]:
    """Straight, or down and across, or across and up."""
    (ax, ay), (bx, by) = a.middle, b.middle
    side = (a.right if bx > ax else a.x), (b.x if bx > ax else b.right)
    if ay == by:
        return (side[0], ay), (side[1], by)
    if ax == bx:
        return ((ax, a.bottom), (bx, b.y)) if by > ay else ((ax, a.y), (bx, b.bottom))
    if by > ay:
        return (ax, a.bottom), (ax, by), (side[1], by)
    return (side[0], ay), (bx, ay), (bx, b.bottom)


def _by_lane(a: Box, b: Box, height: float) -> tuple[Point, ...]:
    """Across to the gap beside the target, along it, and in at a share of the target's height."""
    (ax, ay), bx = a.middle, b.middle[0]
    if ax == bx and 0 < b.y - a.bottom <= ROW_GAP:
        return (ax, a.bottom), (bx, b.y)
    y = b.y + height * b.height
    if ax > bx:
        lane = b.right + GAP / 2
        return _straightened((a.x, ay), (lane, ay), (lane, y), (b.right, y))
    lane = b.x - GAP / 2
    start = a.x if ax == bx else a.right
    return _straightened((start, ay), (lane, ay), (lane, y), (b.x, y))


def _straightened(*points: Point) -> tuple[Point, ...]:
    """The way without corners that are none."""
    return points if points[1] != points[2] else (points[0], points[-1])
