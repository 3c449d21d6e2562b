"""`auto` means measured: the quickest is taken, in little time, and nothing else changes."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from netlab import device, timing
from netlab.cli.main import main
from netlab.compare.training import train_methods
from netlab.config import TrainConfig
from netlab.device import Machine, resolve
from netlab.errors import UsageError
from netlab.predict import predictor as predicting
from netlab.predict.predictor import Predictor
from netlab.runs.folder import RunDir, create_run
from netlab.timing import Pace, machines_to_try, measure, measured_line
from netlab.training import prepare as preparing
from netlab.training.dry_run import dry_run
from netlab.training.fit import train
from netlab.training.listener import Silent
from netlab.training.prepare import load, measured, set_up
from tests.conftest import slow, tiny_config
from tests.faults import differences

CPU = torch.device("cpu")
FOUR = [Machine(CPU, name, threads) for name in ("fp32", "bf16") for threads in (2, 1)]


class Clock:
    """A time that passes only by the steps that are done."""

    def __init__(self, images_per_second: dict[tuple[str, int], float]) -> None:
        self.speed, self.now = images_per_second, 0.0
        self.steps: list[tuple[Machine, int]] = []

    def __call__(self) -> float:
        return self.now

    def step(self, machine: Machine, count: int) -> None:
        self.steps.append((machine, count))
        self.now += count / self.speed[machine.precision, machine.threads]


@pytest.fixture(autouse=True)
def _threads_as_before() -> Any:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor with two cores and instructions for bf16."""
    monkeypatch.setattr(device, "available_cores", lambda: 2)
    monkeypatch.setattr(timing, "cpu_has_bf16", lambda: True)


def speeds(*numbers: float) -> dict[tuple[str, int], float]:
    return dict(zip([(m.precision, m.threads) for m in FOUR], numbers, strict=True))


@pytest.mark.parametrize("best", range(4))
def test_the_quickest_is_found(best: int) -> None:
    clock = Clock(speeds(*(150.0 if i == best else 100.0 for i in range(4))))
    paces = measure(FOUR, clock.step, batch_size=16, images=10**6, clock=clock)
    assert paces[0] == Pace(FOUR[best], pytest.approx(150))
    assert {pace.machine for pace in paces} == set(FOUR)
    assert [p.images_per_second for p in paces[1:]] == pytest.approx([100.0] * 3)


@pytest.mark.parametrize("speed", [0.5, 5, 50, 5000])
@pytest.mark.parametrize("slow", [1, 4, 40])
def test_measuring_ends_in_time(speed: float, slow: float) -> None:
    """4 s in all, or 5 % of a shorter run; what no measurement needs, the first step, apart."""
    fast = speeds(speed, 3 * speed, speed / slow, speed / slow)
    for images in (10, 100, 10_000, 10**7):
        clock = Clock(fast)
        paces = measure(FOUR, clock.step, batch_size=16, images=images, clock=clock)
        spent = clock.now - clock.steps[0][1] / speed
        if not paces:  # the few pictures that told it was too short
            assert len(clock.steps) == 2
            continue
        assert paces[0].machine == FOUR[1]
        hopeless = 2 * 2 * 4 * slow / speed  # a few pictures twice on each that turned out slow
        assert spent <= min(4, 0.05 * images / speed) + hopeless


def test_a_hopeless_machine_is_not_tried_again() -> None:
    clock = Clock(speeds(1000, 1500, 200, 200))
    measure(FOUR, clock.step, batch_size=16, images=10**6, clock=clock)
    counts = [sum(machine == other for machine, _ in clock.steps) for other in FOUR]
    assert min(counts[:2]) > 8
    assert max(counts[2:]) <= 4


def test_a_machine_without_memory_is_left_out() -> None:
    clock = Clock(speeds(100, 50, 500, 500))

    def step(machine: Machine, count: int) -> None:
        clock.step(machine, count)
        if machine.precision == "bf16":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")

    paces = measure(FOUR, step, batch_size=16, images=10**6, clock=clock)
    assert [pace.machine for pace in paces] == FOUR[:2]

    def never(machine: Machine, count: int) -> None:
        raise MemoryError

    assert measure(FOUR, never, batch_size=16, images=10**6, clock=clock) == []


def test_an_error_of_a_step_is_not_hidden() -> None:
    def broken(machine: Machine, count: int) -> None:
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        measure(FOUR, broken, batch_size=16, images=100)


@pytest.mark.usefixtures("two_cores")
def test_only_what_is_left_open_is_tried() -> None:
    assert machines_to_try("cpu", "auto", 0) == FOUR
    assert machines_to_try("cpu", "bf16", 0) == FOUR[2:]
    assert machines_to_try("cpu", "auto", 1) == [FOUR[1], FOUR[3]]
    assert machines_to_try("cpu", "fp32", 2) == FOUR[:1]
    with pytest.raises(UsageError, match="fp16"):
        machines_to_try("cpu", "fp16", 0)


def test_many_cores_are_tried_by_halves_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "available_cores", lambda: 16)
    monkeypatch.setattr(timing, "cpu_has_bf16", lambda: False)
    assert [m.threads for m in machines_to_try("cpu", "auto", 0)] == [16, 8, 1]


def test_the_line_says_what_was_measured_and_how_to_choose() -> None:
    paces = [Pace(FOUR[1], 141.2), Pace(FOUR[0], 60), Pace(FOUR[2], 3.21)]
    assert measured_line(paces, "auto", 0) == (
        "measured: fp32 with 1 thread 141 images/s (fp32, 2 threads: 60; bf16, 2 threads: 3.2); "
        "--precision and --threads choose otherwise"
    )
    assert measured_line(paces[::2], "auto", 1) == (
        "measured: fp32 141 images/s (bf16: 3.2); --precision chooses otherwise"
    )
    assert measured_line(paces[:2], "fp32", 0) == (
        "measured: 1 thread 141 images/s (2 threads: 60); --threads chooses otherwise"
    )


# ------------------------------------------------------------------ trainings


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, two_cores: None) -> Clock:
    """Trainings do a real step on each machine, and every step lasts as long as this clock says."""
    clock = Clock(speeds(60, 140, 30, 35))

    def timed(machines: Any, step: Callable[[Machine, int], None], **size: int) -> list[Pace]:
        def both(machine: Machine, count: int) -> None:
            if machine not in {done for done, _ in clock.steps}:
                step(machine, count)
            clock.step(machine, count)

        return measure(machines, both, batch_size=size["batch_size"], images=1500, clock=clock)

    monkeypatch.setattr(preparing, "measure", timed)
    return clock


def test_a_run_takes_the_quickest_keeps_it_and_says_so(tmp_path: Path, clock: Clock) -> None:
    heard = Heard()
    train(tiny_config(precision="auto", threads=0), tmp_path / "run", listener=heard)
    assert {machine for machine, _ in clock.steps} == set(FOUR)
    config = yaml.safe_load(RunDir(tmp_path / "run").config.read_text())
    assert (config["device"], config["precision"], config["threads"]) == ("cpu", "fp32", 1)
    said = [text for text in heard.messages if text.startswith("measured:")]
    assert said == [
        "measured: fp32 with 1 thread 140 images/s (fp32, 2 threads: 60; bf16, 1 thread: 35; "
        "bf16, 2 threads: 30); --precision and --threads choose otherwise"
    ]


@pytest.mark.parametrize(
    "changes", [{"ema": 0.9, "augment": "flip"}, *slow({"on_nan": "rollback"})]
)
def test_measuring_changes_no_bit(tmp_path: Path, clock: Clock, changes: dict[str, Any]) -> None:
    train(tiny_config(precision="auto", threads=0, **changes), tmp_path / "measured")
    assert clock.steps
    train(tiny_config(precision="fp32", threads=1, **changes), tmp_path / "given")
    assert differences(tmp_path / "measured", tmp_path / "given") == []


def test_random_numbers_go_on_as_if_nothing_had_been_measured(clock: Clock) -> None:
    config = tiny_config(precision="auto", threads=0)
    data = load(config, Silent())
    state = torch.random.get_rng_state()
    assert measured(config, data, Silent()).threads == 1
    assert clock.steps
    assert torch.equal(torch.random.get_rng_state(), state)


def test_what_is_given_is_not_measured(clock: Clock) -> None:
    trainer, _ = set_up(tiny_config(precision="bf16", threads=2))
    assert trainer.machine == FOUR[2]
    assert clock.steps == []
    trainer, _ = set_up(tiny_config(precision="bf16", threads=0))
    assert trainer.machine == FOUR[3]
    assert {machine for machine, _ in clock.steps} == set(FOUR[2:])


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_a_run_of_a_moment_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    trainer, _ = set_up(tiny_config(precision="auto", threads=0, epochs=1, limit=8), heard)
    assert trainer.machine == FOUR[0]
    assert not [text for text in heard.messages if text.startswith("measured")]


@pytest.mark.slow
def test_a_run_that_goes_on_keeps_its_machine(tmp_path: Path, clock: Clock) -> None:
    config = tiny_config(precision="auto", threads=0, epochs=1)
    train(config, tmp_path / "run")
    clock.steps.clear()
    clock.speed = speeds(140, 60, 30, 30)  # a new measurement would choose otherwise
    longer = TrainConfig(**{**config.to_dict(), "epochs": 2})
    train(longer, tmp_path / "run", resume=True)
    assert clock.steps == []
    config = yaml.safe_load(RunDir(tmp_path / "run").config.read_text())
    assert (config["precision"], config["threads"]) == ("fp32", 1)


@pytest.mark.slow
def test_a_dry_run_speaks_of_the_machine_that_a_run_would_take(clock: Clock) -> None:
    facts = dry_run(tiny_config(precision="auto", threads=0), Silent())
    assert facts["machine"] == "cpu (1 thread), fp32"
    assert clock.steps


def test_methods_that_are_compared_share_what_the_first_has(tmp_path: Path) -> None:
    configs = [tiny_config(precision="auto", threads=0, loss=loss) for loss in ("ce", "dice")]
    configs.append(tiny_config(precision="auto", threads=2, loss="ce+dice"))
    trained: list[tuple[str, int]] = []

    def fake(config: TrainConfig, run: RunDir | None) -> RunDir:
        trained.append((config.precision, config.threads))
        measured = {"precision": "bf16", "threads": 7} if len(trained) == 1 else {}
        text = TrainConfig(**{**config.to_dict(), **measured}).to_yaml()
        return create_run(tmp_path, config.loss, text)

    train_methods(configs, tmp_path, fake, note=lambda text: None)
    assert trained == [("auto", 0), ("bf16", 7), ("bf16", 2)]


# ------------------------------------------------------------------ predictions


@pytest.mark.usefixtures("two_cores")
def test_many_pictures_are_predicted_by_the_quickest(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(speeds(60, 140, 30, 35))

    def timed(machines: Any, step: Callable[[Machine, int], None], **size: int) -> list[Pace]:
        step(machines[0], 4)
        return measure(machines, clock.step, clock=clock, **size)

    monkeypatch.setattr(predicting, "measure", timed)
    predictor = Predictor.load("unet-pets", device="cpu", precision="auto", threads=0)
    tensors = copy.deepcopy(predictor.network.state_dict())
    line = predictor.take_quickest("auto", 0, pictures=10**5, batch_size=8)
    assert line.startswith("measured: fp32 with 1 thread 140 images/s (fp32, 2 threads: 60; bf16")
    assert (predictor.machine, torch.get_num_threads()) == (FOUR[1], 1)
    after = predictor.network.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in tensors.items())
    steps = len(clock.steps)
    assert predictor.take_quickest("fp32", 2, pictures=10**5, batch_size=8) == ""
    assert len(clock.steps) == steps


@pytest.mark.parametrize("count", [50, 51])
def test_only_a_folder_of_many_pictures_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    asked: list[tuple[str, int, int]] = []

    def take_quickest(
        self: Predictor, precision: str, threads: int, *, pictures: int, batch_size: int
    ) -> str:
        asked.append((precision, threads, pictures))
        return "measured: it"

    monkeypatch.setattr(Predictor, "take_quickest", take_quickest)
    for number in range(count):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
    with pytest.raises(SystemExit):
        main(["predict-mask", str(tmp_path), "--threads", "1", "--out", str(tmp_path / "out")])
    assert asked == [("auto", 1, 51)] * (count > 50)


def test_what_is_resolved_without_trying_is_what_is_there() -> None:
    assert resolve("cpu", "auto", 3).threads == 3
