"""Downloads, from a server on this machine, with made-up archives."""

import ast
import gzip
import hashlib
import importlib.util
import math
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from netlab.cli.download import download
from netlab.cli.training import ensure_data
from netlab.contracts.dataset import DataRequest
from netlab.data.cifar10 import Cifar10
from netlab.data.mnist import Mnist
from netlab.data.pets import Pets
from netlab.data.readers.download import Archive
from netlab.data.readers.published import Published
from netlab.errors import DataError, UsageError, WorkFailed
from netlab.files import locked
from tests.conftest import Quiet, netlab, serving, tiny_config


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
    with serving(files) as address:
        yield address, sums


def point_to(server: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    address, sums = server
    archives = [
        Archive(f"oxford-iiit-pet/{part}.tar.gz", (f"{address}{part}.tar.gz",), md5, unpack=True)
        for part, md5 in sums.items()
    ]
    monkeypatch.setattr(Pets, "archives", archives)


def test_download_fetches_checks_and_unpacks(
    server: tuple[str, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    point_to(server, monkeypatch)
    folder = tmp_path / "new"
    assert not Pets().present(folder)
    ensure_data(tiny_config(dataset="pets", data_dir=str(folder)), download=True)
    assert Pets().present(folder)
    request = DataRequest(split="test", image_size=40, data_dir=folder)
    assert len(Pets().load(request)) == 8
    assert capsys.readouterr().out == "", "progress is not for stdout"


def test_a_wrong_sum_is_one_line(
    server: tuple[str, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, sums = server
    point_to((address, dict.fromkeys(sums, "0" * 32)), monkeypatch)
    with pytest.raises(WorkFailed, match="could not be downloaded") as caught:
        Pets().download(tmp_path / "new")
    assert "\n" not in str(caught.value)


class Broken(Quiet):
    """Sends half of what is asked for, twice, and then the rest; knows Range, or does not."""

    left: ClassVar[int] = 2
    ranges: ClassVar[bool] = True
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        data = Path(self.translate_path(self.path)).read_bytes()
        wanted = self.headers.get("Range", "")
        type(self).asked.append(wanted)
        start = int(wanted[6:-1]) if wanted and self.ranges else 0
        self.send_response(206 if start else 200)
        rest = data[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.left:
            type(self).left -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_breaks_off_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ranges: bool
) -> None:
    served = tmp_path / "served"
    served.mkdir()
    archives = []
    for stem, shape in (("images-idx3", (20, 28, 28)), ("labels-idx1", (20,))):
        for part in ("train", "t10k"):
            raw = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
            raw += bytes(i % 10 for i in range(math.prod(shape)))
            name = f"{part}-{stem}-ubyte.gz"
            (served / name).write_bytes(gzip.compress(raw))
            sum_ = hashlib.md5((served / name).read_bytes(), usedforsecurity=False).hexdigest()
            archives.append(Archive(f"MNIST/raw/{name}", (f"http://x/{name}",), sum_))
    monkeypatch.setattr(Mnist, "archives", archives)
    for name, value in (("left", 2), ("ranges", ranges), ("asked", [])):
        monkeypatch.setattr(Broken, name, value)
    folder = tmp_path / "data"
    with serving(served, Broken) as address:
        monkeypatch.setenv("NETLAB_MIRROR", address)
        Mnist().download(folder)
        count = len(Broken.asked)
        Mnist().download(folder)  # all there: nothing is asked for
        assert len(Broken.asked) == count
    half = (served / Path(archives[0].path).name).stat().st_size // 2
    assert Broken.asked[:2] == ["", f"bytes={half}-"]
    assert count == 6
    assert len(Mnist().load(DataRequest(split="test", image_size=28, data_dir=folder))) == 20
    assert not list(folder.rglob("*.part"))


@pytest.mark.parametrize("left", [b"not what it was", b"x" * 10**6])
def test_a_damaged_part_is_fetched_anew(
    server: tuple[str, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    left: bytes,
) -> None:
    """Shorter or longer than the file."""
    point_to(server, monkeypatch)
    place = tmp_path / "new" / "oxford-iiit-pet"
    place.mkdir(parents=True)
    (place / "images.tar.gz.part").write_bytes(left)
    Pets().download(tmp_path / "new")
    assert Pets().present(tmp_path / "new")


def test_an_unpacking_that_broke_off_leaves_no_half_data_set(
    server: tuple[str, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    point_to(server, monkeypatch)
    folder, extract = tmp_path / "new", tarfile.TarFile.extractall
    calls = iter(range(3))

    def dies(self: Any, path: Path, **how: Any) -> None:
        extract(self, path, **how)
        if next(calls) == 1:  # in the second archive
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "extractall", dies)
    with pytest.raises(WorkFailed, match="No space left"):
        Pets().download(folder)
    assert not Pets().present(folder)
    monkeypatch.setattr(tarfile.TarFile, "extractall", extract)
    Pets().download(folder)
    assert Pets().present(folder)
    assert not list(folder.rglob("*.unpacking"))


def test_damaged_data_are_mended_with_again(
    server: tuple[str, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    point_to(server, monkeypatch)
    folder = tmp_path / "new"
    download("pets", folder)
    picture = next((folder / "oxford-iiit-pet" / "images").iterdir())
    whole = picture.read_bytes()
    picture.write_bytes(whole[:100])
    download("pets", folder)
    assert picture.read_bytes() == whole[:100]
    assert "--again" in capsys.readouterr().out
    download("pets", folder, again=True)
    assert picture.read_bytes() == whole


def test_two_processes_do_not_fetch_into_one_folder(tmp_path: Path) -> None:
    with locked(tmp_path / ".mnist.lock", ""), pytest.raises(UsageError, match="another process"):
        Mnist().download(tmp_path)


def test_no_server_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETLAB_MIRROR", "http://127.0.0.1:9")  # the discard port
    with pytest.raises(WorkFailed, match=r"mnist could not be downloaded.*refused"):
        Mnist().download(tmp_path / "data")


def test_an_archive_does_not_write_outside_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "data" / "oxford-iiit-pet"
    place.mkdir(parents=True)
    (tmp_path / "evil").write_text("evil")
    with tarfile.open(place / "images.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "evil", arcname="../../../escaped")
    sum_ = hashlib.md5((place / "images.tar.gz").read_bytes(), usedforsecurity=False).hexdigest()
    archive_ = Archive("oxford-iiit-pet/images.tar.gz", ("http://x/images.tar.gz",), sum_, True)
    monkeypatch.setattr(Pets, "archives", [archive_])
    with pytest.raises(WorkFailed, match="outside the destination"):
        Pets().download(tmp_path / "data")
    assert not (tmp_path / "escaped").exists()


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


# What torchvision's file of each data set says, of which the older ones state other servers.
TORCHVISION = {"mnist": Mnist, "cifar": Cifar10, "oxford_iiit_pet": Pets}


@pytest.mark.parametrize(("file", "published"), TORCHVISION.items())
def test_addresses_and_sums_are_those_that_torchvision_has(
    file: str, published: type[Published]
) -> None:
    """Its files are read, as importing it takes operators that may not load."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("torchvision is not installed")
    path = Path(spec.submodule_search_locations[0]) / "datasets" / f"{file}.py"
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant)}
    for archive in published.archives:
        assert archive.md5 in texts
        for address in archive.addresses:
            assert {address, address.removesuffix(Path(archive.path).name)} & texts


def test_downloads_need_no_torchvision(server: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    """Beside a torch of another index it cannot be imported; the command asks for nothing of it."""
    block = tmp_path / "block" / "torchvision"
    block.mkdir(parents=True)
    (block / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')\n"
    )
    env = {"PYTHONPATH": os.pathsep.join([str(block.parent), *filter(None, sys.path)])}
    address, _ = server
    done = netlab(
        "download", "pets", "--data-dir", "new", cwd=tmp_path, env={**env, "NETLAB_MIRROR": address}
    )
    # Up to the published sums, which a made-up archive cannot have.
    assert done.returncode == 3
    assert b"its checksum is not the published one" in done.stderr
    assert b"nms" not in done.stderr
