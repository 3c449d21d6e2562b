"""Everything that a training needs before its first step."""

import contextlib
import gc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from netlab.components import component, task_class
from netlab.config import TrainConfig
from netlab.contracts.dataset import PictureSet
from netlab.device import Machine, forget_peak_memory, resolve
from netlab.errors import out_of_memory
from netlab.seeds import Purpose, derive
from netlab.timing import machines_to_try, measure, measured_line
from netlab.training.listener import Listener, Silent
from netlab.training.logs import check_logs
from netlab.training.loop import NotFinite, Trainer, train_epoch, train_step
from netlab.training.state import State, new_state

_TRIED = 3  # steps of a batch that may not fit into memory

Splits = tuple[PictureSet, PictureSet]
"""The training and the validation split, in the form of the task."""


def build_model(config: TrainConfig, classes: int | None = None, channels: int = 3) -> nn.Module:
    """A network with random weights that derive from `config.seed`.

    Args:
        config: names the components.
        classes: number of classes; without it, that of the config's class names or 3.
        channels: of the pictures, 3 for RGB or 1 for gray; a unet takes RGB alone.

    Raises:
        ConfigError: components that do not fit each other.
    """
    torch.manual_seed(derive(config.seed, Purpose.WEIGHTS))
    names = config.classes or ("pet", "background", "border")
    about = {
        "classes": list(names) if classes is None else [str(i) for i in range(classes)],
        "input": {"channels": channels},
    }
    return task_class(config).of_weights(config, about).build_network()


def set_up(
    config: TrainConfig,
    listener: Listener | None = None,
    stopped: Callable[[], bool] = lambda: False,
    *,
    fitting_batch: bool = False,
) -> tuple[Trainer, State]:
    """All that comes before the first step, from the settings on; no folder is needed.

    Args:
        config: complete; `auto` is measured (see `measured`), and the config of the trainer that
            comes back holds what it has become.
        listener: hears what is said of the data and the machine, and later how it goes.
        stopped: asked after every batch; true ends the training.
        fitting_batch: make the batch smaller where memory has no room for it (see `fit_batch`).

    Raises:
        ConfigError, DataError, UsageError: settings, data or device that do not fit.
    """
    listener = listener or Silent()
    settle(config)  # what is not there shows before data are read
    data = load(config, listener)
    config, machine = settle(measured(config, data, listener))
    if fitting_batch:
        config = fit_batch(config, machine, listener, data)
    return prepare(config, machine, listener, stopped, data)


def settle(config: TrainConfig) -> tuple[TrainConfig, Machine]:
    """Replace `auto` in device, precision and threads by what is there, without trying.

    Raises:
        UsageError: a device, an arithmetic or a package for logs that is not there.
    """
    check_logs(config)
    machine = resolve(config.device, config.precision, config.threads)
    return settled_on(config, machine), machine


def check(config: TrainConfig) -> None:
    """Refuse a config whose network cannot be trained, before data are fetched or read.

    Raises:
        ConfigError: settings that do not fit each other.
        UsageError: a package for logs that is not there.
    """
    check_logs(config)
    task_class(config).check(config)


def load(config: TrainConfig, listener: Listener) -> Splits:
    """The training and the validation split of the data.

    Raises:
        ConfigError, DataError: settings or data that do not fit.
    """
    task = task_class(config)
    task.check(config)
    train, val = (task.load(config, split, listener.message) for split in ("train", "val"))
    return train, val


def measured(config: TrainConfig, data: Splits, listener: Listener) -> TrainConfig:
    """Replace `auto` in precision and threads by what trains this network quickest here.

    A few steps are trained with each that is sensible, and thrown away: each precision has network,
    optimiser and task of its own, built as those of the run will be, and random numbers go on as if
    nothing had been drawn. It takes at most 4 s, and of a short run 5 % of what it is estimated to
    take; a run that is too short for that takes fp32, or the usual arithmetic of its GPU, and all
    cores (see `netlab.timing`). Where both are given, nothing is measured.
    """
    machines = machines_to_try(config.device, config.precision, config.threads)
    if len(machines) == 1:
        return settled_on(config, machines[0])
    trained: dict[str, tuple[Trainer, State]] = {}

    def step(machine: Machine, count: int) -> None:
        if machine.precision not in trained:
            own = replace(settled_on(config, machine), on_nan="stop")
            trained[machine.precision] = prepare(own, machine, data=data)
        trainer, state = trained[machine.precision]
        state.progress.step = 0
        with contextlib.suppress(NotFinite):  # took as long as any other
            train_step(trainer, state, np.arange(count))

    size = min(config.batch_size, len(data[0]))
    images = config.epochs * (len(data[0]) // size) * size
    with torch.random.fork_rng():
        paces = measure(machines, step, batch_size=size, images=images)
    if not paces:
        return settled_on(config, machines[0])
    listener.message(measured_line(paces, config.precision, config.threads))
    return settled_on(config, paces[0].machine)


def settled_on(config: TrainConfig, machine: Machine) -> TrainConfig:
    """A config with the settings of a machine."""
    return replace(
        config,
        device=str(machine.device),
        precision=machine.precision,
        threads=machine.threads,
    )


def prepare(
    config: TrainConfig,
    machine: Machine,
    listener: Listener | None = None,
    stopped: Callable[[], bool] = lambda: False,
    data: Splits | None = None,
) -> tuple[Trainer, State]:
    """Load the data and build everything that a training needs, before its first step.

    Args:
        config, machine: from `settle`.
        listener: hears what is said of the data, and later how it goes.
        stopped: asked after every batch; true ends the training.
        data: what `load` gave, if it is there already.

    Raises:
        ConfigError, DataError: settings or data that do not fit.
    """
    listener = listener or Silent()
    forget_peak_memory(machine.device)
    train, val = data or load(config, listener)
    torch.manual_seed(derive(config.seed, Purpose.HELPERS))
    task = task_class(config).create(config, train)
    task.place(machine.device)
    torch.manual_seed(derive(config.seed, Purpose.WEIGHTS))
    network = task.build_network()
    state = new_state(network, task.helpers(), config, machine, component(config, "optimizer"))
    schedule = component(config, "schedule")
    schedule(0, steps=1, warmup=0)  # refuses arguments it does not take
    return Trainer(config, task, machine, schedule, train, val, listener, stopped), state


def fit_batch(
    config: TrainConfig,
    machine: Machine,
    listener: Listener | None = None,
    data: Splits | None = None,
) -> TrainConfig:
    """Halve the batch until training has room in memory; after that, a quarter less.

    Three steps are tried, as the optimiser keeps its sums from the first one on, and a batch of the
    validation split. On a CPU, systems that promise more memory than they have end the process
    before it can be asked for less: this is for GPUs, and for limits on a process.

    Raises:
        ConfigError, DataError: see `prepare`.
    """
    listener = listener or Silent()
    data = data or load(config, listener)
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
        listener.message(f"out of memory: trying --batch-size {size}")


def _try_batch(config: TrainConfig, machine: Machine, data: Splits) -> None:
    asked = iter(range(_TRIED - 1))
    trainer, state = prepare(config, machine, None, lambda: next(asked, None) is None, data)
    train_epoch(trainer, state)
    few = np.arange(min(2 * config.batch_size, len(trainer.val)))
    batch = trainer.task.eval_batch(trainer.val, few, trainer.to_device)
    with torch.inference_mode(), machine.autocast():
        trainer.task.evaluation().update(state.best_network.eval(), batch)
