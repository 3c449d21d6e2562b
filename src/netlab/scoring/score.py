"""A network over a split, batch by batch, into a score-keeper."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from netlab.contracts.report import Gathers
from netlab.contracts.task import Task
from netlab.device import Machine
from netlab.errors import Interrupted

E = TypeVar("E", bound=Gathers)


def score(
    evaluation: E,
    task: Task,
    network: nn.Module,
    data: Any,
    machine: Machine,
    batch_size: int,
    stopped: Callable[[], bool] = lambda: False,
) -> E:
    """Fill a score-keeper with a split, and return it.

    Raises:
        Interrupted: `stopped`, which is asked before every batch, said so.
    """
    network.eval()
    for start in range(0, len(data), batch_size):
        if stopped():
            raise Interrupted("stopped while scoring")
        indices = np.arange(start, min(start + batch_size, len(data)))
        batch = task.eval_batch(data, indices, lambda t: t.to(machine.device))
        with torch.inference_mode(), machine.autocast():
            evaluation.update(network, batch)
    return evaluation
