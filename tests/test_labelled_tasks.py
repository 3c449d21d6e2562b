"""Classifiers and conditional VAEs: they learn, resume to the last bit, and are scored rightly."""

import dataclasses
import json
import math
import shutil
from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
from torch import Tensor
from torch.distributions import Normal, kl_divergence

import netlab
from netlab import registry
from netlab.cli.main import main
from netlab.config import TrainConfig, flag_of
from netlab.contracts.dataset import DataRequest, LabelledSet
from netlab.data.digits import CLASSES, SIZES, Digits
from netlab.errors import ConfigError, DataError, Interrupted
from netlab.layers.disturb import TESTS
from netlab.layers.ladder import Ladder
from netlab.registry import register
from netlab.runs.folder import RunDir
from netlab.tasks.classification.task import Classification
from netlab.tasks.load import load_weights
from netlab.tasks.vae.task import VaeScores
from netlab.training.dry_run import dry_run
from netlab.training.fit import train
from netlab.training.listener import Silent
from netlab.training.loop import train_epoch
from netlab.training.prepare import check, prepare, settle
from netlab.weights.file import read_tensors, save_weights
from netlab.weights.header import read_header
from tests._copies import drawn
from tests.conftest import slow, tiny_config, tiny_labelled
from tests.test_train import assert_equal_runs, fit, rows_of, stop_after
from tests.test_vae import HELPED, SMALL_HELPERS

HERE: dict[str, Any] = {"device": "cpu", "precision": "fp32", "threads": 1}
MOVING = [name for name in HELPED if registry.get("vae-term", name).adversarial]
WITH_HELPERS: dict[str, object] = {
    "loss": "+".join(["bce", "kl", "cycle", *(f"2*{name}" for name in HELPED)]),
    "parts": {
        "loss": {
            **SMALL_HELPERS,
            "swap-class": {"width": 4, "realism": 0.5},
            "kl": {"anneal": 0.8},
        }
    },
    "ema": 0.9,
}


@pytest.fixture(autouse=True)
def _few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores of a VAE probe the whole training split: a small one will do."""
    monkeypatch.setitem(SIZES, "train", 300)


def some_digits(count: int) -> LabelledSet:
    return Digits().load(DataRequest(split="test", image_size=12, limit=count))


def floats(data: LabelledSet) -> Tensor:
    return torch.from_numpy(data.images).permute(0, 3, 1, 2).float() / 255


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    config = tiny_labelled(
        "classifier", limit=300, epochs=5, batch_size=20, width=8, lr=0.01, ema=0.9, augment="none"
    )
    return fit(tmp_path_factory.mktemp("runs") / "classifier", config)


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    changes = {"limit": 300, "epochs": 4, "batch_size": 20, "width": 8, "lr": 0.01}
    config = tiny_labelled("vae", **WITH_HELPERS | changes)
    return fit(tmp_path_factory.mktemp("runs") / "vae", config)


@pytest.mark.parametrize(
    ("arch", "changes"),
    [
        ("classifier", {"stem": 2}),
        ("classifier", {"decoder": "upsample", "class_weights": "balanced"}),
        ("vae", {"disturb": 0.5}),
        ("unet", {"latent": 3, "conditioning": "channel"}),
    ],
)
def test_settings_that_an_architecture_does_not_read_are_refused(
    arch: str, changes: dict[str, Any]
) -> None:
    config = (tiny_config if arch == "unet" else tiny_labelled)(**{"arch": arch, **changes})
    with pytest.raises(ConfigError, match="not for") as caught:
        check(config)
    assert all(flag_of(name) in str(caught.value) for name in changes)


def test_a_classifier_learns(classifier: RunDir) -> None:
    rows = rows_of(classifier)
    assert float(rows[-1]["val_accuracy"]) > 0.5  # chance is a tenth
    assert float(rows[-1]["train_loss"]) < 0.7 * float(rows[0]["train_loss"])
    assert {"train_ce", "val_loss", "val_accuracy", "lr"} <= rows[0].keys()


def test_its_scores_are_those_of_a_plain_loop_and_scikit_learn(classifier: RunDir) -> None:
    data = some_digits(60)
    report = netlab.evaluate(classifier.path, limit=60, batch_size=23, **HERE)
    result = report.result()
    network = load_weights(classifier.best).network
    with torch.inference_mode():
        shares = network((floats(data) - 0.5) / 0.25).softmax(dim=1).numpy()
        batches = torch.split(floats(data), 23)
        disturbed = {
            name: torch.cat([network((change(x) - 0.5) / 0.25).argmax(dim=1) for x in batches])
            for name, change in TESTS.items()
        }
    read = shares.argmax(axis=1)
    assert result["accuracy"] == pytest.approx(accuracy_score(data.labels, read))
    expected = confusion_matrix(data.labels, read, labels=range(10))
    assert result["confusion"] == expected.tolist()
    assert result["disturbed"].keys() == {"mean_filter_3", "noise_8", "jpeg_75"}
    for name, found in disturbed.items():
        assert result["disturbed"][name] == pytest.approx(accuracy_score(data.labels, found))
    assert result["baselines"]["most_frequent"]["accuracy"] == pytest.approx(0.1)
    assert result["count"] == 60
    assert result["classes"] == list(CLASSES)
    assert {"split", "count", "accuracy", "ece", "confusion"} <= result.keys()
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    rows = report.rows()
    assert [row["read"] for row in rows] == [CLASSES[k] for k in read]
    assert [row["confidence"] for row in rows] == pytest.approx(shares.max(axis=1), abs=1e-5)
    assert report.figure("title").width > 128
    assert len(report.table()) > 10 + len(TESTS)


def test_its_validation_row_is_that_of_scikit_learn(classifier: RunDir) -> None:
    config, machine = settle(load_weights(classifier.best).config)
    trainer, _ = prepare(config, machine)
    network = load_weights(classifier.best).network
    with torch.inference_mode():
        shares = network((floats(trainer.val) - 0.5) / 0.25).softmax(dim=1).numpy()
    metrics = read_header(classifier.best).about["metrics"]
    labels = trainer.val.labels
    assert metrics["val_loss"] == pytest.approx(
        log_loss(labels, shares, labels=range(10)), abs=1e-4
    )
    assert metrics["val_accuracy"] == pytest.approx(accuracy_score(labels, shares.argmax(axis=1)))


def test_a_vae_learns_and_every_term_is_logged(vae: RunDir) -> None:
    rows = [{k: float(v) for k, v in row.items()} for row in rows_of(vae)]
    assert rows[-1]["val_loss"] < 0.8 * rows[0]["val_loss"]
    assert rows[-1]["train_bce"] < 0.8 * rows[0]["train_bce"]
    terms = ["bce", "kl", "cycle", *HELPED]
    for name in terms:
        assert {f"train_{name}", f"val_{name}"} <= rows[0].keys()
    for name in HELPED:
        assert f"train_{name}_helper" in rows[0]
    for row in rows:
        assert row["val_elbo"] == pytest.approx(-row["val_bce"] - row["val_kl_nats"], abs=1e-4)
        assert row["val_kl"] == pytest.approx(row["val_kl_nats"], abs=1e-4), "all of it, at the end"
        scored = row["val_bce"] + row["val_kl"] + row["val_cycle"]
        scored += sum(2 * row[f"val_{name}"] for name in HELPED if name not in MOVING)
        assert row["val_loss"] == pytest.approx(scored, abs=1e-3), "no term that is a moving target"
        assert 0 <= row["val_swap_read"] <= 1
    assert rows[0]["train_kl"] < rows[0]["val_kl"], "the weight has only begun to rise"


def test_the_best_epoch_of_a_vae_has_the_lowest_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([3.0, 1.0, 2.0, 1.5])
    monkeypatch.setattr(VaeScores, "row", lambda _: {"val_loss": next(losses)})
    run = fit(tmp_path / "run", tiny_labelled("vae", loss="bce+kl", epochs=4))
    state = json.loads(run.progress.read_text())
    assert (state["best_epoch"], state["best"]) == (2, 1.0)
    assert read_header(run.best).about["progress"]["epoch"] == 2
    assert read_header(run.last).about["progress"]["epoch"] == 4


def test_the_best_epoch_of_a_classifier_has_the_highest_accuracy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.25, 0.75, 0.5])
    row = "netlab.tasks.classification.task.ClassificationScores.row"
    monkeypatch.setattr(row, lambda _: {"val_loss": 1.0, "val_accuracy": next(scores)})
    run = fit(tmp_path / "run", tiny_labelled("classifier", epochs=3))
    assert read_header(run.best).about["progress"]["epoch"] == 2


RESUMED = {
    "vae with helpers": tiny_labelled("vae", **WITH_HELPERS),
    "vae": tiny_labelled(
        "vae", loss="logistic+kl", conditioning="channel", augment="standard", stem=2,
        block="residual", ema=0.0, schedule="onecycle", precision="bf16",
    ),
    "classifier": tiny_labelled(
        "classifier", augment="standard", disturb=0.5, ema=0.9,
        parts={"architecture": {"dropout": 0.5}, "loss": {"ce": {"smoothing": 0.1}}},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunDir]:
    """Each of the runs, never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    return {name: fit(folder / name, config) for name, config in RESUMED.items()}


@pytest.mark.parametrize("name", RESUMED)
@pytest.mark.parametrize("batches", [5, *slow(1, 3, 4)])
def test_stopped_and_resumed_ends_with_equal_bits(
    whole: dict[str, RunDir], tmp_path: Path, name: str, batches: int
) -> None:
    """Three batches an epoch: stops in the middle of both epochs and between them."""
    config, path = RESUMED[name], tmp_path / "run"
    with pytest.raises(Interrupted, match=r"--resume .*run"):
        fit(path, config, stopped=stop_after(batches))
    state = json.loads(RunDir(path).progress.read_text())
    assert state["step"] == {4: 3, 5: 4}.get(batches, batches)
    assert_equal_runs(whole[name], fit(path, config, resume=True))


def test_the_state_holds_the_helpers_and_the_weights_do_not(whole: dict[str, RunDir]) -> None:
    run = whole["vae with helpers"]
    state = read_tensors(run.state)
    for name in HELPED:
        assert any(key.startswith(f"helpers.terms.{name}.") for key in state)
    assert any(key.startswith("average.") for key in state)
    for weights in (run.best, run.last):
        assert not any("terms" in key for key in read_tensors(weights))
        assert read_tensors(weights).keys() == load_weights(weights).network.state_dict().keys()


def test_a_state_that_numbers_its_helpers_as_they_were_typed_is_taken_up(tmp_path: Path) -> None:
    """As files of before do: they say neither the order nor the names."""
    helpers = {name: SMALL_HELPERS[name] for name in ("adversary", "swap-class")}
    config = tiny_labelled("vae", loss="bce+kl+swap-class+adversary", parts={"loss": helpers})
    for path in (tmp_path / "now", tmp_path / "before"):
        with pytest.raises(Interrupted):
            fit(path, config, stopped=stop_after(2))
    state = RunDir(tmp_path / "before").state
    about, tensors = read_header(state).about, read_tensors(state)
    names = about.pop("helper_parameters")
    assert names[0].startswith("terms.adversary.")
    typed = sorted(names, key=lambda name: name.startswith("terms.adversary."))
    first = len([*netlab.build_model(config, 10, 1).parameters()])
    renumbered = {}
    for key, tensor in tensors.items():
        kind, index, *slot = key.split(".")
        if kind == "optimizer" and int(index) >= first:
            index = str(first + typed.index(names[int(index) - first]))
        renumbered[".".join([kind, index, *slot])] = tensor
    save_weights(state, renumbered, about)
    runs = [fit(tmp_path / name, config, resume=True) for name in ("now", "before")]
    assert_equal_runs(*runs)


def test_weights_of_network_and_helpers_derive_from_the_seed_alone() -> None:
    found = []
    for seed, noise in ((0, 1), (0, 2), (1, 2)):
        config, machine = settle(tiny_labelled("vae", **WITH_HELPERS, seed=seed))
        torch.manual_seed(noise)
        _, state = prepare(config, machine)
        weights = [*state.network.parameters(), *state.helpers.parameters()]
        found.append([w for w in weights if w.dim() > 1])
        for a, b in zip(
            netlab.build_model(config, 10, 1).parameters(), state.network.parameters(), strict=True
        ):
            assert torch.equal(a, b)
    assert all(torch.equal(a, b) for a, b in zip(found[0], found[1], strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(found[0], found[2], strict=True))


def test_a_helper_has_a_learning_rate_of_its_own(tmp_path: Path) -> None:
    config, machine = settle(tiny_labelled("vae", **WITH_HELPERS, helper_lr=0.25))
    trainer, state = prepare(config, machine)
    trainer = dataclasses.replace(trainer, stopped=lambda: True)
    train_epoch(trainer, state)
    main_rate, beside = (group["lr"] for group in state.optimizer.param_groups)
    assert main_rate == pytest.approx(trainer.learning_rate(0))
    assert beside == pytest.approx(0.25 * main_rate)


def test_weights_say_what_their_network_takes(vae: RunDir, classifier: RunDir) -> None:
    for run, task in ((vae, "vae"), (classifier, "classification")):
        about = read_header(run.best).about
        assert about["task"] == task
        assert about["classes"] == list(CLASSES)
        assert (about["input"]["size"], about["input"]["channels"]) == (12, 1)
        assert about["data"]["dataset"] == "digits"
    assert read_header(classifier.best).about["input"]["mean"] == [0.5]


def bernoulli(x: Tensor, p: Tensor) -> Tensor:
    """log p(x) of the pixels of each picture."""
    return (x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(dim=1)


def test_bounds_are_those_of_a_plain_computation(vae: RunDir) -> None:
    """One batch, the same noise; densities in float64."""
    data = some_digits(20)
    result = netlab.evaluate(vae.path, limit=20, batch_size=64, **HERE).result()
    network: Any = load_weights(vae.best).network
    images, labels = floats(data), torch.eye(10)[torch.from_numpy(data.labels)]
    generator = torch.Generator().manual_seed(0)

    def log_density(z: Tensor) -> Tensor:
        return bernoulli(images.double(), network.decode(z, labels).double().sigmoid())

    with torch.inference_mode():
        mean, log_var = network.encode(images, labels)
        q, prior = Normal(mean.double(), (0.5 * log_var.double()).exp()), Normal(0.0, 1.0)

        def draw() -> Tensor:
            return mean + (0.5 * log_var).exp() * torch.randn(mean.shape, generator=generator)

        reconstruction = float(log_density(draw()).mean())
        kl = float(kl_divergence(q, prior).sum(dim=1).mean())
        weights = [
            log_density(z) + (prior.log_prob(z.double()) - q.log_prob(z.double())).sum(dim=1)
            for z in (draw() for _ in range(50))
        ]
    bound = float((torch.stack(weights).logsumexp(dim=0) - math.log(50)).mean())
    assert result["reconstruction_nats"] == pytest.approx(-reconstruction, rel=1e-4)
    assert result["kl_nats"] == pytest.approx(kl, rel=1e-4)
    assert result["elbo_nats"] == pytest.approx(reconstruction - kl, rel=1e-4)
    assert result["iwae"] == {"k": 50, "count": 20, "nats": pytest.approx(bound, rel=1e-4)}
    assert result["iwae"]["nats"] > result["elbo_nats"]


def test_bits_are_told_of_levels_alone(whole: dict[str, RunDir], vae: RunDir) -> None:
    result = netlab.evaluate(whole["vae"].path, limit=20, **HERE).result()
    bits = -result["elbo_nats"] / (12 * 12 * math.log(2))
    assert result["bits_per_dim"] == pytest.approx(bits)
    assert netlab.evaluate(vae.path, limit=20, **HERE).result()["bits_per_dim"] is None


@pytest.fixture
def class_folder(tmp_path: Path) -> Path:
    """Test digits as PNG in a folder for each class."""
    data = some_digits(30)
    for name in CLASSES:
        (tmp_path / "own" / name).mkdir(parents=True)
    for name, image, label in zip(data.names, data.images, data.labels, strict=True):
        Image.fromarray(image[:, :, 0]).save(tmp_path / "own" / CLASSES[label] / f"{name}.png")
    return tmp_path / "own"


def test_own_pictures_are_scored_like_those_of_the_data_set(
    class_folder: Path, classifier: RunDir, vae: RunDir
) -> None:
    own, same = (
        netlab.evaluate(classifier.path, **where, **HERE).result()
        for where in ({"images": class_folder}, {"limit": 30})
    )
    assert (own["split"], own["count"]) == ("all", 30)
    assert own["confusion"] == same["confusion"]
    own = netlab.evaluate(vae.path, images=class_folder, judge=classifier.path, **HERE).result()
    assert own["count"] == 30
    assert own["judge"] == {"weights": "classifier", "accuracy": None}
    with pytest.raises(ConfigError, match="--masks is for --dataset pairs, not for class-folder"):
        netlab.evaluate(vae.path, images=class_folder, masks=class_folder, **HERE)


def test_pictures_that_do_not_fit_the_weights_are_refused(
    class_folder: Path, classifier: RunDir
) -> None:
    one = next(class_folder.glob("3/*.png"))
    Image.new("RGB", (12, 12), "red").save(one)
    with pytest.raises(DataError, match="the data are colour pictures, the weights are for gray"):
        netlab.evaluate(classifier.path, images=class_folder, **HERE)
    (class_folder / "3").rename(class_folder / "three")
    with pytest.raises(DataError, match="3"):
        netlab.evaluate(classifier.path, images=class_folder, **HERE)


def test_other_weights_stand_beside(vae: RunDir, whole: dict[str, RunDir]) -> None:
    other = whole["vae with helpers"]
    report = netlab.evaluate(vae.path, beside=[other.path], limit=20, **HERE)
    alone = netlab.evaluate(other.path, limit=20, **HERE).result()
    beside = report.result()["baselines"][other.path.name]
    assert beside["elbo_nats"] == pytest.approx(alone["elbo_nats"], rel=1e-5)
    assert beside["mse"] == alone["mse"]


def batch_of(config: TrainConfig, mirrors: bool) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pictures as they are, and as a task trains on them."""
    factory = registry.get("task", registry.get("architecture", config.arch).task)
    data = dataclasses.replace(some_digits(40), mirrors=mirrors)
    task = factory.create(config, data)
    places = np.arange(40)
    plain, _ = task.eval_batch(data, places, lambda t: t)
    trained, labels = task.train_batch(data, places, 0, lambda t: t)
    assert labels.tolist() == data.labels.tolist()
    assert trained.shape == (40, 1, 12, 12), "gray pictures stay gray"
    return plain.numpy(), trained.numpy()


@pytest.mark.parametrize("arch", ["vae", "classifier"])
def test_digits_are_never_mirrored(arch: str) -> None:
    config = tiny_labelled(arch, augment="flip")
    before, after = batch_of(config, mirrors=False)
    np.testing.assert_array_equal(before, after)
    before, after = batch_of(config, mirrors=True)
    mirrored = np.abs(after - before[..., ::-1]).max(axis=(1, 2, 3)) < 1e-4
    same = np.abs(after - before).max(axis=(1, 2, 3)) < 1e-4
    assert 8 < mirrored.sum() < 32
    assert (mirrored | same).all()


def test_the_classifier_s_training_pictures_are_disturbed() -> None:
    plain, trained = batch_of(tiny_labelled("classifier", augment="none", disturb=0.5), False)
    changed = (np.abs(plain - trained) > 1e-6).any(axis=(1, 2, 3))
    assert 10 <= changed.sum() <= 30
    plain, trained = batch_of(tiny_labelled("classifier", augment="none"), False)
    np.testing.assert_array_equal(plain, trained)


@pytest.mark.parametrize("arch", registry.names("architecture"))
def test_a_dry_run_tells_the_shapes_of_any_architecture(arch: str) -> None:
    config = tiny_config() if arch == "unet" else tiny_labelled(arch, image_size=32)
    channels = 3 if arch == "unet" else 1
    facts = dry_run(config, Silent())
    assert facts["shapes"]["input"] == [8, channels, 32, 32]
    outputs = {"unet": [8, 3, 32, 32], "vae": [8, 1, 32, 32], "classifier": [8, 10]}
    assert facts["shapes"]["head"] == outputs[arch]
    assert facts["weights"] > 1000
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts


@register("decoder")
class NeedsSkips(Ladder):
    """Stands for a decoder of another package that is nothing without skips."""

    needs_skips = True


def test_a_decoder_that_needs_skips_is_not_for_a_vae(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("needy", "tests.test_labelled_tasks:NeedsSkips", "netlab.decoder")
    monkeypatch.setattr(registry, "installed", lambda: EntryPoints([point]))
    with pytest.raises(ConfigError, match=r"decoder 'needy' needs skips.*another --decoder"):
        train(tiny_labelled("vae", decoder="needy"), "nowhere")


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """The command line in an empty folder of its own: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)

    def run(*words: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main([*map(str, words), "--threads", "1", "--device", "cpu"])
        told = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, told.out, told.err

    return run


def test_eval_prints_a_table_and_one_json_document(
    vae: RunDir, classifier: RunDir, command: Command, tmp_path: Path
) -> None:
    judged = ("eval", vae.path, "--judge", classifier.path, "--limit", "20")
    code, out, err = command(*judged, "--json", "--csv", tmp_path / "rows.csv")
    assert code == 0, err
    result = json.loads(out)
    assert result["judge"]["weights"] == "classifier"
    assert 0 <= result["swap_accuracy"] <= 1
    assert (tmp_path / "rows.csv").read_text().startswith("name,true_label,asked_label,read,")
    assert (vae.path / "eval_test.png").is_file()
    code, out, err = command(*judged, "--split", "val", "--beside", vae.path)
    assert code == 0, err
    assert "read as asked, by classifier" in out
    code, out, err = command("eval", classifier.path, "--limit", "20", "--csv", "own.csv")
    assert code == 0, err
    assert "under jpeg 75" in out
    assert Path("own.csv").read_text().startswith("name,label,read,confidence")
    code, _, err = command("eval", classifier.path, "--judge", classifier.path)
    assert (code, err.count("\n")) == (2, 1), err


def test_judge_and_weights_beside_are_found_among_the_runs(
    vae: RunDir, classifier: RunDir, command: Command, tmp_path: Path
) -> None:
    runs = tmp_path / "elsewhere"
    shutil.copytree(vae.path, runs / "v")
    shutil.copytree(classifier.path, runs / "c")
    words = ("eval", "v", "--limit", "20", "--judge", "c", "--beside", "v", "--json")
    code, out, err = command(*words, "--runs-dir", runs)
    assert code == 0, err
    result = json.loads(out)
    assert result["judge"]["weights"] == "c"
    assert result["baselines"]["v"]["mse"] == result["mse"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("vae --loss kl", "needs exactly one likelihood (bce, gaussian, laplace, logistic, mse)"),
        ("vae --loss bce+mse+kl", "exactly one likelihood"),
        ("vae --loss ce", "exactly one likelihood"),
        ("vae --loss bce+ce", "loss 'ce' is for segmentation and classification, not for vae"),
        ("classifier --loss bce", "loss 'bce' is for vae, not for classifier"),
        ("classifier --loss ce+dice", "loss 'dice' is for segmentation, not for classifier"),
        ("vae --dataset synthetic", "dataset 'synthetic' has masks, but vae needs labelled"),
        ("classifier --dataset pets --download", "has masks, but classifier needs labelled"),
        (
            "unet --dataset digits",
            "dataset 'digits' has labels, but unet needs pictures with masks",
        ),
        ("unet --dataset mnist --download", "has labels, but unet needs pictures with masks"),
        ("vae --images x", "--images is for --dataset pairs or class-folder, not for digits"),
        ("vae --masks x", "--masks is for --dataset pairs, not for digits"),
        ("vae --dataset class-folder", "--images"),
        ("vae --loss bce+kl --set loss.dice.smooth=1", "loss has no term 'dice'"),
        ("vae --set loss.mse.x=1 --loss bce+kl", "loss has no term 'mse' (its terms: bce, kl)"),
        ("vae --set loss.kl.x=1", "loss 'kl' does not take"),
        ("vae --set loss.gaussian.sigma=0 --loss gaussian+kl", "sigma must be above 0"),
        ("vae --set conditioning.x=1", "conditioning 'film' does not take"),
        ("classifier --set block.x=1", "block 'residual' does not take"),
        ("classifier --set architecture.x=1", "architecture 'classifier' does not take"),
        ("vae --conditioning filn", "Did you mean 'film'"),
        ("vae --latent 0", "latent must be at least 1"),
        ("vae --preset slow", "unknown preset of vae 'slow'"),
        ("classifier --preset default.cifar10", "unknown preset"),
    ],
)
def test_what_does_not_fit_is_one_line_and_exit_2(
    words: str, expected: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pets.Pets", "mnist.Mnist"):
        monkeypatch.setattr(f"netlab.data.{name}.download", lambda *_: pytest.fail("fetched"))
    dataset = [] if "--dataset" in words else ["--dataset", "digits"]
    code, out, err = command(
        "train", *words.split(), *dataset, "--limit", "16", "--batch-size", "8"
    )
    assert code == 2, err
    assert out == ""
    assert err.startswith("netlab: ")
    assert err.count("\n") == 1
    assert expected in err
    assert not list(tmp_path.iterdir()), "nothing written"


def test_pictures_and_masks_of_one_s_own_come_together(
    pairs_copy: tuple[Path, Path],
) -> None:
    for only in ({"images": pairs_copy[0]}, {"masks": pairs_copy[1]}):
        with pytest.raises(ConfigError, match="give --images and --masks together"):
            netlab.evaluate("unet-pets", **only, **HERE)


def test_the_task_of_mirrors_is_told_by_the_data() -> None:
    config = tiny_labelled("classifier", augment="shift")
    assert Classification.create(config, some_digits(10)).strength.flip is False
    mirrored = dataclasses.replace(some_digits(10), mirrors=True)
    assert Classification.create(config, mirrored).strength.flip is True


def test_colour_pictures_of_a_folder_are_learnt_as_well(tmp_path: Path) -> None:
    images, _ = drawn(24)
    for index, image in enumerate(images):
        folder = tmp_path / "own" / ("warm" if index % 2 else "cold")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.roll(image, index % 2, axis=2)).save(folder / f"{index}.png")
    own = {"dataset": "class-folder", "images": str(tmp_path / "own"), "limit": None, "epochs": 1}
    for arch, more in (("classifier", {}), ("vae", WITH_HELPERS)):
        run = fit(tmp_path / arch, tiny_labelled(arch, **more | own))
        about = read_header(run.best).about
        assert (about["classes"], about["input"]["channels"]) == (["cold", "warm"], 3)
        result = netlab.evaluate(run.path, **HERE).result()
        assert result["classes"] == ["cold", "warm"]
    assert result["style"].keys() == {"mean_colour", "border_pixels"}
    assert result["background"] is None
