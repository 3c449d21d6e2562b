"""Tiny made-up copies of the data sets, in the layouts of their owners' archives."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netlab.contracts.dataset import DataRequest
from netlab.data import cifar10
from netlab.data.synthetic import Synthetic

# Pictures in each part of the MNIST copy.
COUNTS = {"train": 60, "t10k": 20}


def drawn(count: int, size: int = 40, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, S, S, 3) and masks (N, S, S)."""
    data = Synthetic().load(DataRequest(split="train", image_size=size, limit=count, seed=seed))
    return data.images, data.masks


def bytes_of(*shape: int, seed: int = 0, below: int = 256) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, below, shape).astype(np.uint8)


# What is in the CIFAR copies: 6 files of 12 pictures.
PICTURES = bytes_of(6, 12, 32, 32, 3, seed=5)
LABELS = (np.arange(72) % 10).astype(np.uint8).reshape(6, 12)
BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")


def write_pets(folder: Path) -> None:
    """Oxford-IIIT Pet in a data folder: 30 trainval, 8 test."""
    images, masks = drawn(38)
    root = folder / "oxford-iiit-pet"
    (root / "images").mkdir(parents=True)
    (root / "annotations" / "trimaps").mkdir(parents=True)
    names = [f"{'Abyssinian' if i % 2 else 'beagle'}_{i}" for i in range(38)]
    for name, image, mask in zip(names, images, masks, strict=True):
        Image.fromarray(image).save(root / "images" / f"{name}.jpg")
        Image.fromarray(mask + 1).save(root / "annotations" / "trimaps" / f"{name}.png")
    for part, chosen in (("trainval", names[:30]), ("test", names[30:])):
        lines = "".join(f"{n} 1 1 1\n" for n in chosen)
        (root / "annotations" / f"{part}.txt").write_text(lines)


def write_pairs(images: Path, masks: Path, *, seed: int = 3) -> None:
    """A folder of 20 pictures and one of their id masks."""
    for folder in (images, masks):
        folder.mkdir(exist_ok=True)
    for i, (image, mask) in enumerate(zip(*drawn(20, seed=seed), strict=True)):
        Image.fromarray(image).save(images / f"p{i:02d}.jpg")
        Image.fromarray(mask).save(masks / f"p{i:02d}.png")


def idx(values: NDArray[np.uint8]) -> bytes:
    head = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return head + values.tobytes()


def write_mnist(folder: Path) -> None:
    """MNIST in a data folder; pictures are noise, labels are places."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for seed, (stem, count) in enumerate(COUNTS.items()):
        labels = (np.arange(count) % 10).astype(np.uint8)
        (raw / f"{stem}-images-idx3-ubyte").write_bytes(idx(bytes_of(count, 28, 28, seed=seed)))
        (raw / f"{stem}-labels-idx1-ubyte").write_bytes(idx(labels))


def rows(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As CIFAR keeps pictures: red, green and blue one after the other."""
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)).reshape(len(pictures), -1)


def write_cifar(folder: Path) -> Path:
    """CIFAR-10 in a data folder, as the owners' binary files."""
    root = folder / "cifar-10-batches-bin"
    root.mkdir(parents=True)
    for name, pictures, labels in zip(BATCHES, PICTURES, LABELS, strict=True):
        records = np.concatenate([labels[:, None], rows(pictures)], axis=1)
        (root / f"{name}.bin").write_bytes(records.tobytes())
    (root / "batches.meta.txt").write_text("\n".join(cifar10.CLASSES) + "\n\n")
    return root
