"""MNIST: handwritten digits, 28 × 28 gray (LeCun, Cortes, Burges 1998)."""

from pathlib import Path
from typing import ClassVar

from netlab.contracts.dataset import DataRequest, LabelledSet, Target
from netlab.data.readers.arrays import LabelledArrays, load_arrays
from netlab.data.readers.download import Archive
from netlab.data.readers.idx import read_idx
from netlab.data.readers.published import Layout, Published
from netlab.data.readers.splits import Official
from netlab.errors import DataError
from netlab.registry import register

CLASSES = tuple("0123456789")
SIDE = 28

FILES: dict[Official, tuple[str, str]] = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
"""Pictures and labels of each official split."""

_SERVERS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
_SUMS = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}


@register("dataset")
class Mnist(Published):
    """LeCun, Bottou, Bengio, Haffner, "Gradient-based learning", Proc. IEEE 1998.

    The idx files of its owners, plain or as `.gz`: `MNIST/raw/{train,t10k}-images-idx3-ubyte` and
    `-labels-idx1-ubyte`; `raw/` or the files themselves may lie in the data folder as well. A
    tenth of train, fixed by a hash of the names, is the validation split.
    """

    target: ClassVar[Target] = "labels"
    name, title, instead, download_size = "mnist", "MNIST", "digits", "11 MiB"
    layouts = (Layout(("MNIST/raw", "raw", "."), (*FILES["train"], *FILES["test"]), ("", ".gz")),)
    archives = tuple(
        Archive(f"MNIST/raw/{file}", tuple(server + file for server in _SERVERS), md5)
        for file, md5 in _SUMS.items()
    )

    def load(self, request: DataRequest) -> LabelledSet:
        """Read one split, (N, S, S, 1); see `netlab.contracts.dataset.Dataset`."""
        layout, root = self.find(request)

        def read(split: Official) -> list[LabelledArrays]:
            images, labels = (layout.path(root, name) or root / name for name in FILES[split])
            return [self._read(images, labels)]

        return load_arrays(read, CLASSES, request, mirrors=False)

    def download(self, folder: Path) -> None:
        """Fetch and check the idx files, which stay packed; see `Published.download`."""
        super().download(folder)
        # Plain files come before packed ones, and may be damaged.
        for packed in (folder / "MNIST" / "raw").glob("*.gz"):
            packed.with_suffix("").unlink(missing_ok=True)

    def _read(self, images_file: Path, labels_file: Path) -> LabelledArrays:
        images = read_idx(images_file, (SIDE, SIDE), mend=self.mend)
        labels = read_idx(labels_file, mend=self.mend)
        if len(images) != len(labels):
            raise DataError(
                f"{images_file} has {len(images)} pictures, {labels_file.name} {len(labels)} "
                "labels; fetch both again with netlab download mnist --again"
            )
        if len(labels) and labels.max() >= len(CLASSES):
            raise DataError(
                f"{labels_file}: has the label {labels.max()}, expected 0 to 9; {self.mend}"
            )
        return LabelledArrays(images[..., None], labels)
