"""`netlab eval` end to end, against a plain loop and scikit-learn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, jaccard_score

import netlab
from netlab import registry
from netlab.contracts.dataset import DataRequest
from netlab.data.synthetic import Synthetic
from netlab.errors import DataError, UsageError
from netlab.settings import merge, recipe
from netlab.tasks.load import Loaded, describe
from netlab.tasks.segmentation.task import Segmentation
from netlab.weights.file import save_weights
from tests.conftest import tiny_config

pytestmark = pytest.mark.usefixtures("drawn_once")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network, whose scores are as good a test as any."""
    config = tiny_config(width=8)
    network = netlab.build_model(config)
    about = describe(config, network, Segmentation(config, ("pet", "background", "border")).facts())
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(path, network.state_dict(), about)
    return path


@pytest.fixture(scope="module")
def report(weights: Path) -> Any:
    return netlab.evaluate(
        weights, device="cpu", precision="fp32", threads=1, batch_size=7, limit=24
    )


def test_scores_are_those_of_a_plain_loop_and_scikit_learn(weights: Path, report: Any) -> None:
    loaded = netlab.load(weights)
    data = Synthetic().load(DataRequest(split="test", image_size=32, limit=24))
    guesses = []
    for image in data.images:
        pixels = (torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.25
        with torch.inference_mode():
            guesses.append(loaded.network(pixels)[0].argmax(dim=0).numpy())
    truth, guess = data.masks.ravel(), np.stack(guesses).ravel()
    result = report.result()
    assert result["count"] == 24
    assert result["pixel_accuracy"] == pytest.approx(accuracy_score(truth, guess), abs=1e-4)
    expected = jaccard_score(truth, guess, labels=[0, 1, 2], average=None)
    assert list(result["iou"].values()) == pytest.approx(expected.tolist(), abs=1e-4)
    assert result["miou"] == pytest.approx(expected.mean(), abs=1e-4)
    merged = jaccard_score(truth != 1, guess != 1)
    assert result["binary_iou"]["border_as_pet"] == pytest.approx(merged, abs=1e-4)


def test_baselines_are_fitted_on_the_training_part(report: Any) -> None:
    load = Synthetic().load
    train, test = (
        load(DataRequest(split=split, image_size=32, limit=limit))
        for split, limit in (("train", None), ("test", 24))
    )
    common = np.bincount(train.masks.ravel(), minlength=3).argmax()
    constant = report.result()["baselines"]["constant"]
    assert constant["pixel_accuracy"] == pytest.approx((test.masks == common).mean())
    shares = np.stack([(train.masks == c).mean(axis=0) for c in range(3)])
    mean = report.result()["baselines"]["mean_mask"]
    assert mean["pixel_accuracy"] == pytest.approx((test.masks == shares.argmax(axis=0)).mean())
    assert constant["iou"]["pet"] == 0


def test_rows_and_figure_show_every_picture_s_own_score(report: Any) -> None:
    rows = report.rows()
    assert [row["name"] for row in rows] == list(report.data.names)
    whole = report.result()
    own = np.mean([row["pixel_accuracy"] for row in rows])
    assert own == pytest.approx(whole["pixel_accuracy"], abs=1e-5)  # all of one size
    assert report.figure("title").height > 8 * 144


def test_the_training_s_limit_does_not_shrink_the_test_split(weights: Path) -> None:
    assert netlab.load(weights).config.limit == 24
    assert netlab.evaluate(weights, device="cpu", threads=1).result()["count"] == 128


def test_other_classes_are_refused(weights: Path, pairs_copy: tuple[Path, Path]) -> None:
    loaded = netlab.load(weights)
    other = Loaded(loaded.network, {**loaded.about, "classes": ["a", "b"]}, loaded.config)
    with pytest.raises(DataError, match="the data have the classes pet, background, border"):
        netlab.evaluate(other, device="cpu", threads=1)
    own = netlab.evaluate(
        loaded, images=pairs_copy[0], masks=pairs_copy[1], device="cpu", threads=1
    )
    assert own.result()["count"] == 20


@pytest.mark.parametrize("options", [{"judge": "judge-mnist"}, {"beside": ["vae-mnist"]}])
@pytest.mark.parametrize(
    "task", [name for name in registry.names("task") if not registry.get("task", name).judged]
)
def test_tasks_without_pictures_to_judge_refuse_a_judge(task: str, options: dict[str, Any]) -> None:
    archs = {registry.get("architecture", a).task: a for a in registry.names("architecture")}
    loaded = Loaded(torch.nn.Identity(), {"task": task}, merge({}, recipe(archs[task], [])))
    with pytest.raises(UsageError, match=f"for a vae, not for {archs[task]}"):
        netlab.evaluate(loaded, device="cpu", precision="fp32", threads=1, **options)
