"""Figures: colours, curves and grids, by what can be counted in their pixels."""

import math
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from netlab.contracts.score import Score
from netlab.errors import WorkFailed
from netlab.figures import canvas as _canvas
from netlab.figures.axis import numbers, x_axis, y_axis
from netlab.figures.curves import Panel, draw_panels, training_curves
from netlab.figures.grid import Row, draw_grid
from netlab.figures.lines import Line
from netlab.figures.palette import class_colours, line_colours, overlay, paint, palette_bytes
from netlab.figures.saving import save_png

# Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB.
DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
BLUE, VERMILION = line_colours(2)
MASKS = np.array([[0, 1, 2], [2, 1, 255]], dtype=np.uint8)

MIOU = Score("val_miou", "mIoU")


def has(image: Image.Image, colour: tuple[int, int, int], at_least: int = 4) -> bool:
    return int((np.asarray(image) == colour).all(axis=2).sum()) >= at_least


def margins_are_white(image: Image.Image, margin: int = 4) -> bool:
    pixels = np.asarray(image)
    edges = (pixels[:margin], pixels[-margin:], pixels[:, :margin], pixels[:, -margin:])
    return all((edge == 255).all() for edge in edges)


def lab(colour: np.ndarray) -> np.ndarray:
    """Linear RGB (3,) as CIE L*a*b*."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x, y, z = np.cbrt(np.maximum(to_xyz @ colour / [0.9505, 1, 1.089], 1e-3))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def seen(colour: tuple[int, int, int], matrix: np.ndarray) -> np.ndarray:
    linear = (np.array(colour) / 255) ** 2.2
    return lab(np.clip(matrix @ linear, 0, 1))


@pytest.mark.parametrize("matrix", [np.eye(3), DEUTERANOPIA], ids=["usual", "deuteranopia"])
def test_first_three_class_colours_stay_apart(matrix: np.ndarray) -> None:
    for one, other in combinations(class_colours(3), 2):
        assert np.linalg.norm(seen(one, matrix) - seen(other, matrix)) > 40


@pytest.mark.parametrize("count", [1, 3, 37, 256])
def test_class_colours_differ_and_do_not_depend_on_the_count(count: int) -> None:
    colours = class_colours(count)
    assert len(set(colours)) == count
    assert colours == class_colours(256)[:count]
    assert palette_bytes(count) == [part for colour in colours for part in colour]
    assert (255, 255, 255) not in colours  # white is what does not count


@pytest.mark.parametrize("count", [0, 257])
def test_class_colours_refuse_what_a_mask_cannot_hold(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 256"):
        class_colours(count)


def test_palette_bytes_fit_a_palette_image() -> None:
    image = Image.fromarray(MASKS % 3)
    image.putpalette(palette_bytes(3))
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), paint(MASKS % 3, 3))


def test_paint_gives_each_class_its_colour_and_the_rest_white() -> None:
    pet, background, border = class_colours(3)
    expected = [[pet, background, border], [border, background, (255, 255, 255)]]
    np.testing.assert_array_equal(paint(MASKS, 3), np.array(expected, dtype=np.uint8))


@given(alpha=st.floats(0, 1), grey=st.integers(0, 255))
def test_overlay_mixes_and_leaves_untinted_classes(alpha: float, grey: int) -> None:
    image = np.full((*MASKS.shape, 3), grey, dtype=np.uint8)
    mixed = overlay(image, MASKS, 3, alpha, untinted=[1])
    kept = (MASKS == 1) | (MASKS == 255)
    assert (mixed[kept] == grey).all()
    expected = grey * (1 - alpha) + paint(MASKS, 3) * alpha
    assert np.abs(mixed[~kept] - expected[~kept]).max() <= 0.51


def test_overlay_refuses_what_does_not_fit() -> None:
    image = np.zeros((2, 3, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="to fit its mask"):
        overlay(image[:1], MASKS, 3)
    with pytest.raises(ValueError, match="alpha"):
        overlay(image, MASKS, 3, alpha=1.5)
    with pytest.raises(ValueError, match="mask must be uint8"):
        paint(MASKS.astype(np.int64), 3)  # type: ignore[arg-type]


def rows_of(epochs: int, **extra: float) -> list[dict[str, object]]:
    return [
        {"epoch": e, "train_loss": 1 / e, "val_loss": 1.2 / e, "val_miou": 1 - 1 / (e + 1), **extra}
        for e in range(1, epochs + 1)
    ]


@pytest.mark.parametrize("epochs", [0, 1, 2, 40, 200])
def test_training_curves_draw_both_losses(epochs: int) -> None:
    image = training_curves(rows_of(epochs, lr=1e-3), "a run")
    assert margins_are_white(image)
    assert has(image, BLUE) is has(image, VERMILION) is (epochs > 0)


def test_training_curves_have_a_panel_for_each_thing_there_is() -> None:
    losses = training_curves([{"epoch": 1, "train_loss": 1.0}], "").width
    scores = training_curves(rows_of(3), "", MIOU).width
    assert losses < scores < training_curves(rows_of(3, lr=0.1), "", MIOU).width


def labels_of(monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, object]], **more: Any) -> str:
    written: list[str] = []
    write = _canvas.write
    monkeypatch.setattr(_canvas, "write", lambda *a, **k: (written.append(a[2]), write(*a, **k)))
    training_curves(rows, "", **more)
    return "\n".join(written)


def test_best_epoch_is_the_first_highest_score(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = [0.5, math.nan, 0.8125, 0.8125, 0.7]
    rows = [{"epoch": str(e), "val_miou": str(v)} for e, v in enumerate(scores, start=1)]
    assert "best: 0.812 at epoch 3" in labels_of(monkeypatch, rows, score=MIOU)


def test_a_score_has_its_label_and_its_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    psnr = Score("val_psnr", "PSNR", "dB")
    rows: list[dict[str, object]] = [{"epoch": 1, "val_loss": 2, "val_psnr": 0.25}]
    written = labels_of(monkeypatch, rows, score=psnr)
    assert "Validation PSNR" in written
    assert "PSNR (dB)" in written
    assert "best: 0.250 at epoch 1" in written


def test_without_a_score_the_lowest_loss_is_best(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"epoch": e, "val_loss": v, "val_kl": 9} for e, v in enumerate([3, 2, 4], start=1)]
    written = labels_of(monkeypatch, rows)
    assert "best: 2.000 at epoch 2" in written
    assert "Validation KL" in written


def test_what_validation_alone_measures_has_a_panel_each(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"train_loss": 2, "val_loss": 2, "train_kl": 1, "val_kl": 1, "val_elbo": -2, "lr": 0.1}
    rows: list[dict[str, object]] = [{"epoch": e, **row, "val_swap_read": 0.5} for e in (1, 2)]
    written = labels_of(monkeypatch, rows).split("\n")
    titles = [text for text in written if text.startswith(("Loss", "Validation", "Learning"))]
    assert titles == ["Loss", "Validation ELBO", "Validation swap read", "Learning rate"]


def test_many_panels_go_on_in_the_next_row() -> None:
    panel = Panel("title", "x", "y", [Line("a", [1, 2], [1, 2])])
    one, three, four = (draw_panels([panel] * n) for n in (1, 3, 4))
    assert one.height == three.height
    assert four.width == three.width
    assert four.height > 1.8 * three.height
    assert has(four.crop((0, three.height, one.width, four.height)), BLUE)


def test_the_task_names_the_score_and_its_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"epoch": e, "val_elbo": v, "val_miou": 1} for e, v in enumerate([-90, -80], start=1)]
    assert "best: -80.000 at epoch 2" in labels_of(
        monkeypatch, rows, score=Score("val_elbo", "ELBO")
    )
    low = Score("val_elbo", "error", higher_is_better=False)
    assert "best: -90.000 at epoch 1" in labels_of(monkeypatch, rows, score=low)


def test_missing_values_leave_gaps() -> None:
    rows: list[dict[str, object]] = [
        {"epoch": 1, "train_loss": 2.0, "val_loss": ""},
        {"epoch": 2, "train_loss": None},
        {"epoch": 3, "train_loss": "nan", "val_loss": math.inf},
        {"epoch": 4, "train_loss": "0.5"},
    ]
    assert has(training_curves(rows, "gaps"), BLUE)


def plot(*lines: Line, y_range: tuple[float, float] | None = None) -> Image.Image:
    return draw_panels([Panel("title", "x", "y", lines, y_range)])


@pytest.mark.parametrize("value", [0.0, 0.5, -3.0, 1e-9, 123456.0, 1e20])
def test_constant_values_are_a_level_line(value: float) -> None:
    assert has(plot(Line("", range(5), [value] * 5)), BLUE, at_least=200)


def test_a_point_alone_is_a_dot() -> None:
    alone = plot(Line("", [1, 2, 3], [math.nan, 1, math.nan]))
    assert has(alone, BLUE, at_least=30)
    assert not has(alone, BLUE, at_least=100)
    assert not has(plot(Line("", [], [])), BLUE, at_least=1)


def test_dashes_leave_room_and_markers_take_it() -> None:
    def blue(line: Line) -> int:
        return int((np.asarray(plot(line)) == BLUE).all(axis=2).sum())

    xs, ys = [0, 1, 2], [1, 1, 1]
    dashed, solid = blue(Line("", xs, ys, dashed=True)), blue(Line("", xs, ys))
    assert 0.4 * solid < dashed < 0.75 * solid
    assert blue(Line("", xs, ys, marker="dot")) > solid


def test_lines_have_their_own_colours_in_plot_and_legend() -> None:
    lines = [Line(f"line {n}", [0, 1], [n, n]) for n in range(7)]
    image = plot(*lines)
    assert all(has(image, colour, at_least=200) for colour in line_colours(7))
    assert image.height > plot(*lines[:1]).height  # the legend took more lines, not the plot


def test_panels_refuse_what_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="as many ys as xs"):
        Line("short", [1, 2], [1])
    with pytest.raises(ValueError, match="y_range must rise"):
        plot(y_range=(1, 1))
    with pytest.raises(ValueError, match="one panel"):
        draw_panels([])


anything = st.lists(st.floats(width=64), max_size=20)


@settings(max_examples=25, deadline=None)
@given(ys=anything, dashed=st.booleans(), marker=st.sampled_from([None, "dot", "ring"]))
def test_any_numbers_can_be_drawn(ys: list[float], dashed: bool, marker: str | None) -> None:
    line = Line("any", range(len(ys)), ys, dashed, marker)  # type: ignore[arg-type]
    assert plot(line).size == plot(Line("any", [], [])).size
    plot(line, y_range=(0, 1))


@given(values=anything, count=st.integers(3, 8))
def test_axes_hold_their_values_and_have_some_ticks(values: list[float], count: int) -> None:
    array = numbers(values)
    for axis in (x_axis(array, count), y_axis(array, None, count)):
        places = axis.positions(array[~np.isnan(array)])
        assert ((places > -1e-6) & (places < 1 + 1e-6)).all()
        assert 1 <= len(axis.ticks()) <= count + 3
        assert len(set(axis.labels())) == len(axis.ticks())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 1.0], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ([0.0, 1e-3], ["0", "2e-4", "4e-4", "6e-4", "8e-4", "1e-3"]),
        ([0.91, 0.95], ["0.91", "0.92", "0.93", "0.94", "0.95"]),
        ([], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    ],
)
def test_ticks_are_round(values: list[float], expected: list[str]) -> None:
    assert y_axis(numbers(values), None, 5).labels() == expected


def test_epochs_are_whole() -> None:
    assert x_axis(numbers([1, 2, 3]), 5).labels() == ["1", "2", "3"]
    assert x_axis(numbers([7]), 5).labels() == ["7"]


def example(height: int = 40, width: int = 60) -> Row:
    image = np.full((height, width, 3), 128, dtype=np.uint8)
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[: height // 2], mask[:, : width // 3] = 1, 2
    return Row([image, paint(mask, 3)], "name: mIoU 0.8")


LEGEND = list(zip(["pet", "background", "border"], class_colours(3), strict=True))


@pytest.mark.parametrize("cell", [48, 144, 200])
def test_rows_grow_by_cells_and_keep_mask_colours(cell: int) -> None:
    columns = ["Input", "Target"]
    one = draw_grid([example()], columns=columns, title="t", legend=LEGEND, cell=cell)
    two = draw_grid([example()] * 2, columns=columns, title="t", legend=LEGEND, cell=cell)
    assert one.width == two.width > 2 * cell
    assert two.height - one.height > cell * 40 / 60
    assert margins_are_white(two)
    assert all(has(two, colour, at_least=cell * cell // 10) for colour in class_colours(3))


def test_legend_shows_its_colours_below_the_pictures() -> None:
    grey = Row([np.full((32, 32, 3), 128, dtype=np.uint8)], "")
    image = draw_grid([grey], columns=["Input"], title="", legend=LEGEND)
    below = image.crop((0, image.height - 90, *image.size))
    assert all(has(below, colour, at_least=150) for colour in class_colours(3))
    assert not has(draw_grid([grey], columns=["Input"], title=""), class_colours(3)[0], at_least=1)


@pytest.mark.parametrize(("height", "width"), [(10, 90), (90, 10), (300, 500), (1, 1)])
def test_cells_keep_their_aspect(height: int, width: int) -> None:
    picture = np.full((height, width, 3), (255, 0, 0), dtype=np.uint8)
    image = np.asarray(draw_grid([Row([picture], "")], columns=["A"], title="", cell=144))
    red = (image == (255, 0, 0)).all(axis=2)
    size = (
        np.ptp(np.flatnonzero(red.any(axis=1))) + 1,
        np.ptp(np.flatnonzero(red.any(axis=0))) + 1,
    )
    assert size == tuple(round(144 * side / max(height, width)) for side in (height, width))


@settings(max_examples=25, deadline=None)
@given(text=st.text(max_size=400), repeat=st.integers(1, 3))
def test_no_text_leaves_the_picture(text: str, repeat: int) -> None:
    text = text * repeat
    row = Row(example().cells, text)
    legend = [(text, (0, 114, 178))]
    image = draw_grid([row], columns=[text, "B"], title=text, legend=legend, cell=60)
    assert image.width == draw_grid([example()], columns=["A", "B"], title="", cell=60).width
    assert margins_are_white(image)


def test_long_captions_keep_their_score() -> None:
    short = _canvas.shorten("a-very-long-name" * 20 + ": mIoU 0.812", 300, 15)
    assert short.startswith("a-very")
    assert short.endswith("mIoU 0.812")
    assert "…" in short
    assert _canvas.text_width(short, 15) <= 300


def test_text_is_spelled_with_what_the_font_has() -> None:
    assert _canvas.plain("3×3 → β=4,\n café Ж") == "3x3 -> beta=4, cafe ?"


def test_wrapped_titles_fit() -> None:
    lines = _canvas.wrap("some words " * 30, 200, 20)
    assert len(lines) == 2
    assert all(_canvas.text_width(line, 20) <= 200 for line in lines)
    assert _canvas.wrap("", 200, 20) == []


def test_rows_refuse_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="row 1 needs 1 cells, got 2"):
        draw_grid([example()], columns=["A"], title="")
    with pytest.raises(ValueError, match="uint8"):
        draw_grid([Row([np.zeros((2, 2, 3))])], columns=["A"], title="")  # type: ignore[list-item]
    with pytest.raises(ValueError, match="one row"):
        draw_grid([], title="")


def test_save_png_writes_a_whole_file_and_nothing_else(tmp_path: Path) -> None:
    image = plot(Line("a", [0, 1], [0, 1]))
    save_png(image, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as read:
        assert read.format == "PNG"
        np.testing.assert_array_equal(np.asarray(read), np.asarray(image))
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_save_png_says_where_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(WorkFailed, match="cannot be written"):
        save_png(_canvas.blank(2, 2), tmp_path / "absent" / "a.png")
