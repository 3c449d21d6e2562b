"""Which flags of `netlab swap-label` go together, and what follows from them."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from netlab import registry
from netlab.errors import UsageError

if TYPE_CHECKING:
    from netlab.swap.job import Wish
    from netlab.swap.swapper import Swapper

LAYOUTS = {"rows": 8, "lesson": 25, "all-labels": 8}
"""Each layout, and how many pictures it shows unless told."""
_STRIPS = 24  # rows of a morph, at most

# Flags that contradict each other, and flags that need another one.
_CLASHES = [
    ("image", "from_prior"),
    ("image", "data_dir"),
    ("image", "count"),
    ("image", "between"),
    ("from_prior", "data_dir"),
    ("morph", "between"),
    ("morph", "layout"),
    ("morph", "pictures"),
    ("between", "layout"),
    ("between", "pictures"),
]
_NEEDS = [("image", "true_label"), ("true_label", "image"), ("between", "label")]


def check_use(given: set[str], label: str | None, layout: str | None, out: Path | None) -> None:
    """Refuse flags that make no sense together.

    Args:
        given: names of the parameters that the user gave.
        label, layout, out: what was given.

    Raises:
        UsageError: which ones, and why.
    """
    for one, other in _CLASHES:
        if {one, other} <= given:
            raise UsageError(f"{_flag(one)} and {_flag(other)} contradict each other: give one")
    for one, other in _NEEDS:
        if one in given and other not in given:
            raise UsageError(f"{_flag(one)} needs {_flag(other)}")
    if layout is not None and layout not in LAYOUTS:
        raise UsageError(registry.unknown("layout", layout, [*LAYOUTS]))
    if label == "all" and given & {"morph", "between"}:
        raise UsageError("--label all shows each label by itself: give one, or none")
    if layout is not None and (label == "all") != (layout == "all-labels"):
        raise UsageError("--layout all-labels and --label all go together")
    endings = [".png"] + [".gif"] * bool(given & {"morph", "between"})
    if out is not None and out.suffix.lower() not in endings:
        raise UsageError(f"--out {out}: write a name that ends in {' or '.join(endings)}")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def how_many(text: str | None, layout: str | None, given: set[str]) -> int | None:
    """How many pictures `--count` asks for; None is all.

    Raises:
        UsageError: no number, or more than there can be.
    """
    strips = bool(given & {"morph", "between"})
    if text is None:
        return LAYOUTS[layout or "rows"]
    if text == "all":
        if strips or "from_prior" in given:
            raise UsageError("--count all is for test pictures in a figure of their own")
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--count {text}: write a number from 1 on, or all")
    if strips and int(text) > _STRIPS:
        raise UsageError(f"--count {text}: at most {_STRIPS} with --morph or --between")
    return int(text)


def default_figure(swapper: "Swapper", wish: "Wish", image: Path | None) -> Path:
    """Where the figure goes unless told: swap_mnist_3.png."""
    names = swapper.classes
    words = ["swap", swapper.dataset if image is None else image.stem]
    words += [str(names[wish.asked])] if isinstance(wish.asked, int) else []
    words += ["all"] * (wish.asked == "all") + ["lesson"] * (wish.layout == "lesson")
    words += ["between"] * wish.between
    words += [] if wish.morph is None else ["to", names[wish.morph]]
    return Path(re.sub(r"[^\w.-]+", "-", "_".join(words)) + ".png")
