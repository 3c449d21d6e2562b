"""Nothing is lost: kills at any moment, damaged states, full disks, numbers that go wrong."""

import copy
import csv
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("forks, /proc and limits of a process are Linux'", allow_module_level=True)

import torch
from PIL import Image

from netlab.config import TrainConfig
from netlab.device import Machine
from netlab.errors import Interrupted, UsageError, WeightsError
from netlab.predict.predictor import Predictor
from netlab.runs.folder import RunDir, create_run
from netlab.training import saves
from netlab.training.fit import train
from netlab.training.listener import Silent
from netlab.training.loop import NotFinite, Trainer, epoch_batches, train_step
from netlab.training.prepare import fit_batch, prepare, settle
from netlab.weights.header import read_header
from tests._copies import drawn
from tests.conftest import netlab, slow, tiny_config, tiny_labelled
from tests.faults import KILLED, Server, configs, differences, killed_and_finished


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def new_run(path: Path) -> RunDir:
    return create_run(path.parent, "x", "", path)


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["unet", "vae", "classifier"])
def test_killed_anywhere_and_resumed_ends_with_equal_bits(
    server: Server, tmp_path: Path, arch: str
) -> None:
    config = configs()[arch]
    assert server.train(tmp_path / "whole", config) == (0, "")
    seed = int(time.time())
    died = killed_and_finished(server, tmp_path / "run", config, random.Random(seed), deaths=3)
    assert died > 0, seed
    assert differences(tmp_path / "whole", tmp_path / "run") == [], seed


@pytest.mark.slow
def test_every_step_of_writing_the_first_state_may_be_the_last(
    server: Server, tmp_path: Path
) -> None:
    config = tiny_config(epochs=1).to_dict()
    assert server.train(tmp_path / "whole", config) == (0, "")
    for step in range(36):
        run = tmp_path / f"run{step}"
        assert server.train(run, config, step=step)[0] == KILLED
        assert server.train(run, config) == (0, "")
        assert differences(tmp_path / "whole", run) == []
        assert not list(run.rglob(".*.part"))


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_state_before_stays(server: Server, tmp_path: Path) -> None:
    config = tiny_config(epochs=2).to_dict()
    assert server.train(tmp_path / "run", config | {"epochs": 1}) == (0, "")
    run = RunDir(tmp_path / "run")
    before = {path: path.read_bytes() for path in (run.state, run.best, run.metrics)}
    code, said = server.train(run.path, config, file_bytes=run.state.stat().st_size - 1)
    assert code == 3
    assert "state.safetensors: cannot be written (File too large)" in said
    assert all(path.read_bytes() == data for path, data in before.items())
    assert server.train(run.path, config) == (0, "")


@pytest.mark.slow
def test_no_memory_is_one_line(server: Server, tmp_path: Path) -> None:
    config = tiny_config(epochs=1, image_size=256, batch_size=24, width=32).to_dict()
    code, said = server.train(tmp_path / "run", config, memory_bytes=200 * 2**20)
    assert (code, said.count("\n")) == (3, 1)
    assert "out of memory: try a smaller --batch-size" in said


@pytest.mark.slow
def test_auto_batch_halves_until_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_pictures(monkeypatch, 5)
    heard = Heard()
    found = fit_batch(*settle(tiny_config(batch_size=20)), heard)
    assert found == settle(tiny_config(batch_size=3))[0]  # 20, 10, 5 fits, and a quarter less
    assert heard.messages == [f"out of memory: trying --batch-size {n}" for n in (10, 5)]
    assert fit_batch(*settle(tiny_config(batch_size=4))).batch_size == 4
    limit_pictures(monkeypatch, 0)
    with pytest.raises(RuntimeError, match="out of memory"):
        fit_batch(*settle(tiny_config(batch_size=4)))


def test_prediction_halves_its_batch_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [Image.fromarray(image) for image in drawn(7)[0]]
    predictor = Predictor.load("unet-pets", precision="fp32")
    whole, asked = predictor.predict(pictures), list[int]()
    forward = predictor.network.forward

    def crowded(x: torch.Tensor) -> torch.Tensor:
        asked.append(len(x))
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")
        return forward(x)

    monkeypatch.setattr(predictor.network, "forward", crowded)
    for one, other in zip(whole, predictor.predict(pictures), strict=True):
        torch.testing.assert_close(one.logits, other.logits)
    assert asked == [7, 3, 1, 1, 1, 1, 1, 1, 1]
    predictor.predict(pictures[:3])  # it has learnt how many there is room for
    assert asked[9:] == [1, 1, 1]


def limit_pictures(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Training runs out of memory with a larger batch than this."""
    from netlab.tasks.segmentation.task import Segmentation

    loss = Segmentation.loss

    def crowded(self: Segmentation, network: Any, batch: Any, done: float) -> Any:
        if len(batch[0]) > most:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: out of memory")
        return loss(self, network, batch, done)

    monkeypatch.setattr(Segmentation, "loss", crowded)


@pytest.mark.parametrize("harm", ["flip", *slow("cut", "gone")])
def test_a_damaged_state_gives_way_to_the_one_before(tmp_path: Path, harm: str) -> None:
    config = tiny_config(epochs=3)
    whole = new_run(tmp_path / "whole")
    train(config, whole)
    run = new_run(tmp_path / "run")
    train(tiny_config(epochs=2), run)
    data = bytearray(run.state.read_bytes())
    if harm == "cut":
        run.state.write_bytes(data[:-10])
    elif harm == "flip":
        data[-10] ^= 4
        run.state.write_bytes(data)
    else:
        run.state.unlink()
    heard = Heard()
    damaged = run.state.read_bytes() if run.state.exists() else b""
    train(config, run, resume=True, listener=heard)
    assert damaged != run.older_state.read_bytes()
    told = [text for text in heard.messages if "state-before.safetensors" in text]
    assert len(told) == 1
    assert differences(whole.path, run.path) == []
    for path in (run.state, run.older_state):
        path.write_bytes(b"x" * 100)
    with pytest.raises(WeightsError, match="state-before"):
        train(config, run, resume=True)


@pytest.mark.slow
def test_two_processes_do_not_share_a_run_folder(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run")
    train(tiny_config(epochs=1), run)
    words = ["train", "--resume", "run", "--epochs", "500"]
    command = [sys.executable, "-m", "netlab", *words]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch 2/"):
                break
        second = netlab(*words, cwd=tmp_path)
        assert second.returncode == 2
        assert b"run: another process is training in this folder" in second.stderr
        process.send_signal(signal.SIGKILL)
    with run.locked():  # a dead process holds no lock
        pass


def test_the_state_is_saved_within_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever pulls the plug loses `save_every` seconds at most."""
    clock = iter(range(0, 10**6, 7))
    monkeypatch.setattr(saves, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    steps: list[int] = []
    save = saves.Saves.save

    def counting(self: saves.Saves) -> None:
        steps.append(self.state.progress.step)
        save(self)

    monkeypatch.setattr(saves.Saves, "save", counting)
    heard = Heard()
    train(tiny_config(epochs=1, limit=96, save_every=20), tmp_path / "run", listener=heard)
    assert steps == [3, 6, 9, 12]
    assert any(text.startswith("saving the state took ") for text in heard.messages)


def breaking(monkeypatch: pytest.MonkeyPatch, steps: set[int], what: str = "loss") -> None:
    """Loss or gradient is no number in these steps."""
    from netlab.tasks.segmentation.task import Segmentation

    loss = Segmentation.loss
    calls = iter(range(10**6))

    def broken(self: Segmentation, network: Any, batch: Any, done: float) -> Any:
        found = loss(self, network, batch, done)
        if next(calls) not in steps:
            return found
        bad = next(network.parameters()).sum() * 0
        poison = bad + float("nan") if what == "loss" else _Infinite.apply(bad)
        return found._replace(total=found.total + poison)

    monkeypatch.setattr(Segmentation, "loss", broken)


class _Infinite(torch.autograd.Function):
    """0 forward, an infinite gradient backward."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x * 0

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad * float("inf")


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_number_that_went_wrong_stops_the_run_and_names_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    run = new_run(tmp_path / "run")
    train(tiny_config(epochs=1), run)
    best = run.best.read_bytes()
    breaking(monkeypatch, {1}, what)
    with pytest.raises(NotFinite, match=rf"the {what} became .* batch 2 \(train-.* more\)") as e:
        train(tiny_config(epochs=2), run, resume=True)
    assert e.value.exit_code == 3
    assert run.best.read_bytes() == best


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_skip_leaves_out_the_batch_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    breaking(monkeypatch, {1, 4}, what)
    heard = Heard()
    run = new_run(tmp_path / "run")
    train(tiny_config(epochs=2, on_nan="skip"), run, listener=heard)
    assert [t[:8] for t in heard.messages if "skipped" in t] == ["skipped:"] * 2
    about = read_header(run.last).about
    assert about["progress"]["epoch"] == 2
    for tensor in _tensors(run):
        assert torch.isfinite(tensor).all()


def _tensors(run: RunDir) -> list[torch.Tensor]:
    from netlab.weights.file import read_tensors

    return [t for t in read_tensors(run.state).values() if t.is_floating_point()]


def test_an_epoch_without_a_good_batch_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(monkeypatch, {0, 1, 2})
    with pytest.raises(NotFinite, match="every batch of epoch 1 was skipped"):
        train(tiny_config(epochs=2, on_nan="skip"), tmp_path / "run")


def test_rollback_goes_on_from_the_saved_state_at_half_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(monkeypatch, {4})
    heard = Heard()
    run = new_run(tmp_path / "run")
    train(tiny_config(epochs=2, on_nan="rollback"), run, listener=heard)
    said = [text for text in heard.messages if text.startswith("rolled back")]
    assert len(said) == 1
    assert "going on from epoch 2, batch 1 at 0.5 of the learning rate" in said[0]
    assert read_header(run.state).about["progress"]["rate_factor"] == 0.5


def scaling(monkeypatch: pytest.MonkeyPatch, scale: float) -> None:
    """Loss scaling as of fp16, which needs a GPU: here of a CPU, from this scale on."""

    def scaler(machine: Machine) -> torch.amp.GradScaler:
        return torch.amp.GradScaler(machine.device.type, init_scale=scale, growth_interval=4)

    monkeypatch.setattr(Machine, "scaler", scaler)


SMALL = 2.0**-12  # as a scale, so small that an overflow is no matter of scaling


@pytest.mark.parametrize("what", ["loss", "gradient"])
@pytest.mark.parametrize("on_nan", ["skip", "rollback"])
def test_a_fault_under_loss_scaling_is_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_nan: str, what: str
) -> None:
    scaling(monkeypatch, SMALL)
    breaking(monkeypatch, {1, 4}, what)
    heard = Heard()
    run = new_run(tmp_path / "run")
    train(tiny_config(epochs=2, on_nan=on_nan), run, listener=heard)
    word = {"skip": "skipped", "rollback": "rolled back"}[on_nan]
    assert sum(text.startswith(word) for text in heard.messages) == 2
    about = read_header(run.state).about
    assert about["progress"]["epoch"] == 2
    # It grew after four good steps, and no fault has changed it.
    assert about["scaler"]["scale"] == 2 * SMALL
    assert all(torch.isfinite(tensor).all() for tensor in _tensors(run))


@pytest.mark.parametrize("on_nan", ["skip", "rollback"])
def test_a_fault_of_a_helper_under_loss_scaling_is_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_nan: str
) -> None:
    from netlab.tasks.vae.task import ConditionalVae

    loss, calls = ConditionalVae.loss, iter(range(10**6))

    def broken(self: ConditionalVae, network: Any, batch: Any, done: float) -> Any:
        whole = loss(self, network, batch, done)
        if next(calls) != 1:
            return whole
        assert whole.helpers is not None
        poison = _Infinite.apply(next(self.helpers().parameters()).sum() * 0)
        return whole._replace(helpers=whole.helpers + poison)

    monkeypatch.setattr(ConditionalVae, "loss", broken)
    scaling(monkeypatch, SMALL)
    heard = Heard()
    run = new_run(tmp_path / "run")
    config = tiny_labelled("vae", loss="bce+kl+adversary", on_nan=on_nan)
    train(config, run, listener=heard)
    faults = [text for text in heard.messages if "the gradient became" in text]
    assert len(faults) == 1
    assert all(torch.isfinite(tensor).all() for tensor in _tensors(run))


def test_a_skipped_step_changes_nothing_but_the_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaling(monkeypatch, SMALL)
    breaking(monkeypatch, {1}, "gradient")
    trainer, state = prepare(*settle(tiny_config(on_nan="skip", ema=0.9)))
    first, second = itertools.islice(epoch_batches(trainer, 0, 0), 2)
    state.network.train()
    train_step(trainer, state, first)
    before = copy.deepcopy(state.tensors())
    scaler, sums = state.scaler.state_dict(), dict(state.progress.sums)
    train_step(trainer, state, second)
    assert state.progress.step == state.progress.batch == 2
    assert (state.scaler.state_dict(), state.progress.sums) == (scaler, sums)
    after = state.tensors()
    assert after.keys() == before.keys()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


@pytest.mark.slow
def test_loss_scaling_is_resumed_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Overflows are left out by the scale itself, which halves, and grows after good steps."""
    from netlab.tasks.segmentation.task import Segmentation

    loss = Segmentation.loss

    def overflowing(self: Segmentation, network: Any, batch: Any, done: float) -> Any:
        whole = loss(self, network, batch, done)
        poison = _Infinite.apply(next(network.parameters()).sum() * 0)
        return whole._replace(total=whole.total + poison) if done < 0.3 else whole

    monkeypatch.setattr(Segmentation, "loss", overflowing)
    scaling(monkeypatch, 2.0**16)
    config = tiny_config(epochs=4, ema=0.9)
    whole = new_run(tmp_path / "whole")
    train(config, whole)
    scaler = read_header(whole.state).about["scaler"]
    assert scaler["scale"] == 2.0**14  # four of twelve steps overflow, and eight are good
    for stop in (2, 5):
        asked = iter(range(stop))
        run = new_run(tmp_path / f"stopped{stop}")
        with pytest.raises(Interrupted):
            train(config, run, stopped=lambda asked=asked: next(asked, None) is None)
        train(config, run, resume=True)
        assert differences(whole.path, run.path) == []
        assert read_header(run.state).about["scaler"] == scaler


def test_a_step_fetches_its_numbers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each number that is fetched from a GPU waits for all that it has still to do."""
    trainer, state = prepare(*settle(tiny_config(loss="ce+dice")))
    indices = next(epoch_batches(trainer, 0, 0))
    fetched: list[str] = []
    for name in ("item", "tolist", "__float__", "__bool__", "__int__"):
        original = getattr(torch.Tensor, name)

        def fetching(self: torch.Tensor, name: str = name, original: Any = original) -> Any:
            fetched.append(name)
            return original(self)

        monkeypatch.setattr(torch.Tensor, name, fetching)
    train_step(trainer, state, indices)
    assert fetched == ["tolist"]
    assert state.progress.sums.keys() == {"loss", "ce", "dice", "count"}


def test_rollback_ends_when_nothing_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "learning_rate", lambda self, step: 1e30)
    heard = Heard()
    config = tiny_config(clip=0.0, on_nan="rollback")
    with pytest.raises(NotFinite):
        train(config, tmp_path / "run", listener=heard)
    assert sum(text.startswith("rolled back") for text in heard.messages) == 6


def test_a_wish_to_stop_ends_after_the_batch(tmp_path: Path) -> None:
    config: TrainConfig = tiny_config(epochs=1)
    with pytest.raises(Interrupted):
        train(config, tmp_path / "run", stopped=lambda: True)
    assert read_header(RunDir(tmp_path / "run").state).about["progress"]["batch"] == 1


@pytest.mark.slow
def test_a_read_only_folder_is_one_line(server: Server) -> None:
    with tempfile.TemporaryDirectory() as place:
        run = Path(place) / "run"
        run.mkdir()
        run.chmod(0o555)
        Path(place).chmod(0o755)
        code, said = server.train(run, tiny_config(epochs=1).to_dict(), user=65534)
        assert (code, said.count("\n")) == (3, 1)
        assert "run/.lock: cannot be written (Permission denied)" in said


def test_a_lock_is_for_one(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run")
    with (
        run.locked(),
        pytest.raises(UsageError, match="another process"),
        run.locked(),
    ):
        pass


def test_a_clock_that_was_set_back_changes_nothing(
    tmp_path: Path, pairs_copy: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    images, masks = map(str, pairs_copy)
    config = tiny_config(dataset="pairs", images=images, masks=masks, epochs=4, batch_size=4)
    train(config, tmp_path / "whole")
    asked = iter(range(7))
    with pytest.raises(Interrupted):
        train(config, tmp_path / "run", stopped=lambda: next(asked, None) is None)
    tomorrow = time.time() + 86400
    for path in tmp_path.rglob("*"):  # all that there is was made later than now
        os.utime(path, (tomorrow, tomorrow))
    backwards = iter(range(10**7, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: float(next(backwards)))
    monkeypatch.setattr(time, "time_ns", lambda: next(backwards) * 10**9)
    train(config, tmp_path / "run", resume=True)
    assert differences(tmp_path / "whole", tmp_path / "run") == []
    with (tmp_path / "run" / "metrics.csv").open() as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0
