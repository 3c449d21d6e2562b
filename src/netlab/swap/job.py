"""One `netlab swap-label`: what is asked for, what it is made from, what comes out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from netlab.errors import DataError, UsageError
from netlab.swap import sources as swap_sources
from netlab.swap.figure import MOST, draw_frames, draw_strips, draw_swaps, verdict
from netlab.swap.folder import PictureFolder
from netlab.swap.sources import Source
from netlab.swap.swap import (
    Asked,
    Swapped,
    asked_labels,
    between,
    morph,
    read,
    records,
    swap,
    swap_pictures,
)
from netlab.swap.swapper import BATCH, Swapper
from netlab.tasks.vae.judge import Judge

_STEPS, _FRAMES = 11, 21

Note = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked for; labels are class ids."""

    asked: Asked = "any"
    layout: str = "rows"
    count: int | None = 8
    """None is the whole test part."""
    seed: int = 0
    morph: int | None = None
    """The label at the end of the way from `asked`, or from the true one."""
    between: bool = False
    from_prior: bool = False
    moving: bool = False
    """Frames instead of strips."""

    @property
    def total(self) -> int | None:
        """How many pictures or z it takes: two for each way between two."""
        return None if self.count is None else self.count * (1 + self.between)

    @property
    def avoid(self) -> int | None:
        """The label whose pictures are left out: they would be no swap."""
        if self.morph is not None:
            return self.morph
        return self.asked if isinstance(self.asked, int) else None

    def title(self, swapper: Swapper) -> str:
        """What the figure shows."""
        names = swapper.classes
        if self.morph is not None:
            start = names[self.asked] if isinstance(self.asked, int) else "the true label"
            return f"{swapper.name} · same z, from {start} to {names[self.morph]}"
        if isinstance(self.asked, int):
            what = "z to z" if self.between else "same z"
            return f"{swapper.name} · {what}, asked for {names[self.asked]}"
        wish = "every label" if self.asked == "all" else "another label"
        return f"{swapper.name} · same z, {wish}"


def source_of(
    wish: Wish,
    swapper: Swapper,
    weights: Path,
    *,
    image: Path | None = None,
    true_label: int | None = None,
    data_dir: Path | None = None,
    note: Note,
) -> Source:
    """What a wish is carried out on.

    Args:
        wish: what is asked for.
        swapper: made from the weights.
        weights: their file.
        image: a picture of one's own, of the class `true_label`.
        data_dir: where the test pictures are, if not where the weights say.
        note: told where z is from if not from pictures, and what was done to them.

    Raises:
        UsageError: `image` cannot be read, or is asked to be what it is.
        DataError: no data, and the whole test part was asked for; else see `load_test_part`.
    """
    if image is not None and true_label is not None:
        if true_label == wish.avoid:
            what = swapper.classes[true_label]
            raise UsageError(f"--image {image} is a {what} already: ask for another label")
        picture = swap_sources.read_own(image)
        return swap_sources.own_picture(swapper, picture, image.name, true_label, note)
    if wish.from_prior:
        return _from_prior(wish, swapper, note)
    return _test_pictures(wish, swapper, weights, data_dir, note)


def steps_of(source: Source) -> int:
    """How often `carry_out` calls `advance`."""
    return -(-len(source) // BATCH)


def carry_out(
    wish: Wish,
    swapper: Swapper,
    source: Source,
    judge: Judge | None,
    folder: PictureFolder | None = None,
    advance: Callable[[], None] = lambda: None,
) -> tuple[list[Image.Image], list[dict[str, Any]]]:
    """Swap the labels, and draw the figure.

    Args:
        wish: what is asked for.
        swapper: the network.
        source: what is swapped.
        judge: reads the swapped pictures.
        folder: takes each swapped picture.
        advance: called after each batch.

    Returns:
        The figure (one picture, or frames), and what each swapped picture is.
    """
    if wish.morph is not None or wish.between:
        return _strips(wish, swapper, source, judge)
    told: list[dict[str, Any]] = []
    shown: list[Swapped] = []
    asked = asked_labels(source, wish.asked, len(swapper.classes), wish.seed)
    for some in swap(swapper, source, asked, judge):
        own = records(some, swapper.classes)
        if folder is not None:
            folder.add(swap_pictures(some), own)
        told += own
        shown = shown or [some.first(MOST[wish.layout])]
        advance()
    title = _with(wish.title(swapper), told)
    return [draw_swaps(shown[0], swapper.classes, wish.layout, title)], told


def _from_prior(wish: Wish, swapper: Swapper, note: Note) -> Source:
    assert wish.total is not None
    note(f"z drawn from N(0, I), seed {wish.seed}")
    return swap_sources.from_prior(swapper, wish.avoid, wish.total, wish.seed)


def _test_pictures(
    wish: Wish, swapper: Swapper, weights: Path, data_dir: Path | None, note: Note
) -> Source:
    data = swap_sources.load_test_part(swapper, weights, data_dir, note)
    if isinstance(data, DataError):
        if wish.count is None:
            raise data
        note(f"{data}; instead of pictures:")
        return _from_prior(wish, swapper, note)
    source = swap_sources.pick_pictures(data, wish.avoid, wish.total, wish.seed)
    if wish.total is not None and len(source) < wish.total:
        note(f"the test part has only {len(source)} pictures for this")
    return source


def _strips(
    wish: Wish, swapper: Swapper, source: Source, judge: Judge | None
) -> tuple[list[Image.Image], list[dict[str, Any]]]:
    steps = _FRAMES if wish.moving else _STEPS
    start = source.labels
    if isinstance(wish.asked, int):
        start = np.full(len(source), wish.asked, np.int64)
    if wish.morph is not None:
        pictures, told = morph(swapper, source, start, wish.morph, steps)
        ends = pictures[-1]
    else:
        pictures, told = between(swapper, source, int(start[0]), steps)
        ends = np.concatenate([pictures[0], pictures[-1]])
    if judge is not None:
        found = read(swapper, judge, ends)
        told = [t | {"read": swapper.classes[k]} for t, k in zip(told, found, strict=True)]
    title = _with(wish.title(swapper), told)
    if wish.moving:
        return draw_frames(pictures, told, wish.title(swapper)), told
    return [draw_strips(pictures, source, told, title)], told


def _with(title: str, told: list[dict[str, Any]]) -> str:
    return " · ".join(filter(None, (title, verdict(told))))
