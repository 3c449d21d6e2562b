"""Runs the commands of a document, each in a short variant, in a folder with what it assumes.

How a command is shortened follows from the options it has, not from its words: a new command in the
documentation is run without a line here.
"""

import io
import os
import re
import shutil
import signal
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import typer
from PIL import Image

from netlab import registry
from netlab.cli.main import commands, main
from tests._copies import bytes_of, write_cifar, write_mnist, write_pairs, write_pets
from tests._docs import ROOT, Command, Document
from tests.conftest import netlab

PLUGIN = ROOT / "examples" / "plugin"
OWN = Document("docs/write-your-own.md")
"""The page that makes a package."""
OWN_COMMANDS = {"count-pixels"}
# Behind the words of a command the last value wins; each option goes to the commands that have it.
QUICK = {
    "--epochs": "1",
    "--limit": "16",
    "--width": "4",
    "--image-size": "32",
    "--batch-size": "4",
    "--count": "2",
    "--device": "cpu",
    "--precision": "fp32",
    "--threads": "1",
}
COMMANDS: dict[str, Any] = dict(typer.main.get_command(commands()).commands)


class Outcome(NamedTuple):
    """What a command did."""

    words: list[str]
    """As it was run."""
    code: int
    out: bytes
    err: str


def options_of(command: str) -> set[str]:
    """All spellings of a command's options."""
    found = {"--help", "-h"} | ({"--version"} if command not in COMMANDS else set())
    for param in getattr(COMMANDS.get(command), "params", ()):
        found |= {*param.opts, *param.secondary_opts}
    return found


def short(words: Sequence[str]) -> list[str]:
    """The words behind `netlab`, and options that make of it a matter of a second."""
    quick = {flag: value for flag, value in QUICK.items() if flag in options_of(words[0])}
    if "--resume" in words:  # goes on with the settings of a run that was short already
        quick = {"--epochs": "2"} if "--epochs" in words else {}
    if "--image" in words or "all" in words:  # a picture is no part; the tiny copies are
        quick.pop("--count", None)
    return [*words, *(word for pair in quick.items() for word in pair)]


def in_process(words: Sequence[str], stdin: bytes = b"") -> Outcome:
    """Run the command line in this process, with streams of its own."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    err, code, handler = io.StringIO(), 0, signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["netlab", *words])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        try:
            main(list(words))
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            signal.signal(signal.SIGTERM, handler)
            torch.set_num_threads(1)
    return Outcome(list(words), code, out.buffer.getvalue(), err.getvalue())


@contextmanager
def reader_s_folder(folder: Path, data: Path) -> Iterator[Path]:
    """Inside of it the working directory is a folder with all that the documents assume.

    Args:
        folder: is made.
        data: copies of the data sets; see `write_data`.
    """
    folder.mkdir()
    (folder / "data").symlink_to(data, target_is_directory=True)
    (folder / "examples").mkdir()
    shutil.copy(ROOT / "examples" / "pet.jpg", folder / "examples")
    Image.fromarray(bytes_of(40, 60, 3)).save(folder / "pet.jpg")
    Image.fromarray(bytes_of(28, 28)).save(folder / "digit.jpg")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NETLAB_CACHE", "off")
        patch.delenv("NETLAB_DATA", raising=False)
        write_own_package(folder / "own")
        for project in (PLUGIN, folder / "own"):
            add_package(project, folder / "site", patch)
        yield folder
    registry.installed.cache_clear()


def write_data(folder: Path) -> Path:
    """Tiny copies of the data sets that the documents speak of."""
    for write in (write_pets, write_mnist, write_cifar):
        write(folder)
    return folder


def write_own_package(folder: Path) -> list[Path]:
    """The package that the page for writers of components makes, file by file."""
    blocks = {"pyproject.toml": next(b for b in OWN.blocks() if b.language == "toml").text}
    for block in OWN.blocks():
        if block.language == "python" and block.text.startswith('"""'):
            blocks[re.findall(r"`(netlab_own/\w+\.py)`", block.before)[-1]] = block.text
    for name, text in blocks.items():
        path = folder / name if name.endswith(".toml") else folder / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [folder / "src" / name for name in blocks if name.endswith(".py")]


def add_package(folder: Path, site: Path, patch: pytest.MonkeyPatch) -> None:
    """What `pip install` of a project leaves behind, without pip."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    about = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    about.mkdir(parents=True)
    about.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        f"Summary: {project['description']}\n"
    )
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    about.joinpath("entry_points.txt").write_text("\n".join(lines))
    patch.syspath_prepend(folder / "src")
    patch.syspath_prepend(site)
    registry.installed.cache_clear()


def draw_folders(folder: Path, values: Sequence[int] = (0, 1)) -> None:
    """The reader's own pictures and masks; in two sub-folders those for classes, without masks.

    Args:
        folder: where `photos`, `masks`, `new_photos` and `new_masks` are made anew.
        values: of the two classes in the masks.
    """
    for prefix, seed in (("", 3), ("new_", 4)):
        photos, masks = folder / f"{prefix}photos", folder / f"{prefix}masks"
        for old in (photos, masks):
            shutil.rmtree(old, ignore_errors=True)
        write_pairs(photos, masks, seed=seed)
        for path in masks.iterdir():
            cup = np.asarray(Image.open(path)) == 0
            Image.fromarray(np.where(cup, *values).astype(np.uint8)).save(path)
        for label, name in enumerate(("cat", "dog")):
            (photos / name).mkdir()
            for i, picture in enumerate(bytes_of(12, 32, 32, 3, seed=label)):
                Image.fromarray(picture).save(photos / name / f"{i}.png")


def run_commands(commands: Sequence[Command], folder: Path) -> dict[Command, Outcome]:
    """Run what a document says, in its order; each section finds its own folders of pictures."""
    outcomes: dict[Command, Outcome] = {}
    section, before = "", b""
    for command in commands:
        words = list(command.words)
        if command.section != section or not outcomes:
            section = command.section
            draw_folders(folder)
        if "--mask-values" in words:
            values = words[words.index("--mask-values") + 1]
            draw_folders(folder, [int(value) for value in values.split(",")])
        stdin = before if command.stdin == "|" else Path(command.stdin or os.devnull).read_bytes()
        outcomes[command] = done = _run(words, folder, stdin)
        before = done.out
        if command.stdout:
            Path(command.stdout).write_bytes(done.out)
    return outcomes


def _run(words: list[str], folder: Path, stdin: bytes) -> Outcome:
    if words[0] == "netlab":
        return in_process(short(words[1:]), stdin)
    # As in `.venv/bin/netlab`: a sample of the commands runs as readers run them.
    done = netlab(*short(words[1:]), cwd=folder, stdin=stdin)
    return Outcome(words, done.returncode, done.stdout, done.stderr.decode())
