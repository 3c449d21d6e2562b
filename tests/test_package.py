"""What a newcomer gets: the wheel, the plug-in, the examples, the run-time packages."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests._docs import ROOT, Document


def run(*words: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(w) for w in words],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(source: Path, target: Path, cwd: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "-q"]
    run(*pip, "--target", target, source, cwd=cwd)


@pytest.mark.slow
def test_the_wheel_works_elsewhere(tmp_path: Path) -> None:
    run(
        sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path / "dist",
        ROOT, cwd=tmp_path,
    )  # fmt: skip
    wheel = next((tmp_path / "dist").glob("*.whl"))
    with zipfile.ZipFile(wheel) as packed:
        assert {f"netlab/figures/html/page.{e}" for e in ("css", "js")} <= {*packed.namelist()}
    install(wheel, tmp_path / "site", tmp_path)
    env = {"PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"}
    where = run(
        sys.executable, "-c", "import netlab; print(netlab.__file__)", cwd=tmp_path, env=env
    )
    assert str(tmp_path / "site") in where
    listed = run(sys.executable, "-m", "netlab", "list", cwd=tmp_path, env=env)
    for name in ("synthetic", "pets", "unet/default", "unet-pets"):
        assert name in listed
    photo = tmp_path / "pet.jpg"
    photo.write_bytes((ROOT / "examples" / "pet.jpg").read_bytes())
    run(sys.executable, "-m", "netlab", "predict-mask", photo, cwd=tmp_path, env=env)
    assert (tmp_path / "pet_mask.png").is_file()


@pytest.mark.slow
def test_the_example_plugin_installs_and_trains(tmp_path: Path) -> None:
    install(ROOT / "examples" / "plugin", tmp_path / "site", tmp_path)
    env = {"PYTHONPATH": str(tmp_path / "site")}
    listed = run(sys.executable, "-m", "netlab", "list", "encoder", cwd=tmp_path, env=env)
    assert re.search(r"blurpool .*\[netlab-blurpool\]", listed)
    told = run(
        sys.executable, "-m", "netlab", "train", "unet", "--encoder", "blurpool", "--dataset",
        "synthetic", "--limit", "16", "--epochs", "1", "--image-size", "32", "--width", "4",
        "--json", cwd=tmp_path, env=env,
    )  # fmt: skip
    weights = json.loads(told)["weights"]
    run(sys.executable, "-m", "netlab", "info", weights, cwd=tmp_path, env=env)
    run(sys.executable, "-m", "netlab", "eval", weights, "--limit", "8", cwd=tmp_path, env=env)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_own_data_script_runs(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {"PATH": path, "EPOCHS": "1", "OUT": str(tmp_path / "out")}
    run("bash", ROOT / "examples" / "own_data.sh", cwd=tmp_path, env=env)
    assert len(list((tmp_path / "out").glob("*_overlay.png"))) == 60


def test_bundled_weights_know_what_made_them_and_cut_out_our_cat(tmp_path: Path) -> None:
    import netlab
    from netlab.runs.find import DEFAULT
    from netlab.weights.bundled import bundled
    from netlab.weights.header import read_header

    path = bundled()[DEFAULT]
    assert path.stat().st_size <= 8 * 2**20
    about = read_header(path).about
    assert about["command"].startswith("netlab train unet")
    assert about["metrics"]["test_miou"] >= 0.72
    assert "CC BY-SA 4.0" in about["licence"]
    assert isinstance(about["seed"], int)
    assert "/" not in about["command"]
    found = netlab.predict_mask(ROOT / "examples" / "pet.jpg", device="cpu")
    with Image.open(ROOT / "examples" / "pet.jpg") as image:
        assert found.mask.shape == (image.height, image.width)
    assert 0.2 < (found.mask == 0).mean() < 0.6
    assert (found.mask[150:300, 200:280] == 0).mean() > 0.9, "its face and chest"
    corners = np.concatenate([found.mask[:60, :80].ravel(), found.mask[:60, -80:].ravel()])
    assert (corners == 1).mean() > 0.9, "the room behind it"


def test_run_time_packages_are_exactly_those_of_the_mission() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=!~ ]", d)[0] for d in project["dependencies"]}
    assert names == {
        "torch", "torchvision", "typer", "rich", "pillow", "safetensors", "pyyaml",
    }  # fmt: skip


def test_ci_runs_the_readme_s_test_command() -> None:
    (line,) = [b.text.strip() for b in Document("README.md").blocks() if "/pytest" in b.text]
    quiet = line.replace("pip install", "pip install -q")
    assert quiet in (ROOT / ".ci" / "run").read_text()
