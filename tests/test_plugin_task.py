"""A task of another package: `examples/plugin-task`, installed and used by the real commands."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from netlab.weights.file import read_tensors
from tests.conftest import read_rows

PLUGIN = Path(__file__).parent.parent / "examples" / "plugin-task"
FLAGS = [
    "--dataset", "synthetic", "--image-size", "16", "--limit", "16", "--width", "4",
    "--batch-size", "8", "--device", "cpu", "--precision", "fp32", "--threads", "1",
]  # fmt: skip


MEASURED = {"seconds", "images_per_second", "memory_mib"}


class Lab:
    """A folder to work in, with the plug-in installed beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "-q"]
        done = subprocess.run(
            [*pip, "--target", folder / "site", PLUGIN], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def start(self, *words: str | Path) -> "subprocess.Popen[str]":
        """A command that runs."""
        paths = [str(self.folder / "site"), os.environ.get("PYTHONPATH", "")]
        return subprocess.Popen(
            [sys.executable, "-m", "netlab", *map(str, words)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str | Path, code: int = 0) -> tuple[str, str]:
        """Stdout and stderr of a command."""
        with self.start(*words) as process:
            out, err = process.communicate(timeout=120)
        assert process.returncode == code, err
        return out, err


def test_the_plugin_is_short() -> None:
    files = [*PLUGIN.rglob("*.py")]
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) <= 150


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    noise = ["--set", "task.noise=0.2"]
    lab("train", "denoiser", *FLAGS, *noise, "--epochs", "2", "--run-dir", "runs/a")
    lab("train", "denoiser", *FLAGS, *noise, "--epochs", "1", "--run-dir", "runs/b")
    return lab


@pytest.mark.slow
def test_training_is_judged_by_the_score_of_the_task(lab: Lab) -> None:
    run = lab.folder / "runs" / "a"
    state = json.loads((run / "state.json").read_text())
    assert state["score"]["column"] == "val_psnr"
    assert "noise: 0.2" in (run / "config.yaml").read_text()
    rows = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
    psnr = [float(row[rows[0].index("val_psnr")]) for row in rows[1:]]
    assert state["best"] == pytest.approx(max(psnr), abs=1e-5)
    assert re.search(r"PSNR \d+\.\d{4} dB \*", (run / "log.txt").read_text())
    page = (run / "report.html").read_text()
    for words in ("PSNR (dB)", "Validation PSNR", "noisy input", "Denoised"):
        assert words in page
    assert (run / "curves.png").is_file()
    assert (run / "samples" / "best.png").is_file()


@pytest.mark.slow
def test_runs_eval_and_info_know_the_task(lab: Lab) -> None:
    out, _ = lab("runs")
    assert len(re.findall(r"PSNR \d+\.\d dB", out)) == 2
    listed = json.loads(lab("runs", "--json")[0])
    assert {run["best_name"] for run in listed} == {"val_psnr"}
    out, _ = lab("eval", "runs/a", "--limit", "8", "--csv", "rows.csv")
    assert re.search(r"PSNR \(dB\) +\d", out)
    assert "noisy input" in out
    result = json.loads(lab("eval", "runs/a", "--limit", "8", "--json", "--overwrite")[0])
    assert result["count"] == 8
    assert result["psnr"] > 0 < result["baselines"]["noisy_input"]["psnr"]
    assert (lab.folder / "rows.csv").read_text().startswith("name,psnr")
    _, err = lab("eval", "runs/a", "--judge", "classifier-mnist", code=2)
    assert "--judge and --beside are for a vae, not for denoiser" in err
    out, _ = lab("info", "runs/a", "--diagram")
    assert "denoiser: maxpool + conv + transpose" in out
    assert "val_psnr" in out
    assert (lab.folder / "runs" / "a" / "diagram.svg").is_file()


@pytest.mark.slow
def test_methods_of_the_task_stand_side_by_side(lab: Lab) -> None:
    out, _ = lab("compare", "runs/a", "runs/b", "--split", "val", "--out", "side-by-side", "--json")
    comparison = json.loads(out)
    assert comparison["score"] == "psnr"
    assert {"noisy_input"} == set(comparison["baselines"])
    assert "Validation PSNR" in (lab.folder / "side-by-side" / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals to other processes are POSIX")
def test_a_run_stopped_within_an_epoch_ends_as_if_it_had_not_been(lab: Lab) -> None:
    flags = [*FLAGS, "--limit", "800", "--set", "task.noise=0.2", "--epochs", "3"]
    state = lab.folder / "runs" / "stopped" / "state.json"
    with lab.start("train", "denoiser", *flags, "--run-dir", "runs/stopped") as process:
        while not state.is_file():  # it is written when the first epoch has ended
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        time.sleep(0.2)  # by now the second is under way
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert json.loads(state.read_text())["batch"] > 0
    _, err = lab("train", "--resume", "runs/stopped", "--set", "task.noise=0.3", code=2)
    assert "task" in err
    lab("train", "--resume", "runs/stopped")
    lab("train", "denoiser", *flags, "--run-dir", "runs/whole")
    stopped, whole = (lab.folder / "runs" / name for name in ("stopped", "whole"))
    ours, theirs = (read_tensors(run / "last.safetensors") for run in (stopped, whole))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    timeless = [
        [{k: row[k] for k in row if k not in MEASURED} for row in read_rows(run / "metrics.csv")]
        for run in (stopped, whole)
    ]
    assert timeless[0] == timeless[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["denoiser", "--set", "task.nose=1"], "task 'denoising' does not take nose"),
        (["denoiser", "--set", "task.noise=loud"], "task.noise must be a number"),
        (["denoiser", "--loss", "ce"], "loss 'ce' is for segmentation and classification"),
        (["denoiser", "--latent", "3"], "--latent: not for denoiser"),
        (["unet", "--loss", "charbonnier"], "loss 'charbonnier' is for denoising"),
    ],
)
def test_wrong_use_is_one_line(lab: Lab, words: list[str], expected: str) -> None:
    _, err = lab("train", *words, *FLAGS, code=2)
    assert expected in err
    assert len(err.splitlines()) == 1
