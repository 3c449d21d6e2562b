"""Write down what small runs come to, and say later whether it is still the same to the bit.

    python tools/record_numbers.py record before.json
    python tools/record_numbers.py compare before.json

For changes that must not change a number: `record` trains, scores and uses small networks through
the command line and keeps what came out; `compare` does it again and ends with 1 if anything
differs. PYTHONPATH says whose code runs. What needs data that $NETLAB_DATA does not hold is left
out. Equal bits can be asked for on one machine alone: other processors and other versions of torch
round differently. All of it takes about five minutes on a core of its own.

Not kept: times, rates, memory, and files that hold them or the date (metadata, pages, curves). The
bundled vae-cifar10 is not scored, as its probes first look at 50 000 pictures.
"""

import argparse
import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
from PIL import Image

Numbers = dict[str, dict[str, Any]]
"""What each job gave, by its name and that of the item."""

_VOLATILE = ("seconds", "images_per_second", "memory_mib")
_PLACE = "weights"  # of a document: the path of bundled ones is that of the package
_PET = Path(__file__).parent.parent / "examples" / "pet.jpg"
_PETS, _MNIST, _CIFAR10 = "oxford-iiit-pet", "MNIST", "cifar10"  # folders in $NETLAB_DATA
_ABOUT = """
import json, netlab, numpy, PIL, platform, torch
print(json.dumps({
    "code": netlab.__file__,
    "python": platform.python_version(),
    "torch": torch.__version__,
    "numpy": numpy.__version__,
    "pillow": PIL.__version__,
    "instructions": torch.backends.cpu.get_cpu_capability(),
}))
"""
_ABSENT = "absent"
_SHOWN = 3  # differences of an item
_MACHINE = "--device cpu --threads 1"
_FP32 = f"{_MACHINE} --precision fp32"
_LABELLED = "--dataset digits --image-size 12 --width 4 --depth 1 --limit 96 --batch-size 16"
_SMALL = {
    "unet": "--dataset synthetic --image-size 32 --width 4 --depth 2 --limit 48 --batch-size 8",
    "vae": f"{_LABELLED} --latent 4",
    "classifier": _LABELLED,
}


class Run(NamedTuple):
    """A training, and how it is scored."""

    words: str
    """Of `netlab train`, behind those that keep it small; later ones win."""
    resumed: str | None = None
    """Words with which it goes on."""
    interrupted: bool = False
    """Whether Ctrl-C stops it before, in the first epoch."""
    scored: str | None = ""
    """Words of `netlab eval`; None is not at all."""
    needs: str = ""
    """Folder with its data."""


# The terms of the recipe, in its order: what they draw at random depends on it.
_TERMS = "laplace+kl+50*adversary+100*dependence+10*swap-class+2*cycle"
_OPTIONS = (
    "--set loss.kl.free_bits=0.05 --set loss.kl.capacity=3 --set loss.kl.anneal=0.4 "
    "--set loss.swap-class.realism=0.5 --set loss.swap-class.robust=0.7 "
    "--set loss.swap-class.enough=0.3 --set loss.adversary.readers=2"
)
RUNS = {
    "unet-maxpool-transpose-ce": Run("unet --encoder maxpool --decoder transpose --loss ce"),
    "unet-maxpool-transpose-dice": Run("unet --encoder maxpool --decoder transpose --loss dice"),
    "unet-strided-transpose-ce": Run("unet --encoder strided --decoder transpose --loss ce"),
    "unet-strided-upsample-dice": Run("unet --encoder strided --decoder upsample --loss dice"),
    # Longer, so that its masks are of several classes.
    "unet-default": Run("unet --width 8 --limit 256 --epochs 8 --lr 0.02"),
    "unet-residual-group-pooled-gelu": Run(
        "unet --block residual --norm group --bottleneck pooled --activation gelu --stem 1 "
        "--optimizer adam --schedule cosine --warmup 0.2 --augment strong --weight-decay 0.001"
    ),
    "unet-instance-leaky-relu-constant": Run(
        "unet --norm instance --activation leaky-relu --schedule constant --augment flip "
        "--clip 0 --ema 0 --loss ce+0.5*dice --class-weights balanced"
    ),
    "unet-none-silu-nearest": Run(
        "unet --norm none --activation silu --decoder upsample --set decoder.mode=nearest "
        "--augment shift --class-weights 1,2,3 --loss dice+ce --set loss.ce.smoothing=0.1 "
        "--set optimizer.beta1=0.8"
    ),
    "unet-bf16": Run("unet --precision bf16 --encoder strided", scored="--precision bf16"),
    "unet-demo": Run("unet --preset demo --image-size 32 --width 4 --depth 2 --epochs 2"),
    "unet-lesson": Run("unet --preset lesson --width 2 --depth 3 --epochs 2"),
    "unet-extended": Run("unet --epochs 1", resumed="--epochs 2"),
    # Wherever it is stopped, it has to end in the same way.
    "unet-interrupted": Run("unet --batch-size 1", resumed="", interrupted=True),
    "unet-on-pets": Run("unet --dataset pets --limit 16", scored="--limit 16", needs=_PETS),
    # Judges a VAE; with as few features, the pictures of a class are enough for its realism.
    "classifier-disturb": Run(
        "classifier --disturb 0.5 --limit 480 --set architecture.features=16"
    ),
    "classifier-strided-pooled": Run(
        "classifier --block conv --encoder strided --bottleneck pooled --augment strong "
        "--set loss.ce.smoothing=0.1 --set architecture.dropout=0.2"
    ),
    "classifier-extended": Run("classifier --epochs 1 --disturb 0.3", resumed="--epochs 2"),
    "classifier-on-cifar10": Run(
        "classifier --dataset cifar10 --image-size 32 --depth 3", needs=_CIFAR10, scored=None
    ),
    "vae-default": Run(f"vae --limit 480 --loss {_TERMS}", scored="--judge classifier-disturb"),
    "vae-options": Run(f"vae --loss {_TERMS} {_OPTIONS} --image-size 14"),
    "vae-bf16": Run(f"vae --loss {_TERMS} {_OPTIONS} --precision bf16", scored="--precision bf16"),
    "vae-lesson": Run("vae --preset lesson --latent 16"),
    "vae-bce-film-free-bits": Run("vae --loss bce+kl --set loss.kl.free_bits=0.05"),
    "vae-mse-channel-capacity": Run(
        "vae --loss mse+0.5*kl --conditioning channel --set loss.kl.capacity=3 "
        "--set loss.kl.ramp=0.8"
    ),
    "vae-gaussian-channel-adversary": Run(
        "vae --loss gaussian+kl+20*adversary --conditioning channel --set loss.gaussian.sigma=0.2"
    ),
    "vae-laplace-film-dependence": Run(
        "vae --loss laplace+kl+20*dependence --set loss.dependence.features=64 "
        "--encoder maxpool --decoder transpose --norm group"
    ),
    "vae-logistic-channel-swap-class": Run(
        "vae --loss logistic+kl+10*swap-class --conditioning channel --stem 1 --block residual "
        "--set loss.swap-class.realism=0.5 --set loss.swap-class.robust=0.7"
    ),
    "vae-bce-film-cycle": Run("vae --loss bce+kl+2*cycle --augment shift"),
    "vae-extended": Run(f"vae --loss {_TERMS} --epochs 1", resumed="--epochs 2"),
    # Their probes would first look at all pictures of the training part.
    "vae-on-mnist": Run(
        "vae --dataset mnist --image-size 28 --width 32 --latent 10 --limit 64",
        needs=_MNIST,
        scored=None,
    ),
    "vae-on-cifar10": Run(
        "vae --dataset cifar10 --image-size 32 --width 64 --depth 2 --latent 64 --limit 64",
        needs=_CIFAR10,
        scored=None,
    ),
}
BUNDLED = {
    "unet-pets --limit 16": _PETS,
    "judge-mnist --limit 64": _MNIST,
    "judge-cifar10 --limit 64": _CIFAR10,
    "vae-mnist --limit 100": _MNIST,
}
"""Words of `netlab eval`, and the folder with the data that it needs."""
MASKS = [
    f"--weights {weights} --format {style}{tta}"
    for weights in ("unet-default", "unet-pets")
    for style in ("ids --confidence", "color", "binary", "overlay", "cutout")
    for tta in ("", " --tta")
]
"""Words of `netlab predict-mask`."""
SWAPS = {
    f"--weights {weights} --count 8{more}": needs
    for weights, needs, more in [
        ("vae-default", "", ""),
        ("vae-default", "", " --from-prior"),
        ("vae-logistic-channel-swap-class", "", " --label 3"),
        ("vae-lesson", "", " --from-prior"),
        ("vae-mnist", _MNIST, ""),
        ("vae-mnist", "", " --from-prior"),
        ("vae-cifar10", _CIFAR10, ""),
        ("vae-cifar10", "", " --from-prior"),
    ]
}
"""Words of `netlab swap-label`, and the folder with the data that it needs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("record", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--python", default=sys.executable, help="runs netlab (default: this one)")
    args = parser.parse_args()
    old = json.loads(args.file.read_text()) if args.what == "compare" else None
    with tempfile.TemporaryDirectory() as scratch:
        lab = Lab(args.python, Path(scratch))
        about, numbers = lab.about(), lab.all_numbers()
    if old is None:
        text = json.dumps({"about": about, "numbers": numbers}, indent=1, ensure_ascii=False)
        args.file.write_text(text + "\n", encoding="utf-8")
        print(f"{len(numbers)} jobs: {args.file}")
        sys.exit(any("failed" in found for found in numbers.values()))
    for difference in differences(old["about"], about):
        print(f"recorded elsewhere, which may be why numbers differ: {difference}")
    sys.exit(not compare(old["numbers"], numbers))


class Lab:
    """Runs netlab in processes of their own.

    Args:
        python: the interpreter.
        folder: empty; where they run.
    """

    def __init__(self, python: str, folder: Path) -> None:
        self.python, self.folder = python, folder
        self.env = {**os.environ, "NETLAB_CACHE": "off", "OMP_NUM_THREADS": "1"}
        # They run in another folder than this process.
        for name in ("PYTHONPATH", "NETLAB_DATA"):
            if paths := os.environ.get(name):
                whole = [str(Path(path).resolve()) for path in paths.split(os.pathsep) if path]
                self.env[name] = os.pathsep.join(whole)

    def about(self) -> dict[str, str]:
        """What the numbers depend on beside the code; also says whose code it is."""
        found: dict[str, str] = json.loads(self._called("-c", _ABOUT))
        print(f"code: {Path(found.pop('code')).parent}", file=sys.stderr)
        return found

    def all_numbers(self) -> Numbers:
        """Do all jobs whose data are there."""
        shutil.copy(_PET, self.folder)
        jobs: list[tuple[str, str, Callable[[], dict[str, Any]]]] = [
            *((name, run.needs, partial(self._train, name, run)) for name, run in RUNS.items()),
            *((f"eval {w}", needs, partial(self._score, w)) for w, needs in BUNDLED.items()),
            *((f"predict-mask {w}", "", partial(self._mask, w)) for w in MASKS),
            *((f"swap-label {w}", needs, partial(self._swap, w)) for w, needs in SWAPS.items()),
        ]
        data, numbers = Path(self.env.get("NETLAB_DATA", os.devnull)), Numbers()
        for name, needs, job in jobs:
            if needs and not (data / needs).is_dir():
                print(f"{name}: left out, no {needs} in $NETLAB_DATA", file=sys.stderr)
                continue
            try:
                numbers[name] = job()
            except subprocess.CalledProcessError as error:
                numbers[name] = {"failed": error.stderr.strip().rpartition("\n")[2]}
            print(name, numbers[name].get("failed", "done"), sep=": ", file=sys.stderr)
        return numbers

    def _train(self, name: str, run: Run) -> dict[str, Any]:
        arch, _, own = run.words.partition(" ")
        words = f"train {arch} --epochs 2 --seed 1 {_FP32} {_SMALL[arch]} {own}"
        self._netlab(f"{words} --no-download --run-dir {name}", interrupted=run.interrupted)
        if run.resumed is not None:
            self._netlab(f"train --resume {name} {run.resumed}")
        folder = self.folder / name
        found: dict[str, Any] = {"metrics": _rows(folder / "metrics.csv")}
        for weights in ("best", "last", "state"):
            found[weights] = _of_tensors(folder / f"{weights}.safetensors")
        return found if run.scored is None else found | self._score(f"{name} {run.scored}")

    def _score(self, words: str) -> dict[str, Any]:
        return {"eval": self._document(f"eval {_FP32} {words}")}

    def _mask(self, words: str) -> dict[str, Any]:
        document = self._document(f"predict-mask {_PET.name} {_FP32} {words} --out masks")
        return {"document": document} | self._taken("masks")

    def _swap(self, words: str) -> dict[str, Any]:
        places = "--pictures swaps --out swap.png --overwrite"
        document = self._document(f"swap-label {_MACHINE} {words} {places}")
        return {"document": document} | self._taken("swaps")

    def _document(self, words: str) -> dict[str, Any]:
        document = json.loads(self._netlab(f"{words} --json"))
        return {k: v for k, v in document.items() if k not in (*_VOLATILE, _PLACE)}

    def _taken(self, name: str) -> dict[str, str]:
        """What the pictures of a folder are; the folder is removed."""
        folder = self.folder / name
        found = {path.name: _of_pixels(path) for path in sorted(folder.glob("*.png"))}
        shutil.rmtree(folder)
        return found

    def _netlab(self, words: str, *, interrupted: bool = False) -> str:
        return self._called("-m", "netlab", *words.split(), interrupted=interrupted)

    def _called(self, *words: str, interrupted: bool = False) -> str:
        """The output of Python.

        Raises:
            CalledProcessError: it failed.
        """
        command = [self.python, *words]
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            if interrupted and process.stderr is not None:
                # Said after eight batches.
                next((line for line in process.stderr if line.startswith("about ")), None)
                process.send_signal(signal.SIGINT)
            out, err = process.communicate()
        if process.returncode and not interrupted:
            raise subprocess.CalledProcessError(process.returncode, command, out, err)
        return out


def compare(old: Numbers, new: Numbers) -> bool:
    """Print a line a job and what differs below it; whether all is equal."""
    width = max(map(len, [*old, *new]))
    different = 0
    for name in dict.fromkeys([*old, *new]):
        before, now = old.get(name, {}), new.get(name, {})
        items = dict.fromkeys([*before, *now])
        found = {
            item: list(differences(before.get(item, _ABSENT), now.get(item, _ABSENT)))
            for item in items
        }
        odd = {item: lines for item, lines in found.items() if lines}
        equal = [item for item in items if item not in odd]
        print(f"{name:<{width}}  equal: {', '.join(equal) or 'nothing'}")
        for item, lines in odd.items():
            more = f" (and {len(lines) - _SHOWN} more)" * (len(lines) > _SHOWN)
            print(f"{'':<{width}}  DIFFERS: {item}{'; '.join(lines[:_SHOWN])}{more}")
        different += bool(odd)
    print(f"{different} of {len({*old, *new})} jobs differ" if different else "all equal")
    return not different


def differences(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """Where two JSON documents differ, with both values; the order of keys counts."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from differences(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{where}.{key}")
        if old.keys() == new.keys() and [*old] != [*new]:
            yield f"{where}: order {', '.join(old)} → {', '.join(new)}"
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, pair in enumerate(zip(old, new, strict=True)):
            yield from differences(*pair, f"{where}[{place}]")
    elif old != new:
        yield f"{where}: {old!s:.20} → {new!s:.20}"


def _rows(path: Path) -> list[dict[str, str]]:
    """The rows of metrics.csv without what depends on the machine's speed."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {name: value for name, value in row.items() if name not in _VOLATILE}
            for row in csv.DictReader(file)
        ]


def _of_tensors(path: Path) -> str:
    """SHA-256 over the names, types, shapes and bytes of a file's tensors, by name."""
    digest = hashlib.sha256()
    with safetensors.safe_open(path, framework="np") as file:
        for name in sorted(file.keys()):
            tensor = file.get_tensor(name)
            digest.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
            digest.update(tensor.tobytes())
    return digest.hexdigest()


def _of_pixels(path: Path) -> str:
    """SHA-256 over the size, mode, palette and pixels of a picture."""
    with Image.open(path) as picture:
        digest = hashlib.sha256(f"{picture.mode} {picture.size} {picture.getpalette()}".encode())
        digest.update(np.asarray(picture).tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
