"""Your own data: a folder of pictures and a folder of masks with the same stems."""

from pathlib import Path
from typing import ClassVar

from netlab.contracts.dataset import PET_CLASSES, DataRequest, SegmentationSet, Target
from netlab.data.readers.folders import existing_folder
from netlab.data.readers.pairs import MaskRule, Pair, prepare
from netlab.data.readers.parts import hashed_order
from netlab.data.readers.pictures import SUFFIXES
from netlab.errors import DataError, listing
from netlab.registry import register


@register("dataset")
class Pairs:
    """Any two folders: `--images` with pictures, `--masks` with masks of the same stems.

    Masks hold class ids (0, 1, 2, …) or the values given with `--mask-values`; names come with
    `--classes` and are pet, background and border without. A tenth each is the validation and the
    test part, fixed by a hash of the stems; the part `all` is the whole folder.
    """

    target: ClassVar[Target] = "masks"

    def load(self, request: DataRequest) -> SegmentationSet:
        """Decode one part; see `netlab.contracts.dataset.Dataset`."""
        classes = request.classes or PET_CLASSES
        values = request.mask_values or tuple(range(len(classes)))
        if not 2 <= len(classes) <= 256 or len(set(classes)) < len(classes):
            raise DataError(f"--classes {','.join(classes)}: give 2 to 256 different names")
        if len(values) != len(classes) or len(set(values)) < len(values):
            raise DataError(
                f"--mask-values {','.join(map(str, values))}: give one value for each of the "
                f"{len(classes)} classes ({', '.join(classes)}), all different"
            )
        pairs = _part(_pairs(request), request)
        return prepare(pairs, MaskRule(values), classes, request)


def _pairs(request: DataRequest) -> dict[str, Pair]:
    images = _stems(existing_folder(request.images, "--images"))
    masks = _stems(existing_folder(request.masks, "--masks"))
    lonely = sorted(images.keys() ^ masks.keys())
    if lonely and not request.skip_bad:
        names = [(images.get(s) or masks[s]).name for s in lonely]
        raise DataError(
            f"{len(lonely)} files without a partner of the same stem in {request.images} and "
            f"{request.masks}: {listing(names)}; add the partners or go on with --skip-bad"
        )
    if lonely:
        request.note(f"dropped {len(lonely)} (unpaired): {listing(lonely, 8)}")
    both = sorted(images.keys() & masks.keys())
    return {stem: Pair(stem, images[stem], masks[stem]) for stem in both}


def _stems(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith("."):
            if path.stem in found:
                raise DataError(
                    f"{folder}: {found[path.stem].name} and {path.name} have the same stem; "
                    "rename one"
                )
            found[path.stem] = path
    if not found:
        raise DataError(f"{folder}: no pictures in it ({', '.join(SUFFIXES)})")
    return found


def _part(pairs: dict[str, Pair], request: DataRequest) -> list[Pair]:
    if len(pairs) < 3 and request.split != "all":
        raise DataError(f"{len(pairs)} pairs in {request.images}; its three parts need at least 3")
    order = hashed_order(list(pairs))
    cut = max(1, round(len(order) / 10))
    parts = {"val": order[:cut], "test": order[cut : 2 * cut], "train": order[2 * cut :]}
    names = parts.get(request.split, order)
    return [pairs[name] for name in sorted(names[: request.limit])]
