"""What the documentation says is true: its commands run, its names exist, its links lead somewhere.

`tests/_docs.py` reads documents, `tests/_docs_run.py` shortens and runs their commands.
"""

import ast
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from netlab import registry
from netlab.errors import ExitCode
from netlab.weights.bundled import bundled
from netlab.weights.header import read_header
from tests._docs import GENERATED, ROOT, Block, Command, Document, documents
from tests._docs_run import (
    COMMANDS,
    OWN_COMMANDS,
    Outcome,
    draw_folders,
    in_process,
    options_of,
    reader_s_folder,
    run_commands,
    short,
    write_data,
)
from tests.conftest import netlab

NOT_RUN = {
    "python3 -m venv": "installing is the build's part, .ci/run",
    ".venv/bin/pip install": "installing is the build's part, .ci/run",
    "pip install ./examples/plugin": "tests/test_package.py installs it",
    "pip install -e .": "the package of docs/write-your-own.md is put on the path",
    ".venv/bin/pytest": "these are the tests",
    "netlab download": "fetches up to 773 MiB; tests/test_download.py has a server of its own",
    "netlab train unet --encoder average": "runs below, beside the file that the README adds",
    "python benchmarks/": "takes minutes, and packages that only benchmarks need",
    "python tests/": "takes hours; tests/test_faults.py and test_fuzz.py run a short form",
    "python tools/bundle_weights.py": "would replace the bundled weights",
}
"""Beginnings of commands that are checked, but not run, each with the reason."""
NOT_YET = {"src/netlab/encoders/average.py": "the reader makes it"}
"""Paths in the tree that are named, but are not there, each with the reason."""

DOCUMENTS = {document.file: document for document in documents()}
WRITTEN = [d for d in DOCUMENTS.values() if d.file != GENERATED]
SAID = [command for document in WRITTEN for command in document.commands()]
"""All commands and mentions of them."""
Run = tuple[Path, dict[Command, Outcome]]


def why_not(command: Command) -> str | None:
    return next((why for start, why in NOT_RUN.items() if command.text.startswith(start)), None)


def of_netlab(commands: list[Command]) -> list[Command]:
    """Those that name one of its commands; `netlab COMMAND --help` does not."""
    return [c for c in commands if c.program == "netlab" and not c.words[1].isupper()]


RUNNABLE = [c for c in SAID if not c.mention and not why_not(c)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("copies"))


@pytest.fixture(scope="module")
def run_of(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """Runs all of a document when its first command is asked for: `last` has to mean something."""

    @cache
    def run(file: str) -> Run:
        folder = tmp_path_factory.mktemp("reader") / "folder"
        commands = [command for command in RUNNABLE if command.file == file]
        with reader_s_folder(folder, data):
            return folder, run_commands(commands, folder)

    return run


@pytest.fixture
def here(data: Path, tmp_path: Path) -> Iterator[Path]:
    """A reader's folder to work in."""
    with reader_s_folder(tmp_path / "folder", data) as folder:
        draw_folders(folder)
        yield folder


def place(thing: Command | Block) -> str:
    return f"{thing.file}:{thing.line}"


# Commands


@pytest.mark.slow
@pytest.mark.parametrize("command", RUNNABLE, ids=lambda c: f"{place(c)} {c.text}")
def test_a_command_of_the_docs_works(command: Command, run_of: Callable[[str], Run]) -> None:
    done = run_of(command.file)[1][command]
    assert done.code == 0, f"{place(command)}: {' '.join(done.words)}\n{done.err}"
    if "--json" in command.words:
        json.loads(done.out)


def test_each_reason_not_to_run_a_command_is_still_needed() -> None:
    for start in NOT_RUN:
        assert any(c.text.startswith(start) for c in SAID), f"no document says {start}"
    for path in NOT_YET:
        assert any(path in d.text for d in WRITTEN), f"no document names {path}"
        assert not (ROOT / path).exists()


def test_all_commands_and_their_options_exist() -> None:
    assert len(of_netlab(SAID)) > 60
    for command in of_netlab(SAID):
        name = command.words[1]
        known = name in COMMANDS or name in OWN_COMMANDS or name.startswith("--")
        assert known, f"{place(command)}: netlab {name}"
        for flag in command.flags:
            assert flag in options_of(name), f"{place(command)}: netlab {name} has no {flag}"


def test_options_in_sentences_exist() -> None:
    known = {option for command in COMMANDS for option in options_of(command)}
    for document in WRITTEN:
        for line, text in document.spans():
            for flag in re.findall(r"^--[a-z][a-z-]*", text):
                assert flag in known, f"{document.file}:{line}: no command has {flag}"


def test_paths_in_the_tree_exist() -> None:
    names = [(place(c), word) for c in SAID for word in c.words]
    names += [(f"{d.file}:{n}", span.split()[0]) for d in WRITTEN for n, span in d.spans()]
    inside = re.compile(r"(\./)?(benchmarks|docs|examples|src|tests|tools)/[\w./-]+$")
    found = [(where, name) for where, name in names if inside.match(name) and name not in NOT_YET]
    assert len(found) > 15
    for where, name in found:
        assert (ROOT / name).exists(), f"{where}: there is no {name}"


def test_what_pip_is_asked_for_is_there() -> None:
    asked = [c for c in SAID if c.program == "pip"]
    assert len(asked) == 4
    for command in asked:
        words = list(command.words)
        if "-c" in words:
            assert (ROOT / words[words.index("-c") + 1]).is_file()
        folder, _, extra = words[-1].partition("[")
        project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
        assert not extra or extra.rstrip("]") in project["optional-dependencies"]


SCRIPTS = sorted({c.words[1] for c in SAID if c.program == "python"} | {"tools/cli_reference.py"})


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.skipif(sys.platform == "win32", reason="some are for Linux alone")
def test_scripts_explain_themselves_and_have_the_options(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = (ROOT / script).parent
    elsewhere = [path for path in sys.path if Path(path or ".").resolve() != ROOT]
    monkeypatch.setattr(sys, "path", [str(folder), *elsewhere])
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / script), run_name="__main__")
    assert end.value.code == 0
    shown = capsys.readouterr().out
    for command in SAID:
        if script in command.words:
            for flag in command.flags:
                assert re.search(rf"{flag}\b", shown), f"{place(command)}: {script} has no {flag}"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_the_script_for_own_data_takes_the_reader_s_folders(here: Path) -> None:
    """Bash runs it with a `netlab` that notes its words; they are run here."""
    shim, calls = here / "bin" / "netlab", here / "calls"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nprintf "%s\\037" "$@" >> {calls}\necho >> {calls}\n')
    shim.chmod(0o755)
    words = ["bash", str(ROOT / "examples" / "own_data.sh"), "photos", "masks"]
    path = f"{shim.parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(words, check=True, env={**os.environ, "PATH": path})
    said = [line.split("\x1f")[:-1] for line in calls.read_text().splitlines()]
    assert [words[0] for words in said] == ["train", "eval", "predict-mask"]
    for call in said:
        done = in_process(short(call))
        assert done.code == 0, done.err
    assert len(list((here / "own_overlays").glob("*_overlay.png"))) == 20


# Blocks of other languages


BLOCKS = [block for document in DOCUMENTS.values() for block in document.blocks()]
READERS: dict[str, Callable[[str], Any]] = {
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
    "json": json.loads,
    "python": lambda text: compile(text, "block", "exec"),
}


def test_every_block_is_of_a_language_that_is_checked() -> None:
    for block in BLOCKS:
        assert block.language in (*READERS, "sh", "text", ""), f"{place(block)}: {block.language}"
        if block.language in READERS:
            READERS[block.language](block.text)
        if block.language == "":
            assert not re.search(r"^(netlab|python|pip) ", block.text, re.MULTILINE), place(block)


WHOLE = [b for b in BLOCKS if b.language == "python" and "import netlab\n" in b.text]


@pytest.mark.slow
@pytest.mark.parametrize("block", WHOLE, ids=place)
def test_a_python_example_runs(block: Block, here: Path) -> None:
    done = in_process(short(["train", "unet", "--json"]))
    run = json.loads(done.out)["run"]
    exec(compile(block.text.replace("runs/…", run), place(block), "exec"), {})


@pytest.mark.slow
def test_a_component_is_added_as_the_readme_says(tmp_path: Path) -> None:
    """Into a copy of the package, and nothing else is edited."""
    (block,) = [b for b in DOCUMENTS["README.md"].blocks() if "@register" in b.text]
    name = re.findall(r"`(src/netlab/[^`]+\.py)`", block.before)[-1]
    package, without = tmp_path / "src" / "netlab", shutil.ignore_patterns("*.safetensors")
    shutil.copytree(ROOT / "src" / "netlab", package, ignore=without)
    (tmp_path / name).write_text(block.text)
    command = next(c for c in SAID if c.text.startswith("netlab train unet --encoder average"))
    words = [*command.words[1:], "--dataset", "synthetic", "--json"]
    done = netlab(*short(words), cwd=tmp_path, env={"PYTHONPATH": str(package.parent)})
    assert done.returncode == 0, done.stderr.decode()
    config = yaml.safe_load((tmp_path / json.loads(done.stdout)["run"] / "config.yaml").read_text())
    assert config["encoder"] == Path(name).stem


def classes_of(text: str) -> dict[str, str]:
    """Each class of a module, without docstrings and bodies of methods."""

    class Bare(ast.NodeTransformer):
        def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
            constant = isinstance(node.value, ast.Constant)
            return None if constant else node

        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
            node.body = [ast.Pass()]
            return node

    tree = Bare().visit(ast.parse(text))
    return {node.name: ast.unparse(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def test_the_contracts_in_the_docs_are_those_of_the_code() -> None:
    contracts: dict[str, str] = {}
    for path in (ROOT / "src" / "netlab" / "contracts").glob("*.py"):
        contracts |= classes_of(path.read_text())
    count = 0
    for block in BLOCKS:
        if block.language == "python" and "(Protocol):" in block.text:
            for name, text in classes_of(block.text).items():
                assert text == contracts[name], f"{place(block)}: {name}"
                count += 1
    assert count >= 6


# Links


MARKDOWN = [*DOCUMENTS, "CHANGELOG.md"]


def test_links_and_pictures_lead_to_files_and_headings() -> None:
    count = 0
    for file in MARKDOWN:
        document = Document(file)
        for line, target in document.links():
            if re.match(r"https?:", target):
                continue
            count += 1
            path, _, anchor = target.partition("#")
            there = (ROOT / file).parent / path if path else ROOT / file
            assert there.exists(), f"{file}:{line}: there is no {target}"
            if anchor:
                other = Document(there.resolve().relative_to(ROOT).as_posix())
                assert anchor in other.anchors(), f"{file}:{line}: no heading for #{anchor}"
    assert count > 10


# The documentation grows with what there is


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    own = [c for c in of_netlab(SAID) if c.words[1] == name]
    assert own, f"say in README.md or docs/ what netlab {name} is for, with a command to run"


def table(document: str, head: str) -> dict[str, str]:
    """First and second cell of the rows of a table, found by its head."""
    lines = DOCUMENTS[document].text.split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith(head))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return {row[0]: row[1] for row in rows}


def test_every_kind_of_component_is_documented_with_its_folder() -> None:
    kinds = {kind: f"`{folder}/`" for kind, folder in registry.FOLDERS.items() if kind != "task"}
    assert table("docs/components.md", "| kind | folder") == kinds


WENT_ON = {"judge-cifar10"}
"""Bundled weights of runs that went on with other settings than those they began with."""


def test_the_bundled_weights_are_documented() -> None:
    """Their page has a row for each, and the command that each says of itself."""
    page = "src/netlab/weights/bundled/README.md"
    assert {name.strip("`") for name in table(page, "| name")} == {*bundled()}
    said = {c.text for c in SAID if c.file == page}
    for name, path in bundled().items():
        about = read_header(path).about
        assert any(metric.startswith("test_") for metric in about["metrics"]), name
        assert about["licence"]
        same = {re.sub(r" --threads \d+", "", text) for text in (about["command"], *said)}
        assert (len(same) == len(said)) != (name in WENT_ON), f"{name}: {about['command']}"


@pytest.mark.slow
def test_the_measures_of_a_vae_have_the_names_of_the_docs(here: Path) -> None:
    done = in_process(short(["eval", "vae-mnist", "--json"]))
    cells = table("docs/label-swap.md", "| key of `--json`")
    keys = {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}
    assert len(keys) > 10
    assert keys - json.loads(done.out).keys() == set()


def test_every_exit_code_is_documented() -> None:
    text = DOCUMENTS["README.md"].text
    sentence = text[text.index("Exit codes of all commands:") :].split("\n\n")[0]
    assert {int(n) for n in re.findall(r"(?:: |; )\s*(\d+) [a-z]", sentence)} == {*ExitCode}


def test_every_variable_of_the_environment_is_documented() -> None:
    names = re.compile(r"\bNETLAB_[A-Z]+\b")
    sources = [path.read_text() for path in (ROOT / "src").rglob("*.py")]
    used = {name for text in sources for name in names.findall(text)}
    said = {name for document in WRITTEN for name in names.findall(document.text)}
    assert used == said


SELDOM = {"failed.txt", "tensorboard", "diagram.svg"}
"""Files of runs that fail, want another package, or are asked for by a placeholder."""


@pytest.mark.slow
def test_the_readme_names_the_files_of_a_run(run_of: Callable[[str], Run]) -> None:
    """Of all that were trained, went on, were logged or scored."""
    folder, _ = run_of("README.md")
    cells = " ".join(map("".join, table("README.md", "| file | what").items()))
    named = {name.strip("/") for name in re.findall(r"`(\w[\w-]*(?:\.\w+|/))`", cells)}
    runs = [config.parent for config in folder.glob("runs/*/config.yaml")]
    found = {path.name for run in runs for path in run.iterdir() if not path.name.startswith(".")}
    assert found - SELDOM == named - SELDOM
    assert named >= SELDOM


def test_the_reference_of_commands_is_up_to_date(tmp_path: Path, here: Path) -> None:
    """Whatever the terminal is like, and whatever other packages add."""
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(here / "site"), str(ROOT / "src")]),
        "COLUMNS": "40",
        "FORCE_COLOR": "1",
    }
    words = [sys.executable, str(ROOT / "tools" / "cli_reference.py"), "--check"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
