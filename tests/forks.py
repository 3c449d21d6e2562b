"""Commands in forks of one process that has imported torch, so that each costs no import of it.

A fork is a process of its own, with its own folder, environment and streams. What only a start from
nothing shows (what is imported when, encodings, signals before torch is there) wants the real
command: `tests.conftest.netlab`.
"""

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that this runs as a script, too


@functools.cache
def _server() -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    atexit.register(process.communicate)
    return process


def run_forked(
    words: Sequence[str], cwd: Path, stdin: bytes, env: dict[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """Run a command line in a fork; `env` is its whole environment."""
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place) / name for name in ("in", "out", "err")]
        files[0].write_bytes(stdin)
        order = {"words": words, "cwd": str(cwd), "env": env, "files": [*map(str, files)]}
        server.stdin.write(json.dumps(order) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess(
            ["netlab", *words], code, files[1].read_bytes(), files[2].read_bytes()
        )


def _serve() -> None:
    """Fork for each line of stdin, and answer with the exit code; nothing is computed here."""
    import netlab.compare.methods
    import netlab.predict.predictor
    import netlab.scoring.evaluate
    import netlab.swap.figure
    import netlab.swap.sources
    import netlab.training.fit  # noqa: F401

    orders, answers = os.fdopen(os.dup(0)), os.dup(1)
    for line in orders:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _run(order)
        _, status = os.waitpid(pid, 0)
        os.write(answers, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _run(order: dict[str, Any]) -> None:
    from netlab.cli.main import main

    for number, (path, flags) in enumerate(
        zip(order["files"], (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2), strict=True)
    ):
        os.dup2(os.open(path, flags, 0o600), number)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    sys.argv = ["netlab", *order["words"]]
    try:
        main(order["words"])
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(end.code or 0))
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        os._exit(70)


if __name__ == "__main__":
    _serve()
