"""The files of a comparison: table, JSON, curves, pictures and a page."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from netlab.compare.comparison import Comparison, rows
from netlab.compare.page import comparison_page
from netlab.compare.parts import Pictures, panels, pictures, ranks, scales
from netlab.errors import UsageError
from netlab.figures.comparison import method_pictures
from netlab.figures.curves import draw_panels
from netlab.figures.png import save_png
from netlab.files import write_rows, write_text
from netlab.tasks.sections import best_first

_SHOWN = 6  # pictures in the figure


def write_comparison(comparison: Comparison, found: Mapping[str, Any], folder: Path) -> None:
    """Write `comparison.json`, `comparison.csv`, `curves.png`, `pictures.png` and `report.html`.

    Args:
        comparison: of `side_by_side`.
        found: its `document`.
        folder: made for it.

    Raises:
        UsageError: the folder cannot be made.
        WorkFailed: a file cannot be written.
    """
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made ({error.strerror}); choose another") from error
    text = json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(folder / "comparison.json", text + "\n")
    write_rows(folder / "comparison.csv", rows(comparison))
    title = f"{len(comparison.methods)} methods"
    if remark := scales(comparison):
        title += f" · {remark}"
    save_png(draw_panels(panels(comparison), title=title), folder / "curves.png")
    by_rank = ranks(comparison)
    if by_rank is not None:
        order = best_first(by_rank)
        spread = np.linspace(0, len(order) - 1, min(_SHOWN, len(order)))
        shown = pictures(comparison, order[np.unique(spread.astype(np.int64))])
        if shown is not None:
            save_png(_figure(comparison, shown), folder / "pictures.png")
    write_text(folder / "report.html", comparison_page(comparison, found))


def _figure(comparison: Comparison, shown: Pictures) -> Any:
    common = shown.common
    captions = [shown.caption(place) for place in range(len(common.names))]
    split = comparison.first.values["split"]
    title = f"{split} pictures, evenly spread from the best to the worst; numbers by method"
    names = [method.name for method in comparison.methods]
    own = [one.own for one in shown.by_method]
    return method_pictures(names, common.common, own, captions, title, common.legend)
