"""What a training writes for other programs: `events.jsonl` and TensorBoard."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from netlab.config import FREE_ON_RESUME, TrainConfig
from netlab.errors import ConfigError, Interrupted, UsageError, WorkFailed
from netlab.runs.folder import RunDir, create_run
from netlab.settings import Layer, merge
from netlab.training.fit import train
from netlab.training.listener import Listeners, Silent
from netlab.training.logs import EventLog
from netlab.training.prepare import check, settle
from tests.conftest import read_rows, tiny_config


def config_of(**changes: object) -> TrainConfig:
    return tiny_config(**{"log": "events", "epochs": 3, "width": 2, "limit": 16, **changes})


def events(run: RunDir) -> list[dict[str, Any]]:
    text = run.events.read_text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def names(run: RunDir) -> list[str]:
    """What happened, without what was only said."""
    return [event["event"] for event in events(run) if event["event"] != "message"]


def stop_after(questions: int) -> Callable[[], bool]:
    calls = iter(range(10**6))
    return lambda: next(calls) + 1 >= questions


def row_of(event: dict[str, Any]) -> dict[str, str]:
    """An epoch's event as its row of metrics.csv would be read."""
    row = {k: v for k, v in event.items() if k not in ("event", "time", "best")}
    return {name: "" if value is None else str(value) for name, value in row.items()}


def assert_epochs_are_those_of_the_table(run: RunDir) -> None:
    epochs = [event for event in events(run) if event["event"] == "epoch"]
    volatile = {"seconds", "images_per_second", "memory_mib"}
    rows = read_rows(run.metrics)
    assert [e["epoch"] for e in epochs] == [int(row["epoch"]) for row in rows]
    for event, row in zip(epochs, rows, strict=True):
        told = row_of(event)
        assert told.keys() == row.keys()
        assert {k: told[k] for k in row if k not in volatile} == {
            k: row[k] for k in row if k not in volatile
        }


def test_a_training_tells_its_events(tmp_path: Path) -> None:
    best = train(config_of(), tmp_path / "run")
    run = RunDir(tmp_path / "run")
    told = events(run)
    assert names(run) == ["started", *["epoch"] * 3, "ended"]
    assert told[0]["config"] == settle(config_of())[0].to_dict()
    assert told[0]["plan"]["epochs"] == 3
    assert told[-1]["best"] == best
    assert (told[-1]["epoch"], told[-1]["step"]) == (3, 6)
    assert [event["time"] for event in told] == sorted(event["time"] for event in told)
    assert told[1]["best"] is True
    marked = [event["epoch"] for event in told if event["event"] == "epoch" and event["best"]]
    assert marked[-1] == best["epoch"]
    assert_epochs_are_those_of_the_table(run)


def test_nothing_is_written_unless_asked(tmp_path: Path) -> None:
    train(config_of(log="none", epochs=1), tmp_path / "run")
    assert not (tmp_path / "run" / "events.jsonl").exists()
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_each_line_is_there_as_soon_as_it_happens(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    seen: list[list[str]] = []

    class Watcher(Silent):
        def batch(self, epoch: int, done: int, total: int, loss: float, rate: float) -> None:
            if done == 1:
                seen.append(names(run))

    train(config_of(), run.path, listener=Watcher())
    assert seen == [["started"], ["started", "epoch"], ["started", "epoch", "epoch"]]


@pytest.mark.slow
def test_stopped_and_resumed_no_epoch_is_told_twice(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(Interrupted):
        train(config_of(), path, stopped=stop_after(4))
    run = RunDir(path)
    stopped = events(run)
    assert names(run) == ["started", "epoch", "interrupted"]
    assert (stopped[-1]["epoch"], stopped[-1]["batch"]) == (1, 1)
    assert "--resume" in stopped[-1]["reason"]
    train(config_of(), path, resume=True)
    assert events(run)[: len(stopped)] == stopped, "what was there stays as it is"
    assert names(run)[len(stopped) :] == ["resumed", "epoch", "epoch", "ended"]
    assert_epochs_are_those_of_the_table(run)


@pytest.mark.slow
def test_after_a_kill_broken_lines_and_epochs_to_come_again_are_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(Interrupted):
        train(config_of(), path, stopped=stop_after(4))
    run = RunDir(path)
    whole = run.events.read_text()
    # As if it had been killed between the second epoch's report and its save, while it wrote.
    again = json.dumps({"event": "epoch", "epoch": 2, "train_loss": 9.0})
    run.events.write_text(f'{whole}{again}\n{{"event": "epo', encoding="utf-8")
    train(config_of(), path, resume=True)
    assert run.events.read_text().startswith(whole)
    assert_epochs_are_those_of_the_table(run)
    # Without a state it starts again.
    run.state.unlink()
    run.older_state.unlink()
    train(config_of(), path, resume=True)
    assert_epochs_are_those_of_the_table(run)
    assert names(run)[-5:] == ["started", "epoch", "epoch", "epoch", "ended"]


@pytest.mark.slow
def test_logs_may_be_asked_for_later_and_change_no_bit(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(Interrupted):
        train(config_of(log="none"), path, stopped=stop_after(2))
    train(config_of(), path, resume=True)
    assert names(RunDir(path))[0] == "resumed"
    train(config_of(log="none"), tmp_path / "plain")
    weights = [p / "last.safetensors" for p in (path, tmp_path / "plain")]
    from netlab.weights.file import read_tensors

    a, b = (read_tensors(file) for file in weights)
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_failure_and_skipped_batches_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from netlab.tasks.segmentation.task import Segmentation

    loss = Segmentation.loss

    def broken(self: Any, network: Any, batch: Any, done: float) -> Any:
        found = loss(self, network, batch, done)
        return found._replace(total=found.total * np.nan) if 0.3 < done < 0.4 else found

    monkeypatch.setattr(Segmentation, "loss", broken)
    with pytest.raises(WorkFailed):
        train(config_of(), tmp_path / "run")
    told = events(RunDir(tmp_path / "run"))
    assert told[-1]["event"] == "failed"
    assert "loss became nan in epoch 2, batch 1" in told[-1]["reason"]
    train(config_of(on_nan="skip"), tmp_path / "skip")
    messages = [e["text"] for e in events(RunDir(tmp_path / "skip")) if e["event"] == "message"]
    assert any("skipped: the loss became nan" in text for text in messages)


@pytest.mark.slow
def test_a_log_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(Interrupted):
        train(config_of(log="none"), path, stopped=stop_after(2))
    RunDir(path).events.mkdir()
    with pytest.raises(WorkFailed, match=r"events\.jsonl: cannot be written"):
        train(config_of(), path, resume=True)
    RunDir(path).events.rmdir()
    train(config_of(), path, resume=True)


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("none", ()),
        ("events", ("events",)),
        ("events, tensorboard,events", ("events", "tensorboard")),
        (["tensorboard", "events"], ("tensorboard", "events")),
    ],
)
def test_the_setting(log: object, expected: tuple[str, ...]) -> None:
    assert merge({}, [Layer("a file", {"log": log})]).logs == expected


def test_unknown_logs_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"unknown log 'event'\. Did you mean 'events'"):
        TrainConfig(log="tensorboard,event")
    assert "log" in FREE_ON_RESUME


def test_listeners_tell_each_one_everything() -> None:
    heard: list[tuple[str, object]] = []

    class One:
        def __init__(self, name: str) -> None:
            self.name = name

        def __getattr__(self, what: str) -> Callable[..., None]:
            return lambda *given: heard.append((f"{self.name}.{what}", given))

    both: Any = Listeners(One("a"), One("b"))  # type: ignore[arg-type]
    calls = {"message": ("x",), "plan": ({},), "batch": (0, 1, 2, 0.5, 9.0), "epoch": ({}, True)}
    for what, given in calls.items():
        getattr(both, what)(*given)
        assert heard[-2:] == [(f"a.{what}", given), (f"b.{what}", given)]


# ------------------------------------------------------------------ TensorBoard


class Writer:
    """Stands for `SummaryWriter`."""

    made: list["Writer"]

    def __init__(self, folder: str, purge_step: int | None = None) -> None:
        self.folder, self.purge_step = Path(folder), purge_step
        self.scalars: dict[int, dict[str, float]] = {}
        self.images: dict[int, np.ndarray] = {}
        self.texts: dict[str, str] = {}
        self.closed = False
        self.made.append(self)

    def add_text(self, name: str, text: str, step: int) -> None:
        self.texts[name] = text

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars.setdefault(step, {})[name] = value

    def add_image(self, name: str, pixels: np.ndarray, step: int, dataformats: str) -> None:
        assert dataformats == "HWC"
        self.images[step] = pixels

    def flush(self) -> None:
        assert not self.closed

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def writers(monkeypatch: pytest.MonkeyPatch) -> list[Writer]:
    module = ModuleType("torch.utils.tensorboard")
    monkeypatch.setattr(Writer, "made", [], raising=False)
    monkeypatch.setattr(module, "SummaryWriter", Writer, raising=False)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    return Writer.made


def test_tensorboard_gets_the_numbers_of_the_table(tmp_path: Path, writers: list[Writer]) -> None:
    path = tmp_path / "run"
    config = config_of(log="events,tensorboard")
    with pytest.raises(Interrupted):
        train(config, path, stopped=stop_after(4))
    best = train(config, path, resume=True)
    run = RunDir(path)
    first, second = writers
    assert first.folder == second.folder == run.tensorboard
    assert (first.purge_step, second.purge_step) == (None, 2)
    assert first.closed
    assert second.closed
    assert "encoder: maxpool" in first.texts["config"]
    scalars = first.scalars | second.scalars
    rows = read_rows(run.metrics)
    assert sorted(scalars) == [1, 2, 3]
    for row in rows:
        told = scalars[int(row["epoch"])]
        expected = {name for name, value in row.items() if value and name != "epoch"}
        assert told.keys() == expected
        assert told["val_miou"] == float(row["val_miou"])
    pictures = first.images | second.images
    assert max(pictures) == best["epoch"]
    assert all(p.dtype == np.uint8 and p.ndim == 3 for p in pictures.values())
    assert_epochs_are_those_of_the_table(run)


def test_without_the_package_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from netlab.cli.main import main

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # as if not installed
    config = config_of(log="tensorboard")
    for early in (check, settle):
        with pytest.raises(UsageError, match=r"pip install 'netlab\[tensorboard\]'"):
            early(config)
    with pytest.raises(UsageError, match="netlab"):
        train(config, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["train", "unet", "--dataset", "synthetic", "--log", "events,tensorboard"])
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("netlab: --log tensorboard needs the package tensorboard")
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_real_tensorboard_reads_it_back(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra netlab[tensorboard] is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(config_of(log="tensorboard"), tmp_path / "run")
    run = RunDir(tmp_path / "run")
    found = EventAccumulator(str(run.tensorboard)).Reload()
    told = [event.value for event in found.Scalars("val_miou")]
    assert told == pytest.approx([float(row["val_miou"]) for row in read_rows(run.metrics)])
    assert found.Images("best")


def test_numbers_that_are_not_finite_are_null_wherever_they_stand(tmp_path: Path) -> None:
    run = create_run(tmp_path, "x", "", tmp_path / "run")
    rows = [{"epoch": 1, "val_iou_pet": float("nan")}]
    state: Any = SimpleNamespace(
        progress=SimpleNamespace(epoch=1, batch=0, step=3, best_epoch=1, rows=rows)
    )
    log = EventLog(run, tiny_config(), state)
    log.epoch(rows[0], best=True)
    log.ended("ended", {})
    epoch, ended = events(run)
    assert epoch["val_iou_pet"] is None
    assert ended["best"] == {"epoch": 1, "val_iou_pet": None}
    assert "NaN" not in run.events.read_text()
