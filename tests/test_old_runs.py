"""Run folders of an earlier version go on, and end as that version would have ended them.

`tests/old_runs` holds three trainings of three epochs, each stopped by Ctrl-C in the middle of the
second. They stand for what people have on their disks: where a test fails, the code is wrong, and
new folders are no remedy. `expected.json` is what `outcome` gave with the version that made them.
The folders lack pictures, which are drawn anew; that of the vae also lacks the state before, for
its size.
"""

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import forked, slow

OLD = Path(__file__).parent / "old_runs"
ARCHS = ("unet", *slow("vae", "classifier"))
VOLATILE = {"seconds", "images_per_second", "memory_mib"}
SHARES = re.compile(r"iou|accuracy|dice\.|boundary|ece$|disturbed|leak|style|swap_read")
"""Numbers that jump when a pixel or a picture falls into another class."""

Row = dict[str, str]


def rows_of(run: Path) -> list[Row]:
    """The rows of metrics.csv without what depends on the machine's speed."""
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return [{k: v for k, v in row.items() if k not in VOLATILE} for row in csv.DictReader(file)]


def said(*words: str | Path, cwd: Path) -> bytes:
    done = forked(*words, cwd=cwd)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def scores_of(run: Path) -> dict[str, float | None]:
    """The numbers of `netlab eval`, each by its way through the document; no lists."""
    machine = ("--device", "cpu", "--threads", "1", "--precision", "fp32")
    return dict(numbers_in(json.loads(said("eval", run.name, "--json", *machine, cwd=run.parent))))


def numbers_in(document: dict[str, Any], where: str = "") -> Iterator[tuple[str, float | None]]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from numbers_in(value, f"{where}{name}.")
        elif name not in VOLATILE and not isinstance(value, str | list):
            yield f"{where}{name}", value


def outcome(run: Path) -> dict[str, Any]:
    """A stopped run's scores, the rows that it ends with when it goes on, and its scores then."""
    stopped = scores_of(run)
    said("train", "--resume", run.name, cwd=run.parent)
    return {"stopped": stopped, "rows": rows_of(run), "ended": scores_of(run)}


def nearly(name: str, number: Any) -> Any:
    """What equals a number as far as processors that round differently agree on it."""
    if number is None:
        return None
    if SHARES.search(name):
        return pytest.approx(float(number), abs=0.02)
    return pytest.approx(float(number), rel=2e-3)


@pytest.mark.parametrize("arch", ARCHS)
def test_an_old_run_goes_on_and_ends_as_it_would_have(arch: str, tmp_path: Path) -> None:
    run = tmp_path / arch
    shutil.copytree(OLD / arch, run)
    finished = rows_of(run)
    state = json.loads((run / "state.json").read_text())
    assert len(finished) == state["epoch"] == 1
    assert state["batch"] > 0, "stopped in the middle of an epoch"
    expected = json.loads((OLD / "expected.json").read_text())[arch]
    found = outcome(run)
    assert found["rows"][:1] == expected["rows"][:1] == finished
    for row, before in zip(found["rows"], expected["rows"], strict=True):
        assert [*row] == [*before]
        assert {k: float(v) for k, v in row.items()} == {k: nearly(k, before[k]) for k in before}
    for when in ("stopped", "ended"):
        assert found[when] == {k: nearly(k, number) for k, number in expected[when].items()}
