"""Fetching the archives of data sets from their owners; what is there already is not fetched again.

`$NETLAB_MIRROR`, an address, stands in for the owners' servers: the files are looked for there by
their names. Their published sums are checked in any case.
"""

import hashlib
import http.client
import os
import shutil
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from netlab.errors import WorkFailed
from netlab.files import locked

_BLOCK = 2**18  # bytes
_TRIES = 3  # for each address; a lost connection goes on where it broke off
_PAUSE = 1.0  # seconds between them
_SECONDS = 60  # without an answer
_SERVER_FAULT = 500  # HTTP: from here on it may be mended in a moment
_LOST = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)
_NOTHING_LEFT = 416  # HTTP: the file has no bytes after those that are there


class Archive(NamedTuple):
    """A file to fetch."""

    path: str
    """Where it goes, below the data folder."""
    addresses: tuple[str, ...]
    """Where it is published, the best server first."""
    md5: str
    """Published by its owners."""
    unpack: bool = False
    """Whether it is a tar archive, which is unpacked into its own folder."""


def fetch(name: str, folder: Path, archives: Iterable[Archive]) -> None:
    """Fetch, check and unpack archives; progress goes to stderr.

    A download that breaks off leaves a `.part` file, and the next one goes on from there.

    Args:
        name: of the data set, for the message.
        folder: the data folder.
        archives: what to fetch.

    Raises:
        UsageError: another process is at it.
        WorkFailed: no network, a wrong sum, or no room.
    """
    failed = f"{name} could not be downloaded into {folder}"
    if not hasattr(tarfile, "data_filter"):
        raise WorkFailed(f"{failed}: unpacking archives safely needs Python 3.11.4 or newer")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkFailed(f"{failed}: {error.strerror}") from error
    with locked(folder / f".{name}.lock", f"{folder}: another process is fetching {name} there"):
        try:
            for archive in archives:
                path = folder / archive.path
                _complete(path, archive)
                if archive.unpack:
                    _unpack(path)
        except Exception as error:  # urllib, tarfile and its codecs raise many kinds
            reason = " ".join(str(error).split()) or type(error).__name__
            raise WorkFailed(f"{failed}: {reason}") from error


def _complete(path: Path, archive: Archive) -> None:
    """Have the whole archive at `path`, or raise the last reason why not."""
    if path.is_file() and _md5(path) == archive.md5:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    mirror = os.environ.get("NETLAB_MIRROR")
    addresses = (f"{mirror.rstrip('/')}/{path.name}",) if mirror else archive.addresses
    # What an earlier call left may be damaged; the same address then gets a second chance.
    begun = part.exists()
    failure = f"{path.name}: nowhere to be had"
    for address in (*addresses[:1] * begun, *addresses):
        try:
            _fetch_rest(address, part)
        except _LOST as error:
            failure = f"{address}: {error}"
            continue
        if _md5(part) == archive.md5:
            part.replace(path)
            return
        part.unlink()
        failure = f"{address}: its checksum is not the published one"
    raise ValueError(failure)


def _fetch_rest(address: str, part: Path) -> None:
    """Fetch what `part` lacks, in several tries; raises the last one's error."""
    for left in reversed(range(_TRIES)):
        try:
            return _append_rest(address, part)
        except _LOST as error:
            refused = isinstance(error, urllib.error.HTTPError) and error.code < _SERVER_FAULT
            if refused or not left:
                raise
            time.sleep(_PAUSE)


def _append_rest(address: str, part: Path) -> None:
    """Fetch what `part` lacks, in one try.

    Raises:
        URLError, HTTPException, ConnectionError: no connection, or one that broke off.
        OSError: no room.
    """
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(address, headers={"User-Agent": "netlab"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.urlopen(request, timeout=_SECONDS)
    except urllib.error.HTTPError as error:
        if have and error.code == _NOTHING_LEFT:
            return
        raise
    with answer:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0  # the server starts over
        left = answer.headers.get("Content-Length")
        total = have + int(left) if left else None
        with part.open("ab" if have else "wb") as file:
            while block := _read(answer):
                file.write(block)
                _show(part, file.tell(), total)
            file.flush()
            os.fsync(file.fileno())
            if total is not None and file.tell() < total:
                raise ConnectionError(f"broke off at {file.tell()} of {total} bytes")


def _read(answer: Any) -> bytes:
    try:
        block: bytes = answer.read(_BLOCK)
    except OSError as error:  # such as a timeout
        raise ConnectionError(str(error)) from error
    return block


def _unpack(archive: Path) -> None:
    """Unpack a tar archive into its own folder, which nothing in it leaves; each of its top folders
    appears whole.
    """
    folder = archive.parent
    aside = folder / f".{archive.name}.unpacking"
    shutil.rmtree(aside, ignore_errors=True)
    with tarfile.open(archive) as file:
        file.extractall(aside, filter="data")
    for whole in aside.iterdir():
        target = folder / whole.name
        if target.is_dir():
            shutil.rmtree(target)
        whole.replace(target)
    aside.rmdir()


def _show(part: Path, done: int, total: int | None) -> None:
    if sys.stderr.isatty():
        share = f"{100 * done / total:.0f} %" if total else ""
        end = "\n" if done == total else "\r"
        print(f"{part.stem}: {done / 2**20:.0f} MiB {share}", end=end, file=sys.stderr, flush=True)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
