"""Training: it learns, resumes to the last bit, stops well, and leaves a whole run folder."""

import csv
import dataclasses
import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from netlab.config import TrainConfig
from netlab.device import resolve
from netlab.errors import (
    ConfigError,
    DataError,
    Interrupted,
    NetlabError,
    UsageError,
    WeightsError,
    WorkFailed,
)
from netlab.files import free_path, output_path, write_text
from netlab.runs import folder as run_folder
from netlab.runs.folder import RunDir, create_run, find_run
from netlab.tasks.load import describe, load_weights
from netlab.tasks.segmentation.task import Segmentation
from netlab.training import fit as fitting
from netlab.training.fit import train
from netlab.training.listener import Silent
from netlab.training.loop import Trainer, train_epoch
from netlab.training.prepare import prepare, set_up, settle
from netlab.weights.file import read_tensors, save_weights
from netlab.weights.header import read_header
from tests.conftest import slow, tiny_config, tiny_labelled


def fit(path: Path, config: TrainConfig, **more: Any) -> RunDir:
    run = RunDir(path) if path.exists() else create_run(path.parent, "x", "", path)
    train(config, run, **more)
    return run


def rows_of(run: RunDir) -> list[dict[str, str]]:
    return list(csv.DictReader(run.metrics.read_text().splitlines()))


def stop_after(batches: int) -> Any:
    """Says stop from the so-manieth question on; there is one after each batch and each epoch."""
    calls = iter(range(10**6))
    return lambda: next(calls) + 1 >= batches


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return fit(tmp_path_factory.mktemp("runs") / "tiny", tiny_config(epochs=3, seed=1))


def test_the_run_folder_holds_what_the_contract_says(trained: RunDir) -> None:
    for path in (trained.best, trained.last, trained.state, trained.progress):
        assert path.stat().st_size > 100
    rows = rows_of(trained)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert {"train_loss", "val_loss", "val_miou", "lr", "images_per_second"} <= rows[0].keys()
    for picture in (trained.curves, trained.samples / "best.png", trained.samples / "last.png"):
        with Image.open(picture) as image:
            assert image.width >= 300
    assert not list(trained.path.rglob("*.part"))


def test_config_file_reruns_the_same_training(trained: RunDir, tmp_path: Path) -> None:
    config = TrainConfig(**yaml.safe_load(trained.config.read_text()))
    assert config == settle(tiny_config(epochs=3, seed=1))[0]
    again = fit(tmp_path / "again", config)
    assert_equal_runs(trained, again)


def test_weights_describe_themselves(trained: RunDir) -> None:
    about = read_header(trained.best).about
    assert about["classes"] == ["pet", "background", "border"]
    assert about["input"] == {
        "size": 32,
        "channels": 3,
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
        "resize": "bilinear",
    }
    assert about["config"]["encoder"] == "maxpool"
    assert about["metrics"]["val_miou"] > 0
    assert about["seed"] == 1
    assert "data_dir" not in about["config"]


@pytest.mark.slow
def test_training_learns(tmp_path: Path) -> None:
    config = tiny_config(
        epochs=16, limit=128, width=8, lr=1e-2, ema=0.9, augment="flip", loss="ce+dice"
    )
    rows = rows_of(fit(tmp_path / "run", config))
    assert float(rows[-1]["train_loss"]) < 0.75 * float(rows[0]["train_loss"])
    assert max(float(row["val_miou"]) for row in rows) > 0.42  # the mean mask has .36


STATES = ("best", "last", "state")


def assert_equal_runs(one: RunDir, other: RunDir) -> None:
    for name in STATES:
        a, b = (read_tensors(getattr(run, name)) for run in (one, other))
        assert a.keys() == b.keys()
        for key in a:
            assert torch.equal(a[key], b[key]), f"{name}: {key}"
    volatile = {"seconds", "images_per_second", "memory_mib"}
    rows = [
        [{k: v for k, v in row.items() if k not in volatile} for row in rows_of(run)]
        for run in (one, other)
    ]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("batches", [1, 3, *slow(2, 4, 6)])
def test_stopped_and_resumed_ends_with_equal_bits(
    trained: RunDir, tmp_path: Path, batches: int
) -> None:
    """Three batches an epoch: stops in the middle of epochs and at their ends."""
    config = tiny_config(epochs=3, seed=1)
    path = tmp_path / "run"
    with pytest.raises(Interrupted, match=r"--resume .*run"):
        fit(path, config, stopped=stop_after(batches))
    state = json.loads(RunDir(path).progress.read_text())
    assert state["step"] == {4: 3, 6: 5}.get(batches, batches)
    assert state["batch"] == state["step"] % 3
    moved = path.rename(tmp_path / "moved")
    assert_equal_runs(trained, fit(moved, config, resume=True))


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bf16", "encoder": "strided", "decoder": "upsample", "loss": "ce+0.5*dice"},
        *slow(
            {"ema": 0.0, "optimizer": "adam", "schedule": "cosine"},
            {"norm": "group", "activation": "gelu", "class_weights": "balanced", "stem": 2},
        ),
    ],
)
def test_resume_is_exact_for_other_settings(tmp_path: Path, changes: dict[str, object]) -> None:
    config = tiny_config(**changes)
    whole = fit(tmp_path / "whole", config)
    with pytest.raises(Interrupted):
        fit(tmp_path / "run", config, stopped=stop_after(4))
    assert_equal_runs(whole, fit(tmp_path / "run", config, resume=True))


@pytest.mark.slow
def test_a_folder_without_a_state_starts_again_from_its_config(tmp_path: Path) -> None:
    config = settle(tiny_config())[0]
    run = create_run(tmp_path, "x", config.to_yaml(), tmp_path / "run")
    train(config, run, resume=True)
    assert_equal_runs(fit(tmp_path / "other", config), run)


def test_early_stop_ends_the_run(tmp_path: Path) -> None:
    config = tiny_config(epochs=30, lr=1e-9, ema=0.0, early_stop=2, norm="none", limit=8)
    rows = rows_of(fit(tmp_path / "run", config))
    assert len(rows) < 30


def test_a_loss_that_is_no_number_stops_and_keeps_what_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(epochs=2, clip=0.0)
    run = fit(tmp_path / "run", config)
    before = run.best.read_bytes()
    monkeypatch.setattr(Trainer, "learning_rate", lambda self, step: 1e30)
    with pytest.raises(WorkFailed, match=r"the loss became (nan|inf).*--lr"):
        train(tiny_config(epochs=4, clip=0.0), run, resume=True)
    assert run.best.read_bytes() == before


def test_a_validation_loss_that_is_no_number_is_never_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "learning_rate", lambda self, step: 1e30)
    with pytest.raises(WorkFailed, match="validation of epoch 1"):
        fit(tmp_path / "run", tiny_config(clip=0.0, batch_size=24, ema=0.0))
    assert not RunDir(tmp_path / "run").best.exists()


def test_a_finished_or_early_stopped_run_can_be_extended(tmp_path: Path) -> None:
    config = tiny_config(epochs=9, lr=1e-9, ema=0.0, early_stop=1, norm="none", limit=8)
    run = fit(tmp_path / "run", config)
    done = len(rows_of(run))
    assert done < 9
    train(TrainConfig(**{**config.to_dict(), "epochs": 20}), run, resume=True)
    assert len(rows_of(run)) > done
    with pytest.raises(UsageError, match="epochs done already"):
        train(TrainConfig(**{**config.to_dict(), "epochs": 1}), run, resume=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lr": 0.5}, "lr was 0.004, is 0.5"),
        ({"seed": 9, "ema": 0.5}, "--ema was 0.998, is 0.5; --seed was 0, is 9"),
    ],
)
def test_settings_that_changed_behind_the_run_s_back_are_named(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    run = fit(tmp_path / "run", tiny_config(epochs=1))
    with pytest.raises(UsageError, match=words):
        train(tiny_config(epochs=2, **change), run, resume=True)


def test_allowed_changes_are_taken_up_and_named(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", tiny_config(epochs=1))
    changed = tiny_config(epochs=2, lr=0.0005, parts={"optimizer": {"beta1": 0.5}})
    heard: list[str] = []
    report = Silent()
    report.message = heard.append  # type: ignore[method-assign]
    train(changed, run, resume=True, allow_changes=True, listener=report)
    assert len(rows_of(run)) == 2
    assert read_header(run.last).about["config"]["lr"] == 0.0005
    assert [line for line in heard if "as allowed" in line] == [
        "going on with other settings, as allowed: --lr was 0.004, is 0.0005; "
        "--set optimizer was {}, is {'beta1': 0.5}"
    ]


def test_a_changed_network_is_refused_even_if_changes_are_allowed(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", tiny_config(epochs=1))
    with pytest.raises(WeightsError, match="does not fit its run"):
        train(tiny_config(epochs=2, width=8), run, resume=True, allow_changes=True)


def test_other_data_are_refused_on_resume(tmp_path: Path, pairs_copy: tuple[Path, Path]) -> None:
    images, masks = pairs_copy
    config = tiny_config(
        dataset="pairs", images=str(images), masks=str(masks), epochs=1, limit=None
    )
    run = fit(tmp_path / "run", config)
    for folder in pairs_copy:
        next(iter(sorted(folder.iterdir()))).unlink()
    with pytest.raises(DataError, match="not those that the run was started on"):
        train(TrainConfig(**{**config.to_dict(), "epochs": 2}), run, resume=True)


@pytest.mark.parametrize("which", [0, 1])
def test_data_that_look_different_are_refused_on_resume(
    tmp_path: Path, pairs_copy: tuple[Path, Path], which: int
) -> None:
    images, masks = pairs_copy
    config = tiny_config(
        dataset="pairs", images=str(images), masks=str(masks), epochs=1, limit=None
    )
    run = fit(tmp_path / "run", config)
    changed = sorted(pairs_copy[which].iterdir())[0]
    with Image.open(changed) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(changed)
    with pytest.raises(DataError, match="not those that the run was started on"):
        train(TrainConfig(**{**config.to_dict(), "epochs": 2}), run, resume=True)


def test_the_command_that_started_a_run_stays_with_it(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", tiny_config(epochs=1), command="netlab train unet")
    train(tiny_config(epochs=2), run, resume=True, command="netlab train --resume run")
    assert read_header(run.last).about["command"] == "netlab train unet"


def test_a_class_without_pixels_has_no_score_and_no_weight(
    tmp_path: Path, pairs_copy: tuple[Path, Path]
) -> None:
    images, masks = pairs_copy
    for path in masks.iterdir():
        with Image.open(path) as mask:
            ids = np.minimum(np.asarray(mask), 1)
        Image.fromarray(ids).save(path)
    config = tiny_config(
        dataset="pairs", images=str(images), masks=str(masks), class_weights="balanced", epochs=1
    )
    run = fit(tmp_path / "run", config)
    assert rows_of(run)[0]["val_iou_border"] == ""
    assert read_header(run.best).about["metrics"]["val_iou_border"] is None
    config, machine = settle(config)
    weights = prepare(config, machine)[0].task.criterion.terms["ce"].class_weights
    assert float(weights[2]) == 0
    assert float(weights[:2].mean()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parts": {"loss": {"smooth": 5}}}, "loss has no term 'smooth'"),
        ({"parts": {"loss": {"dice": {"x": 5}}}}, "loss 'dice' does not take"),
        ({"parts": {"loss": {"dice": 5}}}, "expected arguments"),
        ({"parts": {"optimizer": {"x": 5}}}, "optimizer 'adamw' does not take"),
        ({"parts": {"schedule": {"x": 5}}}, "schedule 'onecycle' does not take"),
        ({"decoder": "upsample", "parts": {"decoder": {"mode": "foo"}}}, "cannot be trained"),
        ({"image_size": 8, "depth": 3, "batch_size": 1}, "cannot be trained on batches of 1"),
    ],
)
def test_arguments_that_nothing_takes_are_refused_before_a_folder_is_made(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        train(tiny_config(**changes, loss="ce+dice"), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_an_argument_of_a_loss_term_changes_the_loss() -> None:
    config, machine = settle(tiny_config(loss="dice", parts={"loss": {"dice": {"smooth": 50.0}}}))
    assert prepare(config, machine)[0].task.criterion.terms["dice"].smooth == 50


def test_the_public_functions_work_together(tmp_path: Path) -> None:
    import netlab

    config = netlab.TrainConfig(**tiny_config(epochs=1).to_dict())
    netlab.train(config, tmp_path / "run")
    loaded = netlab.load(str(tmp_path / "run"))
    assert netlab.evaluate(loaded, limit=4, device="cpu", threads=1).result()["count"] == 4
    picture = Image.new("RGB", (50, 30), "orange")
    assert netlab.predict_mask(picture, weights=tmp_path / "run").mask.shape == (30, 50)


def test_new_run_folders_never_meet(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: create_run(tmp_path, "same", "").path, range(24)))
    assert len(set(runs)) == 24


def test_order_and_augmentation_differ_by_epoch_but_not_by_run() -> None:
    from netlab.training.loop import epoch_batches

    config, machine = settle(tiny_config())
    trainer, _ = prepare(config, machine)
    orders = [[i.tolist() for i in epoch_batches(trainer, epoch, 0)] for epoch in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert [i.tolist() for i in epoch_batches(trainer, 0, 1)] == orders[0][1:]
    place = trainer.to_device
    views = [
        trainer.task.train_batch(trainer.train, torch.arange(3).numpy(), epoch, place)[0]
        for epoch in (0, 0, 1)
    ]
    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])


def test_schedule_and_average_follow_their_formulas() -> None:
    config, machine = settle(tiny_config(schedule="cosine", warmup=0.5, lr=1.0, ema=0.5))
    trainer, state = prepare(config, machine)
    start = {k: v.clone() for k, v in state.average.state_dict().items()}
    trainer_one = TrainerOnce(trainer)
    train_epoch(trainer_one.trainer, state)
    now, average = state.network.state_dict(), state.average.state_dict()
    key = "head.weight"
    decay = 2 / 11  # (1 + step) / (10 + step) after the first step
    torch.testing.assert_close(average[key], decay * start[key] + (1 - decay) * now[key])
    assert state.optimizer.param_groups[0]["lr"] == pytest.approx(1 / 3)


def test_gradients_are_clipped() -> None:
    config, machine = settle(tiny_config(clip=1e-3))
    trainer, state = prepare(config, machine)
    train_epoch(TrainerOnce(trainer).trainer, state)
    norms = [p.grad.norm() for p in state.network.parameters()]
    assert float(torch.stack(norms).norm()) == pytest.approx(1e-3, rel=1e-3)


def test_the_schedule_is_worked_out_once_a_step() -> None:
    trainer, state = prepare(*settle(tiny_labelled("vae", loss="bce+kl+adversary")))
    steps: list[int] = []

    def schedule(step: int, *, steps: int, warmup: int, seen: list[int] = steps) -> float:
        seen.append(step)
        return trainer.schedule(step, steps=steps, warmup=warmup)

    train_epoch(dataclasses.replace(trainer, schedule=schedule), state)
    assert steps == list(range(trainer.batches))


@pytest.mark.parametrize("resume", [False, True])
def test_config_is_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resume: bool
) -> None:
    path = tmp_path / "run"
    if resume:
        train(tiny_config(epochs=1), path)
    written: list[str] = []
    for module in (run_folder, fitting):

        def counting(path: Path, text: str) -> None:
            written.append(path.name)
            write_text(path, text)

        monkeypatch.setattr(module, "write_text", counting)
    train(tiny_config(epochs=2), path, resume=resume)
    assert written.count("config.yaml") == 1


def test_a_batch_that_is_made_to_fit_reads_the_data_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    load = Segmentation.load

    def counting(config: TrainConfig, split: str, note: Any) -> Any:
        read.append(split)
        return load(config, split, note)

    monkeypatch.setattr(Segmentation, "load", counting)
    set_up(tiny_config(), fitting_batch=True)
    assert read == ["train", "val"]


class TrainerOnce:
    """Stops after the first batch."""

    def __init__(self, trainer: Any) -> None:
        self.trainer = dataclasses.replace(trainer, stopped=lambda: True)


@pytest.mark.parametrize("weights", ["1,2", "a,b,c", "1,2,0", "nan,1,1"])
def test_wrong_class_weights(tmp_path: Path, weights: str) -> None:
    with pytest.raises(ConfigError, match="class-weights"):
        fit(tmp_path / "run", tiny_config(class_weights=weights))


def test_class_weights_are_balanced_over_the_training_pixels() -> None:
    config, machine = settle(tiny_config(class_weights="balanced"))
    trainer, _ = prepare(config, machine)
    weights = trainer.task.criterion.terms["ce"].class_weights
    shares = torch.from_numpy(trainer.train.masks).long().ravel().bincount().double()
    torch.testing.assert_close(
        (weights.double() * shares).std() / (weights * shares).mean(),
        torch.tensor(0.0, dtype=torch.float64),
        atol=1e-5,
        rtol=0,
    )
    assert float(weights.mean()) == pytest.approx(1)


def test_unknown_argument_of_a_component_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="decoder 'upsample' does not take"):
        fit(tmp_path / "run", tiny_config(decoder="upsample", parts={"decoder": {"x": 1}}))


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "cuda:-1"])
def test_a_named_device_is_never_replaced(device: str) -> None:
    with pytest.raises(UsageError, match=r"device"):
        resolve(device)


def test_fp16_is_not_for_the_cpu() -> None:
    with pytest.raises(UsageError, match="fp16"):
        resolve("cpu", "fp16")


def spoiled(path: Path, how: str, source: Path) -> Path:
    """A weights file that is wrong in one way."""
    data = source.read_bytes()
    about, tensors = read_header(source).about, read_tensors(source)
    if how == "truncated":
        path.write_bytes(data[:-100])
    elif how == "cut in its header":
        path.write_bytes(data[:200])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("these are no weights, whatever the ending says")
    elif how == "newer":
        save_weights(path, tensors, about | {"format": 99})
    elif how == "other task":
        save_weights(path, tensors, about | {"task": "conditional_vae"})
    elif how == "foreign":
        from safetensors.torch import save_file

        save_file({"a": torch.zeros(2)}, path)
    elif how == "other shape":
        tensors["head.weight"] = torch.zeros(3, 3, 1, 1)
        save_weights(path, tensors, about)
    elif how == "nan":
        tensors["head.weight"][0] = math.nan
        save_weights(path, tensors, about)
    elif how == "missing tensor":
        del tensors["head.weight"]
        save_weights(path, tensors, about)
    elif how == "unknown component":
        config = about["config"] | {"encoder": "hexagonal"}
        save_weights(path, tensors, about | {"config": config})
    return path


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("truncated", "damaged, has .* bytes instead of"),
        ("cut in its header", "not a safetensors file, or a truncated one"),
        ("empty", "not a safetensors file"),
        ("text", "not a safetensors file"),
        ("newer", "format 99.*update netlab"),
        ("other task", "weights for conditional_vae.*needs weights for segmentation"),
        ("foreign", "not one that netlab wrote"),
        ("other shape", "head.weight has shape"),
        ("nan", "not finite"),
        ("missing tensor", "does not fit its own description, at head.weight"),
        ("unknown component", "unknown encoder 'hexagonal'"),
    ],
)
def test_bad_weights_are_one_clear_line(
    trained: RunDir, tmp_path: Path, how: str, words: str
) -> None:
    path = spoiled(tmp_path / "bad.safetensors", how, trained.best)
    with pytest.raises(WeightsError, match=words) as caught:
        load_weights(path, task="segmentation")
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_damaged_state_is_refused_and_the_run_stays(trained: RunDir, tmp_path: Path) -> None:
    config = tiny_config()
    with pytest.raises(Interrupted):
        fit(tmp_path / "run", config, stopped=stop_after(2))
    run = RunDir(tmp_path / "run")
    run.state.write_bytes(run.state.read_bytes()[:-50])
    with pytest.raises(WeightsError, match="damaged"):
        train(config, run, resume=True)


def test_weights_round_trip_in_half_precision(trained: RunDir, tmp_path: Path) -> None:
    loaded = load_weights(trained.best)
    facts = {key: loaded.about[key] for key in ("classes", "input")}
    about = describe(loaded.config, loaded.network, facts)
    save_weights(tmp_path / "half.safetensors", loaded.network.state_dict(), about, half=True)
    half = load_weights(tmp_path / "half.safetensors")
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        a, b = loaded.network(x), half.network(x)
    torch.testing.assert_close(a, b, rtol=0.02, atol=0.02)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.62 * trained.best.stat().st_size


def test_last_run_is_the_newest(tmp_path: Path) -> None:
    import os

    for age, name in ((10, "20300101-000000-old"), (5, "mine"), (7, "20990101-000000-b")):
        run = create_run(tmp_path, name, "{}", tmp_path / name)
        os.utime(run.config, (1000 - age, 1000 - age))
    assert find_run("last", tmp_path).path.name == "mine"
    assert find_run("20300101-000000-old", tmp_path).path.name == "20300101-000000-old"
    with pytest.raises(UsageError, match="no run folder"):
        find_run("other", tmp_path)
    with pytest.raises(UsageError, match="no run in"):
        find_run("last", tmp_path / "empty")


def test_names_of_runs_and_outputs_never_collide(tmp_path: Path) -> None:
    a, b = (create_run(tmp_path, "../x y", "x") for _ in range(2))
    assert a.path != b.path
    assert a.path.parent == b.path.parent == tmp_path
    with pytest.raises(UsageError, match="exists already"):
        create_run(tmp_path, "z", "", a.path)
    taken = tmp_path / "out.png"
    taken.touch()
    assert free_path(taken).name == "out-2.png"
    with pytest.raises(UsageError, match="--overwrite"):
        output_path(taken, taken, overwrite=False)
    assert output_path(taken, taken, overwrite=True) == taken


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("日本語", "日本語"),
        ("mein lauf e\u0301", "mein-lauf-é"),
        ("हिन्दी", "हिन्दी"),
        ("../../etc/passwd", "etc-passwd"),
        ("a\\b:c|d?\x00\n\u202e\udc80e", "a-b-c-d-e"),
        (".hidden.", "hidden"),
        ("🙂", "run"),
        ("é" * 300, "é" * 50),
        ("a" + "語" * 300, "a" + "語" * 33),
    ],
)
def test_a_run_s_name_keeps_all_scripts_and_nothing_dangerous(
    tmp_path: Path, name: str, expected: str
) -> None:
    run = create_run(tmp_path / "runs", name, "")
    assert run.path.parent == tmp_path / "runs"
    assert run.name[len("20260101-000000-") :] == expected


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_text(path, "older")
    first = path.stat().st_ino
    write_text(path, "old")
    assert path.stat().st_ino != first, "renamed over, not written into"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WorkFailed, match="No space left") as caught:
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    assert isinstance(caught.value, NetlabError)
