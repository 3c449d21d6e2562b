"""`netlab download`."""

from pathlib import Path
from typing import Annotated

import typer

from netlab import registry
from netlab.cli.flags import Debug
from netlab.errors import DataError


def download(
    dataset: Annotated[str, typer.Argument(help="Data set, such as pets.")],
    data_dir: Annotated[
        Path | None, typer.Option(help="Where to (default: $NETLAB_DATA, then ./data).")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also if it is there, to mend what is damaged.")
    ] = False,
    debug: Debug = False,  # noqa: ARG001 - the boundary in main acts on it
) -> None:
    """Fetch a data set from its owners, with checked sums."""
    registry.check("dataset", dataset)
    from netlab.contracts.dataset import Downloadable

    published = registry.get("dataset", dataset)()
    if not isinstance(published, Downloadable):
        raise DataError(f"'{dataset}' is no data set that can be fetched; it needs no download")
    from netlab.data.readers.folders import data_dir as resolve

    folder = resolve(data_dir)
    if published.present(folder) and not again:
        print(f"{dataset}: already in {folder}; --again checks and mends it")
        return
    published.download(folder)
    print(f"{dataset}: in {folder}")
