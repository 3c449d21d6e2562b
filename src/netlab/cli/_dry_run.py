"""What a training would be: shapes, weights, memory and time, without a run folder."""

import json
import sys
import time
from typing import Any

import torch
from torch import Tensor, nn

from netlab.cli._report import duration, note
from netlab.config import TrainConfig
from netlab.engine.events import Silent
from netlab.engine.loop import Trainer, train_epoch
from netlab.engine.state import State
from netlab.engine.train import prepare, settle

_WARM, _TIMED = 3, 5  # steps


class _Notes(Silent):
    def message(self, text: str) -> None:
        """Data sets say what they drop."""
        note(text)


def show_dry_run(config: TrainConfig, *, as_json: bool) -> None:
    """Train a few steps in memory and print what they cost."""
    config, machine = settle(config)
    trainer, state = prepare(config, machine, _Notes())
    shapes = _shapes(trainer, state)
    seconds = _epoch_seconds(trainer, state)
    facts: dict[str, Any] = {
        "weights": sum(p.numel() for p in state.network.parameters()),
        "train": len(trainer.train),
        "val": len(trainer.val),
        "batches": trainer.batches,
        "machine": machine.describe(),
        "peak_memory_mib": _peak_memory(machine.device),
        "seconds_per_epoch": round(seconds, 1),
        "seconds": round(seconds * config.epochs),
        "shapes": shapes,
    }
    if as_json:
        print(json.dumps(facts))
        return
    for name, shape in shapes.items():
        print(f"{name:<24} {' × '.join(map(str, shape))}")
    print(f"{'weights':<24} {facts['weights']:,}")
    print(f"{'data':<24} {facts['train']:,} to train, {facts['val']:,} to validate")
    print(f"{'machine':<24} {facts['machine']}")
    print(f"{'peak memory':<24} {facts['peak_memory_mib']:,} MiB")
    print(f"{'time':<24} {duration(seconds)} an epoch, {duration(seconds * config.epochs)} in all")


def _shapes(trainer: Trainer, state: State) -> dict[str, list[int]]:
    """Output shape of each level, from one forward pass."""
    found: dict[str, list[int]] = {}

    def record(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:  # noqa: ARG001
            if isinstance(output, Tensor):
                found[name] = list(output.shape)

        return hook

    named = [(n, m) for n, m in state.network.named_modules() if n and n.count(".") <= 2]
    wanted = [(n, m) for n, m in named if not any(True for _ in m.children()) or n.count(".") == 2]
    hooks = [
        module.register_forward_hook(record(name))
        for name, module in wanted or named
        if not isinstance(module, nn.ModuleList)
    ]
    batch = trainer.task.eval_batch(trainer.val, _few(trainer), trainer.place)
    with torch.inference_mode(), trainer.machine.autocast():
        found["input"] = list(batch[0].shape)
        state.network.eval()(batch[0])
    for hook in hooks:
        hook.remove()
    return found


def _few(trainer: Trainer) -> Any:
    import numpy as np

    return np.arange(min(trainer.config.batch_size, len(trainer.val)))


def _epoch_seconds(trainer: Trainer, state: State) -> float:
    """Time of an epoch from a few steps; the first ones, which set things up, do not count."""
    steps = min(_WARM + _TIMED, trainer.batches)
    marks: list[float] = []

    def stopped() -> bool:
        marks.append(time.perf_counter())
        return len(marks) >= steps

    train_epoch(
        Trainer(
            trainer.config,
            trainer.task,
            trainer.machine,
            trainer.schedule,
            trainer.train,
            trainer.val,
            trainer.report,
            stopped,
        ),
        state,
    )
    start = min(_WARM, len(marks) - 1) - 1
    if start < 0:
        return state.progress.seconds
    return (marks[-1] - marks[start]) / (len(marks) - 1 - start) * trainer.batches


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) // 2**20
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)
