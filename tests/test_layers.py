"""The house: imports point one way, the command line starts light, parts name no parts."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from netlab import registry
from netlab.registry import FOLDERS

SOURCE = Path(__file__).parent.parent / "src" / "netlab"
ORDER = [
    {"cli"},
    {"compare"},
    {"swap", "training"},
    {"scoring"},
    {"predict", "inspect"},
    {"tasks"},
    {"figures"},
    {"runs"},
    {"weights"},
    {"models"},
    {"losses", "vae_terms", "data", "encoders", "decoders", "bottlenecks", "conditioning"},
    {"layers", "optimizers", "schedules", "metrics"},
    {"contracts"},
    {"components", "settings"},
    {"config", "timing"},
    {"registry", "files", "seeds", "device"},
    {"expressions", "choices"},
    {"errors", "__init__"},
]
"""Rooms from the command line down; each imports only from itself and from those below it."""
HEAVY = ("torch", "torchvision", "numpy", "PIL", "safetensors")


def room(module: str) -> str:
    return module.removeprefix("netlab").lstrip(".").split(".")[0] or "__init__"


def rank(module: str) -> int:
    return next(i for i, rooms in enumerate(ORDER) if room(module) in rooms)


TYPED_BY_CONTRACTS = ("registry.py", "components.py")  # they name what stands above, as types alone


def for_types_alone(path: Path, node: ast.AST) -> bool:
    allowed = path.name in TYPED_BY_CONTRACTS and path.parent == SOURCE
    return allowed and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if not for_types_alone(path, node)]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("netlab"):
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            found += inner if node.module == "netlab" else [node.module]
        elif isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.startswith("netlab")]
    return [name if name != "netlab.__version__" else "netlab" for name in found]


ABOVE = ("__main__.py", "__init__.py")  # the doors to the house see all of it
FILES = sorted(p for p in SOURCE.rglob("*.py") if p.parent != SOURCE or p.name not in ABOVE)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_down(path: Path) -> None:
    mine = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    for module in imports(path):
        below = room(module) == room(mine) or rank(module) > rank(mine)
        assert below, f"{path.relative_to(SOURCE)} imports {module}"


PACKAGES = sorted(p for p in SOURCE.rglob("__init__.py") if p.parent != SOURCE)


@pytest.mark.parametrize("path", PACKAGES, ids=lambda p: str(p.parent.relative_to(SOURCE)))
def test_a_package_says_what_it_is_and_what_it_imports(path: Path) -> None:
    what, *rest = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n\n")
    assert what.endswith(".")
    assert rest
    assert rest[-1].startswith("Imports ")


COMPONENT_FOLDERS = sorted(FOLDERS.values())


def own_names(folder: str) -> list[str]:
    return registry.names(next(kind for kind, path in FOLDERS.items() if path == folder))


def component_file(folder: str, name: str) -> Path:
    kind = next(kind for kind, path in FOLDERS.items() if path == folder)
    plain = SOURCE / folder / f"{name}.py"
    return plain if plain.is_file() else SOURCE / folder / name / f"{kind}.py"


@pytest.mark.parametrize("folder", COMPONENT_FOLDERS)
def test_components_do_not_import_their_siblings(folder: str) -> None:
    package = f"netlab.{folder.replace('/', '.')}."
    siblings = {name.replace("-", "_") for name in own_names(folder)}
    for name in siblings:
        for module in imports(component_file(folder, name)):
            other = module.removeprefix(package).split(".")[0] if module.startswith(package) else ""
            assert other not in siblings - {name}, f"{name} imports {module}"


def private_imports(path: Path) -> list[str]:
    """What a file imports from inside of a package that it does not belong to."""
    mine = ["netlab", *path.relative_to(SOURCE).parts[:-1]] if path.is_relative_to(SOURCE) else []
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in (f"{node.module}.{alias.name}".split(".") for alias in node.names):
                private = [
                    i for i, word in enumerate(name) if re.fullmatch(r"_[a-z]\w*", word, re.I)
                ]
                if name[0] == "netlab" and private and name[: private[0]] != mine:
                    found.append(".".join(name))
    return found


ALL_FILES = [
    p
    for top in ("src", "tests", "examples", "benchmarks", "tools")
    for p in sorted((SOURCE.parent.parent / top).rglob("*.py"))
]


def test_nobody_imports_another_package_s_private_name() -> None:
    found = {str(p): names for p in ALL_FILES if (names := private_imports(p))}
    assert found == {}


def loaded_modules(words: list[str]) -> set[str]:
    """Top-level modules that a command has loaded when it ends."""
    script = (
        "import sys, json, atexit\n"
        "atexit.register(lambda: print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})), "
        "file=sys.stderr))\n"
        "from netlab.cli.main import main\n"
        f"main({words!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["train", "--help"],
        ["predict-mask", "--help"],
        ["list"],
        ["--version"],
        ["info", "unet-pets"],
    ],
)
def test_help_and_list_load_nothing_heavy(words: list[str]) -> None:
    assert not loaded_modules(words) & set(HEAVY)


def test_help_imports_no_command_and_reads_no_metadata() -> None:
    """What the help took 3 times the time of typer and rich for; see tools for a clock."""
    script = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from netlab.cli.main import main\n"
        "main(['--help'])\n"
    )
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "predict-mask" in done.stdout
    loaded = {*done.stderr.split()}
    needed = {"netlab", "netlab.errors", "netlab.registry", "netlab.cli"}
    needed |= {f"netlab.cli.{name}" for name in ("main", "streams")}
    assert {name for name in loaded if name.startswith("netlab")} == needed
    others = {"importlib.metadata", "yaml", "markdown_it", "pygments", "rich.markdown"}
    assert not loaded & others


def test_a_command_imports_no_other() -> None:
    script = (
        "import sys; from netlab.cli.main import commands; commands(['list']); print(*sys.modules)"
    )
    words = [sys.executable, "-c", script]
    loaded = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert "netlab.cli.list" in loaded
    assert not {"netlab.cli.train", "netlab.cli.compare"} & {*loaded}


def test_import_of_the_package_loads_nothing_heavy() -> None:
    script = f"import sys, netlab; print([m for m in sys.modules if m in {HEAVY!r}])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_predict_mask_imports_no_torchvision(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (40, 30), "orange").save(tmp_path / "x.png")
    found = loaded_modules(["predict-mask", str(tmp_path / "x.png"), "--threads", "1"])
    assert "torch" in found
    assert "torchvision" not in found


def test_no_pickle_and_no_machine_path_in_the_package() -> None:
    # Put together here, so that a search of the whole project for them finds nothing.
    words = ["import " + "pickle", "torch." + "load("]
    words += [f"/{top}/" for top in ("home", "root", "work", "tmp")]
    for path in SOURCE.rglob("*.py"):
        text = path.read_text()
        for word in words:
            assert word not in text, f"{path}: {word}"


def test_every_public_name_of_the_package_is_there() -> None:
    import netlab

    for name in netlab.__all__:
        assert getattr(netlab, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        netlab.nonsense  # noqa: B018


def test_only_tasks_know_their_scores_by_name() -> None:
    """And `contracts/score.py`, for files that are older than the word."""
    knowing = {
        path.relative_to(SOURCE).parts[0]
        for path in SOURCE.rglob("*.py")
        if re.search(r"""["']val_(miou|accuracy)["']""", path.read_text(encoding="utf-8"))
        and path != SOURCE / "contracts" / "score.py"
    }
    assert knowing == {"tasks"}
