"""Oxford-IIIT Pet: cats and dogs with pet, background and border (Parkhi et al. 2012)."""

from pathlib import Path
from typing import Any, ClassVar

from netlab.contracts.dataset import PET_CLASSES, DataRequest, SegmentationSet, Target
from netlab.data.readers.download import Archive, fetch
from netlab.data.readers.folders import data_dir
from netlab.data.readers.pairs import MaskRule, Pair, prepare
from netlab.data.readers.parts import hashed_order
from netlab.errors import DataError, listing
from netlab.registry import register

_FOLDER = "oxford-iiit-pet"
_RULE = MaskRule(values=(1, 2, 3), required=0, required_name="pet")


@register("dataset")
class Pets:
    """Parkhi, Vedaldi, Zisserman, Jawahar, "Cats and Dogs", CVPR 2012 (CC BY-SA 4.0).

    The layout of its archives (and of torchvision): `oxford-iiit-pet/images/STEM.jpg`,
    `oxford-iiit-pet/annotations/trimaps/STEM.png` with 1 pet, 2 background, 3 border, and the
    official parts in `annotations/{trainval,test}.txt`. A tenth of trainval, fixed by a hash of
    the names, is the validation part.
    """

    target: ClassVar[Target] = "masks"
    download_size: ClassVar[str] = "773 MiB"

    def load(self, request: DataRequest) -> SegmentationSet:
        """Decode one part; see `netlab.contracts.dataset.Dataset`."""
        root = _root(data_dir(request.data_dir))
        names = _part(root, request.split)
        if request.limit:
            names = sorted(hashed_order(names)[: request.limit])
        pairs = [
            Pair(n, root / "images" / f"{n}.jpg", root / "annotations" / "trimaps" / f"{n}.png")
            for n in names
        ]
        pairs = _complete(pairs, request)
        return prepare(pairs, _RULE, PET_CLASSES, request)

    def present(self, folder: Path) -> bool:
        """Whether `folder` holds the data."""
        return any((p / "annotations").is_dir() for p in (folder, folder / _FOLDER))

    def download(self, folder: Path) -> None:
        """Fetch, check and unpack the owners' archives.

        Raises:
            WorkFailed: no network, a wrong sum, or no room.
        """

        def archives(datasets: Any) -> list[Archive]:
            sources = datasets.OxfordIIITPet._RESOURCES
            place = folder / _FOLDER
            return [
                Archive(place / url.rpartition("/")[2], (url,), md5, unpacked=place)
                for url, md5 in sources
            ]

        fetch("pets", folder, archives)


def _root(base: Path) -> Path:
    for root in (base / _FOLDER, base):
        if (root / "annotations").is_dir() or (root / "images").is_dir():
            missing = [
                part for part in ("images", "annotations/trimaps") if not (root / part).is_dir()
            ] + [
                part
                for part in ("annotations/trainval.txt", "annotations/test.txt")
                if not (root / part).is_file()
            ]
            if missing:
                raise DataError(
                    f"{root}: only half of the Pets data, {listing(missing)} missing; "
                    "fetch them again with netlab download pets --again"
                )
            return root
    raise DataError(
        f"no Oxford-IIIT Pet data in {base}: name their folder with --data-dir or NETLAB_DATA, "
        "fetch them with netlab download pets, or try --dataset synthetic, which needs none"
    )


def _part(root: Path, split: str) -> list[str]:
    if split == "test":
        return _names(root, "test")
    trainval = _names(root, "trainval")
    if split == "all":
        return sorted({*trainval, *_names(root, "test")})
    order = hashed_order(trainval)
    cut = max(1, round(len(order) / 10))
    return sorted(order[:cut] if split == "val" else order[cut:])


def _names(root: Path, part: str) -> list[str]:
    path = root / "annotations" / f"{part}.txt"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    names = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
    if bad := [n for n in names if Path(n).name != n]:
        raise DataError(f"{path}: {listing(bad, 3)} is no plain file name")
    if len(names) < 2:
        raise DataError(f"{path}: names {len(names)} pictures; fetch the data again")
    return sorted(set(names))


def _complete(pairs: list[Pair], request: DataRequest) -> list[Pair]:
    bad = [p.name for p in pairs if not (p.image.is_file() and p.mask.is_file())]
    if bad and not request.skip_bad:
        raise DataError(
            f"{len(bad)} of {len(pairs)} pairs of the {request.split} part lack their picture or "
            f"mask in {pairs[0].image.parent.parent}: {listing(bad, 3)}; fetch the data again, "
            "or go on without them with --skip-bad"
        )
    if bad:
        request.note(f"{request.split}: dropped {len(bad)} (unpaired): {listing(bad, 8)}")
    return [p for p in pairs if p.name not in set(bad)]
