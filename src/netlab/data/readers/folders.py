"""Where data are looked for."""

import os
from pathlib import Path

from netlab.errors import DataError


def data_dir(given: str | Path | None) -> Path:
    """The folder with the data: the given one, else $NETLAB_DATA, else ./data."""
    return Path(given or os.environ.get("NETLAB_DATA") or "data")


def existing_folder(path: Path | None, flag: str) -> Path:
    """A folder that the user named.

    Raises:
        DataError: not named, or no folder.
    """
    if path is None:
        raise DataError(f"this data set needs {flag} FOLDER")
    if not path.is_dir():
        raise DataError(f"{flag} {path}: no such folder")
    return path
