"""The live view of a training: what is drawn where, the time that is left, and no trace of it."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from netlab.cli.view.live import LiveView, TimeLeft
from netlab.cli.view.messages import stderr_console
from netlab.cli.view.plot import Series, plot
from netlab.cli.view.preview import draw_sample, newest_sample
from netlab.cli.view.training import TerminalView
from netlab.contracts.score import Score
from netlab.errors import Interrupted
from netlab.figures.grid import Row, draw_grid
from netlab.figures.saving import save_png, set_cells
from netlab.training.fit import train
from tests.conftest import TINY_FLAGS, tiny_config, tiny_labelled
from tests.screen import Screen

FACTS: dict[str, Any] = {
    "network": "unet: maxpool + transpose", "weights": 484924, "loss": "ce+dice",
    "data": "synthetic", "train": 100, "val": 20, "epochs": 4, "first_epoch": 0, "first_batch": 0,
    "rows": [], "batches": 10, "batch_size": 10, "machine": "cpu (1 thread), bf16",
    "score": Score("val_miou", "mIoU"),
}  # fmt: skip


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def terminal(columns: int = 80, lines: int = 40, **more: Any) -> Console:
    how = {"force_terminal": True, "color_system": "truecolor", "highlight": False}
    return Console(file=io.StringIO(), width=columns, height=lines, **how | more)  # type: ignore[arg-type]


def screen_of(console: Console, lines: int) -> Screen:
    """What a terminal shows of it; the terminal's driver adds the carriage returns."""
    written = console.file.getvalue().rpartition("\x1b[2J")  # type: ignore[attr-defined]
    return Screen(console.width, lines).feed("".join(written[1:]).replace("\n", "\r\n"))


def row(epoch: int, **more: Any) -> dict[str, Any]:
    losses = {"train_loss": 2 / epoch, "val_loss": 3 / epoch, "val_miou": 1 - 0.8 / epoch}
    return {"epoch": epoch, **losses, "seconds": 12.0 * epoch, "images_per_second": 61.5, **more}


def shown(view: LiveView, columns: int, lines: int = 40, **more: Any) -> list[str]:
    view.console = console = terminal(columns, lines, color_system=None, **more)
    console.print(view)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A figure of two examples, each a red, a green and a blue picture."""
    pictures = [np.full((40, 40, 3), c, np.uint8) for c in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    rows = [Row(pictures, "one"), Row(pictures, "two")]
    (tmp_path / "samples").mkdir()
    save_png(
        draw_grid(rows, columns=["in", "target", "out"], title="x"),
        tmp_path / "samples" / "best.png",
    )
    return tmp_path / "samples"


@pytest.fixture
def view(samples: Path) -> LiveView:
    time_left = TimeLeft(4, Clock())
    made = LiveView(terminal(), FACTS, time_left, samples=samples)
    for epoch in range(2):
        made.add(row(epoch + 1), best=True)
    made.batch(2, 5, 10, 0.61234, 61.5)
    time_left.batch(2, 5, 10, 600.0)
    return made


@pytest.mark.parametrize("lines", [6, 14, 24, 60])
@pytest.mark.parametrize("columns", [24, 40, 56, 79, 80, 200])
def test_no_line_is_too_wide_and_the_view_never_too_high(
    view: LiveView, columns: int, lines: int
) -> None:
    drawn = shown(view, columns, lines)
    assert all(len(line) <= columns for line in drawn), drawn
    assert 2 <= len(drawn) <= lines - 2
    assert drawn[0].startswith("epoch 3/4 ")
    assert drawn[1].startswith("run 62 %")


def test_at_80_columns_there_are_bars_curves_and_a_sample(view: LiveView) -> None:
    drawn = shown(view, 80)
    epoch, run, legend, *_ = drawn
    assert re.fullmatch(r"epoch 3/4 ━+─+ 5/10  loss 0.6123  62 images/s", epoch)
    assert epoch.count("━") == pytest.approx(epoch.count("─"), abs=1)
    assert re.fullmatch(r"run 62 %  ━+─+ about 10 min left", run)
    assert run.count("━") / (run.count("━") + run.count("─")) == pytest.approx(0.625, abs=0.03)
    assert run.index("━") == epoch.index("━")
    assert "train loss 1.00  ⠒⠒ val loss 1.50" in legend
    assert "mIoU 0.600" in legend
    assert len([line for line in drawn if "┤" in line or "│" in line]) == 8
    heading = drawn.index("sample of epoch 2: in, target, out")
    assert set("".join(drawn[heading + 1 :])) <= set("▀▄ ")
    assert "▀" * 25 in drawn[heading + 1]


def test_while_validating_the_view_says_so(view: LiveView) -> None:
    view.batch(2, 10, 10, 0.6, 61.5)
    assert shown(view, 80)[0].endswith("10/10  validation")


def test_a_vae_has_no_score_and_its_losses_take_the_room(view: LiveView) -> None:
    view.facts = FACTS | {"score": Score("val_loss", "val loss", higher_is_better=False)}
    view.rows = [{"epoch": n, "train_loss": -n, "val_loss": -2 * n} for n in (1, 2, 3)]
    drawn = shown(view, 80)
    assert "mIoU" not in drawn[2]
    assert max(len(line) for line in drawn[2:12]) > 50


def test_without_colours_and_without_unicode_the_view_still_tells(view: LiveView) -> None:
    plain = shown(view, 80, no_color=True)
    assert "━" in plain[1]
    assert "─" in plain[1]
    view.console = console = Console(
        file=io.TextIOWrapper(io.BytesIO(), "ascii"), width=80, height=30, color_system=None
    )
    view.samples = view.sample = None
    console.print(view)
    console.file.seek(0)
    assert re.match(r"epoch 3/4 #+-+ 5/10", console.file.read())


def dots(lines: list[str]) -> set[tuple[int, int]]:
    """The dots (x, y) of the drawing's rows, two by four a character."""
    bits = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
    found = set()
    for y, line in enumerate(lines):
        start = max(line.find("┤"), line.find("│")) + 1
        for x, char in enumerate(line[start:]):
            value = ord(char) - 0x2800 if char != " " else 0
            found |= {
                (2 * x + i, 4 * y + j) for j in range(4) for i in range(2) if value & bits[j][i]
            }
    return found


def drawing(*series: Series, width: int = 30, height: int = 8, **more: Any) -> list[str]:
    return [line.plain for line in plot(series, width, height, **more)]


def test_known_points_are_at_known_dots() -> None:
    lines = drawing(Series("a", [0.0, 4.0, 2.0, None, 1.0], "red"), width=16, height=5)
    assert lines[0] == "⠒⠒ a 1.00"
    assert [line[:6] for line in lines[1:6]] == ["4.00 ┤", "     │", "2.00 ┤", "     │", "   0 ┤"]
    found = dots(lines[1:6])
    columns, last = 2 * (16 - 6), 4 * 5 - 1
    step = (columns - 1) / 4
    for epoch, value in ((0, 0.0), (1, 4.0), (2, 2.0), (4, 1.0)):
        assert (round(epoch * step), round((4 - value) / 4 * last)) in found
    between = {(x, y) for x, y in found if round(2 * step) < x < round(4 * step)}
    assert not between, "no line over a gap"
    assert lines[-1].split() == ["1", "epoch", "5"]


def test_a_monotone_series_is_drawn_monotone_and_whole() -> None:
    values = [10 / n for n in range(1, 40)]
    found = dots(drawing(Series("loss", values, "red"), width=60)[1:9])
    by_column = {x: [y for a, y in found if a == x] for x, _ in found}
    assert sorted(by_column) == list(range(max(by_column) + 1)), "every column has a dot"
    tops = [min(by_column[x]) for x in sorted(by_column)]
    assert tops == sorted(tops)
    assert (0, 0) in found
    assert (max(by_column), 31) in found


def test_two_lines_differ_without_colour_and_numbers_fit() -> None:
    solid = Series("a", [0.0, 1.0], "red")
    dotted = solid._replace(dotted=True)
    assert 0 < len(dots(drawing(dotted)[1:9])) < len(dots(drawing(solid)[1:9])) / 2
    ascii_ = drawing(solid, dotted._replace(values=[1.0, 0.0]), ascii_only=True)
    assert "".join(ascii_).isascii()
    assert {"o", "."} <= set("".join(ascii_[1:9]))


@pytest.mark.parametrize("values", [[], [None], [float("nan")], [5.0], [5.0, 5.0], [1e-9, 1e30]])
def test_odd_series_are_drawn_within_their_width(values: list[float | None]) -> None:
    lines = drawing(Series("a", values, "red"))
    assert all(len(line) <= 30 for line in lines)
    assert len(lines) in (0, 10)
    assert (len(lines) == 0) == (not values or values[0] is None or values[0] != values[0])
    if values == [5.0, 5.0]:
        assert sum("┤" in line for line in lines) == 1, "one number, not twice the same"


def run_epochs(
    time_left: TimeLeft, clock: Clock, first: int = 0, batch: int = 0
) -> Iterator[tuple[int, int]]:
    """Epochs of 10 batches of 3 s, 12 s of validation, 8 s of saving; yields after each batch."""
    for epoch in range(first, time_left.epochs):
        for done in range(batch + 1, 11):
            clock.now += 3
            # The rate of the steps alone, as the loop reports it.
            time_left.batch(epoch, done, 10, ((time_left.epochs - epoch) * 10 - done) * 3)
            yield epoch, done
        clock.now += 12
        time_left.epoch_done()
        clock.now += 8
        batch = 0


def test_time_left_includes_validation_and_saving_after_one_epoch() -> None:
    clock, time_left = Clock(), TimeLeft(4, Clock())
    time_left.clock = clock
    end = 1000 + 4 * 50
    for epoch, _ in run_epochs(time_left, clock):
        assert time_left.measured == (epoch > 0)
        if epoch:
            # The first batch marks the beginning of an epoch: its 3 s are the next one's.
            assert time_left.seconds() == pytest.approx(end - clock.now, abs=3.1)
        else:
            assert time_left.seconds() < end - clock.now - 40, "a guess by the steps alone"


def test_after_a_resume_only_whole_epochs_of_this_process_count() -> None:
    clock, time_left = Clock(), TimeLeft(6, Clock())
    time_left.clock = clock
    measured = {
        epoch: time_left.measured
        for epoch, done in run_epochs(time_left, clock, 2, batch=7)
        if done == 10
    }
    assert measured == {2: False, 3: False, 4: True, 5: True}


def test_a_slower_epoch_does_not_count_down_to_nothing() -> None:
    clock, time_left = Clock(), TimeLeft(2, Clock())
    time_left.clock = clock
    for epoch, done in run_epochs(time_left, clock):
        if epoch == 1 and done == 5:
            clock.now += 500
            assert time_left.seconds() == pytest.approx(25, abs=1)
            clock.now -= 500
    assert TimeLeft(2, clock).seconds() == 0


def told(report: TerminalView, clock: Clock, epochs: int = 4, first: int = 0) -> None:
    """A training as its listeners hear it."""
    report.plan(FACTS | {"epochs": epochs, "first_epoch": first})
    for epoch in range(first, epochs):
        for done in range(1, 11):
            clock.now += 3
            report.batch(epoch, done, 10, 1 / (epoch + 1), 3.3)
        clock.now += 12
        report.epoch(row(epoch + 1), best=epoch != 2)


def test_a_pipe_gets_a_line_an_epoch_and_no_control_characters(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=60, force_terminal=False)
    clock = Clock()
    with TerminalView(tmp_path / "log.txt", console=console, clock=clock, preview=True) as report:
        report.message("a file called \x1b[31mred\x1b[0m\x07")
        told(report, clock)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    lines = said.splitlines()
    assert all(line.isprintable() for line in lines)
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert epochs[2] == (
        "epoch 3/4  train loss 0.6667  val loss 1.0000  mIoU 0.7333  62 images/s  36 s"
    )
    assert epochs[3].split("  ")[3] == "mIoU 0.8000 *"
    assert len(epochs) == 4
    assert "4 epochs of 10 batches of 10 on cpu" in said
    assert "about 2 min at 3 images/s" in said
    assert "no preview: it needs a terminal" in said
    assert (tmp_path / "log.txt").read_text().splitlines() == lines


def test_one_epoch_is_not_called_epochs() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    with TerminalView(None, console=console) as report:
        report.plan(FACTS | {"epochs": 1, "batches": 1})
    assert "1 epoch of 1 batch of 10 on cpu" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", ["dumb", "notebook", "pipe with FORCE_COLOR"])
def test_where_nothing_can_be_redrawn_there_is_no_view(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb" if how == "dumb" else "xterm-256color")
    if how == "pipe with FORCE_COLOR":
        monkeypatch.setenv("FORCE_COLOR", "1")
        console = stderr_console()
        assert not console.is_terminal
    elif how == "notebook":
        console = Console(file=io.StringIO(), force_jupyter=True, width=80)
    else:
        console = terminal(color_system="auto")
    clock = Clock()
    with TerminalView(None, console=console, clock=clock) as report:
        told(report, clock)
        assert report.live is None
    if isinstance(console.file, io.StringIO):
        assert "\x1b" not in console.file.getvalue()


def test_on_a_terminal_the_view_leaves_nothing_behind(tmp_path: Path, samples: Path) -> None:
    console, clock = terminal(), Clock()
    log = samples.parent / "log.txt"
    report = TerminalView(log, preview=True, console=console, clock=clock)
    with report:
        told(report, clock)
        assert report.live is not None
        report.live.refresh()
        middle = screen_of(console, 40)
    assert any(line.startswith("run 100 %") for line in middle.text)
    assert "sample of epoch 4: in, target, out" in middle.text
    assert not middle.cursor
    screen = screen_of(console, 40)
    assert screen.cursor
    lines = [line for line in screen.text if line]
    assert lines[0].startswith("unet: maxpool + transpose, 484,924 weights")
    assert lines[1] == "train, 20 to validate", "wrapped between words"
    assert lines[-1].startswith("epoch 4/4  train loss 0.5000  val loss 0.7500  mIoU 0.8000 *  ")
    assert len(lines) == 8
    assert all(line.isprintable() for line in log.read_text().splitlines())
    assert "62 images/s" in log.read_text()


def test_a_terminal_of_another_width_is_drawn_afresh() -> None:
    console, clock = terminal(80), Clock()
    with TerminalView(None, console=console, clock=clock) as report:
        told(report, clock, epochs=2)
        console.width = 50
        report.batch(1, 5, 10, 0.5, 3.3)
        report.live.refresh()  # type: ignore[union-attr]
        screen = screen_of(console, 40)
    assert sum(line.startswith("epoch 2/2 ") for line in screen.text) == 2, "its line and its bar"
    assert sum(line.startswith("run ") for line in screen.text) == 1
    assert screen.text[0].startswith("unet: maxpool")


def test_what_has_left_the_screen_is_not_said_again() -> None:
    console, clock = terminal(80, 12), Clock()
    with TerminalView(None, console=console, clock=clock) as report:
        for number in range(60):
            report.message(f"line {number}")
        report.message("long " * 40)
        told(report, clock, epochs=2)
        console.width = 50
        report.batch(1, 5, 10, 0.5, 3.3)
        again = console.file.getvalue().rpartition("\x1b[2J")[2]  # type: ignore[attr-defined]
    assert again.startswith("\x1b[Hunet: maxpool"), "nine lines; a long one would take four more"
    assert "epoch 2/2  train loss" in again


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, ""),
        ({"color_system": "256"}, ""),
        ({"color_system": "standard"}, "it needs a terminal with 256 colours or more"),
        ({"no_color": True}, "NO_COLOR is set"),
    ],
)
def test_a_preview_needs_colours(samples: Path, more: dict[str, Any], reason: str) -> None:
    console, clock = terminal(**more), Clock()
    log = samples.parent / "log.txt"
    with TerminalView(log, preview=True, console=console, clock=clock) as report:
        told(report, clock)
        report.live.refresh()  # type: ignore[union-attr]
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert ("▀" in said) == (not reason)
    assert (f"no preview: {reason}" in said) == bool(reason)


def test_a_character_of_the_preview_is_two_pixels(tmp_path: Path) -> None:
    top, bottom = (250, 10, 20), (5, 200, 30)
    picture = np.empty((32, 32, 3), np.uint8)
    picture[:16], picture[16:] = top, bottom
    image = Image.fromarray(picture)
    set_cells(image, ["x"], [[(0, 0, 32, 32)]])
    save_png(image, tmp_path / "a.png")
    sample = newest_sample(tmp_path)
    assert sample is not None
    lines = draw_sample(sample, width=20, height=3)
    assert [line.plain for line in lines] == ["▀" * 6] * 3
    middle = lines[1].spans[0].style
    upper, lower = middle.color, middle.bgcolor  # type: ignore[union-attr]
    assert (tuple(upper.triplet), tuple(lower.triplet)) == (top, bottom)  # type: ignore[union-attr]
    assert draw_sample(sample, width=20, height=2) == [], "too small to tell anything"


def test_all_pictures_of_an_example_are_shown(samples: Path) -> None:
    sample = newest_sample(samples)
    assert sample is not None
    for width, height, examples in ((80, 9, 1), (80, 30, 2), (200, 10, 2), (24, 16, 1)):
        lines = draw_sample(sample, width, height)
        assert len(lines) <= height
        assert all(line.cell_len <= width for line in lines)
        colours = [span.style.color for line in lines for span in line.spans]  # type: ignore[union-attr]
        told_ = {tuple(c.triplet) for c in colours if c is not None}  # type: ignore[arg-type]
        assert {(255, 0, 0), (0, 255, 0), (0, 0, 255)} <= told_
        starts = sum(
            a.style.color.triplet[0] == 255 and b.style.color.triplet[0] != 255  # type: ignore[union-attr]
            for line in lines[:1]
            for a, b in zip(line.spans, line.spans[1:], strict=False)
        )
        assert starts == (2 if width == 200 else 1), examples


@pytest.mark.parametrize("harm", ["none", "text", "no cells", "wrong cells", "cut"])
def test_a_figure_that_cannot_be_shown_is_left_out(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "best.png"
    image = Image.new("RGB", (40, 40))
    if harm == "wrong cells":
        image.info["netlab:cells"] = json.dumps({"rows": [["x"]], "names": 3})
    if harm == "cut":
        set_cells(image, ["a"], [[(0, 0, 40, 40)]])
    if harm != "none":
        save_png(image, path)
    if harm == "text":
        path.write_text("no picture")
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-30])
    assert newest_sample(tmp_path) is None


@pytest.mark.parametrize("arch", ["unet", "vae", "classifier"])
def test_each_architecture_s_samples_can_be_shown(tmp_path: Path, arch: str) -> None:
    config = tiny_config(epochs=1) if arch == "unet" else tiny_labelled(arch, epochs=1)
    train(config, tmp_path / "run")
    sample = newest_sample(tmp_path / "run" / "samples")
    assert sample is not None
    assert len(sample.names) == len(sample.rows[0])
    assert len(sample.rows) == (1 if arch == "classifier" else 6)


def test_a_resumed_run_shows_the_curve_from_its_beginning(tmp_path: Path) -> None:
    heard: list[Any] = []
    report = TerminalView(None, console=Console(file=io.StringIO()))
    report.plan = heard.append  # type: ignore[method-assign]
    config, calls = tiny_config(epochs=2), iter(range(99))
    for resume, stopped in ((False, lambda: next(calls) >= 4), (True, lambda: False)):
        try:
            report.facts = FACTS | {"epochs": 2, "batch_size": 8}
            train(config, tmp_path / "run", listener=report, resume=resume, stopped=stopped)
        except Interrupted:
            assert not resume
    assert [len(facts["rows"]) for facts in heard] == [0, 1]


def read_until(leader: int, enough: Callable[[str], bool], drawn: bytes = b"") -> bytes:
    """What is written to a terminal until that is enough, or its process has ended."""
    started = time.monotonic()
    while not enough(drawn.decode(errors="ignore")) and time.monotonic() - started < 120:
        try:
            drawn += os.read(leader, 65536)
        except OSError:
            break
    return drawn


@pytest.mark.slow
def test_ctrl_c_leaves_a_clean_terminal_and_stdout_untouched(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX")
    import fcntl
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    words = ["train", "unet", *TINY_FLAGS, "--epochs", "500", "--preview", "--run-dir", "r"]
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    # Unbuffered, Python's own stderr would lose what the signal cuts off.
    env |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "netlab", *words, "--json"],
        cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=follower,
    )  # fmt: skip
    os.close(follower)
    seen = read_until(leader, lambda text: "sample of epoch" in text and "epoch 4/500  " in text)
    process.send_signal(signal.SIGINT)
    drawn = read_until(leader, lambda _: False, seen).decode()
    os.close(leader)
    assert process.wait() == 130
    assert process.stdout is not None
    assert process.stdout.read() == b""
    process.stdout.close()
    for part in ("▀", "┤", "mIoU", "run 0 %", " left"):
        assert part in seen.decode(errors="ignore")
    screen = Screen(80, 40).feed(drawn)
    assert screen.cursor
    assert drawn.rfind("\x1b[?25h") > drawn.rfind("\x1b[?25l")
    lines = [*screen.scrolled, *[line for line in screen.text if line]]
    assert "netlab: stopped in epoch" in "".join(lines[-2:])
    kinds = r"run folder r|unet: |.* to validate|500 epochs of|about |epoch \d+/500  |netlab: |on w"
    assert all(re.match(kinds, line) for line in lines), "\n".join(lines)
    assert "\x1b" not in (tmp_path / "r" / "log.txt").read_text()
