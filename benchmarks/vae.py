"""Training speed of a conditional VAE: our loop beside pythae's trainer, in one run.

    python benchmarks/vae.py --pythae-python pythae-venv/bin/python [--preset lesson]
        [--steps 20] [--rounds 5] [--threads 0] [--json FILE]

Equal on both sides: layers and first weights (netlab's encode and decode functions, wrapped for
pythae), the label as a channel and beside z, loss (bce + kl), Adam and its learning rate without
schedule, decay or average, the pictures, whole batches in a new order every epoch, threads, torch,
no progress bar. Different, and what is compared: pythae's `BaseTrainer.train_step` (an epoch) reads
float pictures one by one through a DataLoader, convolves in the default memory layout, with an Adam
of one kernel a weight, and takes a sigmoid and its logarithm; its VAE hands no label on, so its
label is the same for all pictures. Ours is `train_epoch`; once in fp32 and, where the processor has
it, once in bf16.

Each side is a process of its own under the Python that has pythae. Whole epochs are timed, without
scoring and saving; the first of each is warm-up and not counted. Rounds alternate the sides, and
the ratios are those within a round. Where other programs run, take `--threads 1`: two threads wait
for each other, in bf16 with both cores busy. Pictures are MNIST's in $NETLAB_DATA, or drawn where
there are none. Exits with 1 if the median ratio of the last is under 1.5, with 2 if pythae is
missing.
"""

import argparse
import importlib
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from _memory import peak_mebibytes
from torch import Tensor, nn

from netlab.config import TrainConfig
from netlab.data.mnist import Mnist
from netlab.data.readers.folders import data_dir
from netlab.device import Machine, resolve
from netlab.settings import Layer, merge, preset_names, recipe
from netlab.tasks.pixels import to_unit
from netlab.tasks.vae.task import ConditionalVae
from netlab.training.loop import train_epoch
from netlab.training.prepare import build_model, prepare, settle

BAR = 1.5
INSTALL = (
    "pythae is missing; it is needed by this benchmark alone, in an environment of its own: "
    "python -m venv pythae-venv && pythae-venv/bin/pip install -e . -c constraints.txt pythae, "
    "then --pythae-python pythae-venv/bin/python"
)

Report = dict[str, Any]


def config_for(precision: str, args: argparse.Namespace) -> TrainConfig:
    """The recipe's layers and learning rate with what pythae has as well, and nothing else."""
    plain: dict[str, Any] = {
        "dataset": "mnist" if Mnist().present(data_dir(None)) else "digits",
        "conditioning": "channel",
        "loss": "bce+kl",
        "optimizer": "adam",
        "schedule": "constant",
        "warmup": 0.0,
        "weight_decay": 0.0,
        "clip": 0.0,
        "ema": 0.0,
        "augment": "none",
        "device": "cpu",
        "precision": precision,
        "threads": args.threads,
    }
    config = merge({}, recipe("vae", [Layer("benchmark", plain)], args.preset))
    return merge(config.to_dict(), [Layer("steps", {"limit": args.steps * config.batch_size})])


def our_epochs(config: TrainConfig) -> Iterator[Report]:
    """What is trained, then seconds and loss of epoch after epoch of netlab's loop."""
    config, machine = settle(config)
    trainer, state = prepare(config, machine)
    yield _facts(state.network, config, machine, len(trainer.train))
    progress = state.progress
    while True:
        started = _clocks()
        train_epoch(trainer, state)
        loss = progress.sums["loss"] / progress.sums["count"]
        yield {**_since(started), "loss": loss}
        progress.epoch, progress.batch, progress.sums = progress.epoch + 1, 0, {}


def pythae_epochs(config: TrainConfig) -> Iterator[Report]:
    """The same of pythae's loop."""
    logging.disable(logging.INFO)
    config, machine = settle(config)
    found = ConditionalVae.load(config, "train", print)
    pictures = to_unit(torch.from_numpy(found.images)).contiguous()
    network = build_model(config, len(found.classes), pictures.shape[1])
    model = _wrapped(network, config, len(found.classes), tuple(pictures.shape[1:]))
    trainers = importlib.import_module("pythae.trainers")
    data = importlib.import_module("pythae.data.datasets")
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainers.BaseTrainer(
            model,
            data.BaseDataset(pictures, torch.from_numpy(found.targets)),
            training_config=trainers.BaseTrainerConfig(
                output_dir=folder,
                per_device_train_batch_size=config.batch_size,
                optimizer_cls="Adam",
                learning_rate=config.lr,
                no_cuda=True,
            ),
        )
        trainer.prepare_training()
        yield _facts(trainer.model, config, machine, len(pictures))
        epoch = 1
        while True:
            started = _clocks()
            loss = trainer.train_step(epoch)
            yield {**_since(started), "loss": loss}
            epoch += 1


def _wrapped(network: Any, config: TrainConfig, classes: int, shape: tuple[int, ...]) -> Any:
    """A pythae VAE whose encoder and decoder are those of a netlab network."""
    models = importlib.import_module("pythae.models")
    layers = importlib.import_module("pythae.models.nn")
    encoder_base: Any = layers.BaseEncoder
    decoder_base: Any = layers.BaseDecoder
    output = importlib.import_module("pythae.models.base.base_utils").ModelOutput
    label = torch.eye(classes)[:1]

    class Encoder(encoder_base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor) -> Any:
            posterior = self.network.encode(x, label.expand(len(x), -1))
            return output(embedding=posterior.mean, log_covariance=posterior.log_var)

    class Decoder(decoder_base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, z: Tensor) -> Any:
            logits = self.network.decode(z, label.expand(len(z), -1))
            return output(reconstruction=logits.sigmoid())

    about = models.VAEConfig(input_dim=shape, latent_dim=config.latent, reconstruction_loss="bce")
    return models.VAE(about, encoder=Encoder(), decoder=Decoder())


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(started: tuple[float, float]) -> Report:
    wall, cpu = _clocks()
    return {"seconds": wall - started[0], "cpu_seconds": cpu - started[1]}


def _facts(network: nn.Module, config: TrainConfig, machine: Machine, pictures: int) -> Report:
    """What has to be the same on all sides."""
    return {
        "dataset": config.dataset,
        "pictures": pictures,
        "batch": config.batch_size,
        "lr": config.lr,
        "threads": machine.threads,
        "torch": torch.__version__,
        "shapes": [list(weight.shape) for weight in network.parameters()],
    }


def variants(args: argparse.Namespace) -> dict[str, Callable[[], Iterator[Report]]]:
    """The loops to compare; the first is what the others are measured by."""
    fp32 = config_for("fp32", args)
    found = {"pythae fp32": lambda: pythae_epochs(fp32), "netlab fp32": lambda: our_epochs(fp32)}
    auto = resolve("cpu", "auto").precision
    if auto != "fp32":
        other = config_for(auto, args)
        found[f"netlab {auto}"] = lambda: our_epochs(other)
    return found


def work(epochs: Iterator[Report]) -> None:
    """In a process of its own: an epoch for each line that comes in, peak memory at the end."""
    print(json.dumps(next(epochs)), flush=True)
    for _ in sys.stdin:
        print(json.dumps(next(epochs)), flush=True)
    print(json.dumps(peak_mebibytes()))


class Side:
    """A process that trains one variant when it is asked to."""

    def __init__(self, name: str, args: argparse.Namespace) -> None:
        words = [args.pythae_python, __file__, "--only", name, "--steps", str(args.steps)]
        words += ["--threads", str(args.threads), "--preset", args.preset]
        self.name = name
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"TQDM_DISABLE": "1"},
        )
        self.facts = self._read()

    def epoch(self) -> Report:
        """Train an epoch: its seconds and its mean loss."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        found: Report = self._read()
        return found

    def end(self) -> int:
        """Peak memory in MiB; the process ends."""
        assert self.process.stdin
        self.process.stdin.close()
        peak: int = self._read()
        self.process.wait()
        return peak

    def _read(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended with {self.process.wait()}")
        return json.loads(line)


def measure(args: argparse.Namespace) -> tuple[Report, dict[str, Report]]:
    """What is the same on all sides, and the figures of each."""
    sides = [Side(name, args) for name in variants(args)]
    facts = sides[0].facts
    for side in sides[1:]:
        if odd := [key for key, value in side.facts.items() if value != facts[key]]:
            sys.exit(f"{side.name} and {sides[0].name} differ in {', '.join(odd)}")
    epochs: dict[str, list[Report]] = {side.name: [] for side in sides}
    for number in range(args.rounds + 1):
        for side in sides if number % 2 else sides[::-1]:
            found = side.epoch()
            epochs[side.name] += [found] * (number > 0)  # the first warms up
    base = epochs[sides[0].name]
    return facts, {
        side.name: {
            "images_per_second": _spread([facts["pictures"] / e["seconds"] for e in own]),
            "ratio": _ratio(base, own, "seconds"),
            "cpu_ratio": _ratio(base, own, "cpu_seconds"),
            "peak_memory_mib": side.end(),
            "last_loss": round(own[-1]["loss"], 2),
        }
        for side, own in zip(sides, epochs.values(), strict=True)
    }


def _ratio(base: list[Report], own: list[Report], clock: str) -> dict[str, float]:
    return _spread([b[clock] / o[clock] for b, o in zip(base, own, strict=True)])


def _spread(values: list[float]) -> dict[str, float]:
    found = {"min": min(values), "median": statistics.median(values), "max": max(values)}
    return {key: round(value, 2) for key, value in found.items()}


def show(facts: Report, figures: dict[str, Report]) -> None:
    """Print what is equal, and a row for each side."""
    weights = sum(torch.Size(shape).numel() for shape in facts["shapes"])
    print(
        f"{facts['dataset']}, epochs of {facts['pictures']} pictures, batch {facts['batch']}, "
        f"Adam at {facts['lr']:g}, {weights:,} weights in {len(facts['shapes'])} tensors of equal "
        f"shapes, cpu ({facts['threads']} threads), torch {facts['torch']}"
    )
    heads = "".join(f"{name:>20}" for name in ("images/s", "ratio", "ratio of CPU time"))
    print(f"{'median (min to max)':<20}{heads}{'peak MiB':>10}{'last loss':>11}")
    for name, row in figures.items():
        speed = _words(row["images_per_second"], 0)
        ratios = f"{_words(row['ratio'], 2):>20}{_words(row['cpu_ratio'], 2):>20}"
        print(f"{name:<20}{speed:>20}{ratios}{row['peak_memory_mib']:>10}{row['last_loss']:>11.2f}")


def _words(spread: dict[str, float], digits: int) -> str:
    low, middle, high = (f"{value:.{digits}f}" for value in spread.values())
    return f"{middle} ({low} to {high})"


def has_pythae(python: str) -> bool:
    """Whether a Python has pythae and netlab."""
    names = "('pythae', 'netlab')"
    code = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, {names})))"
    try:
        return subprocess.run([python, "-c", code], check=False).returncode == 0
    except OSError:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--pythae-python", default=sys.executable, help="Python that has pythae; runs all sides"
    )
    parser.add_argument(
        "--preset", choices=preset_names("vae"), default="default", help="whose layers"
    )
    parser.add_argument("--steps", type=int, default=20, help="steps an epoch")
    parser.add_argument("--rounds", type=int, default=5, help="epochs a side that are counted")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        work(variants(args)[args.only]())
        return 0
    if not has_pythae(args.pythae_python):
        print(INSTALL, file=sys.stderr)
        return 2
    facts, figures = measure(args)
    show(facts, figures)
    if args.json:
        args.json.write_text(json.dumps({**facts, "sides": figures}, indent=2) + "\n")
    name = list(figures)[-1]  # bf16 where the processor has it
    ratio = figures[name]["ratio"]["median"]
    if ratio < BAR:
        print(f"{name} is {ratio} times pythae, expected {BAR}", file=sys.stderr)
    return int(ratio < BAR)


if __name__ == "__main__":
    sys.exit(main())
