"""The commands as processes: exit codes, one line an error, stdout for results.

Each command is called once by `netlab`, the real one; `forked` is for what more there is to see.
"""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from netlab.cli.main import COMMANDS
from tests._copies import drawn
from tests._docs import ROOT
from tests.conftest import TINY_FLAGS, forked, netlab, slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a tiny training has been run."""
    cwd = tmp_path_factory.mktemp("work")
    done = netlab("train", "unet", *TINY_FLAGS, "--name", "tiny", "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert (cwd / told["weights"]).is_file()
    assert told["best"]["val_miou"] > 0
    said = done.stderr.decode()
    assert "24 to train" in said
    assert "epoch 2/2" in said
    assert "\x1b[" not in said, "no colours in a pipe"
    return cwd


THROUGH_THE_PROCESS = {
    "train": ("unet", *TINY_FLAGS, "--epochs", "1", "--run-dir", "other", "--json"),
    "eval": ("last", "--limit", "8", "--json"),
    "predict-mask": ("pet.jpg", "--json"),
    "swap-label": ("--label", "3", "--count", "2", "--from-prior", "--json"),
    "compare": ("last", "--json"),
    "list": ("--json",),
    "info": ("last", "--json"),
    "download": ("pets", "--data-dir", "pets"),
    "runs": ("--json",),
}
"""A call of each command that does its work, and what stands behind its name."""


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_works_as_the_real_process(
    runs: Path, tmp_path: Path, pets_copy: Path, command: str
) -> None:
    """Started from nothing, in a folder with a run, a picture and a data set."""
    shutil.copytree(runs / "runs", tmp_path / "runs")
    shutil.copy(ROOT / "examples" / "pet.jpg", tmp_path)
    assert pets_copy.parent == tmp_path
    done = netlab(command, *THROUGH_THE_PROCESS[command], cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    if "--json" in THROUGH_THE_PROCESS[command]:
        assert json.loads(done.stdout)
    else:
        assert b"already in pets" in done.stdout


@pytest.mark.parametrize("words", [(), *((command,) for command in COMMANDS)], ids=" ".join)
def test_help_of_the_real_process(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = netlab(*words, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert b"Usage: " in done.stdout
    shown = " ".join(done.stdout.decode().replace("│", " ").split())
    for line in [COMMANDS[words[0]][1]] if words else [about for _, about in COMMANDS.values()]:
        assert line in shown
    assert done.stderr == b""


def one_line(done: subprocess.CompletedProcess[bytes], code: int) -> str:
    text = done.stderr.decode().strip()
    assert done.returncode == code, text
    assert done.stdout == b""
    assert "Traceback" not in text
    assert text.count("\n") == 0, text
    assert text.startswith("netlab: ")
    return text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "unet", "--encoder", "stridded"], "Did you mean 'strided'"),
        (["train", "unett"], "Did you mean 'unet'"),
        (["train"], "say what to train"),
        (["train", "unet", "--loss", "ce+"], "no weighted sum"),
        (["train", "unet", "--image-size", "4"], "image-size must be at least 8"),
        (["train", "unet", "--preset", "slow"], "unknown preset"),
        (["train", "unet", "--config", "no.yaml"], "no.yaml: cannot read"),
        (
            ["train", "unet", "--set", "encoder.x=1", "--dataset", "synthetic"],
            "encoder 'maxpool' does not take",
        ),
        (["train", "unet", "--device", "cuda", "--dataset", "synthetic"], "CUDA"),
        (["train", "unet", "--no-download"], "no Oxford-IIIT Pet data in data"),
        (
            ["train", "unet", "--dataset", "pairs", "--images", "nowhere", "--masks", "m"],
            "no such folder",
        ),
        (["train", "--resume", "last"], "no run in runs yet"),
        (["train", "unet", "--allow-changes"], "--allow-changes goes with --resume"),
        (["train", "unet", "--epochs", "two"], "epochs"),
        (["trian"], "No such command"),
        (["list", "encodr"], "unknown kind"),
        (["info", "nothing.safetensors"], "no such weights file"),
        (["eval", "--split", "train"], "write val or test"),
        (["eval", "unet-petz"], "Did you mean 'unet-pets'"),
        (["download", "synthetic"], "needs no download"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(tmp_path: Path, words: list[str], expected: str) -> None:
    env = {"CUDA_VISIBLE_DEVICES": ""}
    assert expected in one_line(forked(*words, cwd=tmp_path, env=env), 2)
    assert not (tmp_path / "runs").exists(), "nothing written"


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = netlab("train", "unet", "--encoder", "x", "--debug", cwd=tmp_path)
    assert done.returncode == 2
    assert b"Traceback" in done.stderr


def test_version_and_list(tmp_path: Path) -> None:
    assert netlab("--version", cwd=tmp_path).stdout.startswith(b"netlab 0.")
    listed = netlab("list", cwd=tmp_path).stdout.decode()
    for name in ("maxpool", "strided", "transpose", "upsample", "dice", "unet/lesson", "unet-pets"):
        assert name in listed
    table = json.loads(netlab("list", "encoders", "--json", cwd=tmp_path).stdout)
    assert {"maxpool", "strided"} <= {row["name"] for row in table["encoder"]}


@pytest.mark.parametrize("harm", [{"classes": [["x"]]}, {"metrics": "x"}, {"input": None}])
def test_info_of_a_description_of_wrong_types_is_one_line(
    runs: Path, tmp_path: Path, harm: dict[str, object]
) -> None:
    """Found by tests/fuzz.py."""
    from netlab.weights.file import read_tensors, save_weights
    from netlab.weights.header import read_header

    path = next(runs.glob("runs/*/best.safetensors"))
    save_weights(tmp_path / "w.safetensors", read_tensors(path), read_header(path).about | harm)
    done = forked("info", "w.safetensors", cwd=tmp_path)
    assert "w.safetensors: its description of itself is damaged" in one_line(done, 2)


def test_info_describes_weights_without_torch(runs: Path) -> None:
    told = netlab("info", "last", cwd=runs)
    assert b"maxpool + conv + transpose" in told.stdout
    about = json.loads(netlab("info", "last", "--json", cwd=runs).stdout)
    assert about["command"].startswith("netlab train unet --dataset synthetic")
    assert about["weights"] > 1000
    assert str(runs) not in json.dumps(about | {"file": ""})


def test_eval_prints_a_table_and_one_json_document(runs: Path) -> None:
    table = forked("eval", "last", "--device", "cpu", "--csv", "scores.csv", cwd=runs)
    assert table.returncode == 0, table.stderr.decode()
    assert b"mean mask" in table.stdout
    assert (runs / "scores.csv").read_text().startswith("name,miou,pixel_accuracy,iou_pet")
    done = forked("eval", "last", "--json", "--split", "val", "--device", "cpu", cwd=runs)
    result = json.loads(done.stdout)
    keys = {
        "split", "count", "dropped", "miou", "pixel_accuracy", "iou", "dice", "binary_iou",
        "boundary_f", "ece", "baselines", "images_per_second",
    }  # fmt: skip
    assert keys <= result.keys()
    assert set(result["iou"]) == {"pet", "background", "border"}
    assert set(result["binary_iou"]) == {"border_as_pet", "border_as_background"}
    assert set(result["baselines"]) == {"constant", "mean_mask"}
    assert 0 <= result["miou"] <= 1
    folder = next((runs / "runs").iterdir())
    for name in ("eval_test.png", "eval_val.png"):
        with Image.open(folder / name) as image:
            assert image.width > 300
    again = forked("eval", "last", "--csv", "scores.csv", cwd=runs)
    assert "--overwrite" in one_line(again, 2)


def test_eval_scores_own_folders(runs: Path, pairs_copy: tuple[Path, Path]) -> None:
    images, masks = pairs_copy
    done = forked("eval", "last", "--images", images, "--masks", masks, "--json", cwd=runs)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["count"] == 20
    folder = next((runs / "runs").iterdir())
    assert all((folder / f"eval_all.{ending}").is_file() for ending in ("png", "html"))


def test_scores_are_told_even_where_the_figure_cannot_be_written(runs: Path) -> None:
    folder = next((runs / "runs").iterdir())
    blocked = folder / "eval_val.png"
    blocked.unlink(missing_ok=True)
    words = ("eval", "last", "--split", "val", "--json", "--figure", "/proc/none/x.png")
    assert forked(*words, cwd=runs).returncode == 2, "no such folder"
    done = forked(*words[:-1], "/proc/x.png", cwd=runs)
    assert done.returncode == 3
    assert json.loads(done.stdout)["split"] == "val"


def test_commands_hold_no_place_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    from netlab.cli.training import command_line

    words = ["--data-dir", "/secret/a=b/c", "--images=/secret/d", "-x", "--loss", "ce+0.5*dice"]
    monkeypatch.setattr("sys.argv", ["netlab", "train", *words])
    assert "secret" not in command_line()
    assert command_line().startswith("netlab train --data-dir c --images=d -x --loss")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_killed_run_goes_on_and_ends_with_equal_bits(tmp_path: Path) -> None:
    flags = [*TINY_FLAGS, "--epochs", "8"]
    command = [sys.executable, "-m", "netlab", "train", "unet", *flags, "--run-dir", "r"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("epoch 3/"):
                break
        process.kill()
    for words in (["--resume", "r"], ["unet", *flags, "--run-dir", "whole"]):
        done = netlab("train", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr.decode()
    from netlab.weights.file import read_tensors

    a, b = (read_tensors(tmp_path / r / "last.safetensors") for r in ("r", "whole"))
    assert all((a[k] == b[k]).all() for k in a)


def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    done = forked("train", "unet", *TINY_FLAGS, "--dry-run", "--json", cwd=tmp_path)
    facts = json.loads(done.stdout)
    assert facts["shapes"]["input"] == [8, 3, 32, 32]
    assert facts["shapes"]["head"] == [8, 3, 32, 32]
    assert facts["seconds"] >= 0
    assert facts["peak_memory_mib"] > 50
    assert not list(tmp_path.iterdir())


def test_training_on_pairs_and_on_pets(
    tmp_path: Path, pairs_copy: tuple[Path, Path], pets_copy: Path
) -> None:
    small = "--image-size 32 --width 4 --depth 2 --stem 1 --epochs 1 --batch-size 8 --threads 1"
    images, masks = pairs_copy
    done = forked(
        "train", "unet", "--dataset", "pairs", "--images", images, "--masks", masks,
        *small.split(), cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    done = forked(
        "train", "unet", "--encoder", "strided", "--decoder", "upsample", "--loss", "dice",
        *small.split(), cwd=tmp_path, env={"NETLAB_DATA": str(pets_copy)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    config = (max((tmp_path / "runs").iterdir()) / "config.yaml").read_text()
    assert "dataset: pets" in config


def test_weights_of_another_data_set_are_told_apart(runs: Path, tmp_path: Path) -> None:
    folders = tmp_path / "i", tmp_path / "m"
    for folder in folders:
        folder.mkdir()
    for n, (image, mask) in enumerate(zip(*drawn(4), strict=True)):
        Image.fromarray(image).save(folders[0] / f"{n}.png")
        Image.fromarray((mask > 1).astype("uint8")).save(folders[1] / f"{n}.png")
    done = forked(
        "train", "unet", *TINY_FLAGS, "--dataset", "pairs", "--images", folders[0],
        "--masks", folders[1], "--classes", "thing,ground", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    done = forked("eval", "last", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["iou"].keys() == {"thing", "ground"}
    done = forked("predict-mask", folders[0] / "0.png", "--weights", "last", cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="signals to other processes are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, *slow(signal.SIGTERM)])
def test_interrupt_saves_and_resume_ends_with_equal_weights(
    runs: Path, tmp_path: Path, number: int
) -> None:
    flags = [*TINY_FLAGS, "--epochs", "12"]
    command = [sys.executable, "-m", "netlab", "train", "unet", *flags, "--run-dir", "r"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("epoch 2/"):
                break
        process.send_signal(number)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "netlab train --resume r" in rest
    state = json.loads((tmp_path / "r" / "state.json").read_text())
    assert state["epoch"] >= 2
    refused = forked("train", "--resume", "r", "--lr", "0.5", cwd=tmp_path)
    assert "--lr was 0.004, is 0.5; to go on all the same, add --allow-changes" in one_line(
        refused, 2
    )
    done = forked("train", "--resume", "r", cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    if number == signal.SIGINT:
        whole = forked("train", "unet", *flags, "--run-dir", "whole", cwd=tmp_path)
        assert whole.returncode == 0
        from netlab.weights.file import read_tensors

        a, b = (read_tensors(tmp_path / r / "last.safetensors") for r in ("r", "whole"))
        assert all((a[k] == b[k]).all() for k in a)


def test_an_existing_run_folder_is_never_touched(runs: Path) -> None:
    folder = next((runs / "runs").iterdir())
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    done = forked("train", "unet", *TINY_FLAGS, "--run-dir", folder, cwd=runs)
    assert "exists already" in one_line(done, 2)
    assert before == {p: p.stat().st_mtime_ns for p in folder.rglob("*")}


@pytest.mark.slow
@pytest.mark.real
def test_short_training_on_the_real_pets_beats_the_mean_mask(
    real_pets: Path, tmp_path: Path
) -> None:
    env = {"NETLAB_DATA": str(real_pets)}
    done = forked(
        "train", "unet", "--limit", "600", "--epochs", "6", "--image-size", "64", "--width", "12",
        "--stem", "1", "--lr", "4e-3", cwd=tmp_path, env=env,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    done = forked("eval", "last", "--limit", "300", "--json", cwd=tmp_path, env=env)
    result = json.loads(done.stdout)
    assert result["miou"] > result["baselines"]["mean_mask"]["miou"] + 0.05
    assert result["count"] + result["dropped"] == 300
