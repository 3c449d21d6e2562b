"""CIFAR-10: things and animals in ten classes, 32 × 32 colour (Krizhevsky 2009)."""

from pathlib import Path
from typing import ClassVar

from netlab.contracts.dataset import DataRequest, LabelledSet, Target
from netlab.data.readers.arrays import LabelledArrays, load_arrays
from netlab.data.readers.cifar import read_pickle, read_records
from netlab.data.readers.class_folders import PictureTree, load_files
from netlab.data.readers.download import Archive
from netlab.data.readers.published import Layout, Published
from netlab.data.readers.splits import OFFICIAL, Official, names_in_split
from netlab.errors import DataError, listing
from netlab.registry import register

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

BATCHES: dict[Official, dict[str, str]] = {
    "train": {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    },
    "test": {"test_batch": "40351d587109b95175f43aff81a1287e"},
}
"""The files of each official split, and the MD5 sums of those in the Python archive, as their
owners publish them."""

_NAMES = tuple(name for batches in BATCHES.values() for name in batches)
_BINARY = Layout(("cifar-10-batches-bin", "."), tuple(f"{name}.bin" for name in _NAMES))
_PYTHON = Layout(("cifar-10-batches-py", "."), _NAMES)
_PICTURES = Layout(
    ("cifar10", "."), tuple(f"{split}/{name}" for split in OFFICIAL["all"] for name in CLASSES)
)


@register("dataset")
class Cifar10(Published):
    """Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

    One of three layouts in the data folder: the binary archive (`cifar-10-batches-bin/`), the
    Python archive (`cifar-10-batches-py/`, whose pickles are read after a check of their sums, and
    never executed), or pictures (`cifar10/{train,test}/CLASS/*.png`). A tenth of train, fixed by a
    hash of the names, is the validation split.
    """

    target: ClassVar[Target] = "labels"
    name, title, instead, download_size = "cifar10", "CIFAR-10", "digits", "163 MiB"
    layouts = (_BINARY, _PYTHON, _PICTURES)
    archives = (
        Archive(
            "cifar-10-python.tar.gz",
            ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
            "c58f30108f718f92721af3b95e74349a",
            unpack=True,
        ),
    )

    def load(self, request: DataRequest) -> LabelledSet:
        """Read one split, (N, S, S, 3); see `netlab.contracts.dataset.Dataset`."""
        layout, root = self.find(request)
        if layout is _PICTURES:
            return _load_pictures(root, request)
        if layout is _BINARY:
            self._check_records(root)

        def read(split: Official) -> list[LabelledArrays]:
            if layout is _BINARY:
                files = [root / f"{name}.bin" for name in BATCHES[split]]
                return [read_records(file, mend=self.mend) for file in files]
            sums = BATCHES[split].items()
            return [read_pickle(root / name, md5, mend=self.mend) for name, md5 in sums]

        return load_arrays(read, CLASSES, request, mirrors=True)

    def _check_records(self, root: Path) -> None:
        """Refuse a binary archive of other classes, or with a file that is cut short."""
        meta = root / "batches.meta.txt"
        if meta.is_file():
            named = tuple(meta.read_text(encoding="utf-8", errors="replace").split())
            if named != CLASSES:
                raise DataError(
                    f"{meta}: names {listing(named)}, expected {listing(CLASSES)}; {self.mend}"
                )
        sizes = {name: (root / name).stat().st_size for name in _BINARY.needs}
        largest = max(sizes.values())
        for name, size in sizes.items():
            if size < largest:
                raise DataError(
                    f"{root / name}: expected {largest} bytes, as its siblings have, found {size}; "
                    f"{self.mend}"
                )


def _load_pictures(root: Path, request: DataRequest) -> LabelledSet:
    tree = PictureTree(root)
    files = {}
    for split in OFFICIAL[request.split]:
        for name, file in tree.pictures(CLASSES, split).items():
            if file.path.suffix == ".png":
                stem = name.removesuffix(".png")
                files[stem] = file._replace(name=stem)
    chosen = names_in_split(list(files), request)
    return load_files([files[name] for name in chosen], CLASSES, request, root)
