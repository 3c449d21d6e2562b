"""Tables as lines of text, for terminals and pipes."""

import io
import re
from collections.abc import Sequence

_UNLIMITED = 1_000_000  # columns
_HARD_SPACE = "\ue000"  # stands for a space at the end of a cell, which rich would take away


def text_table(
    rows: Sequence[Sequence[str]],
    columns: Sequence[str] = (),
    *,
    width: int | None = None,
    numbers: bool = True,
    gap: int = 2,
) -> list[str]:
    """Rows in aligned columns; the first column names the row.

    Args:
        rows: of texts, as many in each.
        columns: headings; without any there is no line for them.
        width: of the terminal, in characters; cells are wrapped to fit. None for a pipe, where
            a row is a line.
        numbers: all columns but the first stand on their right edge.
        gap: spaces between columns.
    """
    if not rows and not columns:
        return []
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, show_header=bool(columns))
    for index in range(len(rows[0]) if rows else len(columns)):
        table.add_column(
            Text(_hard_spaces(columns[index])) if columns else "",
            justify="right" if numbers and index else "left",
            vertical="top",
            overflow="fold",
            no_wrap=width is None,
        )
    for row in rows:
        table.add_row(*(Text(_hard_spaces(cell)) for cell in row))
    console = Console(
        file=io.StringIO(), width=width or _UNLIMITED, color_system=None, legacy_windows=False
    )
    lines = console.render_lines(table, pad=False)
    texts = ("".join(segment.text for segment in line) for line in lines)
    return [text.replace(_HARD_SPACE, " ").rstrip() for text in texts]


def _hard_spaces(cell: str) -> str:
    return re.sub(r" +$", lambda spaces: _HARD_SPACE * len(spaces[0]), cell, flags=re.MULTILINE)
