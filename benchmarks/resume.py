"""Time from a resume to its first batch, beside what importing costs.

    python benchmarks/resume.py [--data-dir FOLDER] [--set key=value …]

Starts the default U-Net in a temporary folder, stops it after a few batches, and resumes it in
processes of their own, which tell how long their imports took and how long it then took to the
end of the first batch: reading the state, the mapped data, their fingerprint, and one step. The
imports are those of torch and netlab, with torch._dynamo, which torch fetches by itself for every
optimiser. The data are Pets where they are found, else drawn; their cache is filled before. Exits
with 1 if the median is over 2 seconds.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BAR = 2.0
_ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="words")
    parser.add_argument("--resume", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.resume:
        _resume(args.resume)
        return
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        print(f"data: {_start(run, args.data_dir, args.threads, args.words)}")
        words = [sys.executable, __file__, "--resume", str(run)]
        found = [
            [float(x) for x in subprocess.check_output(words, text=True).split()]
            for _ in range(_ROUNDS)
        ]
    imports, first = (statistics.median(column) for column in zip(*found, strict=True))
    print(f"imports {imports:.2f} s, from there to the end of the first batch {first:.2f} s")
    sys.exit(first > BAR)


def _start(run: Path, data_dir: Path | None, threads: int, words: list[str]) -> str:
    """Train a few batches of the default recipe into `run`; the name of the data set."""
    from netlab.data.pets import Pets
    from netlab.data.readers.folders import data_dir as folder_of
    from netlab.errors import Interrupted
    from netlab.settings import Layer, merge, recipe, user_layers
    from netlab.training.fit import train

    folder = folder_of(str(data_dir) if data_dir else None)
    dataset = "pets" if Pets().present(folder) else "synthetic"
    own = Layer("benchmark", {"dataset": dataset, "data_dir": str(folder), "threads": threads})
    config = merge({}, recipe("unet", [own, *user_layers(words, {})]))
    asked = iter(range(3))
    try:
        train(config, run, stopped=lambda: next(asked, None) is None)
    except Interrupted:
        return dataset
    sys.exit("the training was too short to be stopped")


def _resume(run: Path) -> None:
    """Print the seconds that imports took, and those from there to the first batch."""
    started = time.perf_counter()
    import torch._dynamo  # noqa: F401 - else the first optimiser would

    from netlab.errors import Interrupted
    from netlab.settings import merge, read_config_file
    from netlab.training.fit import train

    imported = time.perf_counter()
    done = []

    def stopped() -> bool:
        done.append(time.perf_counter())
        return True

    try:
        train(merge({}, [read_config_file(run / "config.yaml")]), run, resume=True, stopped=stopped)
    except Interrupted:
        print(imported - started, done[0] - imported)


if __name__ == "__main__":
    main()
