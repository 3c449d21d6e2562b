"""Your own pictures: a folder with one sub-folder for each class."""

import os
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from PIL import Image

from netlab.contracts.dataset import DataRequest, LabelledSet, Target
from netlab.data.readers.folders import existing_folder
from netlab.data.readers.labelled import Example, from_files
from netlab.data.readers.parts import OFFICIAL, part_of
from netlab.data.readers.pictures import SUFFIXES, read_picture
from netlab.errors import DataError, listing
from netlab.registry import register

_GRAY_MODES = ("1", "L", "LA", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")


class _Folders(NamedTuple):
    """The class folders below one or two places."""

    classes: tuple[str, ...]
    parts: tuple[str, ...]
    """`train/` and `test/`, or the folder itself: an empty text."""


@register("dataset")
class ClassFolder:
    """Any folder `--images` whose sub-folders are the classes: `FOLDER/cat/1.jpg`.

    Where it has `train/` and `test/` with the same class folders, those are the parts and a tenth
    of train is the validation part; else a tenth each is the validation and the test part. Tenths
    are fixed by a hash of the names; the part `all` is everything. `--classes` picks and orders
    the classes. Pictures are gray if all of them are. Hidden files, deeper folders and links that
    lead out of the folder are left alone.
    """

    target: ClassVar[Target] = "labels"

    def load(self, request: DataRequest) -> LabelledSet:
        """Decode one part; see `netlab.contracts.dataset.Dataset`."""
        root = existing_folder(request.images, "--images")
        inside = _Inside(root)
        folders = _folders(inside, request)
        examples = _examples(inside, folders)
        if inside.outside:
            request.note(
                f"{len(inside.outside)} links that lead out of {root} are not followed: "
                f"{listing(inside.outside, 8)}"
            )
        if len(examples) < 3 and request.split != "all":
            raise DataError(f"{len(examples)} pictures in {root}; its three parts need at least 3")
        own = [f"{part}/" for part in OFFICIAL[request.split]]
        names = [n for n in examples if folders.parts == ("",) or n.startswith(tuple(own))]
        chosen = part_of(names, request, cut_test=folders.parts == ("",))
        gray = all(_is_gray(example.path) for example in examples.values())
        return from_files([examples[n] for n in chosen], folders.classes, request, root, gray=gray)


class _Inside:
    """Looks into folders, and follows links only as far as they stay below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.outside: list[str] = []
        """Links that were left alone."""

    def folders(self, place: str) -> list[str]:
        """Names of the folders below `place`, sorted."""
        return [entry.name for entry in self._visible(place) if entry.is_dir()]

    def pictures(self, place: str) -> list[str]:
        """Names of the pictures below `place`, sorted."""
        files = [entry.name for entry in self._visible(place) if entry.is_file()]
        return [name for name in files if Path(name).suffix.lower() in SUFFIXES]

    def _visible(self, place: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.root / place) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(f"{self.root / place}: {error.strerror}") from error
        return [e for e in found if not e.name.startswith(".") and not self._leads_out(e)]

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


def _folders(inside: _Inside, request: DataRequest) -> _Folders:
    root = inside.root
    found, parts = _layout(inside, request)
    if not found:
        raise DataError(f"{root}: no class folders in it; put the pictures of each class into one")
    classes = request.classes or tuple(found)
    if len(set(classes)) < len(classes):
        raise DataError(f"--classes {','.join(classes)}: give different names")
    if missing := [name for name in classes if name not in found]:
        raise DataError(
            f"--classes {','.join(classes)}: no folder {listing(missing)} in {root}; "
            f"there are {listing(found)}"
        )
    return _Folders(classes, parts)


def _layout(inside: _Inside, request: DataRequest) -> tuple[list[str], tuple[str, ...]]:
    """Names of the class folders, and the places they are in."""
    found = inside.folders("")
    if not {"train", "test"} <= set(found):
        return found, ("",)
    train, test = inside.folders("train"), inside.folders("test")
    if odd := sorted(set(train) ^ set(test)):
        raise DataError(
            f"{inside.root}: train and test need the same class folders, only one of them has "
            f"{listing(odd)}"
        )
    if not train:
        return found, ("",)
    if rest := [name for name in found if name not in OFFICIAL["all"]]:
        request.note(f"{inside.root}: train and test are used, {listing(rest)} not")
    return train, OFFICIAL["all"]


def _examples(inside: _Inside, folders: _Folders) -> dict[str, Example]:
    found: dict[str, Example] = {}
    for part in folders.parts:
        for label, class_ in enumerate(folders.classes):
            place = f"{part}/{class_}" if part else class_
            pictures = inside.pictures(place)
            if not pictures:
                kinds = ", ".join(SUFFIXES)
                raise DataError(f"{inside.root / place}: no pictures of its class in it ({kinds})")
            for picture in pictures:
                name = f"{place}/{picture}"
                found[name] = Example(name, inside.root / name, label)
    return found


def _is_gray(path: Path) -> bool:
    """Whether a picture has no colour; one that cannot be read has none."""
    try:
        with Image.open(path) as image:
            if image.mode in _GRAY_MODES:
                return True  # by its header alone
        pixels = np.asarray(read_picture(path))
    except Exception:  # Pillow's decoders raise nearly everything on bad bytes
        return True
    return bool((pixels == pixels[..., :1]).all())
