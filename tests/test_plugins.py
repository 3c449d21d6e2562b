"""Components of other packages: faults are told with their names, and leave nothing half done."""

import json
import re
import sys
import textwrap
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from netlab import registry
from netlab.cli.main import COMMANDS
from tests._docs_run import Outcome, in_process

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """A function that leaves behind what `pip install` of a package with one module would."""
    modules = []

    def installed(text: str, *entry_points: str, package: str = "netlab-trial") -> None:
        module = f"netlab_trial_{len(modules)}_{tmp_path.name}".replace("-", "_")
        modules.append(module)
        site = tmp_path / module
        about = site / f"{package.replace('-', '_')}-0.1.dist-info"
        about.mkdir(parents=True)
        (site / f"{module}.py").write_text(textwrap.dedent(text))
        about.joinpath("METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\nSummary: A trial.\n"
        )
        lines = [f"[netlab.{p.split('=')[0]}]\n{p.split('=', 1)[1]}" for p in entry_points]
        about.joinpath("entry_points.txt").write_text("\n".join(lines).replace("MODULE", module))
        monkeypatch.syspath_prepend(site)
        registry.installed.cache_clear()

    yield installed
    registry.installed.cache_clear()
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NETLAB_CACHE", "off")
    return folder


TINY = {"--width": "4", "--depth": "1", "--image-size": "16", "--limit": "8", "--batch-size": "4"}
QUICK = {"--epochs": "1", "--threads": "1", "--device": "cpu", "--precision": "fp32"}


def train(arch: str, *words: str, dataset: str = "synthetic") -> Outcome:
    options = [word for pair in (TINY | QUICK | {"--dataset": dataset}).items() for word in pair]
    return in_process(["train", arch, *options, *words])


def one_line(done: Outcome, *expected: str) -> None:
    """The last thing said names all that is expected, in one line that blames nobody else."""
    (line,) = [line for line in done.err.splitlines() if line.startswith("netlab: ")]
    for text in expected:
        assert text in line, done.err
    assert "fault of netlab" not in done.err
    assert "Traceback" not in done.err


ENCODER = """
    from torch import nn
    from netlab.layers.pyramid import Pyramid
    from netlab.registry import register

    @register("encoder")
    class Trial(Pyramid):
        def halve(self, channels):
            return nn.AvgPool2d(2)
"""
NAMED = ("encoder 'trial' of package netlab-trial",)
BROKEN_ENCODERS = {
    "import": (ENCODER + "    undefined_at_import\n", "NameError"),
    "exit at import": (ENCODER + "    raise SystemExit('bye')\n", "SystemExit"),
    "syntax": (ENCODER + "    def\n", "SyntaxError"),
    "constructor": (
        ENCODER + "        def __init__(self, **built):\n            raise KeyError('gone')\n",
        "KeyError: 'gone'",
    ),
    "constructor, as a bad value": (
        ENCODER + "        def __init__(self, **built):\n            raise ValueError('odd')\n",
        "ValueError: odd",
    ),
    "forward": (
        ENCODER + "        def forward(self, x):\n            return [undefined_name]\n",
        "NameError: name 'undefined_name' is not defined",
    ),
    "forward, as an error of torch": (
        ENCODER + "        def forward(self, x):\n            return [x @ x[:1, :1, :1]]\n",
        "RuntimeError",
    ),
    "a layer within it": (ENCODER.replace("AvgPool2d(2)", "Conv2d(99, 99, 2)"), "RuntimeError"),
    "no component": (ENCODER.replace('@register("encoder")', ""), "decorate"),
}


@pytest.mark.parametrize("fault", BROKEN_ENCODERS)
def test_an_encoder_that_raises_is_named_before_anything_begins(
    fault: str, install: Install, here: Path
) -> None:
    text, reason = BROKEN_ENCODERS[fault]
    install(text, "encoder=trial = MODULE:Trial")
    done = train("unet", "--encoder", "trial")
    one_line(done, *NAMED, reason)
    assert done.code == 2
    assert not [*here.iterdir()]


def test_debug_shows_where_a_component_failed(install: Install, here: Path) -> None:
    install(BROKEN_ENCODERS["forward"][0], "encoder=trial = MODULE:Trial")
    done = train("unet", "--encoder", "trial", "--debug")
    assert "return [undefined_name]" in done.err
    assert done.err.splitlines()[-1].startswith("netlab: encoder 'trial' of package netlab-trial")


def test_an_encoder_that_fails_in_training_leaves_the_reason(install: Install, here: Path) -> None:
    text = ENCODER + (
        "        def forward(self, x):\n"
        "            if x.device.type != 'meta' and self.training:\n"
        "                raise LookupError('no such map')\n"
        "            return super().forward(x)\n"
    )
    install(text, "encoder=trial = MODULE:Trial")
    done = train("unet", "--encoder", "trial")
    one_line(done, *NAMED, "LookupError: no such map")
    assert done.code == 3
    (reason,) = here.glob("runs/*/failed.txt")
    assert NAMED[0] in reason.read_text()


LOSS = """
    from torch import nn
    from netlab.registry import register

    @register("loss")
    class Trial(nn.Module):
        tasks = ("segmentation", "classification")

        def __init__(self, *, classes, class_weights):
            super().__init__()

        def forward(self, logits, target):
            return VALUE
"""


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("logits.square()", "not a torch.float32 of shape (4, 3, 16, 16)"),
        ("logits.square().mean((1, 2, 3))", "torch.float32 of shape (4,)"),
        ("1.5", "not 1.5"),
        ("None", "not None"),
        ("target.sum()", "torch.int64 of shape ()"),
        ("gone", "NameError"),
    ],
)
def test_a_loss_that_gives_no_scalar_is_named(
    value: str, shown: str, install: Install, here: Path
) -> None:
    install(LOSS.replace("VALUE", value), "loss=trial = MODULE:Trial")
    done = train("unet", "--loss", "ce+trial")
    one_line(done, "loss 'trial' of package netlab-trial", shown)
    assert done.code == 3


DATASET = """
    import numpy as np
    from netlab.contracts.dataset import LabelledSet, SegmentationSet
    from netlab.registry import register

    @register("dataset")
    class Trial:
        target = "TARGET"

        def load(self, request):
            size, names = request.image_size, tuple(map(str, range(8)))
            images = np.zeros((8, size, size, 3), np.uint8)
            masks, labels = np.zeros((8, size, size), np.uint8), np.arange(8) % 2
            return VALUE
"""
GIVEN = "SegmentationSet(images, masks, names, ('a', 'b'))"
LABELLED = "LabelledSet(images, labels, names, ('a', 'b'))"
BAD_DATA = [
    ("masks", GIVEN.replace("images", "images / 255"), "images are uint8 (8, 16, 16, 3)"),
    ("masks", GIVEN.replace("images", "images[:, 0]"), "not uint8 (8, 16, 3)"),
    ("masks", GIVEN.replace("masks", "masks.astype(float)"), "masks are uint8"),
    ("masks", GIVEN.replace("masks", "masks[1:]"), "not uint8 (7, 16, 16)"),
    ("masks", GIVEN.replace("masks", "masks + np.uint8(2)"), "ids from 0 to 1, not from 2 to 2"),
    ("masks", LABELLED, "come as SegmentationSet, not as LabelledSet"),
    ("masks", "None", "not as NoneType"),
    ("masks", "images[0, 99]", "IndexError"),
    ("masks", "open('nowhere')", "FileNotFoundError"),
    ("labels", LABELLED.replace("labels", "labels.astype('float32')"), "labels are int64 (8,)"),
    ("labels", LABELLED.replace("images", "images.tolist()"), "not list"),
]


@pytest.mark.parametrize(("target", "value", "shown"), BAD_DATA)
def test_data_of_other_types_or_shapes_are_refused_with_their_data_set(
    target: str, value: str, shown: str, install: Install, here: Path
) -> None:
    text = DATASET.replace("TARGET", target).replace("VALUE", value)
    install(text, "dataset=trial = MODULE:Trial")
    done = train("unet" if target == "masks" else "classifier", dataset="trial")
    one_line(done, "dataset 'trial' of package netlab-trial", shown)
    assert done.code == 2
    assert not [*here.iterdir()]


@pytest.mark.parametrize(("target", "value"), [("masks", GIVEN), ("labels", LABELLED)])
def test_a_data_set_of_another_package_is_trained_on(
    target: str, value: str, install: Install, here: Path
) -> None:
    text = DATASET.replace("TARGET", target).replace("VALUE", value)
    install(text, "dataset=trial = MODULE:Trial")
    done = train("unet" if target == "masks" else "classifier", "--json", dataset="trial")
    assert done.code == 0, done.err
    assert (here / json.loads(done.out)["weights"]).is_file()


def test_the_component_at_work_is_told_from_others_of_its_package(
    install: Install, here: Path
) -> None:
    both = ENCODER + LOSS.replace("Trial", "Other").replace("VALUE", "gone")
    install(both, "encoder=trial = MODULE:Trial", "loss=other = MODULE:Other")
    one_line(train("unet", "--encoder", "trial", "--loss", "other"), "loss 'other' of package")


COMMAND = """
    import sys
    import typer
    from typing import Annotated
    from netlab.cli.flags import Debug, Json
    from netlab.errors import DataError

    print("imported", file=sys.stderr)

    def count(
        words: Annotated[list[str], typer.Argument(help="What to count.")],
        json_: Json = False,
        debug: Debug = False,
    ) -> None:
        \"\"\"Count words.\"\"\"
        if "bad" in words:
            raise DataError("bad: a word that cannot be counted")
        if "worse" in words:
            raise LookupError("worse")
        print(len(words))

    group = typer.Typer()
    group.command("one")(count)
    group.command("two")(count)

    def odd(what: object = 1) -> None:
        pass

    nothing = None
"""
ALL_COMMANDS = [f"command={name} = MODULE:{name}" for name in ("count", "group", "odd", "nothing")]


@pytest.fixture
def with_commands(install: Install) -> None:
    install(COMMAND, "\n".join(ALL_COMMANDS).replace("\ncommand=", "\n"))
    install("1 / 0", "command=broken = MODULE:main\ntrain = MODULE:main", package="netlab-broken")


def test_commands_of_other_packages_are_listed_without_their_import(
    with_commands: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    done = in_process(["--help"])
    assert done.code == 0, done.err
    assert done.err == ""
    for name in ("count", "group", "odd", "broken"):
        assert re.search(rf"\b{name} +A trial. \[netlab-(trial|broken)\]", done.out.decode())


def test_a_command_of_another_package_is_used_as_netlab_s_own(with_commands: None) -> None:
    assert in_process(["count", "a", "b"]).out == b"2\n"
    assert in_process(["group", "two", "a"]).out == b"1\n"
    assert b"What to count." in in_process(["count", "--help"]).out
    bad = in_process(["count", "bad"])
    assert (bad.code, bad.err.splitlines()[-1]) == (
        2,
        "netlab: bad: a word that cannot be counted",
    )
    assert in_process(["count"]).code == 2, "an argument is missing"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["count", "worse"], "command 'count' of package netlab-trial failed with LookupError"),
        (["broken"], "command 'broken' of package netlab-broken cannot be imported: ZeroDivision"),
        (["odd"], "command 'odd' of package netlab-trial cannot be used"),
        (["nothing"], "command 'nothing' of package netlab-trial cannot be used"),
    ],
)
def test_a_broken_command_is_named_and_breaks_no_other(
    words: list[str], reason: str, with_commands: None
) -> None:
    done = in_process(words)
    assert done.code == 2
    one_line(done, reason)
    assert in_process(["list", "encoder"]).code == 0
    assert b"Train a network" in in_process(["train", "--help"]).out, "our own names come first"


def test_each_command_has_its_first_line_in_the_help() -> None:
    for name, (path, about) in COMMANDS.items():
        module, attribute = path.split(":")
        function = getattr(import_module(f"netlab.cli.{module}"), attribute)
        callback = getattr(function, "registered_callback", None)
        text = (callback.callback if callback else function).__doc__
        assert " ".join(text.split("\n\n")[0].split()) == about, name


def test_errors_of_netlab_s_own_components_are_its_own() -> None:
    assert registry.foreign("netlab.encoders.maxpool", "MaxPoolEncoder.forward") is None
    assert registry.foreign("torch.nn.modules.module") is None
    assert not re.search("package", str(registry.foreign("__main__")))
