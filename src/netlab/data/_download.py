"""Fetching the archives of data sets from their owners."""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from netlab.errors import WorkFailed


def fetch(name: str, folder: Path, start: Callable[[Any], object]) -> None:
    """Let torchvision fetch, check and unpack archives; its progress goes to stderr.

    Args:
        name: of the data set, for the message.
        folder: where to.
        start: begins the download; given the module `torchvision.datasets`.

    Raises:
        WorkFailed: no network, a wrong sum, or no room.
    """
    try:
        from torchvision import datasets

        with contextlib.redirect_stdout(sys.stderr):
            start(datasets)
    except Exception as error:  # torchvision, its codecs and urllib raise many kinds
        why = " ".join(str(error).split()) or type(error).__name__
        raise WorkFailed(f"{name} could not be downloaded into {folder}: {why}") from error
