"""netlab: a lab for small encoder-decoder networks in PyTorch.

The names below are imported when they are first used, so that `import netlab` and the command line
start without torch.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netlab.config import TrainConfig
    from netlab.engine.predict import predict_mask
    from netlab.engine.scoring import evaluate
    from netlab.engine.swap import swap_label
    from netlab.engine.train import build_model, train
    from netlab.engine.weights import load

__version__ = version("netlab")

_PLACES = {
    "TrainConfig": ("netlab.config", "TrainConfig"),
    "build_model": ("netlab.engine.train", "build_model"),
    "evaluate": ("netlab.engine.scoring", "evaluate"),
    "load": ("netlab.engine.weights", "load"),
    "predict_mask": ("netlab.engine.predict", "predict_mask"),
    "swap_label": ("netlab.engine.swap", "swap_label"),
    "train": ("netlab.engine.train", "train"),
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
    if name not in _PLACES:
        raise AttributeError(f"module 'netlab' has no attribute '{name}'")
    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)
