"""A run finds its own pictures from any folder, and is not scored on others without a word."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netlab.compare.comparison import score_run
from netlab.config import TrainConfig
from netlab.errors import DataError
from netlab.runs.folder import RunDir, create_run
from netlab.runs.pictures import with_own_paths, with_paths
from netlab.scoring.evaluate import evaluate
from netlab.training import fit
from netlab.weights.file import read_tensors
from netlab.weights.header import read_header
from tests._copies import write_mnist, write_pairs
from tests.conftest import forked, tiny_config, tiny_labelled


def draw(folder: Path, seed: int) -> None:
    """A folder of two classes, 12 noisy pictures each."""
    rng = np.random.default_rng(seed)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 256, (12, 12, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


@pytest.fixture(autouse=True)
def _no_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer than the training."""
    monkeypatch.setattr(fit, "write_training_page", lambda *_: None)
    monkeypatch.setattr(fit, "save_samples", lambda *_: None)


def trained(config: TrainConfig, folder: Path) -> RunDir:
    run = create_run(Path(), "", config.to_yaml(), folder)
    fit.train(config, run)
    return run


@pytest.fixture
def projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two folders with other pictures of the same relative path; the current one is the first."""
    for number, name in enumerate(("first", "second")):
        draw(tmp_path / name / "photos", number)
    monkeypatch.chdir(tmp_path / "first")
    return tmp_path / "first", tmp_path / "second"


@pytest.fixture
def run(projects: tuple[Path, Path]) -> RunDir:
    config = tiny_labelled(
        "classifier", dataset="class-folder", images="photos", limit=None, epochs=1
    )
    return trained(config, projects[0] / "run")


def without_record(run: RunDir) -> None:
    """As runs were before they wrote down where their pictures lie."""
    run.data.unlink()


def test_a_run_finds_its_own_pictures_from_any_folder(
    projects: tuple[Path, Path], run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = evaluate(run.path).result()
    monkeypatch.chdir(projects[1])
    there = evaluate(run.path).result()
    for result in (here, there):
        result.pop("images_per_second")
    assert there == here
    copied = shutil.copytree(run.path, projects[1] / "copied")
    assert evaluate(copied).result()["accuracy"] == here["accuracy"]
    moved = projects[0].rename(projects[0].with_name("third"))
    monkeypatch.chdir(moved)
    assert evaluate(moved / "run").result()["accuracy"] == here["accuracy"]


@pytest.mark.parametrize("recorded", [True, False])
def test_other_pictures_of_the_same_path_are_refused(
    projects: tuple[Path, Path], run: RunDir, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    if recorded:
        (projects[0] / "photos").rename(projects[0] / "elsewhere")
    else:
        without_record(run)
    monkeypatch.chdir(projects[1])
    words = r"photos: the pictures in it are not those that .*run was trained on; .*--images"
    with pytest.raises(DataError, match=words) as caught:
        evaluate(run.path)
    assert "\n" not in str(caught.value)
    assert evaluate(run.path, images=Path("photos")).result()["split"] == "all"
    with pytest.raises(DataError, match=words):
        score_run(run, "test")
    if recorded:
        done = forked("eval", run.path, cwd=projects[1])
        assert done.returncode == 2
        assert done.stderr.count(b"\n") == 1


def test_pictures_that_were_changed_since_are_refused(
    projects: tuple[Path, Path], run: RunDir
) -> None:
    shutil.rmtree(projects[0] / "photos")
    shutil.copytree(projects[1] / "photos", projects[0] / "photos")
    with pytest.raises(DataError, match="not those that"):
        evaluate(run.path)


@pytest.mark.slow
def test_folders_of_older_runs_keep_working(run: RunDir) -> None:
    without_record(run)
    assert evaluate(run.path).result()["split"] == "test"
    run.state.unlink()  # nothing is known of its pictures
    assert evaluate(run.path).result()["split"] == "test"
    run.data.write_text("[1, 2")  # damaged
    assert evaluate(run.path).result()["split"] == "test"


def test_resume_finds_them_too(
    projects: tuple[Path, Path], run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = forked("train", "--resume", run.path, "--epochs", "2", cwd=projects[1])
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(projects[1].parent)
    assert evaluate(run.path).result()["split"] == "test"


def test_weights_hold_no_path_of_the_machine(run: RunDir) -> None:
    assert json.loads(run.data.read_text())["started_in"] == str(run.path.parent)
    for path in (run.best, run.last, run.state):
        assert str(run.path.parent) not in json.dumps(read_header(path).about)
        assert read_tensors(path)


def test_pairs_have_two_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed, name in enumerate(("first", "second")):
        (tmp_path / name).mkdir()
        write_pairs(tmp_path / name / "images", tmp_path / name / "masks", seed=seed)
    monkeypatch.chdir(tmp_path / "first")
    config = tiny_config(dataset="pairs", images="images", masks="masks", limit=None, epochs=1)
    run = trained(config, tmp_path / "run")
    here = evaluate(run.path).result()["miou"]
    monkeypatch.chdir(tmp_path / "second")
    assert evaluate(run.path).result()["miou"] == here
    without_record(run)
    with pytest.raises(DataError, match="name their folder with --images and --masks"):
        evaluate(run.path)


@pytest.mark.parametrize("stated", [None, "data", "others"])
def test_the_data_folder_is_the_run_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stated: str | None
) -> None:
    folder = tmp_path / "first" / (stated or "data")
    write_mnist(folder)
    monkeypatch.chdir(folder.parent)
    config = tiny_labelled("classifier", dataset="mnist", data_dir=stated, limit=None, epochs=1)
    run = trained(config, tmp_path / "run")
    (tmp_path / "second").mkdir()
    monkeypatch.chdir(tmp_path / "second")
    assert evaluate(run.path).result()["count"] == 20
    assert with_paths(config, run.best).data_dir == str(folder)
    monkeypatch.chdir(folder.parent)
    assert with_paths(config, run.best).data_dir == stated


def test_an_edited_path_counts(projects: tuple[Path, Path], run: RunDir) -> None:
    edited = str(projects[1] / "photos")
    config = tiny_labelled("classifier", dataset="class-folder", images=edited)
    assert with_own_paths(config, run).images == edited


def test_drawn_pictures_are_not_recorded(tmp_path: Path) -> None:
    run = trained(tiny_labelled("classifier", epochs=1), tmp_path / "run")
    assert not run.data.exists()
