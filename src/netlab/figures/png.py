"""Pictures to files."""

from pathlib import Path

from PIL import Image

from netlab.rundir import replace_file


def save_png(image: Image.Image, path: Path) -> None:
    """Write a whole PNG file, or none (see `netlab.rundir.replace_file`)."""
    # The temporary name does not end in .png, so PIL could not guess the format.
    replace_file(path, lambda part: image.save(part, format="PNG", optimize=True))
