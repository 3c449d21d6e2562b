"""Output wherever it goes: encodings with few characters, closed streams, pipes that end early."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TINY_FLAGS, netlab

_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs bash")
_PET = Path(__file__).parent.parent / "examples" / "pet.jpg"
_LATIN = {"PYTHONIOENCODING": "cp437"}
_NO_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
_ENCODINGS = [
    _LATIN,
    {"PYTHONIOENCODING": "cp1251"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "ascii:strict"},
    _NO_LOCALE,
]


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `netlab` is the real command; prints its exit code at the end."""
    command = f"netlab() {{ '{sys.executable}' -m netlab \"$@\"; }}; {line}"
    return subprocess.run(
        ["bash", "-c", command], cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("env", _ENCODINGS, ids=lambda env: "+".join(env.values()))
@pytest.mark.parametrize("words", [["list"], ["compare", "--help"], ["info", "unet-pets"]])
def test_any_encoding_does(tmp_path: Path, env: dict[str, str], words: list[str]) -> None:
    done = netlab(*words, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    encoding = env.get("PYTHONIOENCODING", "ascii").partition(":")[0]
    text = done.stdout.decode(encoding)
    assert "\\u" not in text, "what netlab itself says is spelled"


def test_characters_that_are_missing_are_spelled(tmp_path: Path) -> None:
    said = netlab("list", "encoder", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"}).stdout
    assert b"2 x 2 max pooling" in said
    assert "2 × 2 max pooling" in netlab("list", "encoder", cwd=tmp_path).stdout.decode()


@pytest.mark.parametrize("env", _ENCODINGS, ids=lambda env: "+".join(env.values()))
def test_documents_are_the_same_in_any_encoding(tmp_path: Path, env: dict[str, str]) -> None:
    whole = json.loads(netlab("list", "--json", cwd=tmp_path).stdout)
    done = netlab("list", "--json", cwd=tmp_path, env=env)
    encoding = env.get("PYTHONIOENCODING", "ascii").partition(":")[0]
    assert json.loads(done.stdout.decode(encoding)) == whole


@pytest.mark.slow
@pytest.mark.parametrize("name", ["кот", "日本", "𝒸é"])
def test_files_of_any_name_in_any_encoding(tmp_path: Path, name: str) -> None:
    shutil.copy(_PET, tmp_path / f"{name}.jpg")
    done = netlab("predict-mask", f"{name}.jpg", "--json", cwd=tmp_path, env=_LATIN)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout.decode("cp437"))["results"]
    assert result["output"] == f"{name}_mask.png"
    assert (tmp_path / result["output"]).is_file()
    done = netlab("predict-mask", f"{name}.jpg", cwd=tmp_path, env=_NO_LOCALE)
    assert done.returncode == 0, done.stderr
    assert os.fsdecode(done.stdout).strip() == f"{name}_mask-2.png", "as it came in"


@pytest.mark.slow
def test_a_run_of_any_name_in_any_encoding(tmp_path: Path) -> None:
    for words in (
        ("train", "unet", *TINY_FLAGS, "--epochs", "1", "--name", "кот"),
        ("eval", "last"),
        ("runs",),
        ("runs", "show", "кот"),
    ):
        done = netlab(*words, cwd=tmp_path, env=_LATIN)
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr
    assert list((tmp_path / "runs").glob("*-кот/report.html"))


@_POSIX
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("words", "code"), [("list", 0), ("--help", 0), ("info nothing", 2)])
def test_closed_streams_change_no_exit_code(
    tmp_path: Path, closed: str, words: str, code: int
) -> None:
    done = shell(f"netlab {words} {closed}", tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


@_POSIX
@pytest.mark.slow
def test_files_are_not_written_into_by_what_is_said(tmp_path: Path) -> None:
    flags = " ".join(TINY_FLAGS)
    done = shell(f"netlab train unet {flags} --run-dir run >&- 2>&-", tmp_path)
    assert done.returncode == 0
    said = (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    assert "epoch 2/2" in said
    done = shell("netlab eval run >&- 2>&- <&-", tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "run" / "eval_test.html").read_text(encoding="utf-8").startswith("<!")


@_POSIX
@pytest.mark.parametrize("words", ["list", "--help", "list --json", "list 2>&1"])
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path, words: str) -> None:
    done = shell(f"netlab {words} | true; exit ${{PIPESTATUS[0]}}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    done = shell("netlab list >/dev/full", tmp_path)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr
