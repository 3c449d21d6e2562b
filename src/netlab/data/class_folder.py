"""Your own pictures: a folder with one sub-folder for each class."""

from typing import ClassVar

from netlab.contracts.dataset import DataRequest, LabelledSet, Target
from netlab.data.readers.class_folders import PictureTree, is_gray, load_files
from netlab.data.readers.folders import existing_folder
from netlab.data.readers.splits import OFFICIAL, names_in_split
from netlab.errors import DataError, listing
from netlab.registry import register


@register("dataset")
class ClassFolder:
    """Any folder `--images` whose sub-folders are the classes: `FOLDER/cat/1.jpg`.

    Where it has `train/` and `test/` with the same class folders, those are the splits and a tenth
    of train is the validation split; else a tenth each is the validation and the test split. Tenths
    are fixed by a hash of the names; the split `all` is everything. `--classes` picks and orders
    the classes. Pictures are gray if all of them are. Hidden files, deeper folders and links that
    lead out of the folder are left alone.
    """

    target: ClassVar[Target] = "labels"
    reads: ClassVar[tuple[str, ...]] = ("images", "classes")
    """Settings of own folders that it takes."""

    def load(self, request: DataRequest) -> LabelledSet:
        """Decode one split; see `netlab.contracts.dataset.Dataset`."""
        root = existing_folder(request.images, "--images")
        tree = PictureTree(root)
        available, halves = _layout(tree, request)
        classes = _chosen(available, tree, request)
        by_half = {half: tree.pictures(classes, half) for half in halves}
        files = {name: file for half in by_half.values() for name, file in half.items()}
        if tree.outside:
            request.note(
                f"{len(tree.outside)} links that lead out of {root} are not followed: "
                f"{listing(tree.outside, 8)}"
            )
        if len(files) < 3 and request.split != "all":
            raise DataError(f"{len(files)} pictures in {root}; its three splits need at least 3")
        cut_test = halves == ("",)
        names = list(files)
        if not cut_test:
            names = [name for half in OFFICIAL[request.split] for name in by_half[half]]
        chosen = names_in_split(names, request, cut_test=cut_test)
        gray = all(is_gray(file.path) for file in files.values())
        return load_files([files[name] for name in chosen], classes, request, root, gray=gray)


def _layout(tree: PictureTree, request: DataRequest) -> tuple[list[str], tuple[str, ...]]:
    """Names of the class folders, and the folders that hold them: train and test, or the root."""
    folders = tree.folders()
    if not {"train", "test"} <= set(folders):
        return folders, ("",)
    train, test = tree.folders("train"), tree.folders("test")
    if unmatched := sorted(set(train) ^ set(test)):
        raise DataError(
            f"{tree.root}: train and test need the same class folders, only one of them has "
            f"{listing(unmatched)}"
        )
    if not train:
        return folders, ("",)
    if unused := [name for name in folders if name not in OFFICIAL["all"]]:
        request.note(f"{tree.root}: train and test are used, {listing(unused)} not")
    return train, OFFICIAL["all"]


def _chosen(available: list[str], tree: PictureTree, request: DataRequest) -> tuple[str, ...]:
    """The classes that are asked for, or all."""
    if not available:
        raise DataError(
            f"{tree.root}: no class folders in it; put the pictures of each class into one"
        )
    classes = request.classes or tuple(available)
    if len(set(classes)) < len(classes):
        raise DataError(f"--classes {','.join(classes)}: give different names")
    if missing := [name for name in classes if name not in available]:
        raise DataError(
            f"--classes {','.join(classes)}: no folder {listing(missing)} in {tree.root}; "
            f"there are {listing(available)}"
        )
    return classes
