"""Shared helpers: tiny data, tiny weights, the real process, the real data where they are."""

import functools
import importlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from netlab.config import TrainConfig, flag_of
from netlab.data._contract import DataRequest
from netlab.data.synthetic import Synthetic
from netlab.settings import Layer, defaults_of, merge, recipe

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_environment(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test writes into the user's cache or finds data by accident."""
    monkeypatch.setenv("NETLAB_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    if "NETLAB_DATA" in os.environ:
        monkeypatch.setenv("NETLAB_REAL_DATA", os.environ["NETLAB_DATA"])
        monkeypatch.delenv("NETLAB_DATA")


@pytest.fixture
def real_pets() -> Path:
    """The folder that holds the real Pets data; the test is skipped where there is none."""
    folder = Path(os.environ.get("NETLAB_REAL_DATA", "no-such-folder"))
    if not (folder / "oxford-iiit-pet" / "annotations").is_dir():
        pytest.skip("the real Oxford-IIIT Pet data are absent: set NETLAB_DATA to their folder")
    return folder


def netlab(
    *words: str | Path, cwd: Path, stdin: bytes | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the real command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "netlab", *map(str, words)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        env={**os.environ, **(env or {})},
        timeout=240,
        check=False,
    )


_TINY: dict[str, object] = {
    "width": 4,
    "stem": 1,
    "limit": 24,
    "epochs": 2,
    "batch_size": 8,
    "device": "cpu",
    "precision": "fp32",
    "threads": 1,
}
_TINY_UNET = {"dataset": "synthetic", "image_size": 32, "depth": 2, **_TINY}
_TINY_LABELLED = {"dataset": "digits", "image_size": 12, "depth": 1, **_TINY}


def tiny_config(**changes: object) -> TrainConfig:
    """A run of a second or two on drawn pictures."""
    return merge({}, [defaults_of("unet"), Layer("test", _TINY_UNET | changes)])


def tiny_labelled(arch: str, **changes: object) -> TrainConfig:
    """A run of a second or two of a vae or a classifier on drawn digits, by its own recipe."""
    tiny = _TINY_LABELLED | ({"latent": 4} if arch == "vae" else {})
    return merge({}, recipe(arch, [Layer("test", tiny | changes)]))


TINY_FLAGS: Sequence[str] = [
    word for name, value in _TINY_UNET.items() for word in (flag_of(name), str(value))
]


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(folder: Path, handler: type[SimpleHTTPRequestHandler] = Quiet) -> Iterator[str]:
    """The address of a server on this machine with the files of a folder; ends with a slash."""
    made = functools.partial(handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), made) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def drawn(count: int, size: int = 40, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, S, S, 3) and masks (N, S, S)."""
    data = Synthetic().load(DataRequest(split="train", image_size=size, limit=count, seed=seed))
    return data.images, data.masks


@pytest.fixture
def pets_copy(tmp_path: Path) -> Path:
    """A made-up data set in the layout of the official archives: 30 trainval, 8 test."""
    images, masks = drawn(38)
    root = tmp_path / "pets" / "oxford-iiit-pet"
    (root / "images").mkdir(parents=True)
    (root / "annotations" / "trimaps").mkdir(parents=True)
    names = [f"{'Abyssinian' if i % 2 else 'beagle'}_{i}" for i in range(38)]
    for name, image, mask in zip(names, images, masks, strict=True):
        Image.fromarray(image).save(root / "images" / f"{name}.jpg")
        Image.fromarray(mask + 1).save(root / "annotations" / "trimaps" / f"{name}.png")
    for part, chosen in (("trainval", names[:30]), ("test", names[30:])):
        lines = "".join(f"{n} 1 1 1\n" for n in chosen)
        (root / "annotations" / f"{part}.txt").write_text(lines)
    return root.parent


@pytest.fixture
def pairs_copy(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of 20 pictures and one of their id masks."""
    folders = tmp_path / "pictures", tmp_path / "masks"
    for folder in folders:
        folder.mkdir()
    for i, (image, mask) in enumerate(zip(*drawn(20), strict=True)):
        Image.fromarray(image).save(folders[0] / f"p{i:02d}.jpg")
        Image.fromarray(mask).save(folders[1] / f"p{i:02d}.png")
    return folders


def mend_torchvision() -> None:
    """Make torchvision importable where its compiled operators lack their CUDA libraries.

    The wheels of the usual index are built for CUDA; beside a CPU build of torch their operators
    do not load, and the import fails at the first one. No test calls them: empty ones stand in.
    """
    try:
        importlib.import_module("torchvision")
        return
    except RuntimeError as error:
        if "does not exist" not in str(error):
            raise
    for name in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    folders = [Path(p) / "torchvision" for p in sys.path]
    path = next(f for f in folders if f.is_dir()) / "_meta_registrations.py"
    found = re.findall(r"(?:torchvision::|register_meta\(\")(\w+)", path.read_text())
    for name in sorted(set(found)):
        torch.library.define(f"torchvision::{name}", "(Tensor x) -> Tensor")
    importlib.import_module("torchvision")
