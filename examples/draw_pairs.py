"""Draw a small folder of pictures and one of masks: `draw_pairs.py PICTURES MASKS --count N`."""

import argparse
from pathlib import Path

from PIL import Image

from netlab.contracts.dataset import DataRequest
from netlab.data.synthetic import Synthetic


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--size", type=int, default=96)
    args = parser.parse_args()
    for folder in (args.pictures, args.masks):
        folder.mkdir(parents=True, exist_ok=True)
    drawn = Synthetic().load(
        DataRequest(split="train", image_size=args.size, limit=args.count, seed=7)
    )
    for name, image, mask in zip(drawn.names, drawn.images, drawn.masks, strict=True):
        Image.fromarray(image).save(args.pictures / f"{name}.jpg", quality=92)
        Image.fromarray(mask).save(args.masks / f"{name}.png")
    print(f"{len(drawn)} pictures in {args.pictures}, their masks in {args.masks}")


if __name__ == "__main__":
    main()
