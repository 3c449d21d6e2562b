"""Missing data: ask, fetch, or say what to do."""

import sys

import typer

from netlab.components import component
from netlab.config import TrainConfig
from netlab.errors import DataError


def ensure_data(config: TrainConfig, download: bool | None) -> None:
    """Fetch a missing data set if the user wants it; without an answer, its own error speaks.

    Args:
        config: names the data set and its folder.
        download: fetch without asking, never, or (None) ask on a terminal.

    Raises:
        DataError: `--download` for a data set that is not published for download.
        WorkFailed: the download failed.
    """
    from netlab.contracts.dataset import Downloadable

    dataset = component(config, "dataset")()
    if not isinstance(dataset, Downloadable):
        if download:
            raise DataError(f"--download: '{config.dataset}' is no data set that can be fetched")
        return
    from netlab.data.readers.folders import data_dir

    folder = data_dir(config.data_dir)
    if dataset.present(folder) or download is False:
        return
    if download is None:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return
        question = f"{config.dataset}: download {dataset.download_size} into {folder}?"
        if not typer.confirm(question, default=True, err=True):
            return
    dataset.download(folder)
