"""A folder of swapped pictures and pictures.csv, for anyone to judge: whole, or not there."""

import csv
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netlab.errors import UsageError, WorkFailed
from netlab.files import write_rows

Record = dict[str, str | None]
"""What a swapped picture is: `source`, `true_label` (None of z from the prior), `asked_label`; of a
morph `from_label`; with a judge `read`."""

LIST = "pictures.csv"
COLUMNS = ("file", "source", "true_label", "asked_label")


class PictureFolder:
    """Fills a hidden folder beside `path`, which takes its place when all went well.

    Args:
        path: where the pictures go.
        overwrite: replace what an earlier call left there.

    Raises:
        UsageError: `path` is in the way, or the folder that it is to be in does not exist.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path, self.rows = path, list[dict[str, str]]()
        if not path.parent.is_dir():
            raise UsageError(f"{path}: the folder {path.parent} does not exist; make it first")
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is a file: name a folder")
        full = path.is_dir() and any(path.iterdir())
        if full and not overwrite:
            raise UsageError(f"{path} is not empty: choose another folder or add --overwrite")
        if full and not (path / LIST).is_file():
            raise UsageError(f"{path} holds other files, but no {LIST}: choose another folder")
        self.earlier = self._listed() if full else []
        resolved = path.resolve()  # a path such as . has no name
        self.part = resolved.with_name(f".{resolved.name}.{os.getpid()}.part")

    def __enter__(self) -> "PictureFolder":
        try:
            self.part.mkdir()
        except OSError as error:
            raise self._failed(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            shutil.rmtree(self.part, ignore_errors=True)

    def add(self, pictures: Iterable[NDArray[np.uint8]], records: Sequence[Record]) -> None:
        """Write pictures (H, W, C) in their own size, and note what each of them is.

        Raises:
            WorkFailed: a file cannot be written.
        """
        for picture, record in zip(pictures, records, strict=True):
            label = re.sub(r"[^\w-]+", "-", str(record["asked_label"]))
            name = f"{len(self.rows):05d}_{label}.png"
            gray = picture.shape[-1] == 1
            try:
                Image.fromarray(picture[..., 0] if gray else picture).save(self.part / name)
            except OSError as error:
                raise self._failed(error) from error
            row = {**record, "file": name}
            self.rows.append({column: row[column] or "" for column in COLUMNS})

    def _finish(self) -> None:
        write_rows(self.part / LIST, self.rows)
        # One call for all: a sync for each file costs a millisecond or more, ten times the write.
        getattr(os, "sync", lambda: None)()
        try:
            if not self.path.is_dir():
                self.part.replace(self.path)
                return
            if (self.path / LIST).is_file():
                # The pictures that the list of an earlier call names are removed; nothing else.
                (self.path / LIST).unlink()
                for name in self.earlier:
                    (self.path / name).unlink(missing_ok=True)
            for row in self.rows:
                (self.part / row["file"]).replace(self.path / row["file"])
            (self.part / LIST).replace(self.path / LIST)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> WorkFailed:
        return WorkFailed(f"{self.path}: cannot be written ({error.strerror or error})")

    def _listed(self) -> list[str]:
        """The pictures that an earlier call wrote."""
        try:
            with (self.path / LIST).open(newline="", encoding="utf-8", errors="replace") as file:
                names = [row.get("file") or "" for row in csv.DictReader(file)]
        except (OSError, csv.Error) as error:
            raise UsageError(
                f"{self.path / LIST}: cannot be read ({error}); choose another folder"
            ) from error
        return [name for name in names if re.fullmatch(r"\d{5,}_[\w-]+\.png", name)]
