"""Labelled pictures in folders that are called like their classes: `cat/1.jpg`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from netlab.contracts.dataset import DataRequest, LabelledSet
from netlab.data.readers.cache import Source, decoded_once
from netlab.data.readers.decoding import Decoded, Pixels, decode_all
from netlab.data.readers.pictures import SUFFIXES, WIDE_MODES, read_picture, stretch
from netlab.errors import DataError, listing


class LabelledFile(NamedTuple):
    """A picture in a file."""

    name: str
    """Unique in its set."""
    path: Path
    label: int


class PictureTree:
    """Looks into the folders below `root`, and follows links only as far as they stay inside.

    Hidden files and folders are left alone.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.outside: list[str] = []
        """Links that were not followed."""

    def folders(self, inside: str = "") -> list[str]:
        """Names of the folders in a folder below the root, sorted.

        Raises:
            DataError: it cannot be listed.
        """
        return [entry.name for entry in self._visible(inside) if entry.is_dir()]

    def pictures(self, classes: Sequence[str], inside: str = "") -> dict[str, LabelledFile]:
        """The pictures in the class folders, by their names: the paths below the root.

        Args:
            classes: names of the folders, in the order of the labels.
            inside: folder below the root that holds them.

        Raises:
            DataError: a folder that cannot be listed, or has no picture in it.
        """
        files: dict[str, LabelledFile] = {}
        for label, class_ in enumerate(classes):
            folder = f"{inside}/{class_}" if inside else class_
            names = [
                entry.name
                for entry in self._visible(folder)
                if entry.is_file() and Path(entry.name).suffix.lower() in SUFFIXES
            ]
            if not names:
                kinds = ", ".join(SUFFIXES)
                raise DataError(f"{self.root / folder}: no pictures of its class in it ({kinds})")
            for name in (f"{folder}/{name}" for name in names):
                files[name] = LabelledFile(name, self.root / name, label)
        return files

    def _visible(self, inside: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.root / inside) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(f"{self.root / inside}: {error.strerror}") from error
        return [e for e in listed if not e.name.startswith(".") and not self._leads_out(e)]

    def _leads_out(self, entry: os.DirEntry[str]) -> bool:
        if not entry.is_symlink():
            return False
        try:
            if Path(entry.path).resolve(strict=True).is_relative_to(self.root.resolve()):
                return False
        except (OSError, RuntimeError):  # leads nowhere, or in a circle
            pass
        self.outside.append(str(Path(entry.path).relative_to(self.root)))
        return True


def load_files(
    files: Sequence[LabelledFile],
    classes: tuple[str, ...],
    request: DataRequest,
    root: Path,
    *,
    gray: bool = False,
) -> LabelledSet:
    """Decode and resize pictures below `root`, or take them from the cache.

    They keep their order; unreadable ones are dropped and counted. With `gray`, one channel of
    three is kept.

    Raises:
        DataError: no picture can be read.
    """
    source = Source(
        title=root.resolve().name,
        settings=("labelled", request.image_size, gray),
        files=[(file.name, file.path) for file in files],
        unit="pictures",
    )
    decoded = decoded_once(
        source, len(files), lambda: _decode_files(files, request, gray=gray), request
    )
    labels: Mapping[str, int] = {file.name: file.label for file in files}
    return LabelledSet(
        images=np.array(decoded.arrays["images"]),
        labels=np.array([labels[name] for name in decoded.names], np.int64),
        names=decoded.names,
        classes=classes,
        dropped=decoded.dropped,
    )


def is_gray(path: Path) -> bool:
    """Whether a picture has no colour; one that cannot be read has none."""
    try:
        with Image.open(path) as image:
            if image.mode in ("1", "L", "LA", *WIDE_MODES):
                return True  # by its header alone
        pixels = np.asarray(read_picture(path))
    except Exception:  # Pillow's decoders raise nearly everything on bad bytes
        return True
    return bool((pixels == pixels[..., :1]).all())


def _decode_files(files: Sequence[LabelledFile], request: DataRequest, *, gray: bool) -> Decoded:
    size, channels = request.image_size, 1 if gray else 3

    def decode(file: LabelledFile) -> tuple[Pixels]:
        return (stretch(read_picture(file.path), size)[..., :channels],)

    decoded = decode_all(files, decode, {"images": (size, size, channels)})
    if not decoded.names:
        faults = [f"{d.name} {d.reason}" for d in decoded.dropped]
        raise DataError(
            f"none of the {len(files)} pictures of the {request.split} split can be read: "
            f"{listing(faults, 3)}"
        )
    return decoded
