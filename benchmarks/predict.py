"""Folder prediction beside a plain loop; reading, network and writing included.

    python benchmarks/predict.py --repeat 4 --rounds 3

The plain loop is what one writes first: open, resize, network on one picture in the default memory
layout, resize back, argmax, save. Both have the same weights and threads. Without the full-size
photos in $NETLAB_DATA/oxford-iiit-pet-full it takes made-up pictures. Ends with 1 if fewer than
99.9 % of the pixels are equal in fp32.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from _memory import peak_mebibytes
from PIL import Image, ImageFilter

from netlab.device import resolve
from netlab.predict.inputs import Naming, find_inputs, make_folders, plan
from netlab.predict.outputs import Done, Style
from netlab.predict.pipeline import predict_files
from netlab.predict.predictor import Predictor
from netlab.runs.find import DEFAULT
from netlab.settings import defaults_of, merge
from netlab.tasks.load import describe, load_weights
from netlab.tasks.pixels import MEAN, STD
from netlab.tasks.segmentation.task import Segmentation
from netlab.weights.bundled import bundled
from netlab.weights.file import save_weights

EQUAL = 0.999


def main() -> int:
    """Print both rates, their ratio, peak memory and the share of equal pixels."""
    wish = _arguments()
    if wish.only:  # one side in a process of its own, for its peak memory
        _run(wish.only, wish, wish.pictures, wish.pictures.parent / "memory")
        print(peak_mebibytes())
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        wish.pictures = _pictures(Path(scratch) / "in", wish.repeat)
        wish.weights = wish.weights or bundled().get(DEFAULT) or _random_weights(Path(scratch))
        return _compare(wish, Path(scratch))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", type=Path, help="default: bundled, else random")
    parser.add_argument("--repeat", type=int, default=2, help="copies of each picture")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--pictures", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _compare(wish: argparse.Namespace, folder: Path) -> int:
    sides = ["plain fp32", "netlab fp32"]
    auto = resolve(wish.device).precision
    sides += [f"{who} {auto}" for who in ("plain", "netlab") if auto != "fp32"]
    count = len(list(wish.pictures.iterdir()))
    rates: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(-1, wish.rounds):  # the first round only warms up
        for side in sides if number % 2 else sides[::-1]:
            seconds = _run(side, wish, wish.pictures, folder / side)
            rates[side] += [count / seconds] * (number >= 0)
    print(f"{count} pictures, batch {wish.batch_size}, {_where(wish)}")
    print(f"{'':<14}{'images/s':>10}{'spread':>16}{'ratio':>8}{'peak MiB':>10}{'equal pixels':>14}")
    equal = {side: _equal(folder / "plain fp32", folder / side) for side in sides}
    for side, values in rates.items():
        rate, plain = statistics.median(values), rates[f"plain {side.split()[1]}"]
        spread = f"{min(values):.1f} to {max(values):.1f}"
        print(
            f"{side:<14}{rate:>10.1f}{spread:>16}{rate / statistics.median(plain):>8.2f}"
            f"{_peak(side, wish):>10}{equal[side]:>14.4%}"
        )
    return int(equal["netlab fp32"] < EQUAL)


def _where(wish: argparse.Namespace) -> str:
    return resolve(wish.device, "fp32", wish.threads).describe().removesuffix(", fp32")


def _run(side: str, wish: argparse.Namespace, pictures: Path, out: Path) -> float:
    """Seconds from loaded weights to written masks."""
    who, precision = side.split()
    out.mkdir(exist_ok=True)
    if who == "netlab":
        predictor = Predictor.load(
            wish.weights, device=wish.device, precision=precision, threads=wish.threads
        )
        start = time.perf_counter()
        jobs = plan(find_inputs([str(pictures)]), Naming("_mask", out, overwrite=True)).jobs
        make_folders(jobs)
        for _, result in predict_files(jobs, predictor, Style("ids"), batch_size=wish.batch_size):
            assert isinstance(result, Done)
        return time.perf_counter() - start
    return _plain(wish, precision, pictures, out)


@torch.inference_mode()
def _plain(wish: argparse.Namespace, precision: str, pictures: Path, out: Path) -> float:
    machine = resolve(wish.device, precision, wish.threads)
    loaded = load_weights(wish.weights)
    network = loaded.network.to(machine.device)
    size = loaded.about["input"]["size"]
    start = time.perf_counter()
    for path in sorted(pictures.iterdir()):
        image = Image.open(path).convert("RGB")
        small = image.resize((size, size), Image.Resampling.BILINEAR)
        x = torch.from_numpy(np.asarray(small).copy()).to(machine.device)
        x = ((x.permute(2, 0, 1)[None].float() / 255 - MEAN) / STD).contiguous()
        with machine.autocast():
            logits = network(x).float()
        logits = F.interpolate(
            logits, (image.height, image.width), mode="bilinear", align_corners=False
        )
        mask = logits.argmax(dim=1)[0].to(torch.uint8).cpu().numpy()
        Image.fromarray(mask).save(out / f"{path.stem}_mask.png")
    return time.perf_counter() - start


def _equal(left: Path, right: Path) -> float:
    """Share of equal pixels over all masks of two folders."""
    same = total = 0
    for path in sorted(left.iterdir()):
        a, b = (np.asarray(Image.open(folder / path.name)) for folder in (left, right))
        same, total = same + int((a == b).sum()), total + a.size
    return same / total


def _peak(side: str, wish: argparse.Namespace) -> int:
    """Peak memory of one side, in MiB."""
    words = [sys.executable, __file__, "--only", side, "--pictures", str(wish.pictures)]
    words += ["--weights", str(wish.weights), "--device", wish.device]
    words += ["--threads", str(wish.threads), "--batch-size", str(wish.batch_size)]
    made = subprocess.run(words, capture_output=True, text=True, check=True)
    return int(made.stdout.split()[-1])


def _pictures(folder: Path, repeat: int) -> Path:
    folder.mkdir()
    data = Path(os.environ.get("NETLAB_DATA", "data")) / "oxford-iiit-pet-full"
    photos = sorted(data.rglob("*.jpg")) or _made_up(folder.parent)
    for photo in photos:
        for number in range(repeat):
            (folder / f"{photo.stem}-{number}.jpg").write_bytes(photo.read_bytes())
    return folder


def _made_up(folder: Path) -> list[Path]:
    random = np.random.default_rng(0)
    paths = []
    for number in range(40):
        noise = Image.fromarray(random.integers(0, 256, (24, 32, 3), np.uint8))
        picture = noise.resize((500, 375), Image.Resampling.BICUBIC)
        paths.append(folder / f"made-up-{number}.jpg")
        picture.filter(ImageFilter.GaussianBlur(2)).save(paths[-1], quality=90)
    return paths


def _random_weights(folder: Path) -> Path:
    """The default network with random weights: as quick as a trained one."""
    torch.manual_seed(0)
    config = merge({}, [defaults_of("unet")])
    task = Segmentation(config, ("pet", "background", "border"))
    network = task.build_network()
    path = folder / "random.safetensors"
    save_weights(path, network.state_dict(), describe(config, network, task.facts()))
    return path


if __name__ == "__main__":
    sys.exit(main())
