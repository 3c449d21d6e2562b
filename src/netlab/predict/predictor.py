"""Masks for pictures; whole folders go through `netlab.predict.pipeline`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab.data.readers.pictures import stretch, upright
from netlab.device import Machine, resolve
from netlab.errors import out_of_memory
from netlab.predict.prediction import Prediction, Size
from netlab.runs.find import find_weights
from netlab.tasks.load import Loaded, load_weights
from netlab.tasks.pixels import to_unit
from netlab.timing import Pace, machines_to_try, measure, measured_line


class Predictor:
    """A network that is ready to predict masks.

    Args:
        network: gives logits (B, K, S, S) for normalised pictures (B, 3, S, S).
        about: description from its weights file: `classes` and `input`.
        machine: where it runs.
        tta: also predict the mirrored picture and average the logits.
    """

    def __init__(
        self, network: nn.Module, about: Mapping[str, Any], machine: Machine, *, tta: bool = False
    ) -> None:
        self.network = machine.place(network.eval())
        self.machine, self.tta = machine, tta
        self.classes = tuple(about["classes"])
        self.input_size = int(about["input"]["size"])
        self.at_once: int | None = None
        """Pictures that fit into memory, once it has turned out that not all do."""
        mean, std = (torch.tensor(about["input"][key]) for key in ("mean", "std"))
        self.mean, self.std = (t.view(1, -1, 1, 1).to(machine.device) for t in (mean, std))

    @classmethod
    def load(
        cls,
        weights: str | Path | Loaded | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        tta: bool = False,
    ) -> "Predictor":
        """A predictor from weights: a file, a run, `last`, a bundled name; None is the bundled.

        Raises:
            UsageError: no such weights, or a device that is not there.
            WeightsError: weights that are damaged or for another task.
        """
        if not isinstance(weights, Loaded):
            name = None if weights is None else str(weights)
            weights = load_weights(find_weights(name, Path("runs")), task="segmentation")
        machine = resolve(device, precision, threads)
        return cls(weights.network, weights.about, machine, tta=tta)

    def take_quickest(self, precision: str, threads: int, *, pictures: int, batch_size: int) -> str:
        """Go over to the precision and threads, among what is left open, that are quickest here.

        They are tried with made-up pictures, for at most 4 s and 5 % of the time that all pictures
        will take; see `netlab.timing`.

        Args:
            precision, threads: what was asked for; `auto` and 0 are left open.
            pictures: to be predicted in all.
            batch_size: pictures at a time.

        Returns:
            A line that says what was measured; empty if nothing was.
        """
        machines = machines_to_try(str(self.machine.device), precision, threads)
        size, generator = self.input_size, torch.Generator().manual_seed(0)
        batch = torch.randint(256, (batch_size, size, size, 3), generator=generator).byte()

        def step(machine: Machine, count: int) -> None:
            self.machine = machine
            self._logits(batch[:count])

        usual = self.machine
        paces: list[Pace] = []
        if len(machines) > 1:
            paces = measure(machines, step, batch_size=batch_size, images=pictures)
        self.machine = paces[0].machine if paces else usual
        self.machine.use_threads()
        return measured_line(paces, precision, threads) if paces else ""

    def predict(self, pictures: Sequence[Image.Image]) -> list[Prediction]:
        """Predict upright RGB pictures of any sizes, as one batch."""
        stretched = np.stack([stretch(picture, self.input_size) for picture in pictures])
        return self.predict_stretched(stretched, [(p.height, p.width) for p in pictures])

    def predict_stretched(
        self, pictures: NDArray[np.uint8], sizes: Sequence[Size]
    ) -> list[Prediction]:
        """Predict pictures (B, S, S, 3) that have the input size already.

        Args:
            pictures: as `stretch` gives them.
            sizes: the size that each picture had before.
        """
        logits = self._in_memory(torch.from_numpy(pictures))
        return [Prediction(k, size, self.classes) for k, size in zip(logits, sizes, strict=True)]

    def _in_memory(self, pictures: Tensor) -> Tensor:
        """Logits of pictures (B, S, S, 3), as many at a time as memory has had room for so far."""
        size = self.at_once or len(pictures)
        try:
            return torch.cat([self._logits(batch) for batch in torch.split(pictures, size)])
        except (RuntimeError, MemoryError) as error:
            if size == 1 or not out_of_memory(error):
                raise
        self.at_once = size // 2
        return self._in_memory(pictures)

    @torch.inference_mode()
    def _logits(self, pictures: Tensor) -> Tensor:
        x = (to_unit(pictures.to(self.machine.device)) - self.mean) / self.std  # (B, 3, S, S)
        with self.machine.autocast():
            logits: Tensor = self.network(x)
            if self.tta:
                logits = (logits + self.network(x.flip(-1)).flip(-1)) / 2
        return logits.float()


def predict_mask(
    picture: Path | str | bytes | Image.Image,
    *,
    weights: str | Path | Loaded | None = None,
    device: str = "auto",
    tta: bool = False,
) -> Prediction:
    """Predict the mask of one picture; for many, make one `Predictor` and use it again.

    Args:
        picture: a file, its bytes, or an opened picture of any mode.
        weights: a file, a run, `last`, a bundled name, or what `netlab.load` gave; None is the
            bundled weights.
        device: auto, cpu, cuda, cuda:N or mps.
        tta: also predict the mirrored picture and average the logits.

    Returns:
        The class of every pixel of the upright picture, and what follows from it.

    Raises:
        PictureError: a picture that cannot be read.
        UsageError, WeightsError: see `Predictor.load`.
    """
    opened = upright(picture)
    return Predictor.load(weights, device=device, tta=tta).predict([opened])[0]
