"""Hand netlab damaged and hostile files, and see that it says so in one line.

    python tests/fuzz.py --cases 2000

Each case makes an input of some kind, harms it, and runs a real command line on it, inside a
watched worker process that has imported torch once: no traceback, the right exit code, at most a
few lines on stderr, no answer later than 10 seconds, bounded memory, and nothing written, changed
or removed outside the output folder. A case is told by its kind and seed: `--kind weights --seed 17
--cases 1` runs it again. Linux only.
"""

import argparse
import collections
import contextlib
import gzip
import io
import json
import os
import random
import resource
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that this runs as a script, too

SECONDS = 10.0
MEMORY = 3 * 2**30  # bytes of address space beyond those of the worker with torch
LINES = 30  # a progress line or two, and a line a bad file
Dice = random.Random


class Case(NamedTuple):
    """What to run in a folder, and the exit codes that are right."""

    words: list[str]
    codes: tuple[int, ...] = (0, 2)


class Result(NamedTuple):
    """What came of a command line."""

    code: int
    stderr: str
    seconds: float


class Worker:
    """Runs command lines of netlab, one after the other, in one process under watch.

    Args:
        seconds: after which no answer is a hang.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self.process: subprocess.Popen[str] | None = None

    def run(self, words: Sequence[str], folder: Path) -> Result:
        """Run a command in a folder; code -1 is a hang, -2 a death of the process."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, __file__, "--serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1", "NETLAB_CACHE": "off"},
            )
            assert self.process.stdout is not None
            assert self.process.stdout.readline() == "ready\n"
        process, started = self.process, time.monotonic()
        assert process.stdin is not None
        assert process.stdout is not None
        log = folder.parent / f"{folder.name}.stderr"
        process.stdin.write(json.dumps([list(words), str(folder), str(log)]) + "\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], self.seconds)
        answer = process.stdout.readline() if ready else ""
        spent = time.monotonic() - started
        text = log.read_text(errors="replace") if log.exists() else ""
        log.unlink(missing_ok=True)
        if not answer:
            self.close()
            return Result(-2 if ready else -1, text, spent)
        return Result(int(answer), text, spent)

    def close(self) -> None:
        """End the process, however busy it is."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _serve() -> None:
    import torch

    import netlab.predict.predictor
    import netlab.scoring.evaluate
    import netlab.swap.figure
    import netlab.swap.sources
    import netlab.training.fit  # noqa: F401
    from netlab.cli.main import main

    torch.set_num_threads(1)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY,) * 2)
    answers = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.write(answers, b"ready\n")
    for line in sys.stdin:
        words, folder, log = json.loads(line)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, 2)
        os.close(file)
        os.chdir(folder)
        try:
            main(words)
        except SystemExit as error:
            code = error.code
        os.chdir("/")
        sys.stderr.flush()
        os.write(answers, f"{code}\n".encode())


# Harm to bytes


def harm_bytes(data: bytes, dice: Dice) -> bytes:
    """Cut, flip, insert, repeat or replace some of them."""
    harmed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 8))):
        at = dice.randrange(len(harmed) + 1) if dice.random() < 0.5 else dice.randrange(64)
        at = min(at, len(harmed))
        choice = dice.randrange(6)
        if choice == 0:
            del harmed[at:]
        elif choice == 1 and at < len(harmed):
            harmed[at] ^= 1 << dice.randrange(8)
        elif choice == 2:
            harmed[at:at] = dice.randbytes(dice.choice((1, 4, 300)))
        elif choice == 3:
            del harmed[at : at + dice.choice((1, 4, 100))]
        elif choice == 4:
            harmed[at : at + 4] = dice.choice(
                (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff")
            )
        else:
            harmed[at:at] = harmed[: dice.randrange(200)]
    return bytes(harmed)


def picture(dice: Dice, mode: str = "RGB") -> bytes:
    """A small picture in one of the formats, harmed in one of many ways."""
    width, height = dice.choice(((24, 16), (1, 1), (40, 3), (33, 65)))
    raw = np.frombuffer(dice.randbytes(width * height * 3), np.uint8).reshape(height, width, 3)
    image = Image.fromarray(raw).convert(mode)
    kinds = ("PNG", "GIF", "BMP", "TIFF", *(("JPEG", "WEBP") if mode in ("RGB", "L") else ()))
    kind = dice.choice(kinds)
    file = io.BytesIO()
    image.save(file, kind)
    choice = dice.randrange(5)
    if choice == 0:
        return bomb(dice)
    if choice == 1 and kind == "PNG":
        return with_size(file.getvalue(), dice)
    if choice == 2:
        return dice.choice(
            (b"", b"\0" * 1000, b"GIF89a", dice.randbytes(500), b"\x89PNG\r\n\x1a\n")
        )
    return harm_bytes(file.getvalue(), dice)


def bomb(dice: Dice) -> bytes:
    """A PNG of a few kilobytes that unpacks to far more."""
    width = dice.choice((20_000, 60_000, 2**31 - 1))
    rows = zlib.compress(b"\0" * 10_000_000, 9)
    head = struct.pack(">IIBBBBB", width, dice.choice((20_000, 60_000)), 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file, with its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def with_size(png: bytes, dice: Dice) -> bytes:
    """A PNG whose header tells another size, with a checksum that agrees."""
    sizes = (0, 1, 25, 5000, 2**31 - 1, 2**32 - 1)
    head = struct.pack(">II", dice.choice(sizes), dice.choice(sizes)) + png[24:29]
    return png[:8] + chunk(b"IHDR", head) + png[33:]


# Kinds of cases: each fills a folder and says what to run there


def pictures(folder: Path, dice: Dice) -> Case:
    """A folder of pictures, some harmed, with names that want to go elsewhere."""
    (folder / "in").mkdir()
    names = ["a.png", "b.jpg", "c.gif", "..%2Fup.png", "-rf.png", "n\new.png", "ü" * 60 + ".png"]
    for name in dice.sample(names, 3):
        (folder / "in" / name).write_bytes(picture(dice))
    (folder / "in" / "link.png").symlink_to(dice.choice(("/dev/zero", "/etc", "link.png", "gone")))
    form = dice.choice(("color", "ids", "overlay", "cutout"))
    return Case(["predict-mask", "in", "--out", "out", "--format", form, *WEIGHTS], (0, 1, 2))


def masks(folder: Path, dice: Dice) -> Case:
    """Pictures and masks of one's own to score, of which one mask is harmed."""
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for index in range(3):
        good = np.full((16, 16, 3), 40 * index, np.uint8)
        Image.fromarray(good).save(folder / "images" / f"{index}.png")
        Image.fromarray(good[..., 0] % 3).save(folder / "masks" / f"{index}.png")
    bad = folder / dice.choice(("masks", "images")) / "1.png"
    bad.write_bytes(picture(dice, dice.choice(("L", "P", "RGB", "1"))))
    words = ["--images", "images", "--masks", "masks", "--figure", "out.png"]
    return Case(["eval", str(TINY / "unet.safetensors"), *words], (0, 1, 2))


def weights(folder: Path, dice: Dice) -> Case:
    """A weights file with harmed bytes, header, description or tensors."""
    arch = dice.choice(("unet", "vae", "classifier"))
    data = (TINY / f"{arch}.safetensors").read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    choice = dice.randrange(4)
    if choice == 0:
        data = harm_bytes(data, dice)
    else:
        if choice == 1:
            about = json.loads(header["__metadata__"]["netlab"])
            harm_tree(about, dice)
            header["__metadata__"]["netlab"] = json.dumps(about)
            header["__metadata__"].pop("crc32", None)
        elif choice == 2:
            harm_tree(header, dice)
            with contextlib.suppress(AttributeError):
                header.get("__metadata__", {}).pop("crc32", None)
        else:
            header["__metadata__"].pop("crc32", None)
            at = 4 * dice.randrange(len(body) // 4)
            bad = dice.choice((float("nan"), float("inf"), 3e38))
            body = body[:at] + struct.pack("<f", bad) + body[at + 4 :]
        text = json.dumps(header).encode()
        data = struct.pack("<Q", len(text)) + text + body
    (folder / "w.safetensors").write_bytes(data)
    shutil.copy(GOOD, folder / "good.png")
    words = {
        0: ["info", "w.safetensors"],
        1: ["predict-mask", "good.png", "--out", "out", "--weights", "w.safetensors"],
        2: ["swap-label", "--weights", "w.safetensors", "--from-prior", "--out", "out.png"],
        3: ["eval", "w.safetensors", "--limit", "4", "--figure", "out.png"],
    }
    # The scores of a whole vae take longer than a case may, by right: probes are fitted.
    return Case([*words[dice.randrange(4 if arch != "vae" else 3)]], (0, 2))


def harm_tree(tree: Any, dice: Dice) -> None:
    """Change, drop or add something somewhere in nested JSON values."""
    for _ in range(dice.choice((1, 1, 3))):
        branch = tree
        while True:
            keys = list(branch) if isinstance(branch, dict) else list(range(len(branch)))
            if not keys:
                break
            key = dice.choice(keys)
            inner = branch[key]
            if isinstance(inner, dict | list) and inner and dice.random() < 0.7:
                branch = inner
                continue
            if dice.random() < 0.15:
                del branch[key]
            else:
                branch[key] = odd_value(dice)
            break


def odd_value(dice: Dice) -> Any:
    """A value of the wrong type, or far out of range."""
    deep: Any = []
    for _ in range(50):
        deep = [deep]
    values = (
        *(None, True, -1, 0, 1, 2**31, 2**63, 10**40, 1e308, -0.5, "", "x", "../../x", "\0"),
        *("a" * 5000, [], {}, [1, 2], {"a": 1}, deep, "inf", "nan", "unet", "1e9", ["pet"] * 300),
    )
    return dice.choice(values)


def yaml_files(folder: Path, dice: Dice) -> Case:
    """A configuration with harmed lines, odd values, or YAML that unfolds."""
    import yaml

    arch = dice.choice(("unet", "vae", "classifier"))
    values = json.loads((TINY / f"{arch}.json").read_text())
    choice = dice.randrange(5)
    if choice == 0:
        data = harm_bytes(yaml.safe_dump(values).encode(), dice)
    elif choice == 1:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
        key = dice.choice(("lr", "parts", "classes", "loss", "epochs", "what"))
        data = "\n".join([*lines, f"{key}: *a11"]).encode()
    elif choice == 2:
        data = (b"a: " if dice.random() < 0.5 else b"") + dice.choice((b"[", b"{a: ", b"- ")) * 5000
    else:
        harm_tree(values, dice)
        data = yaml.safe_dump(values).encode()
    (folder / "c.yaml").write_bytes(data)
    words = ["train", "--config", "c.yaml", "--dry-run", "--no-download", "--threads", "1"]
    return Case(words, (2,) if choice in (1, 2) else (0, 2, 3))


def idx_files(folder: Path, dice: Dice) -> Case:
    """MNIST of a few digits with harmed idx files, plain or gz."""
    write_idx(folder / "data", dice, harmed=dice.randrange(4))
    words = ["--data-dir", "data", "--split", dice.choice(("test", "val")), "--figure", "out.png"]
    return Case(["eval", str(TINY / "classifier.safetensors"), *words], (0, 1, 2))


def write_idx(folder: Path, dice: Dice, harmed: int | None = None) -> None:
    """The four files of MNIST, of which one is harmed."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for number, (stem, count) in enumerate((("train", 60), ("t10k", 12)) * 2):
        images = number < 2
        head = struct.pack(">BBBB", 0, 0, 8, 3 if images else 1)
        shape = (count, 28, 28) if images else (count,)
        body = dice.randbytes(count * 784) if images else bytes(i % 10 for i in range(count))
        data = head + struct.pack(f">{len(shape)}I", *shape) + body
        name = f"{stem}-{'images-idx3' if images else 'labels-idx1'}-ubyte"
        packed = dice.random() < 0.4
        if number == harmed and not packed:
            data = harm_bytes(data, dice)
        if packed:
            data = gzip.compress(data)
            data = harm_bytes(data, dice) if number == harmed else data
        (raw / (name + ".gz" * packed)).write_bytes(data)


def cifar_files(folder: Path, dice: Dice) -> Case:
    """A few pictures in the layouts of CIFAR-10, with a harmed file."""
    write_cifar(folder / "data", dice, harmed=dice.randrange(6))
    if dice.random() < 0.3:  # pickles that nobody has published are not opened
        shutil.move(folder / "data" / "cifar-10-batches-bin", folder / "data" / "py")
        (folder / "data" / "py").rename(folder / "data" / "cifar-10-batches-py")
        for path in (folder / "data" / "cifar-10-batches-py").glob("*.bin"):
            path.write_bytes(b"cos\nsystem\n(S'touch ../pwned'\ntR.")
            path.rename(path.with_suffix(""))
    words = ["--data-dir", "data", "--split", dice.choice(("test", "val")), "--figure", "out.png"]
    return Case(["eval", str(TINY / "cifar.safetensors"), *words], (0, 1, 2))


def write_cifar(folder: Path, dice: Dice, harmed: int | None = None) -> None:
    """The six files of the binary archive, of which one is harmed."""
    place = folder / "cifar-10-batches-bin"
    place.mkdir(parents=True)
    for number, stem in enumerate((*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")):
        data = b"".join(bytes([i]) + dice.randbytes(3072) for i in range(10))
        (place / f"{stem}.bin").write_bytes(harm_bytes(data, dice) if number == harmed else data)


def swap_folders(folder: Path, dice: Dice) -> Case:
    """Swapped pictures into a folder whose `pictures.csv` is harmed."""
    (folder / "out").mkdir()
    rows = "".join(f"{i}.png,test-{i:04},{i},3\n" for i in range(5))
    table = f"file,source,true_label,asked_label\n{rows}".encode()
    tables = (
        b"\0" * 50,
        b"a" * 200_000,
        b'"' * 2001,
        b"a," * 70_000,
        b"file\n../../up.png\n/etc/passwd\n",
        b"\xff\xfe",
    )
    harmed = dice.choice(tables) if dice.random() < 0.4 else harm_bytes(table, dice)
    (folder / "out" / "pictures.csv").write_bytes(harmed)
    words = ["--weights", str(TINY / "vae.safetensors"), "--label", "3", "--count", "3"]
    words += ["--overwrite"] * (dice.random() < 0.8)
    return Case(["swap-label", *words, "--pictures", "out", "--out", "out.png"], (0, 2))


def class_folders(folder: Path, dice: Dice) -> Case:
    """A folder for each class, with harmed pictures, odd names and links."""
    for number, name in enumerate(("a", "b", dice.choice(("c", "..c", "n\nl", "-", "ü")))):
        class_folder = folder / "data" / name
        class_folder.mkdir(parents=True)
        for index in range(12):
            Image.new("L", (12, 12), 20 * number + index).save(class_folder / f"{index}.png")
        if dice.random() < 0.6:
            (class_folder / "3.png").write_bytes(picture(dice))
        if dice.random() < 0.3:
            (class_folder / "5.png").unlink()
            (class_folder / "5.png").symlink_to(
                dice.choice(("/dev/zero", "/etc/passwd", "5.png", "no"))
            )
    if dice.random() < 0.2:
        shutil.rmtree(folder / "data" / "a")
    arch = dice.choice(("classifier", "vae"))
    words = ["--dataset", "class-folder", "--images", "data", "--image-size", "12", "--width", "4"]
    words += ["--depth", "1", "--stem", "1", "--threads", "1", "--latent", "4", "--limit", "20"]
    words += ["--skip-bad"] * (dice.random() < 0.5) + ["--dry-run", "--batch-size", "4"]
    return Case(["train", arch, *words], (0, 2))


def states(folder: Path, dice: Dice) -> Case:
    """A run folder with a harmed file, to go on with."""
    shutil.copytree(TINY / "run", folder / "run")
    files = ["state.safetensors", "state-before.safetensors", "config.yaml", "state.json"]
    for name in dice.sample(files, dice.choice((1, 1, 2))):
        path = folder / "run" / name
        path.write_bytes(harm_bytes(path.read_bytes(), dice))
    return Case(["train", "--resume", "run", "--epochs", "3", "--no-download"], (0, 2, 3))


KINDS: dict[str, Callable[[Path, Dice], Case]] = {
    "pictures": pictures,
    "masks": masks,
    "weights": weights,
    "yaml": yaml_files,
    "idx": idx_files,
    "cifar": cifar_files,
    "csv": swap_folders,
    "class-folders": class_folders,
    "states": states,
}
TINY = Path()
GOOD = Path(__file__).parents[1] / "examples" / "pet.jpg"
WEIGHTS: list[str] = []


def prepare(folder: Path) -> None:
    """Train the tiny networks that the cases use, into `folder`."""
    global TINY
    from netlab.runs.folder import RunDir
    from netlab.training.fit import train
    from tests.conftest import tiny_config, tiny_labelled

    TINY = folder
    WEIGHTS[:] = ["--weights", str(folder / "unet.safetensors"), "--precision", "fp32"]
    write_idx(folder / "mnist", Dice(0))
    write_cifar(folder / "colour", Dice(0))
    colour = {"dataset": "cifar10", "data_dir": str(folder / "colour"), "limit": None}
    mnist: dict[str, Any] = {"dataset": "mnist", "image_size": 28, "limit": None}
    for name, config in {
        "unet": tiny_config(epochs=2),
        "vae": tiny_labelled("vae", epochs=1),
        "classifier": tiny_labelled("classifier", data_dir=str(folder / "mnist"), **mnist),
        "cifar": tiny_labelled("classifier", image_size=32, **colour),
    }.items():
        run = RunDir(folder / f"run-{name}")
        train(config, run.path)
        shutil.copy(run.best, folder / f"{name}.safetensors")
        (folder / f"{name}.json").write_text(json.dumps(config.to_dict()))
    (folder / "run-unet").rename(folder / "run")


Files = dict[Path, str]


def faults_of(case: Case, result: Result, before: Files, after: Files) -> list[str]:
    """What is wrong with what came of a case."""
    faults = []
    if result.code == -1:
        faults.append("no answer in time")
    elif result.code not in case.codes:
        faults.append(f"exit code {result.code}, not one of {case.codes}")
    for word in ("Traceback", "fault of netlab", "Error:"):
        if word in result.stderr:
            faults.append(f"says '{word}'")
    if result.code and not result.stderr.strip():
        faults.append("says nothing")
    if result.stderr.count("\n") > LINES:
        faults.append(f"{result.stderr.count(chr(10))} lines")
    touched = {p for p in {*before, *after} if before.get(p) != after.get(p)}
    return faults + [f"touched {p}" for p in sorted(touched)]


def files_under(folder: Path) -> Files:
    """What lies below a folder, output aside: relative paths, and a sum, aim or kind of each."""
    files = {}
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(parent) / name
            if path.is_symlink():
                what = str(path.readlink())
            else:
                what = str(zlib.crc32(path.read_bytes())) if path.is_file() else "folder"
            files[path.relative_to(folder)] = what
    outputs = {Path("case") / name for name in ("out", "out.png", "out.html", "run")}
    return {p: what for p, what in files.items() if not outputs & {p, *p.parents}}


def run_case(worker: Worker, kind: str, seed: int) -> tuple[list[str], Case, Result]:
    """Make, run and judge one case."""
    with tempfile.TemporaryDirectory(prefix="netlab-fuzz-") as scratch:
        folder = Path(scratch) / "case"
        folder.mkdir()
        for canary in (Path(scratch) / "up.png", folder / "00000_3.png"):
            canary.write_bytes(b"do not touch")
        case = KINDS[kind](folder, Dice(f"{kind} {seed}"))
        before = files_under(Path(scratch))
        result = worker.run(case.words, folder)
        return faults_of(case, result, before, files_under(Path(scratch))), case, result


def main() -> None:
    """Run cases of all kinds in turn; print what went wrong, and a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=tuple(KINDS))
    parser.add_argument("--verbose", action="store_true")
    wanted = parser.parse_args()
    print(f"seed {wanted.seed}")
    kinds = [wanted.kind] if wanted.kind else list(KINDS)
    counts = {kind: collections.Counter[str]() for kind in kinds}
    slowest = dict.fromkeys(kinds, 0.0)
    with tempfile.TemporaryDirectory() as scratch, Worker() as worker:
        prepare(Path(scratch))
        for number in range(wanted.cases):
            kind, seed = kinds[number % len(kinds)], wanted.seed + number // len(kinds)
            faults, case, result = run_case(worker, kind, seed)
            counts[kind][f"exit {result.code}"] += 1
            counts[kind]["faults"] += bool(faults)
            slowest[kind] = max(slowest[kind], result.seconds)
            if faults or wanted.verbose:
                print(f"{kind} {seed}: {'; '.join(faults)}\n  {' '.join(case.words)}")
                print("  " + result.stderr[-1500:].replace("\n", "\n  "))
    for kind, count in counts.items():
        codes = ", ".join(f"{n} {code}" for code, n in sorted(count.items()) if code != "faults")
        print(f"{kind:<14} {count['faults']} faults; {codes}; slowest {slowest[kind]:.1f} s")
    sys.exit(any(count["faults"] for count in counts.values()))


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        _serve()
    else:
        main()
