"""Kill trainings at random moments, go on with them, and compare with ones that nobody touched.

    python tests/faults.py --kills 200

Each training is a process of its own, and what ends it is SIGKILL: after a random time, or at a
random step of writing a file (before it, half way through it, before and after each sync and
rename). A server process imports torch once and forks the trainings, so that the import is not
paid for each of them; it never computes itself. Linux only.
"""

import argparse
import csv
import json
import os
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that this runs as a script, too

_SECONDS = 120
_STATES = ("best", "last", "state")
_VOLATILE = {"seconds", "images_per_second", "memory_mib"}
KILLED = -signal.SIGKILL


class Server:
    """Runs trainings, each in a fork of one process that has imported everything."""

    def __init__(self) -> None:
        command = [sys.executable, __file__, "--serve"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def train(self, run: Path, config: dict[str, Any], **fault: Any) -> tuple[int, str]:
        """Train in `run`, or go on there.

        Args:
            run: the folder.
            config: settings of the run.
            fault: `seconds` or `step` of file writing after which SIGKILL comes; `file_bytes` or
                `memory_bytes`, a limit of the process; `auto_batch`; `user`, whose id root takes.

        Returns:
            The exit code, `KILLED` after SIGKILL, and what was said of an error.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        json.dump({"run": str(run), "config": config, **fault}, self.process.stdin)
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], _SECONDS)
        assert ready, f"a training has not ended in {_SECONDS} s"
        code, said = json.loads(self.process.stdout.readline())
        return code, said

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: Any) -> None:
        self.process.communicate()


def _serve() -> None:
    import torch

    import netlab.losses
    import netlab.tasks.classification.task
    import netlab.tasks.segmentation.task  # noqa: F401

    assert torch.get_num_threads() >= 1
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(writing, 2)
            os._exit(_child(order))
        os.close(writing)
        if "seconds" in order:
            _kill_after(pid, order["seconds"])
        _, status = os.waitpid(pid, 0)
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        print(json.dumps([os.waitstatus_to_exitcode(status), said]), flush=True)


def _kill_after(pid: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)


def _child(order: dict[str, Any]) -> int:
    from netlab.cli.main import explain
    from netlab.config import TrainConfig
    from netlab.runs.folder import RunDir
    from netlab.training import saves
    from netlab.training.fit import train
    from netlab.training.prepare import fit_batch, settle

    saves.Saves.if_due = saves.Saves.save  # after every batch  # type: ignore[method-assign]
    if "step" in order:
        _kill_at(order["step"])
    if "file_bytes" in order:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes"],) * 2)
    if "memory_bytes" in order:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + order["memory_bytes"],) * 2)
    run = Path(order["run"])
    try:
        config = TrainConfig(**order["config"])
        if order.get("auto_batch"):
            config = fit_batch(*settle(config))
        run.mkdir(exist_ok=True)
        if "user" in order and os.geteuid() == 0:  # root may write anywhere
            with tempfile.TemporaryDirectory() as place:
                train(config, f"{place}/run")  # what is imported late, that user may not read
            os.seteuid(order["user"])
        train(config, RunDir(run), resume=True)
    except Exception as error:
        return explain(error, debug=False)
    return 0


def _kill_at(step: int) -> None:
    """SIGKILL this process at the so-manieth step of writing files."""
    left = iter(range(step, -1, -1))
    write, replace, sync = Path.write_bytes, Path.replace, os.fsync

    def tick() -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def half_then_whole(path: Path, data: Any) -> int:
        tick()
        write(path, bytes(data)[: len(data) // 2])
        tick()
        return write(path, data)

    def ticking(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any) -> Any:
            tick()
            found = call(*args)
            tick()
            return found

        return called

    Path.write_bytes = half_then_whole  # type: ignore[method-assign, assignment]
    Path.replace = ticking(replace)  # type: ignore[method-assign, assignment]
    os.fsync = ticking(sync)


def configs() -> dict[str, dict[str, Any]]:
    """A tiny training of each architecture, a second or less."""
    from tests.conftest import tiny_config, tiny_labelled

    return {
        "unet": tiny_config(epochs=3, ema=0.9).to_dict(),
        "vae": tiny_labelled("vae", epochs=3).to_dict(),
        "classifier": tiny_labelled("classifier", epochs=3).to_dict(),
    }


def differences(one: Path, other: Path) -> list[str]:
    """What two finished runs differ in, apart from times."""
    from netlab.weights.file import read_tensors

    found = []
    for name in _STATES:
        a, b = (read_tensors(run / f"{name}.safetensors") for run in (one, other))
        found += [f"{name}: {key}" for key in sorted(a.keys() ^ b.keys())]
        found += [f"{name}: {key}" for key in a.keys() & b.keys() if not a[key].equal(b[key])]
    rows = [_rows(run / "metrics.csv") for run in (one, other)]
    return found + ["metrics.csv"] * (rows[0] != rows[1])


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [{k: v for k, v in r.items() if k not in _VOLATILE} for r in csv.DictReader(file)]


def killed_and_finished(
    server: Server, run: Path, config: dict[str, Any], dice: random.Random, deaths: int
) -> int:
    """Train in `run`, dying at most `deaths` times on the way; how often it died."""
    died = 0
    while died < deaths:
        by_step = not died or dice.random() < 0.7  # a time may be longer than the training
        fault = {"step": dice.randrange(150)} if by_step else {"seconds": dice.uniform(0, 1.5)}
        code, said = server.train(run, config, **fault)
        if code == 0:
            return died
        assert code == KILLED, (code, said, fault)
        died += 1
    code, said = server.train(run, config)
    assert code == 0, (code, said)
    return died


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="netlab-faults-"))
    yield folder
    shutil.rmtree(folder)  # kept where something went wrong


def main() -> None:
    """Kill until enough is killed; print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    dice = random.Random(wanted.seed)
    print(f"seed {wanted.seed}")
    kinds = configs()
    counts = {kind: [0, 0] for kind in kinds}
    with Server() as server, _folder() as folder:
        for kind, config in kinds.items():
            assert server.train(folder / kind, config) == (0, "")
        while sum(kills for kills, _ in counts.values()) < wanted.kills:
            kind = min(counts, key=lambda name: counts[name][0])
            run = folder / "run"
            counts[kind][0] += killed_and_finished(
                server, run, kinds[kind], dice, dice.randint(1, 6)
            )
            counts[kind][1] += 1
            found = differences(folder / kind, run)
            if found:
                sys.exit(f"{kind}: {run} differs from {folder / kind} in {found}")
            shutil.rmtree(run)
    print("architecture  kills  runs  equal to the last bit")
    for kind, (kills, runs) in counts.items():
        print(f"{kind:<12}  {kills:>5}  {runs:>4}  {runs}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        _serve()
    else:
        main()
