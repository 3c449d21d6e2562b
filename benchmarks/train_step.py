"""Training speed: our loop beside a plain loop around the same network, in one run.

    python benchmarks/train_step.py [--steps 3] [--rounds 3] [--width 64] [--json FILE]

Both train the `lesson` network (max-pool + transpose) with Adam at batch 16 on 128-pixel pictures.
The plain loop is what a notebook has: default memory layout, a DataLoader without workers that
opens, decodes and resizes each file again in every epoch. Ours keeps decoded bytes, convolves
channels-last, and updates weights in one fused kernel; once in fp32 and, where the processor has
it, once in bf16. Rounds alternate; the medians of the rounds are compared. Peak memory is that of a
process of its own for each variant. Pictures are those of $NETLAB_DATA, or drawn where there are
none. Exits with 1 if a ratio is under its bar (1.15 at equal precision, 2 with bf16).
"""

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _memory import peak_mebibytes
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from netlab.config import TrainConfig
from netlab.contracts.dataset import DataRequest
from netlab.data.synthetic import Synthetic
from netlab.device import resolve
from netlab.settings import Layer, defaults_of, merge, preset
from netlab.training.loop import Trainer, train_epoch
from netlab.training.prepare import build_model, prepare, settle
from netlab.training.state import State

BARS = {"fp32": 1.15, "bf16": 2.0}
BATCH = 16


class Files(Dataset[tuple[Tensor, Tensor]]):
    """Opens, decodes and resizes a picture and its mask each time it is asked."""

    def __init__(self, pairs: list[tuple[Path, Path]], size: int, first_id: int) -> None:
        self.pairs, self.size, self.first_id = pairs, size, first_id

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """A picture (3, S, S) in [0, 1] and its ids (S, S)."""
        square = (self.size, self.size)
        with Image.open(self.pairs[index][0]) as file:
            image = file.convert("RGB").resize(square, Image.Resampling.BILINEAR)
        with Image.open(self.pairs[index][1]) as file:
            mask = file.resize(square, Image.Resampling.NEAREST)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        return pixels, torch.from_numpy(np.array(mask)).long() - self.first_id


def find_pairs(folder: Path, count: int) -> tuple[list[tuple[Path, Path]], int]:
    """Picture and mask files, real or drawn, and the pixel value of class 0."""
    root = Path(os.environ.get("NETLAB_DATA", "data")) / "oxford-iiit-pet"
    masks = sorted((root / "annotations" / "trimaps").glob("[!.]*.png"))[:count]
    if masks:
        return [(root / "images" / f"{m.stem}.jpg", m) for m in masks], 1
    drawn = Synthetic().load(DataRequest(split="train", image_size=128, limit=count))
    pairs = []
    for name, image, mask in zip(drawn.names, drawn.images, drawn.masks, strict=True):
        pair = folder / f"{name}.jpg", folder / f"{name}.png"
        Image.fromarray(image).save(pair[0])
        Image.fromarray(mask).save(pair[1])
        pairs.append(pair)
    return pairs, 0


def config_for(precision: str, width: int, count: int) -> TrainConfig:
    """The lesson's settings on as many pictures as a round needs."""
    real = (Path(os.environ.get("NETLAB_DATA", "data")) / "oxford-iiit-pet").is_dir()
    changes = {
        "precision": precision,
        "width": width,
        "limit": count,
        "dataset": "pets" if real else "synthetic",
        "batch_size": BATCH,
        "device": "cpu",
    }
    return merge({}, [defaults_of("unet"), preset("unet", "lesson"), Layer("benchmark", changes)])


def plain_rounds(config: TrainConfig, folder: Path, steps: int) -> Iterator[float]:
    """Seconds a step of the plain loop, round by round."""
    resolve("cpu", "fp32", config.threads)
    pairs, first_id = find_pairs(folder, steps * BATCH)
    loader = DataLoader(Files(pairs, config.image_size, first_id), BATCH, drop_last=True)
    network = build_model(config).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=config.lr)
    criterion = torch.nn.CrossEntropyLoss()
    while True:
        started = time.perf_counter()
        count = 0
        for images, masks in loader:
            optimizer.zero_grad()
            loss = criterion(network(images), masks)
            loss.backward()
            optimizer.step()
            loss.item()
            count += 1
        yield (time.perf_counter() - started) / count


def our_rounds(config: TrainConfig, steps: int) -> Iterator[float]:
    """Seconds a step of netlab's loop, round by round."""
    config, machine = settle(config)
    trainer, state = prepare(config, machine)
    while True:
        yield _our_round(trainer, state, steps)
        state.progress.epoch, state.progress.batch = state.progress.epoch + 1, 0


def _our_round(trainer: Trainer, state: State, steps: int) -> float:
    first = state.progress.step
    marks = [time.perf_counter()]

    def stopped() -> bool:
        marks.append(time.perf_counter())
        return len(marks) > steps

    train_epoch(dataclasses.replace(trainer, stopped=stopped), state)
    return (marks[-1] - marks[0]) / (state.progress.step - first)


def variants(args: argparse.Namespace, folder: Path) -> dict[str, Callable[[], Iterator[float]]]:
    """The loops to compare."""
    count = args.steps * BATCH
    fp32 = config_for("fp32", args.width, count)
    found = {
        "plain fp32": lambda: plain_rounds(fp32, folder, args.steps),
        "netlab fp32": lambda: our_rounds(fp32, args.steps),
    }
    if resolve("cpu", "auto").precision == "bf16":
        bf16 = config_for("bf16", args.width, count)
        found["netlab bf16"] = lambda: our_rounds(bf16, args.steps)
    return found


def peak_memory(name: str, args: argparse.Namespace) -> int:
    """Peak memory in MiB of a process that trains one round of one variant."""
    command = [sys.executable, __file__, "--only", name, "--steps", "3", "--width", str(args.width)]
    shown = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(shown.stdout.split()[-1])


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Alternate the variants; medians of seconds a step, ratios, and memory."""
    loops = {name: make() for name, make in variants(args, folder).items()}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for number in range(args.rounds + 1):
        for name, loop in loops.items():
            spent = next(loop)
            if number:  # the first round warms up
                seconds[name].append(spent)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        name: {
            "images_per_second": round(BATCH / median, 2),
            "ratio": round(medians["plain fp32"] / median, 3),
            "peak_memory_mib": peak_memory(name, args),
        }
        for name, median in medians.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=3, help="steps a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--width", type=int, default=64, help="64 is the lesson's network")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.only:
            next(variants(args, Path(folder))[args.only]())
            print(peak_mebibytes())
            return
        figures = measure(args, Path(folder))
    print(f"{'loop':<14}{'images/s':>10}{'ratio':>8}{'peak MiB':>10}")
    for name, row in figures.items():
        speed, ratio, memory = row.values()
        print(f"{name:<14}{speed:>10}{ratio:>8}{memory:>10}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")
    slow = [
        f"{name} is {row['ratio']} times the plain loop, expected {BARS[name.split()[1]]}"
        for name, row in figures.items()
        if name.startswith("netlab") and row["ratio"] < BARS[name.split()[1]]
    ]
    sys.exit("; ".join(slow) or 0)


if __name__ == "__main__":
    main()
