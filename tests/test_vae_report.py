"""Scores of swapped pictures, on networks whose scores are known: one swaps, one copies."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import netlab
from netlab.contracts.dataset import DataRequest, LabelledSet, Split
from netlab.contracts.vae_term import Posterior
from netlab.data import digits
from netlab.device import resolve
from netlab.errors import UsageError, WeightsError
from netlab.layers.disturb import TESTS
from netlab.metrics.distance import rms
from netlab.scoring.judge import load_judge
from netlab.scoring.score import score
from netlab.tasks.load import load_weights
from netlab.tasks.pixels import to_unit
from netlab.tasks.vae import report as _vae_report
from netlab.tasks.vae.judge import Judge
from netlab.tasks.vae.report import VaeReport
from netlab.tasks.vae.scores import SwapScores
from netlab.tasks.vae.task import ConditionalVae
from netlab.training.fit import train
from netlab.weights.file import save_weights
from tests.conftest import tiny_config, tiny_labelled

SIZE, COUNT = 16, 240
NUMBERS = 18  # of a style
SCALE = 16  # a power of two: z holds style numbers exactly, and each of them varies enough
JUDGED = {
    "swap_accuracy",
    "swap_accuracy_disturbed",
    "swap_table",
    "kept_old_label",
    "reconstruction_read_right",
    "judge",
}
PROMISED = {
    "split", "count", "elbo_nats", "reconstruction_nats", "kl_nats", "iwae", "mse",
    "reconstruction_read_right", "swap_accuracy", "swap_table", "kept_old_label", "leak",
    "latent_r2", "style", "distance", "realism", "judge", "baselines",
}  # fmt: skip
FURTHER = {
    "dropped", "bits_per_dim", "background", "swap_accuracy_disturbed", "active_dimensions",
    "classes", "images_per_second",
}  # fmt: skip


def part(split: Split, limit: int = COUNT) -> LabelledSet:
    return digits.Digits().load(DataRequest(split=split, image_size=SIZE, limit=limit))


class Oracle(nn.Module):
    """Knows the style of every picture it has drawn, and of those of the data set; z is the style.

    Args:
        keeps: whether z holds the label as well, and pictures are drawn with that one.
    """

    def __init__(self, keeps: bool = False) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(()))
        self.keeps = keeps
        self.known: dict[bytes, NDArray[np.float64]] = {}
        for split in ("train", "test"):
            data = part(split)
            for index, (image, label) in enumerate(zip(data.images, data.labels, strict=True)):
                code = [*digits.styles_of(0, split, np.array([index]))[0], *np.eye(10)[label]]
                self.known[image.tobytes()] = np.array(code)

    def encode(self, images: Tensor, labels: Tensor) -> Posterior:
        pixels = (images * 255).round().byte().numpy()
        found = np.stack([self.known[picture.tobytes()] for picture in pixels])
        mean = SCALE * torch.from_numpy(found if self.keeps else found[:, :NUMBERS])
        return Posterior(mean, torch.full_like(mean, -12.0))

    def decode(self, z: Tensor, labels: Tensor) -> Tensor:
        codes = z.numpy() / SCALE
        asked = labels.argmax(dim=1).numpy()
        drawn = codes[:, NUMBERS:].argmax(axis=1) if self.keeps else asked
        pixels = digits.draw(drawn, codes[:, :NUMBERS], SIZE)
        for picture, code in zip(pixels, codes, strict=True):
            self.known.setdefault(picture.tobytes(), code)
        unit = torch.from_numpy(pixels[..., 0])[:, None].double() / 255
        return unit.logit(eps=1e-9).float()


@pytest.fixture(scope="module")
def judge_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = tiny_labelled(
        "classifier", image_size=SIZE, width=8, limit=600, epochs=6, batch_size=20, lr=0.01,
        ema=0.9, augment="none", parts={"architecture": {"features": 6}},
    )  # fmt: skip
    path = tmp_path_factory.mktemp("judge") / "drawn"
    train(config, path)
    return path


@pytest.fixture(scope="module")
def judge(judge_weights: Path) -> Judge:
    machine = resolve("cpu", "fp32", 1)
    found = load_judge(judge_weights, "digits", digits.CLASSES, machine, channels=1)
    assert found is not None
    return found


def report_on(network: nn.Module, judge: Judge | None, **changes: Any) -> VaeReport:
    config = tiny_labelled("vae", image_size=SIZE, latent=NUMBERS, **changes)
    task = ConditionalVae(config, digits.CLASSES, channels=1, mirrors=False)
    report = VaeReport(task.likelihood, part("test"), part("train"), "test", judge)
    return score(report, task, network, report.data, resolve("cpu", "fp32", 1), 50)


@pytest.fixture(scope="module")
def quick() -> Any:
    """A bound of a few samples, as drawing them takes its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_vae_report, "_SAMPLES", 2)
        patch.setattr(_vae_report, "_BOUNDED", 60)
        yield


@pytest.fixture(scope="module")
def swapping(judge: Judge, quick: None) -> VaeReport:
    return report_on(Oracle(), judge)


@pytest.fixture(scope="module")
def copying(judge: Judge, quick: None) -> VaeReport:
    return report_on(Oracle(keeps=True), judge)


@pytest.fixture(scope="module")
def unjudged(quick: None) -> VaeReport:
    return report_on(Oracle(), None)


def test_the_judge_can_be_relied_on(judge: Judge) -> None:
    data = part("test")
    images = torch.from_numpy(data.images).permute(0, 3, 1, 2).float() / 255
    right = judge.read(images) == torch.from_numpy(data.labels)
    assert float(right.float().mean()) > 0.95
    assert judge.see(images).features.shape == (COUNT, 6)
    larger = torch.nn.functional.interpolate(images, scale_factor=2, mode="nearest")
    again = judge.read(larger) == torch.from_numpy(data.labels)
    assert float(again.float().mean()) > 0.9, "other sizes are resized to its own"


def test_a_network_that_swaps_gets_full_marks(swapping: VaeReport) -> None:
    result = swapping.result()
    assert result["swap_accuracy"] > 0.93
    assert result["kept_old_label"] < 0.03
    assert result["reconstruction_read_right"] > 0.95
    assert result["latent_r2"] == 1
    assert result["active_dimensions"] == NUMBERS
    assert result["mse"] == 0
    assert result["background"] < 0.02
    for reader in ("linear", "mlp"):
        assert result["leak"][reader] < result["leak"]["chance"] + 0.12
    assert result["leak"]["chance"] == pytest.approx(0.1)
    other = result["baselines"]["real"]["style"]
    for name, kept in result["style"].items():
        assert kept > 0.5 > abs(other[name]) + 0.2, name
    realism = result["realism"]
    assert realism["count"] == 12
    assert realism["swapped"] < 4 * realism["real_floor"]


def test_a_network_that_ignores_the_label_is_found_out(
    copying: VaeReport, swapping: VaeReport
) -> None:
    result = copying.result()
    assert result["swap_accuracy"] < 0.03
    assert result["kept_old_label"] > 0.95
    assert result["latent_r2"] == 1, "all of z survives, as nothing was asked of it"
    assert result["leak"]["linear"] > 0.9
    assert result["leak"]["mlp"] > 0.9
    assert result["mse"] == 0
    assert result["distance"]["swapped"] == 0
    assert all(kept == pytest.approx(1) for kept in result["style"].values())
    assert result["realism"]["swapped"] > 4 * swapping.result()["realism"]["swapped"]


def test_the_table_has_each_true_label_against_each_asked_one(swapping: VaeReport) -> None:
    table = swapping.result()["swap_table"]
    assert [row[k] for k, row in enumerate(table)] == [None] * 10
    cells = [cell for row in table for cell in row if cell is not None]
    assert len(cells) == 90, "every swap is tried"
    counts = np.zeros((10, 10))
    for true, asked in zip(swapping.data.labels, swapping.asked.numpy(), strict=True):
        counts[true, asked] += 1
    assert np.ptp(counts[~np.eye(10, dtype=bool)]) <= 1, "and all of them equally often"
    filled = np.array([[cell or 0.0 for cell in row] for row in table])
    weighted = (filled * counts).sum() / counts.sum()
    assert weighted == pytest.approx(swapping.result()["swap_accuracy"])


def test_bounds_of_an_exact_network_are_those_of_its_formulas(swapping: VaeReport) -> None:
    result = swapping.result()
    mean = swapping.gathered.mean
    variance = np.exp(-12.0)
    kl = 0.5 * (mean.square().sum(dim=1) + NUMBERS * (variance - 1 + 12))
    assert result["kl_nats"] == pytest.approx(float(kl.mean()))
    assert result["elbo_nats"] == pytest.approx(-result["reconstruction_nats"] - result["kl_nats"])
    assert (result["iwae"]["k"], result["iwae"]["count"]) == (2, 60)
    first = -(swapping.gathered.reconstruction_nats + swapping.gathered.kl_nats)[:60].mean()
    assert result["iwae"]["nats"] > float(first) - 5, "no looser than the ELBO, but for its noise"
    assert result["bits_per_dim"] is None, "gray values have no probability under bce"


def test_leaving_the_picture_as_it_is_keeps_everything_but_swaps_nothing(
    swapping: VaeReport,
) -> None:
    baseline = swapping.result()["baselines"]["input"]
    assert baseline["swap_accuracy"] < 0.03
    assert baseline["kept_old_label"] > 0.95
    assert baseline["distance"]["swapped"] == 0
    assert all(kept == pytest.approx(1) for kept in baseline["style"].values())


def test_any_real_picture_of_the_asked_class_swaps_but_keeps_nothing(swapping: VaeReport) -> None:
    result = swapping.result()
    baseline = result["baselines"]["real"]
    assert baseline["swap_accuracy"] > 0.95
    assert baseline["kept_old_label"] < 0.03
    assert all(abs(kept) < 0.35 for kept in baseline["style"].values())
    assert baseline["distance"]["swapped"] > baseline["distance"]["nearest_real"]
    assert baseline["distance"]["nearest_real"] == result["distance"]["nearest_real"]
    assert baseline["realism"]["swapped"] < result["baselines"]["input"]["realism"]["swapped"]


def test_baselines_are_pictures_of_the_scored_part(judge: Judge) -> None:
    data = part("test", limit=20)
    asked = (torch.from_numpy(data.labels) + 1) % 10
    scores = SwapScores(data, data, asked, judge)
    seen: list[NDArray[np.uint8]] = []

    def spy(pictures: NDArray[np.uint8], looked: Any) -> dict[str, Any]:
        seen.append(pictures)
        again = judge.see(to_unit(torch.from_numpy(pictures)))
        assert torch.equal(looked.ids, again.ids)
        torch.testing.assert_close(looked.features, again.features)
        assert all(torch.equal(looked.disturbed[k], again.disturbed[k]) for k in TESTS)
        return {}

    scores.swaps = spy  # type: ignore[method-assign]
    scores.returned_input()
    scores.another_real()
    assert (seen[0] == data.images).all()
    places = {image.tobytes(): i for i, image in enumerate(data.images)}
    found = [places[picture.tobytes()] for picture in seen[1]]
    assert data.labels[found].tolist() == asked.tolist()
    assert len(set(found)) == 20, "each in turn, none twice"


def test_a_small_sample_need_not_hold_every_class(judge: Judge) -> None:
    data = part("test", limit=4)  # 0, 1, 2, 3
    train = part("train", limit=2)
    asked = torch.tensor([1, 2, 3, 4])
    scores = SwapScores(data, train, asked, judge)
    result = scores.swaps(data.images, scores.see(data.images))
    distance = rms(data.images[:1], train.images[1:])[0]
    assert result["distance"]["nearest_real"] == pytest.approx(distance), "of the one that is there"
    assert result["realism"] == {"swapped": None, "real_floor": None, "count": 0}
    assert scores.another_real()["swap_accuracy"] == pytest.approx(0.75, abs=0.26)
    nowhere = SwapScores(data, train, torch.tensor([4, 5, 6, 7]), judge)
    assert nowhere.swaps(data.images, None)["distance"]["nearest_real"] is None


def test_the_judge_reads_every_picture_once(judge: Judge, quick: None) -> None:
    """As it is and under each disturbance; more only where a picture is another one."""
    report = report_on(Oracle(), judge)
    pictures = []
    network = judge.network
    handle = network.neck.register_forward_pre_hook(lambda _, args: pictures.append(len(args[0])))
    try:
        report.result()
        # originals and swapped pictures in full, reconstructions as they are
        assert sum(pictures) == COUNT * (2 * (1 + len(TESTS)) + 1)
        report.rows()
        report.resampled(np.ones((1, COUNT), dtype=np.int64))
        report.table()
        report.headlines()
        assert sum(pictures) == COUNT * (2 * (1 + len(TESTS)) + 1)
    finally:
        handle.remove()


def test_disturbed_swaps_are_read_as_the_disturbed_pictures_are(
    swapping: VaeReport, judge: Judge
) -> None:
    images = torch.from_numpy(swapping.gathered.swapped).permute(0, 3, 1, 2).float() / 255
    for name, change in TESTS.items():
        right = judge.read(change(images)) == swapping.asked
        found = swapping.result()["swap_accuracy_disturbed"][name]
        assert found == pytest.approx(float(right.float().mean()))


def numbers(value: Any, path: str = "") -> dict[str, Any]:
    """All leaves of a JSON document by their path."""
    if isinstance(value, dict):
        inner = [numbers(v, f"{path}.{k}") for k, v in value.items()]
        return {k: v for part in inner for k, v in part.items()}
    return {path: value}


@pytest.mark.parametrize("which", ["swapping", "copying", "unjudged"])
def test_the_document_is_json_with_the_contract_s_keys(
    which: str, request: pytest.FixtureRequest
) -> None:
    result = request.getfixturevalue(which).result()
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result.keys() == PROMISED | FURTHER
    assert result["count"] == COUNT
    assert result["leak"].keys() == {"linear", "mlp", "chance"}
    assert result["distance"].keys() == {"swapped", "nearest_real"}
    assert {"swapped", "real_floor"} <= result["realism"].keys()
    assert {"k", "nats"} <= result["iwae"].keys()
    assert result["style"].keys() == {"slant", "stroke_thickness", "ink"}
    assert result["baselines"].keys() == {"input", "real"}


def test_without_a_judge_what_needs_one_is_none(unjudged: VaeReport, swapping: VaeReport) -> None:
    result, judged = unjudged.result(), swapping.result()
    assert {name for name in JUDGED if result[name] is None} == JUDGED
    assert {name for name in JUDGED if judged[name] is None} == set()
    assert set(result["realism"].values()) == {None}
    assert result["style"] == judged["style"]
    assert result["elbo_nats"] == judged["elbo_nats"], "and nothing else depends on it"
    for baseline in result["baselines"].values():
        assert baseline["swap_accuracy"] is None
    assert any("--judge" in line for line in unjudged.table())
    assert {row["read"] for row in unjudged.rows()} == {""}


def test_the_table_of_text_has_a_line_for_every_number(swapping: VaeReport) -> None:
    text = "\n".join(swapping.table())
    for name in ("network", "input", "real"):
        assert name in swapping.table()[1]
    for path, value in numbers(swapping.result()).items():
        if isinstance(value, float) and "baselines" not in path and "per_second" not in path:
            shown = f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"
            assert shown in text, path
    assert "None" not in text
    assert "nan" not in text


def test_rows_and_figure(swapping: VaeReport) -> None:
    rows = swapping.rows()
    result = swapping.result()
    assert [row["name"] for row in rows] == list(swapping.data.names)
    right = [row["read"] == row["asked_label"] for row in rows]
    assert np.mean(right) == pytest.approx(result["swap_accuracy"])
    assert all(row["true_label"] != row["asked_label"] for row in rows)
    own = np.mean([row["reconstruction_nats"] for row in rows])
    assert own == pytest.approx(result["reconstruction_nats"], abs=1e-3)
    assert swapping.figure("title").width > 10 * 80


def renamed(path: Path, folder: Path, **changes: Callable[[Any], Any]) -> Path:
    """Weights whose description is changed."""
    loaded = load_weights(path / "best.safetensors")
    about = loaded.about | {name: change(loaded.about[name]) for name, change in changes.items()}
    save_weights(folder / "w.safetensors", loaded.network.state_dict(), about)
    return folder / "w.safetensors"


def test_a_judge_of_other_pictures_is_refused(
    judge_weights: Path, judge: Judge, tmp_path: Path
) -> None:
    machine = resolve("cpu", "fp32", 1)
    assert (judge.name, judge.size, judge.accuracy) == ("drawn", SIZE, None)
    other = renamed(judge_weights, tmp_path, classes=lambda names: [*names[:-1], "ten"])
    with pytest.raises(WeightsError, match=r"a judge for digits \(0, .*ten\), but these") as caught:
        load_judge(other, "digits", digits.CLASSES, machine)
    assert "--judge" in str(caught.value)
    with pytest.raises(WeightsError, match="a judge for gray pictures, but these are colour"):
        load_judge(judge_weights, "digits", digits.CLASSES, machine, channels=3)
    with pytest.raises(WeightsError, match="weights for segmentation"):
        load_judge("unet-pets", "digits", digits.CLASSES, machine)
    with pytest.raises(UsageError, match="unknown weights"):
        load_judge("nobody", "digits", digits.CLASSES, machine)
    assert load_judge(None, "class-folder", ("a", "b"), machine) is None, "none is bundled"


def test_a_judge_says_its_accuracy_if_its_weights_do(judge_weights: Path, tmp_path: Path) -> None:
    path = renamed(judge_weights, tmp_path, metrics=lambda m: m | {"test_accuracy": 0.875})
    found = load_judge(path, "digits", digits.CLASSES, resolve("cpu", "fp32", 1))
    assert found is not None
    assert (found.name, found.accuracy) == ("w", 0.875)


def test_a_judge_is_for_a_vae(judge_weights: Path, tmp_path: Path) -> None:
    train(tiny_config(epochs=1), tmp_path / "unet")
    for weights in (judge_weights, tmp_path / "unet"):
        with pytest.raises(UsageError, match="--judge"):
            netlab.evaluate(weights, judge=judge_weights, device="cpu", threads=1, limit=8)
