"""Your own data: a folder of pictures and a folder of masks with the same stems."""

from pathlib import Path
from typing import ClassVar

from netlab.contracts.dataset import PET_CLASSES, DataRequest, SegmentationSet, Target
from netlab.data.readers.folders import existing_folder
from netlab.data.readers.masks import MaskRule, Pair, load_pairs
from netlab.data.readers.pictures import SUFFIXES
from netlab.data.readers.splits import names_in_split
from netlab.errors import DataError, listing
from netlab.registry import register


@register("dataset")
class Pairs:
    """Any two folders: `--images` with pictures, `--masks` with masks of the same stems.

    Masks hold class ids (0, 1, 2, …) or the values given with `--mask-values`; names come with
    `--classes` and are pet, background and border without. A tenth each is the validation and the
    test split, fixed by a hash of the stems; the split `all` is the whole folder.
    """

    target: ClassVar[Target] = "masks"
    reads: ClassVar[tuple[str, ...]] = ("images", "masks", "classes", "mask_values")
    """Settings of own folders that it takes."""

    def load(self, request: DataRequest) -> SegmentationSet:
        """Decode one split; see `netlab.contracts.dataset.Dataset`."""
        classes = request.classes or PET_CLASSES
        values = request.mask_values or tuple(range(len(classes)))
        if not 2 <= len(classes) <= 256 or len(set(classes)) < len(classes):
            raise DataError(f"--classes {','.join(classes)}: give 2 to 256 different names")
        if len(values) != len(classes) or len(set(values)) < len(values):
            raise DataError(
                f"--mask-values {','.join(map(str, values))}: give one value for each of the "
                f"{len(classes)} classes ({', '.join(classes)}), all different"
            )
        pairs = _pairs(request)
        if len(pairs) < 3 and request.split != "all":
            raise DataError(
                f"{len(pairs)} pairs in {request.images}; its three splits need at least 3"
            )
        names = sorted(names_in_split(list(pairs), request, cut_test=True))
        return load_pairs([pairs[name] for name in names], MaskRule(values), classes, request)


def _pairs(request: DataRequest) -> dict[str, Pair]:
    images = _stems(existing_folder(request.images, "--images"))
    masks = _stems(existing_folder(request.masks, "--masks"))
    lonely = sorted(images.keys() ^ masks.keys())
    if lonely and not request.skip_bad:
        names = [(images.get(stem) or masks[stem]).name for stem in lonely]
        raise DataError(
            f"{len(lonely)} files without a partner of the same stem in {request.images} and "
            f"{request.masks}: {listing(names)}; add the partners or go on with --skip-bad"
        )
    if lonely:
        request.note(f"dropped {len(lonely)} (unpaired): {listing(lonely, 8)}")
    both = sorted(images.keys() & masks.keys())
    return {stem: Pair(stem, images[stem], masks[stem]) for stem in both}


def _stems(folder: Path) -> dict[str, Path]:
    """The pictures in a folder by their stems."""
    pictures: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith("."):
            if path.stem in pictures:
                raise DataError(
                    f"{folder}: {pictures[path.stem].name} and {path.name} have the same stem; "
                    "rename one"
                )
            pictures[path.stem] = path
    if not pictures:
        raise DataError(f"{folder}: no pictures in it ({', '.join(SUFFIXES)})")
    return pictures
