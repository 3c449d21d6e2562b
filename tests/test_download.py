"""Downloads through torchvision, from a server on this machine, with made-up archives."""

import functools
import hashlib
import importlib
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from netlab.cli._data import ensure_data
from netlab.data._contract import DataRequest
from netlab.data.pets import Pets
from netlab.errors import DataError, WorkFailed
from tests.conftest import mend_torchvision, tiny_config


@pytest.fixture
def torchvision_pets() -> Any:
    """Torchvision's own class."""
    mend_torchvision()
    return importlib.import_module("torchvision.datasets").OxfordIIITPet


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path, pets_copy: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a server with both archives, and their sums."""
    files = tmp_path / "served"
    files.mkdir()
    sums = {}
    for part in ("images", "annotations"):
        path = files / f"{part}.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            archive.add(pets_copy / "oxford-iiit-pet" / part, arcname=part)
        sums[part] = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    handler = functools.partial(Quiet, directory=str(files))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}", sums
        found.shutdown()
        thread.join()


def point_to(cls: Any, server: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    address, sums = server
    resources = tuple((f"{address}/{part}.tar.gz", md5) for part, md5 in sums.items())
    monkeypatch.setattr(cls, "_RESOURCES", resources)


@pytest.mark.filterwarnings("ignore")
def test_download_fetches_checks_and_unpacks(
    torchvision_pets: Any,
    server: tuple[str, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    point_to(torchvision_pets, server, monkeypatch)
    folder = tmp_path / "new"
    assert not Pets().present(folder)
    ensure_data(tiny_config(dataset="pets", data_dir=str(folder)), download=True)
    assert Pets().present(folder)
    request = DataRequest(split="test", image_size=40, data_dir=folder)
    assert len(Pets().load(request)) == 8
    assert capsys.readouterr().out == "", "progress is not for stdout"


@pytest.mark.filterwarnings("ignore")
def test_a_wrong_sum_is_one_line(
    torchvision_pets: Any,
    server: tuple[str, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, sums = server
    point_to(torchvision_pets, (address, dict.fromkeys(sums, "0" * 32)), monkeypatch)
    with pytest.raises(WorkFailed, match="could not be downloaded") as caught:
        Pets().download(tmp_path / "new")
    assert "\n" not in str(caught.value)


def test_nothing_is_fetched_unless_asked(tmp_path: Path) -> None:
    for wish in (None, False):
        ensure_data(tiny_config(dataset="pets", data_dir=str(tmp_path)), download=wish)
    assert not list(tmp_path.iterdir())
    with pytest.raises(DataError, match="no data set that can be fetched"):
        ensure_data(tiny_config(), download=True)


@pytest.mark.parametrize(("answer", "fetched"), [(True, True), (False, False)])
def test_on_a_terminal_missing_data_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bool, fetched: bool
) -> None:
    asked: list[str] = []
    got: list[Path] = []

    def confirm(question: str, **_: Any) -> bool:
        asked.append(question)
        return answer

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", confirm)
    monkeypatch.setattr(Pets, "download", lambda self, folder: got.append(folder))
    ensure_data(tiny_config(dataset="pets", data_dir=str(tmp_path)), download=None)
    assert "773 MiB" in asked[0]
    assert str(tmp_path) in asked[0]
    assert bool(got) == fetched
