"""The drawing of a network: whole, readable, nothing on top of anything else."""

import json
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise, product
from pathlib import Path

import pytest

from netlab import registry
from netlab.contracts.structure import Level, Link, Structure
from netlab.figures.canvas import text_width
from netlab.figures.diagram import diagram, shape_words, totals
from netlab.inspect.structure import structure
from tests.test_structure import Odd, measured

SVG = "{http://www.w3.org/2000/svg}"
Rect = tuple[float, float, float, float]


def drawn(found: Structure, title: str = "a network") -> ET.Element:
    root = ET.fromstring(diagram(found, title))
    assert root.tag == f"{SVG}svg"
    return root


def rect(element: ET.Element) -> Rect:
    x, y, width, height = (float(element.get(key, "nan")) for key in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def boxes(root: ET.Element) -> list[Rect]:
    """Of levels, inputs and output."""
    return [rect(r) for r in root.iter(f"{SVG}rect") if r.get("class") == "box"]


def apart(a: Rect, b: Rect, by: float = 0) -> bool:
    return a[2] + by <= b[0] or b[2] + by <= a[0] or a[3] + by <= b[1] or b[3] + by <= a[1]


def assert_drawn_well(found: Structure) -> None:
    root = drawn(found)
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    assert width == 900
    placed = boxes(root)
    assert len(placed) == len(found.levels) + len(found.inputs) + 1
    assert all(apart(a, b, 20) for a, b in combinations(placed, 2))
    assert all(a[0] >= 20 and a[2] <= width - 20 and a[3] <= height - 40 for a in placed)
    levels = [g for g in root.iter(f"{SVG}g") if g.get("class") == "level"]
    for level, group in zip(found.levels, levels, strict=True):
        assert_box_holds_its_text(level, group)
    assert_arrows_pass_no_box(root, placed, len(found.links))
    said = [text.text or "" for text in root.iter(f"{SVG}text")]
    assert totals(found) in said
    assert f"{found.weights:,} weights" in totals(found)
    for name, shape in (*found.inputs, ("output", found.output)):
        assert f"{name}  {shape_words(shape)}" in said


def assert_box_holds_its_text(level: Level, group: ET.Element) -> None:
    box = next(rect(r) for r in group.iter(f"{SVG}rect") if r.get("class") == "box")
    texts = list(group.iter(f"{SVG}text"))
    words = [text.text or "" for text in texts]
    assert words[0] == level.name
    assert shape_words(level.shape) in words[1]
    assert words[2] == (f"{level.weights:,} weights" if level.weights else "no weights")
    for text in texts:
        size = float(text.get("font-size", "12.5"))
        left, line = float(text.get("x", "nan")), float(text.get("y", "nan"))
        assert left + 1.1 * text_width(text.text or "", round(size)) <= box[2]
        assert box[1] + size * 0.8 <= line <= box[3] - size * 0.25
    for bar in group.iter(f"{SVG}rect"):
        assert box[0] <= rect(bar)[0] <= rect(bar)[2] <= box[2]


def on_edge(box: Rect, x: float, y: float) -> bool:
    left, top, right, bottom = box
    return (x in (left, right) and top <= y <= bottom) or (
        y in (top, bottom) and left <= x <= right
    )


def assert_arrows_pass_no_box(root: ET.Element, placed: list[Rect], links: int) -> None:
    ways = root.findall(f"{SVG}polyline")
    assert len(ways) == links
    for way in ways:
        points = [tuple(map(float, p.split(","))) for p in (way.get("points") or "").split()]
        for x, y in (points[0], points[-1]):
            assert any(on_edge(box, x, y) for box in placed), (way.get("class"), x, y)
        for (x0, y0), (x1, y1) in pairwise(points):
            assert x0 == x1 or y0 == y1
            line = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
            inner = [(a[0] + 1, a[1] + 1, a[2] - 1, a[3] - 1) for a in placed]
            assert all(apart(line, box) for box in inner), (way.get("class"), line)


PARTS = list(product(registry.names("encoder"), registry.names("decoder")))


@pytest.mark.parametrize("depth", range(1, 9))
def test_unets_of_every_depth(depth: int) -> None:
    for stem, (encoder, decoder) in zip((1, 2, 1, 3), PARTS, strict=False):
        _, found = measured("unet", depth=depth, stem=stem, encoder=encoder, decoder=decoder)
        assert_drawn_well(found)
        skips = [
            line
            for line in drawn(found).findall(f"{SVG}polyline")
            if "skip" in line.attrib["class"]
        ]
        assert len(skips) == depth
        for line in skips:  # level, as both ends stand in one row
            (_, y0), (_, y1) = (p.split(",") for p in line.attrib["points"].split())
            assert y0 == y1


@pytest.mark.parametrize("conditioning", registry.names("conditioning"))
@pytest.mark.parametrize("depth", [1, 2, 3, 6, 8])
def test_vaes(conditioning: str, depth: int) -> None:
    for bottleneck in registry.names("bottleneck"):
        parts = {"conditioning": conditioning, "bottleneck": bottleneck, "stem": 1}
        _, found = measured("vae", depth=depth, image_size=28, **parts)
        assert_drawn_well(found)


@pytest.mark.parametrize("depth", [1, 4, 8])
def test_classifiers(depth: int) -> None:
    for block in registry.names("block"):
        _, found = measured("classifier", depth=depth, block=block)
        assert_drawn_well(found)


def test_odd_networks() -> None:
    assert_drawn_well(structure(Odd(), channels=1, size=8))
    many = [Level(f"vector {i}", "vector", (9,), (9,), 9, 9) for i in range(7)]
    beside = [Level(f"beside {i}", "beside", (3,), (3,), 1, 1) for i in range(5)]
    maps = [Level(f"map {i}", "map", (3, s, s), (3, s, s), 1, 0) for i, s in enumerate((8, 4))]
    rise = [Level(f"rise {i}", "rise", (3, 4, 4), (3, s, s), 1, 0) for i, s in enumerate((4, 8, 8))]
    chain = [*maps, *many, *rise]
    names = ["picture", *(level.name for level in chain), "output"]
    found = Structure(
        (("picture", (3, 8, 8)),),
        (3, 8, 8),
        (*beside, *chain),
        tuple(Link(a, b) for a, b in pairwise(names)),
    )
    placed = boxes(drawn(found))
    assert len(placed) == 17 + 2
    assert all(apart(a, b, 20) for a, b in combinations(placed, 2))


def test_text_is_escaped_and_told_to_screen_readers() -> None:
    _, found = measured("unet", depth=1)
    root = drawn(found, 'a<b> & "c"\x00 é')
    assert root.findtext(f"{SVG}title") == 'a<b> & "c" é'
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "title desc"
    told = root.findtext(f"{SVG}desc") or ""
    for level in found.levels:
        assert f"{level.name}: {shape_words(level.shape)}, {level.weights:,} weights" in told
    text = next(t for t in root.iter(f"{SVG}text"))
    assert text.text == 'a<b> & "c" é'


def test_a_long_title_is_shortened_to_the_width() -> None:
    _, found = measured("unet", depth=1)
    title = next(drawn(found, "a very long name of a run " * 9).iter(f"{SVG}text"))
    assert text_width(title.text or "", 20) < 860 / 1.3


def test_the_ground_is_drawn_so_that_dark_viewers_show_it() -> None:
    _, found = measured("unet", depth=1)
    root = drawn(found)
    ground = root.find(f"{SVG}rect")
    assert ground is not None
    assert (ground.get("width"), ground.get("height")) == (root.get("width"), root.get("height"))
    assert ground.get("fill") == "#ffffff"


# ------------------------------------------------------------------ netlab info --diagram


def info(*words: str) -> None:
    from netlab.cli.main import main

    with pytest.raises(SystemExit) as left:
        main(["info", *words])
    assert left.value.code == 0


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    from netlab.cli.main import main

    with pytest.raises(SystemExit) as left:
        main(["info", *words])
    assert left.value.code == 2
    return capsys.readouterr().err


def test_info_draws_bundled_weights_into_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    info("judge-mnist", "--diagram")
    told = capsys.readouterr()
    assert told.err == "diagram: judge-mnist_diagram.svg\n"
    assert "28,625,920 multiply-adds a picture" in told.out
    root = ET.fromstring((tmp_path / "judge-mnist_diagram.svg").read_text())
    assert root.findtext(f"{SVG}title") == "judge-mnist · classifier: maxpool + conv"
    info("judge-mnist", "--diagram")
    assert capsys.readouterr().err == "diagram: judge-mnist_diagram-2.svg\n"
    info("judge-mnist", "--diagram", "--overwrite")
    assert len(list(tmp_path.iterdir())) == 2


def test_info_draws_a_run_and_its_files_into_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from netlab.weights.bundled import bundled

    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("arch: vae\n")
    (run / "best.safetensors").write_bytes(bundled()["vae-mnist"].read_bytes())
    monkeypatch.chdir(tmp_path)
    for asked in ("mine", "last", "runs/mine", "runs/mine/best.safetensors"):
        info(asked, "--diagram", "--json", "--overwrite")
        document = json.loads(capsys.readouterr().out)
        assert Path(document["diagram"]).resolve() == run / "diagram.svg"
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    monkeypatch.chdir(run)
    info("best.safetensors", "--diagram", "--overwrite")
    drawing = ET.parse(run / "diagram.svg").getroot()
    assert (drawing.findtext(f"{SVG}title") or "").startswith("mine · vae: ")
    assert len(list(run.iterdir())) == 3
    assert document["inputs"] == {"picture": [1, 28, 28], "label": [10]}
    assert document["output"] == [1, 28, 28]
    assert sum(level["weights"] for level in document["levels"]) == document["weights"]
    assert sum(v["multiply_adds"] for v in document["levels"]) == document["multiply_adds"]
    keys = {"name", "kind", "takes", "shape", "weights", "multiply_adds"}
    assert all(level.keys() == keys for level in document["levels"])


def test_info_refuses_a_place_that_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.svg").write_text("mine")
    assert "exists already" in refused(capsys, "judge-mnist", "--diagram", "--out", "taken.svg")
    assert (tmp_path / "taken.svg").read_text() == "mine"
    assert "does not exist" in refused(capsys, "judge-mnist", "--diagram", "--out", "no/x.svg")
    assert "add --diagram" in refused(capsys, "judge-mnist", "--out", "x.svg")
    info("judge-mnist", "--diagram", "--out", "taken.svg", "--overwrite")
    assert ET.parse(tmp_path / "taken.svg").getroot().tag == f"{SVG}svg"
