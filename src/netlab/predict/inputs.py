"""Which pictures `netlab predict-mask` takes, and where their masks go; no torch."""

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from netlab.data.readers.pictures import SUFFIXES
from netlab.errors import UsageError

SIGNATURE = "netlab predict-mask"
"""Text in every PNG written here, by which a later run knows that it is no input."""

_HEAD = 2048  # bytes; the text stands in front of the pixels


@dataclass(frozen=True)
class Input:
    """A picture, and its sub-folder as seen from the path that was given."""

    path: Path
    sub_folder: Path = Path()


@dataclass(frozen=True)
class Job:
    """One picture to predict."""

    source: Path | bytes
    output: Path | None
    """None: the caller wants the bytes."""
    confidence: Path | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return "-" if isinstance(self.source, bytes) else str(self.source)


@dataclass(frozen=True)
class Plan:
    """What will be done, and the inputs that are left out since their output exists."""

    jobs: list[Job]
    skipped: list[Path]


@dataclass(frozen=True)
class Naming:
    """Where outputs go.

    Args:
        suffix: what is added to a picture's name: `_mask`.
        out: a folder, a file that ends in .png, or None for beside the picture.
        confidence: write a second file for each picture.
        overwrite: replace existing outputs.
        skip_done: leave out pictures whose outputs exist.
    """

    suffix: str
    out: Path | None = None
    confidence: bool = False
    overwrite: bool = False
    skip_done: bool = False

    @property
    def single(self) -> bool:
        """Whether `out` names one file."""
        return self.out is not None and self.out.suffix.lower() == ".png" and not self.out.is_dir()


def find_inputs(paths: Sequence[str], *, recursive: bool = False) -> list[Input]:
    """Turn files, folders and patterns into pictures, in order, each once.

    A file that is named alone is taken whatever it is; of several, outputs of earlier runs are left
    out, as a shell's pattern names them too. Folders and patterns give the files whose ending is
    that of a picture, without hidden ones and without outputs of earlier runs.

    Raises:
        UsageError: a path that is not there, or without a picture in it.
    """
    pictures: dict[Path, Input] = {}
    for text in paths:
        for picture in _expand(text, recursive):
            pictures.setdefault(Path(os.path.abspath(picture.path)), picture)  # noqa: PTH100 - keeps links
    if len(pictures) == 1:
        return list(pictures.values())
    inputs = [picture for picture in pictures.values() if not _is_ours(picture.path)]
    if not inputs:
        raise UsageError("only outputs of earlier runs among these files; name the pictures")
    return inputs


def plan(inputs: Sequence[Input], naming: Naming) -> Plan:
    """Give each picture its outputs; nothing is written.

    Raises:
        UsageError: an output that exists, or one file for several pictures.
    """
    _check_out(naming, len(inputs))
    taken = {_key(picture.path) for picture in inputs}  # an input is never an output
    names: dict[Path, set[str]] = {}
    for picture in inputs:
        path = _output_path(picture, naming, picture.path.stem)
        names.setdefault(path, set()).add(picture.path.name)
    jobs, skipped = [], []
    for picture in inputs:
        unique = len(names[_output_path(picture, naming, picture.path.stem)]) == 1
        stem = picture.path.stem if unique else picture.path.name
        outputs = _outputs(picture, naming, stem, taken)
        paths = [path for path in outputs if path is not None]
        if naming.skip_done and all(path.exists() for path in paths):
            skipped.append(picture.path)
        else:
            jobs.append(Job(picture.path, *outputs))
        taken.update(_key(path) for path in paths)
    return Plan(jobs, skipped)


def plan_bytes(read: Callable[[], bytes], naming: Naming) -> Plan:
    """The job for a picture that comes through a pipe; without `out` it goes back through one.

    Raises:
        UsageError: an output that exists, or a confidence map with no file to go to.
    """
    if naming.out is None:
        if naming.confidence:
            raise UsageError("--confidence writes a second file: give --out as well")
        return Plan([Job(read(), None)], [])
    _check_out(naming, 1)
    outputs = _outputs(Input(Path("stdin")), naming, "stdin", set())
    return Plan([Job(read(), *outputs)], [])


def make_folders(jobs: Iterable[Job]) -> None:
    """Make the folders that outputs go to.

    Raises:
        UsageError: one cannot be made.
    """
    for folder in dict.fromkeys(job.output.parent for job in jobs if job.output is not None):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be made ({error.strerror})") from error


def _expand(text: str, recursive: bool) -> Iterator[Input]:
    path = Path(text)
    if path.is_dir():
        files = path.rglob("*") if recursive else path.glob("*")
        hint = "" if recursive else "; add --recursive for its sub-folders"
        yield from _pictures(text, path, files, f"no pictures in this folder{hint}")
    elif path.exists():
        yield Input(path)
    elif glob.has_magic(text):
        matches = (Path(match) for match in glob.iglob(text, recursive=True))  # noqa: PTH207 - any root
        yield from _pictures(text, _root(path), matches, "no pictures match")
    else:
        raise UsageError(f"{text}: no such file or folder")


def _pictures(text: str, root: Path, files: Iterable[Path], nothing: str) -> Iterator[Input]:
    count = 0
    for path in sorted(files):
        inside = path.relative_to(root)
        hidden = any(part.startswith(".") for part in inside.parts)
        if hidden or path.suffix.lower() not in SUFFIXES or not path.is_file() or _is_ours(path):
            continue
        count += 1
        yield Input(path, inside.parent)
    if not count:
        raise UsageError(f"{text}: {nothing} (looked for {' '.join(SUFFIXES)})")


def _root(pattern: Path) -> Path:
    """The folder in front of a pattern's first wildcard."""
    plain = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        plain.append(part)
    return Path(*plain)


def _is_ours(path: Path) -> bool:
    if path.suffix.lower() != ".png":
        return False
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:  # reading it as a picture will say what is wrong
        return False
    return b"tEXtSoftware\0" + SIGNATURE.encode() in head


def _check_out(naming: Naming, count: int) -> None:
    out = naming.out
    if out is None:
        return
    if naming.single:
        if count > 1:
            raise UsageError(f"--out {out}: one file for {count} pictures; give a folder")
        if out.exists() and not naming.overwrite and not naming.skip_done:
            raise UsageError(f"{out} exists already: choose another name or add --overwrite")
    elif out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: outputs are PNG; give a folder or a name that ends in .png")
    elif not out.exists() and out.suffix.lower() in SUFFIXES:
        raise UsageError(f"--out {out}: outputs are PNG, so end the name in .png")


def _outputs(
    picture: Input, naming: Naming, stem: str, taken: set[str]
) -> tuple[Path, Path | None]:
    """The output of a picture, and its confidence map if that is wanted."""
    if naming.single and naming.out is not None:
        if _key(naming.out) in taken:
            raise UsageError(f"--out {naming.out}: would replace its own input")
        if not naming.confidence:
            return naming.out, None
        confidence = _output_path(picture, naming, naming.out.stem + "_confidence")
        return naming.out, _free([confidence], naming, taken)[0]
    names = [stem + naming.suffix] + [stem + "_confidence"] * naming.confidence
    paths = _free([_output_path(picture, naming, name) for name in names], naming, taken)
    return paths[0], (paths[1] if naming.confidence else None)


def _output_path(picture: Input, naming: Naming, name: str) -> Path:
    """The file `name`.png in the folder that a picture's outputs go to."""
    folder = picture.path.parent
    if naming.out is not None:
        folder = naming.out.parent if naming.single else naming.out / picture.sub_folder
    return folder / f"{name}.png"


def _free(paths: list[Path], naming: Naming, taken: set[str]) -> list[Path]:
    """The paths, with the same number added to all of them if one of them is in use."""
    may_exist = naming.overwrite or naming.skip_done
    candidates, number = paths, 2
    while any(_key(path) in taken or (not may_exist and path.exists()) for path in candidates):
        candidates = [path.with_name(f"{path.stem}-{number}.png") for path in paths]
        number += 1
    return candidates


def _key(path: Path) -> str:
    # Some file systems do not tell Pet.png from pet.png.
    return os.path.abspath(path).casefold()  # noqa: PTH100 - keeps links
