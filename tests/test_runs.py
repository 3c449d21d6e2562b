"""`netlab runs`: what folders tell, damaged ones too, and what may be removed."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from netlab.cli.main import main
from netlab.config import TrainConfig
from netlab.contracts.score import Score
from netlab.errors import Interrupted, UsageError, WorkFailed
from netlab.files import is_locked, locked, write_text
from netlab.runs.find import find_weights
from netlab.runs.folder import RunDir, find_run
from netlab.runs.summary import RunSummary, epoch_rows, find_folder, list_runs, summarise
from netlab.training.fit import train
from netlab.training.loop import Trainer
from tests.conftest import TINY_FLAGS, tiny_config, tiny_labelled

MIOU = Score("val_miou", "mIoU")


def called(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command in this process."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def made(folder: Path, **progress: Any) -> RunDir:
    """A run folder by hand: a unet of 5 epochs, of which two are done."""
    run = RunDir(folder)
    run.path.mkdir(parents=True)
    run.lock.touch()
    write_text(run.config, tiny_config(epochs=5).to_yaml())
    state = {"epoch": 2, "best": 0.6, "best_epoch": 1, "stale": 1, "seconds": 90.0} | progress
    write_text(run.progress, json.dumps(state))
    write_text(run.metrics, "epoch,train_loss,val_loss,val_miou\n1,1.0,0.9,0.6\n2,0.8,,0.5\n")
    about = {"format": 1, "metrics": {"val_loss": 0.9, "val_miou": 0.6}}
    header = json.dumps({"__metadata__": {"netlab": json.dumps(about)}}).encode()
    run.best.write_bytes(len(header).to_bytes(8, "little") + header)
    return run


def failing(config: TrainConfig, folder: Path) -> None:
    """A training whose numbers go wrong."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "learning_rate", lambda self, step: 1e30)
        with pytest.raises(WorkFailed):
            train(config, folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of each kind: done, stopped early, interrupted, failed."""
    runs = tmp_path_factory.mktemp("runs")
    train(tiny_config(epochs=1), runs / "a-done")
    early = {"lr": 1e-9, "ema": 0.0, "norm": "none", "limit": 8}
    train(tiny_config(epochs=30, early_stop=1, **early), runs / "b-early")
    with pytest.raises(Interrupted):
        train(tiny_labelled("vae", epochs=2), runs / "c-stopped", stopped=lambda: True)
    failing(tiny_config(clip=0.0), runs / "d-failed")
    for age, path in enumerate(sorted(runs.iterdir())):
        os.utime(path / "config.yaml", (1000 + age, 1000 + age))
    return runs


def test_each_state_is_told_from_the_folder_alone(trained: Path) -> None:
    found = list_runs(trained)
    assert [s.name for s in found] == ["a-done", "b-early", "c-stopped", "d-failed"]
    assert [s.state for s in found] == ["done", "done", "interrupted", "failed"]
    done, early, stopped, failed = found
    assert (done.epoch, done.epochs, done.score, done.best_epoch) == (1, 1, MIOU, 1)
    assert done.best == pytest.approx(epoch_rows(RunDir(done.path))[0]["val_miou"], abs=1e-6)
    assert done.seconds > 0
    assert 1 < early.epoch < 30
    assert (stopped.epoch, stopped.epochs, stopped.best) == (0, 2, None)
    assert stopped.config["latent"] == 4
    assert "loss became" in failed.failure
    assert not any(s.faults for s in found)


def test_the_last_of_the_list_is_what_last_means(trained: Path) -> None:
    assert list_runs(trained)[-1].path == find_run("last", trained).path


def test_a_failed_run_that_goes_on_is_failed_no_more(trained: Path, tmp_path: Path) -> None:
    config = tiny_config(clip=0.0, epochs=1)
    run = RunDir(tmp_path / "run")
    failing(config, run.path)
    assert run.failure.read_text().endswith("\n")
    train(config, run, resume=True)
    assert not run.failure.exists()
    assert summarise(run).state == "done"


def test_a_run_is_running_while_its_lock_is_held(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    write_text(run.failure, "an older failure\n")
    with run.locked():
        assert summarise(run).state == "running"
    assert summarise(run).state == "failed"
    run.failure.unlink()
    assert summarise(run).state == "interrupted"


@pytest.mark.skipif(sys.platform == "win32", reason="shared locks are POSIX")
def test_looking_at_a_lock_keeps_nobody_out_and_makes_nothing(tmp_path: Path) -> None:
    import fcntl

    path = tmp_path / ".lock"
    assert not is_locked(path)
    assert not path.exists()
    path.touch()
    with path.open("rb") as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        assert not is_locked(path), "two may look at once"
        end = threading.Timer(0.03, fcntl.flock, (look, fcntl.LOCK_UN))
        end.start()
        with locked(path, "taken"):
            assert is_locked(path)
            with pytest.raises(UsageError, match="taken"), locked(path, "taken"):
                pass
        end.join()
    assert not is_locked(path)


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("config.yaml", b"arch: [", "config.yaml: not valid YAML"),
        ("config.yaml", b"\xff\xfe", "config.yaml: cannot read"),
        ("config.yaml", b"- 1", "config.yaml: expected lines"),
        ("config.yaml", b"arch: unet\n1: 2", "config.yaml: expected"),
        ("config.yaml", b"arch: unet\nlr: .nan\nepochs: x", "config.yaml: epochs must be"),
        ("config.yaml", b"arch: unet\nepochs: 9\nspeed: 3", "config.yaml: unknown setting 'speed'"),
        ("config.yaml", None, "config.yaml: missing"),
        ("state.json", b"{", "state.json: damaged"),
        ("state.json", b"[" * 100_000, "state.json: damaged"),
        ("state.json", b'{"epoch": 1e999, "best_epoch": 0}', "state.json: damaged"),
        ("state.json", b"\x00\xff", "state.json: cannot be read"),
        ("metrics.csv", None, "metrics.csv: missing"),
        ("metrics.csv", b"epoch,val_loss\n1\n1,2,3\n", "metrics.csv: a row of another length"),
        ("metrics.csv", b'epoch\n"1', "metrics.csv: no table"),
        ("failed.txt", b"\xff", "failed.txt: cannot be read"),
        ("best.safetensors", None, "best.safetensors: missing"),
        ("best.safetensors", b"\x40" + bytes(7) + b"{", "best.safetensors: not a safetensors file"),
    ],
)
def test_damage_is_listed_and_no_error(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    content: bytes | None,
    fault: str,
) -> None:
    made(tmp_path / "whole")
    run = made(tmp_path / "damaged")
    path = run.path / file
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)
    summary = summarise(run)
    assert any(said.startswith(fault) for said in summary.faults), summary.faults
    code, out, _ = called(capsys, "runs", "--runs-dir", tmp_path)
    assert code == 0
    line = next(line for line in out.splitlines() if line.startswith("damaged"))
    assert fault in line
    for words in (["runs", "--json"], ["runs", "show", "damaged", "--json"]):
        code, out, _ = called(capsys, *words, "--runs-dir", tmp_path)
        assert code == 0
        json.loads(out, parse_constant=pytest.fail)
    assert called(capsys, "runs", "show", "damaged", "--runs-dir", tmp_path)[0] == 0


def test_what_is_whole_of_a_damaged_folder_is_still_told(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    run.progress.write_text("{")
    summary = summarise(run)
    assert (summary.epoch, summary.score, summary.best) == (2, MIOU, 0.6)
    run.config.write_text("arch: unet\nepochs: 9\nspeed: 3\n")
    assert summarise(run).config == {"arch": "unet", "epochs": 9}
    assert summarise(run).state == "interrupted"


def test_the_weights_tell_which_score_is_the_best_of_a_damaged_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = made(tmp_path / "run")
    for damage in ("", "epoch,\n1,2\n", 'epoch\n"1'):
        run.metrics.write_text(damage)
        assert "2/5  mIoU 0.6000" in called(capsys, "runs", "--runs-dir", tmp_path)[1]
    run.best.unlink()
    assert "2/5  best 0.6000" in called(capsys, "runs", "--runs-dir", tmp_path)[1]


def test_weights_that_were_lost_are_not_said_to_come(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = made(tmp_path / "run")
    run.best.unlink()
    run.last.touch()
    code, _, err = called(capsys, "info", "run", "--runs-dir", tmp_path)
    assert (code, err) == (2, f"netlab: {run.best}: missing, after 2 epochs; there is {run.last}\n")
    run.progress.unlink()
    run.metrics.unlink()
    err = called(capsys, "info", "run", "--runs-dir", tmp_path)[2]
    assert "the first epoch has not ended" in err


def test_a_folder_killed_before_its_settings_were_written_is_listed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "file").touch()
    (summary,) = list_runs(tmp_path)
    assert (summary.name, summary.state, summary.epoch) == ("run", "failed", 0)
    assert summary.faults == ("config.yaml: missing",)
    assert list_runs(tmp_path / "none") == []


@pytest.mark.parametrize("moment", ["lock", "log"])
def test_stopped_before_the_first_batch_it_is_a_run_to_go_on_with(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    words = ["train", "unet", *TINY_FLAGS, "--epochs", "1", "--runs-dir", str(tmp_path)]
    with monkeypatch.context() as patch:
        place = "cli.view.training.TerminalView.log_to" if moment == "log" else "files._lock"
        patch.setattr(f"netlab.{place}", stop)
        code, out, err = called(capsys, *words)
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == "netlab: stopped"
    (summary,) = list_runs(tmp_path)
    assert (summary.state, summary.epochs, summary.faults) == ("interrupted", 1, ())
    code, _, err = called(capsys, "train", "--resume", "last", "--runs-dir", tmp_path)
    assert code == 0, err
    assert list_runs(tmp_path)[0].state == "done"


def test_a_run_is_called_by_its_name_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    one = made(runs / "20260101-000000-v1").path
    assert find_run("v1", runs).path == find_weights("v1", runs).parent == one
    other = made(runs / "20260102-000000-v1").path
    made(runs / "20260103-000000-unet-v1")
    made(runs / "20260103-000000-e\u0301")
    assert find_weights("é", runs).parent == find_run("e\u0301", runs).path
    assert find_run("é", runs).name.endswith("-e\u0301"), "as a file system may have taken it apart"
    assert find_run(one.name, runs).path == one
    said = f"v1: several runs are called so, give the whole name: {other.name}, {one.name}"
    for find in (find_run, find_weights, find_folder):
        with pytest.raises(UsageError, match=said):
            find("v1", runs)
        with pytest.raises(UsageError, match=r"id you mean '?unet-v1"):
            find("unet-v2", runs)
        with pytest.raises(UsageError):
            find("", runs)
    assert "several" in refused(capsys, runs, "v1")
    assert called(capsys, "runs", "show", "unet-v1", "--runs-dir", runs)[0] == 0


LONG = "20300102-030405-unet-pets-maxpool-transpose-ce+dice"


def on_terminal(command: list[str], cwd: Path, columns: int, answer: bytes = b"") -> str:
    """What a command shows on a terminal of this width."""
    pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX")
    import fcntl
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-m", "netlab", *command],
        cwd=cwd, env=env, stdin=follower, stdout=follower, stderr=follower,
    )  # fmt: skip
    os.close(follower)
    os.write(leader, answer)
    shown = b""
    with contextlib.suppress(OSError):
        while data := os.read(leader, 4096):
            shown += data
    assert process.wait() == 0
    os.close(leader)
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(tmp_path: Path, columns: int) -> None:
    made(tmp_path / "runs" / LONG)
    made(tmp_path / "runs" / "short").progress.write_text("{")
    shown = on_terminal(["runs"], tmp_path, columns)
    assert LONG in shown, "names are for copying: never shortened"
    assert all(len(line) <= columns or line == LONG for line in shown.splitlines())
    assert "state.json: damaged" in shown
    if columns >= 80:
        assert shown.count("interrupted") == 2
        assert shown.count("2/5  mIoU 0.6000") == 2
        assert "  unet synthetic maxpool+transpose" in shown


def test_a_pipe_gets_a_whole_line_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path / LONG)
    made(tmp_path / "bad\x1b[31m\nname")
    code, out, err = called(capsys, "runs", "--runs-dir", tmp_path)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 2
    assert "\x1b" not in out
    line = next(line for line in out.splitlines() if line.startswith(LONG))
    assert line.split()[1:4] == ["unet", "synthetic", "maxpool+transpose"]
    assert line.endswith("interrupted")


def test_show_says_what_is_not_the_recipe_s(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = called(capsys, "runs", "show", "a-done", "--runs-dir", trained)
    assert code == 0
    assert "width          4 (recipe: " in out
    assert "encoder " not in out
    assert "best.safetensors" in out
    assert "state        done, epoch 1 of 1" in out
    told = json.loads(called(capsys, "runs", "--json", "--runs-dir", trained, "show", "a-done")[1])
    assert told["files"]["best.safetensors"] == (trained / "a-done/best.safetensors").stat().st_size
    assert told["rows"][0]["epoch"] == 1
    assert told["state"] == "done"
    assert called(capsys, "runs", "show", "no-such", "--runs-dir", trained)[0] == 2


def test_rm_removes_the_folder_and_says_how_much(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    run = made(tmp_path / "runs" / "run")
    run.samples.mkdir()
    (run.samples / "best.png").write_bytes(bytes(5000))
    (run.path / "link").symlink_to(outside)
    (run.samples / "link").symlink_to(outside / "kept")
    size = sum(p.stat().st_size for p in run.path.rglob("*") if p.is_file() and not p.is_symlink())
    where = ["--runs-dir", tmp_path / "runs"]
    code, out, err = called(capsys, "runs", "rm", "run", *where)
    assert (code, out) == (2, "")
    assert "add --yes" in err
    assert run.config.exists()
    code, out, _ = called(capsys, "runs", "rm", "run", "--yes", "--json", *where)
    assert code == 0
    assert json.loads(out) == [{"run": str(run.path), "files": 6, "bytes": size}]
    assert not run.path.exists()
    assert (outside / "kept").read_text() == "kept"


@pytest.mark.parametrize("answer", ["y", "n"])
def test_rm_asks_on_a_terminal(tmp_path: Path, answer: str) -> None:
    run = made(tmp_path / "runs" / "run")
    shown = on_terminal(["runs", "rm", "last"], tmp_path, 80, answer.encode() + b"\n")
    assert "runs/run: 5 files" in shown
    assert "[y/N]" in shown
    assert run.path.exists() == (answer == "n")
    assert ("removed runs/run" in shown) == (answer == "y")


def refused(capsys: pytest.CaptureFixture[str], runs: Path, *names: str) -> str:
    code, out, err = called(capsys, "runs", "rm", *names, "--yes", "--runs-dir", runs)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    return err


def test_rm_refuses_what_is_no_run_or_in_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    run = made(runs / "run")
    before = sorted(tmp_path.rglob("*"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "config.yaml").write_text("colour: blue\n")
    assert "no folder of netlab train or compare" in refused(capsys, runs, "run", str(project))
    assert "no run folder" in refused(capsys, runs, str(tmp_path))
    (runs / "linked").symlink_to(project)
    assert "is a link" in refused(capsys, runs, "linked")
    with run.locked():
        assert "is being trained" in refused(capsys, runs, "run")
    outer = made(tmp_path / "outer")
    made(outer.path / "runs" / "inner")
    assert "holds other runs" in refused(capsys, runs, str(outer.path))
    monkeypatch.chdir(run.path)
    assert "the folder you are in" in refused(capsys, runs, str(run.path))
    assert set(before) <= set(tmp_path.rglob("*")), "nothing is removed if one is refused"


def compared(folder: Path) -> Path:
    """The folder of a comparison, by hand."""
    folder.mkdir(parents=True)
    (folder / "comparison.json").write_text(json.dumps({"methods": [], "differences": []}))
    (folder / "report.html").touch()
    return folder


def test_comparisons_are_mentioned_and_can_be_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    old = compared(runs / "20260101-000000-compare")
    where = ("--runs-dir", runs)
    assert called(capsys, "runs", *where)[2].endswith(f"\n1 comparison: {old.name}\n")
    made(runs / "run")
    new = compared(runs / "20260102-000000-compare")
    code, out, err = called(capsys, "runs", *where)
    assert (code, len(out.splitlines())) == (0, 1)
    assert err == f"2 comparisons: {new.name}, {old.name}\n"
    assert called(capsys, "runs", "--json", *where)[2] == ""
    assert "no run folder" in called(capsys, "runs", "show", old.name, *where)[2]
    code, out, _ = called(capsys, "runs", "rm", old.name, str(new), "--yes", *where)
    assert code == 0
    assert out.startswith(f"removed {old}: 2 files, ")
    assert [path.name for path in runs.iterdir()] == ["run"]


def test_rm_refuses_what_is_no_comparison_or_holds_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    outer = compared(runs / "outer")
    made(outer / "inner")
    assert "holds other runs" in refused(capsys, runs, "outer")
    (runs / "linked").symlink_to(compared(tmp_path / "elsewhere"))
    assert "is a link" in refused(capsys, runs, "linked")
    other = compared(runs / "other")
    monkeypatch.chdir(other)
    assert "the folder you are in" in refused(capsys, runs, str(other))
    (other / "comparison.json").write_text('{"methods": 1}')
    assert "no run folder" in refused(capsys, runs, str(other))
    assert (other / "report.html").exists()


def test_summaries_need_no_torch() -> None:
    code = (
        "import sys, netlab.runs.summary, netlab.runs.removal, netlab.cli.main; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "PIL"} & set(done.stdout.split())
    assert RunSummary.__dataclass_params__.frozen  # type: ignore[attr-defined]
