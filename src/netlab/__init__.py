"""netlab: a lab for small encoder-decoder networks in PyTorch.

The names below are imported when they are first used, so that `import netlab` and the command line
start without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netlab.config import TrainConfig
    from netlab.predict.predictor import predict_mask
    from netlab.scoring.evaluate import evaluate
    from netlab.swap.swap import swap_label
    from netlab.tasks.load import load
    from netlab.training.fit import train
    from netlab.training.prepare import build_model

    __version__: str

_PLACES = {
    "TrainConfig": ("netlab.config", "TrainConfig"),
    "build_model": ("netlab.training.prepare", "build_model"),
    "evaluate": ("netlab.scoring.evaluate", "evaluate"),
    "load": ("netlab.tasks.load", "load"),
    "predict_mask": ("netlab.predict.predictor", "predict_mask"),
    "swap_label": ("netlab.swap.swap", "swap_label"),
    "train": ("netlab.training.fit", "train"),
}

__all__ = [
    "TrainConfig",
    "__version__",
    "build_model",
    "evaluate",
    "load",
    "predict_mask",
    "swap_label",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # takes a third of the time of `netlab --help`

        return version("netlab")
    if name not in _PLACES:
        raise AttributeError(f"module 'netlab' has no attribute '{name}'")
    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)
