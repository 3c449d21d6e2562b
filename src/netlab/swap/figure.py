"""Figures of what came of a swap; how they look stands in `netlab.figures.swaps`."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from netlab.figures.grid import draw_captioned, draw_stacks
from netlab.figures.saving import save_gif, save_png
from netlab.figures.swaps import LabelSwaps, lesson_grid, sheet_cell, swap_rows
from netlab.swap.pictures import Record
from netlab.swap.request import SwapRequest
from netlab.swap.swap import Interpolation, Swapped, SwapResult, verdict
from netlab.swap.swapper import Swapper


def draw_result(result: SwapResult, request: SwapRequest, swapper: Swapper) -> list[Image.Image]:
    """The figure of a result: one picture, or the frames of an animation."""
    title = _title(request, swapper)
    judged = " · ".join(filter(None, (title, verdict(result.records))))
    if isinstance(result.shown, Swapped):
        return [_draw_swapped(result.shown, swapper.classes, request.layout, judged)]
    if request.animated:
        return _draw_frames(result.shown, title)
    return [_draw_strips(result.shown, judged)]


def save_figure(frames: Sequence[Image.Image], path: Path) -> None:
    """Write one picture as PNG, several as an animated GIF.

    Raises:
        WorkFailed: it cannot be written.
    """
    if len(frames) > 1:
        save_gif(frames, path)
    else:
        save_png(frames[0], path)


def _title(request: SwapRequest, swapper: Swapper) -> str:
    classes, asked = swapper.classes, request.asked
    if request.morph_to is not None:
        start = classes[asked] if isinstance(asked, int) else "the true label"
        shown = f"same z, from {start} to {classes[request.morph_to]}"
    elif isinstance(asked, int):
        shown = f"{'z to z' if request.between else 'same z'}, asked for {classes[asked]}"
    else:
        shown = f"same z, {'every label' if asked == 'all' else 'another label'}"
    return f"{swapper.name} · {shown}"


def _draw_swapped(swapped: Swapped, classes: Sequence[str], layout: str, title: str) -> Image.Image:
    source, read = swapped.source, swapped.read
    if layout != "all-labels":
        shown = LabelSwaps(
            source.pictures,
            swapped.reconstructions,
            swapped.pictures[0],
            _names(source.labels, classes),
            _names(swapped.asked[0], classes),
            None if read is None else _names(read[0], classes),
        )
        return (lesson_grid if layout == "lesson" else swap_rows)(shown, title)
    captions = []
    for index, name in enumerate(source.names):
        caption = name if source.from_prior else f"{name}: {classes[source.labels[index]]}"
        if read is not None:
            is_swap = swapped.is_swap[index]
            right = (read == swapped.asked)[:, index][is_swap].sum()
            caption += f"; judge reads {right} of {is_swap.sum()} as asked"
        captions.append(caption)
    stacks = list(zip(classes, swapped.pictures, strict=True))
    if source.pictures is not None:
        stacks[:0] = [("input", source.pictures), ("decoded", swapped.reconstructions)]
    cell = sheet_cell(swapped.pictures.shape[2], classes)
    return draw_stacks(stacks, captions, title=title, cell=cell)


def _draw_strips(shown: Interpolation, title: str) -> Image.Image:
    """Steps side by side, between the pictures that they start from and end at."""
    steps, ends = shown.pictures, shown.source.pictures
    count, last = steps.shape[1], len(steps) - 1
    stacks = [(f"{100 * t / last:.0f} %", step) for t, step in enumerate(steps)]
    if ends is not None:
        stacks.insert(0, ("input", ends[:count]))
        if len(ends) > count:
            stacks.append(("to", ends[count : 2 * count]))
    captions = _captions(count, shown.records)
    return draw_stacks(stacks, captions, title=title, cell=sheet_cell(steps.shape[2]))


def _draw_frames(shown: Interpolation, title: str) -> list[Image.Image]:
    """Steps as frames, each with all pictures."""
    count, side, last = shown.pictures.shape[1], shown.pictures.shape[2], len(shown.pictures) - 1
    # A whole multiple of the pictures' side; few pictures are so large that a title fits.
    cell = side * max(1, max(112, 360 // count) // side)
    captions = _captions(count, shown.records)
    return [
        draw_captioned(step, captions, f"{title} · {100 * t / last:.0f} %", columns=4, cell=cell)
        for t, step in enumerate(shown.pictures)
    ]


def _captions(count: int, records: Sequence[Record]) -> list[str]:
    """A line for each of `count` rows: of one picture (morph), or of two (between)."""

    def named(record: Record) -> str:
        label = record["true_label"]
        return f"{record['source']}" if label is None else f"{record['source']} ({label})"

    captions = []
    for index, first in enumerate(records[:count]):
        asked = first["asked_label"]
        if len(records) > count:
            other = records[count + index]
            captions.append(f"{named(first)} to {named(other)}, both as {asked}")
        else:
            read = f", read as {first['read']}" if "read" in first else ""
            captions.append(f"{first['source']}: {first['from_label']} to {asked}{read}")
    return captions


def _names(labels: Iterable[int], classes: Sequence[str]) -> list[str]:
    return [classes[label] for label in labels]
