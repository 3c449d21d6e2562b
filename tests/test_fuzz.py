"""A few hundred damaged and hostile inputs; `python tests/fuzz.py` runs thousands."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("the watched worker is for Linux", allow_module_level=True)

from tests import fuzz
from tests.conftest import netlab

CASES = {
    "pictures": 60,
    "masks": 60,
    "weights": 80,
    "yaml": 50,
    "idx": 30,
    "cifar": 20,
    "csv": 20,
    "class-folders": 20,
    "states": 12,
}
SEED = 10_000  # the long run begins at 0


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fuzz.Worker]:
    fuzz.prepare(tmp_path_factory.mktemp("tiny"))
    with fuzz.Worker(seconds=60) as running:  # other work may run on this machine
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("kind", CASES)
def test_harmed_inputs_are_one_line_and_the_right_exit_code(worker: fuzz.Worker, kind: str) -> None:
    wrong = {}
    for seed in range(SEED, SEED + CASES[kind]):
        faults, case, result = fuzz.run_case(worker, kind, seed)
        if faults:
            wrong[seed] = (faults, case.words, result.stderr[-500:])
    assert not wrong


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pictures", "weights", "yaml"])
def test_the_real_command_answers_like_the_worker(
    worker: fuzz.Worker, tmp_path: Path, kind: str
) -> None:
    for side in ("one", "other"):
        (tmp_path / side).mkdir()
    case = fuzz.KINDS[kind](tmp_path / "one", fuzz.Dice(f"{kind} {SEED}"))
    assert fuzz.KINDS[kind](tmp_path / "other", fuzz.Dice(f"{kind} {SEED}")) == case
    result = worker.run(case.words, tmp_path / "one")
    done = netlab(*case.words, cwd=tmp_path / "other", env={"NETLAB_CACHE": "off"})
    assert done.returncode == result.code
    assert sorted(done.stderr.decode().splitlines()) == sorted(result.stderr.splitlines())


def test_what_the_judge_of_cases_finds() -> None:
    """The check itself can fail."""
    case = fuzz.Case(["x"])
    paths = {Path("a"): "1", Path("b"): "2"}
    assert fuzz.faults_of(case, fuzz.Result(2, "netlab: no\n", 0.1), paths, paths) == []
    for result in (
        fuzz.Result(-1, "", 10.0),
        fuzz.Result(-2, "", 0.1),
        fuzz.Result(3, "netlab: no\n", 0.1),
        fuzz.Result(2, "Traceback (most recent call last)\n", 0.1),
        fuzz.Result(2, "", 0.1),
        fuzz.Result(2, "line\n" * 40, 0.1),
    ):
        assert fuzz.faults_of(case, result, paths, paths)
    after = {Path("a"): "2", Path("c"): "3"}
    faults = fuzz.faults_of(case, fuzz.Result(0, "", 0.1), paths, after)
    assert faults == ["touched a", "touched b", "touched c"]
