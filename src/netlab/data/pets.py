"""Oxford-IIIT Pet: cats and dogs with pet, background and border (Parkhi et al. 2012)."""

from pathlib import Path
from typing import ClassVar

from netlab.contracts.dataset import PET_CLASSES, DataRequest, SegmentationSet, Target
from netlab.data.readers.download import Archive
from netlab.data.readers.masks import MaskRule, Pair, load_pairs
from netlab.data.readers.published import Layout, Published
from netlab.data.readers.splits import names_in_split
from netlab.errors import DataError, listing
from netlab.registry import register

_SERVER = "https://www.robots.ox.ac.uk/~vgg/data/pets/data"
_SUMS = {
    "images.tar.gz": "5c4f3ee8e5d25df40f4fd59a7f44e54c",
    "annotations.tar.gz": "95a8c909bbe2e81eed6a22bccdf3f68f",
}
_RULE = MaskRule(values=(1, 2, 3), required=0, required_name="pet")


@register("dataset")
class Pets(Published):
    """Parkhi, Vedaldi, Zisserman, Jawahar, "Cats and Dogs", CVPR 2012 (CC BY-SA 4.0).

    The layout of its archives (and of torchvision): `oxford-iiit-pet/images/STEM.jpg`,
    `oxford-iiit-pet/annotations/trimaps/STEM.png` with 1 pet, 2 background, 3 border, and the
    official splits in `annotations/{trainval,test}.txt`. A tenth of trainval, fixed by a hash of
    the names, is the validation split.
    """

    target: ClassVar[Target] = "masks"
    name, title, instead, download_size = "pets", "Oxford-IIIT Pet", "synthetic", "773 MiB"
    layouts = (
        Layout(
            ("oxford-iiit-pet", "."),
            ("images", "annotations/trimaps", "annotations/trainval.txt", "annotations/test.txt"),
        ),
    )
    archives = tuple(
        Archive(f"oxford-iiit-pet/{file}", (f"{_SERVER}/{file}",), md5, unpack=True)
        for file, md5 in _SUMS.items()
    )

    def load(self, request: DataRequest) -> SegmentationSet:
        """Decode one split; see `netlab.contracts.dataset.Dataset`."""
        _, root = self.find(request)
        names: set[str] = set()
        if request.split != "test":
            names |= _names(root / "annotations" / "trainval.txt")
        if request.split in ("test", "all"):
            names |= _names(root / "annotations" / "test.txt")
        pairs = [
            Pair(n, root / "images" / f"{n}.jpg", root / "annotations" / "trimaps" / f"{n}.png")
            for n in sorted(names_in_split(sorted(names), request))
        ]
        return load_pairs(_complete(pairs, request), _RULE, PET_CLASSES, request)


def _names(path: Path) -> set[str]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    names = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
    if bad := [n for n in names if Path(n).name != n]:
        raise DataError(f"{path}: {listing(bad, 3)} is no plain file name")
    if len(names) < 2:
        raise DataError(f"{path}: names {len(names)} pictures; fetch the data again")
    return set(names)


def _complete(pairs: list[Pair], request: DataRequest) -> list[Pair]:
    """The pairs of which both files are there.

    Raises:
        DataError: some are not, and are not to be dropped.
    """
    lonely = {p.name for p in pairs if not (p.image.is_file() and p.mask.is_file())}
    if lonely and not request.skip_bad:
        raise DataError(
            f"{len(lonely)} of {len(pairs)} pairs of the {request.split} split lack their picture "
            f"or mask in {pairs[0].image.parent.parent}: {listing(sorted(lonely), 3)}; fetch the "
            "data again, or go on without them with --skip-bad"
        )
    if lonely:
        request.note(
            f"{request.split}: dropped {len(lonely)} (unpaired): {listing(sorted(lonely), 8)}"
        )
    kept = [pair for pair in pairs if pair.name not in lonely]
    if not kept:
        raise DataError(f"all {len(pairs)} pairs of the {request.split} split lack a file")
    return kept
