"""Everything that a training needs before its first step."""

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from netlab import registry
from netlab.components import component
from netlab.config import TrainConfig
from netlab.contracts.task import Task
from netlab.device import Machine, forget_peak_memory, resolve
from netlab.errors import out_of_memory
from netlab.seeds import derive
from netlab.tasks.build import task_of
from netlab.training.logs import check_logs
from netlab.training.loop import Trainer, train_epoch
from netlab.training.reporter import Reporter, Silent
from netlab.training.state import State, new_state

_WEIGHTS, _HELPERS = 3, 4  # what a derived seed is for; the loop has the first two


_TRIED = 3  # steps


def build_model(config: TrainConfig, classes: int | None = None, channels: int = 3) -> nn.Module:
    """A network with random weights that derive from `config.seed`.

    Args:
        config: names the components.
        classes: number of classes; without it, that of the config's class names or 3.
        channels: of the pictures, 3 for RGB or 1 for gray; a unet takes RGB alone.

    Raises:
        ConfigError: components that do not fit each other.
    """
    torch.manual_seed(derive(config.seed, _WEIGHTS))
    names = config.classes or ("pet", "background", "border")
    about = {
        "classes": list(names) if classes is None else [str(i) for i in range(classes)],
        "input": {"channels": channels},
    }
    return _task(config).of_weights(config, about).build_network()


def settle(config: TrainConfig) -> tuple[TrainConfig, Machine]:
    """Replace `auto` in device, precision and threads by what is there; done once a run.

    Raises:
        UsageError: a device, an arithmetic or a package for logs that is not there.
    """
    check_logs(config)
    machine = resolve(config.device, config.precision, config.threads)
    settled = replace(
        config,
        device=str(machine.device),
        precision=machine.precision,
        threads=machine.threads,
    )
    return settled, machine


def check(config: TrainConfig) -> None:
    """Refuse a config whose network cannot be trained, before data are fetched or read.

    Raises:
        ConfigError: settings that do not fit each other.
        UsageError: a package for logs that is not there.
    """
    check_logs(config)
    _task(config).check(config)


def load(config: TrainConfig, report: Reporter) -> tuple[Any, Any]:
    """The training and the validation part of the data, in the form of the task.

    Raises:
        ConfigError, DataError: settings or data that do not fit.
    """
    task = _task(config)
    task.check(config)
    return (
        task.load(config, "train", report.message),
        task.load(config, "val", report.message),
    )


def prepare(
    config: TrainConfig,
    machine: Machine,
    report: Reporter | None = None,
    stopped: Callable[[], bool] = lambda: False,
    data: tuple[Any, Any] | None = None,
) -> tuple[Trainer, State]:
    """Load the data and build everything that a training needs, before its first step.

    Args:
        config, machine: from `settle`.
        report: hears what is said of the data, and later how it goes.
        stopped: asked after every batch; true ends the training.
        data: what `load` gave, if it is there already.

    Raises:
        ConfigError, DataError: settings or data that do not fit.
    """
    report = report or Silent()
    forget_peak_memory(machine.device)
    train, val = data or load(config, report)
    torch.manual_seed(derive(config.seed, _HELPERS))
    task = _task(config).create(config, train)
    task.place(machine.device)
    torch.manual_seed(derive(config.seed, _WEIGHTS))
    network = task.build_network()
    state = new_state(network, task.helpers(), config, machine, component(config, "optimizer"))
    schedule = component(config, "schedule")
    schedule(0, steps=1, warmup=0)  # refuses arguments it does not take
    return Trainer(config, task, machine, schedule, train, val, report, stopped), state


def fit_batch(config: TrainConfig, machine: Machine, report: Reporter | None = None) -> TrainConfig:
    """Halve the batch until training has room in memory; after that, a quarter less.

    Three steps are tried, as the optimiser keeps its sums from the first one on, and a batch of the
    validation part. On a CPU, systems that promise more memory than they have end the process
    before it can be asked for less: this is for GPUs, and for limits on a process.

    Raises:
        ConfigError, DataError: see `prepare`.
    """
    report = report or Silent()
    data = load(config, report)
    size, halved = min(config.batch_size, len(data[0])), False
    while True:
        try:
            _try_batch(replace(config, batch_size=size), machine, data)
        except (RuntimeError, MemoryError) as error:
            if size == 1 or not out_of_memory(error):
                raise
        else:
            size = max(1, size * 3 // 4) if halved else config.batch_size
            return replace(config, batch_size=size)
        gc.collect()
        size, halved = size // 2, True
        report.message(f"out of memory: trying --batch-size {size}")


def _try_batch(config: TrainConfig, machine: Machine, data: tuple[Any, Any]) -> None:
    asked = iter(range(_TRIED - 1))
    trainer, state = prepare(config, machine, None, lambda: next(asked, None) is None, data)
    train_epoch(trainer, state)
    few = np.arange(min(2 * config.batch_size, len(trainer.val)))
    batch = trainer.task.eval_batch(trainer.val, few, trainer.place)
    with torch.inference_mode(), machine.autocast():
        trainer.task.evaluation().update(state.best_network.eval(), batch)


def _task(config: TrainConfig) -> type[Task]:
    """The task that a config's architecture is for."""
    task: type[Task] = registry.get("task", task_of(config))
    return task
