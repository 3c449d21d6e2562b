"""Shared helpers: tiny data, tiny weights, the real process, the real data where they are."""

import csv
import functools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from netlab.config import TrainConfig, flag_of
from netlab.data import synthetic
from netlab.settings import Layer, defaults_of, merge, recipe
from tests._copies import write_pairs, write_pets
from tests.forks import run_forked

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


@pytest.fixture(autouse=True, scope="session")
def _pngs_packed_less() -> Iterator[None]:
    """PNG files are packed quickly, not tightly: the tightest packing is half of a tiny training.

    Their pixels are the same; commands in processes of their own pack as users have it.
    """
    save = Image.Image.save

    def save_quickly(image: Image.Image, *args: Any, optimize: bool = False, **params: Any) -> None:
        save(image, *args, **({"compress_level": 1} if optimize else {}), **params)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image.Image, "save", save_quickly)
        yield


_PICTURES: dict[tuple[int, int], Any] = {}


@pytest.fixture
def drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture of `synthetic` is drawn once in all tests that ask for this.

    A picture follows from the state of its generator and its size; scoring draws all that a
    trivial predictor learns from, which takes longer than a tiny training.
    """
    draw = synthetic.draw

    def recall(rng: np.random.Generator, size: int) -> Any:
        key = rng.bit_generator.state["state"]["state"], size
        if key not in _PICTURES:
            _PICTURES[key] = draw(rng, size)
        return _PICTURES[key]

    monkeypatch.setattr(synthetic, "draw", recall)


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


def forked(
    *words: str | Path, cwd: Path, stdin: bytes = b"", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command as `netlab` does, but in a fork of a process that has imported torch already.

    For what the command does; its start is left to the tests that call `netlab`. Where there are
    no forks, it is the same as `netlab`.
    """
    if not hasattr(os, "fork"):
        return netlab(*words, cwd=cwd, stdin=stdin, env=env)
    return run_forked([*map(str, words)], cwd, stdin, {**os.environ, **(env or {})})


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


def slow(*values: object) -> list[Any]:
    """Values of a parametrised test that only the long suite goes through."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file as text; an empty cell is empty text."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


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


@pytest.fixture
def pets_copy(tmp_path: Path) -> Path:
    """A made-up data set in the layout of the official archives: 30 trainval, 8 test."""
    write_pets(tmp_path / "pets")
    return tmp_path / "pets"


@pytest.fixture
def pairs_copy(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of 20 pictures and one of their id masks."""
    folders = tmp_path / "pictures", tmp_path / "masks"
    write_pairs(*folders)
    return folders
