"""Moving pictures to files."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from netlab.files import replace_file


def save_gif(frames: Sequence[Image.Image], path: Path, *, milliseconds: int = 90) -> None:
    """Write frames of one size as a GIF that runs to its end and back, for ever."""
    there, back = list(frames), list(frames[-2:0:-1])

    def write(part: Path) -> None:
        there[0].save(
            part,
            format="GIF",
            save_all=True,
            append_images=[*there[1:], *back],
            duration=milliseconds,
            loop=0,
        )

    replace_file(path, write)
