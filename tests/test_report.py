"""The page of a run: sound, whole, self-contained, and the same numbers as everywhere else."""

import base64
import csv
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from netlab.cli.main import main
from netlab.compare.comparison import document, score_run, side_by_side
from netlab.compare.files import comparison_page
from netlab.contracts.dataset import SegmentationSet
from netlab.contracts.report import Headline, Html, Section
from netlab.contracts.score import Score
from netlab.figures.curves import Panel, other_panels, training_panels
from netlab.figures.html.chart import line_chart
from netlab.figures.html.gallery import Example, Group, gallery
from netlab.figures.html.images import WRONG, error_uri, mask_uri, picture_uri
from netlab.figures.html.markup import element, join
from netlab.figures.html.page import page
from netlab.figures.html.table import (
    PictureRow,
    ScoreRow,
    heat_table,
    picture_table,
    plain_table,
    score_table,
)
from netlab.figures.lines import Line
from netlab.figures.palette import class_colours
from netlab.metrics.confusion import confusion
from netlab.runs.folder import RunDir
from netlab.scoring import page as scoring_page
from netlab.scoring.evaluate import evaluate
from netlab.scoring.page import run_page
from netlab.tasks.sections import ranked
from netlab.tasks.segmentation.report import SegmentationReport
from netlab.training import page as training_page
from netlab.training.fit import train
from netlab.training.listener import Silent
from netlab.weights.header import read_header
from tests._copies import drawn
from tests.conftest import read_rows, tiny_config, tiny_labelled

pytestmark = pytest.mark.usefixtures("drawn_once")

VOID = {"meta", "img", "input", "br", "hr", "col", "link"}
EVIL = '<script>alert("x")</script>&"\''
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


class Node:
    """An element with its attributes, its children, and the text directly in it."""

    def __init__(self, tag: str, attributes: dict[str, str | None]) -> None:
        self.tag, self.attributes = tag, attributes
        self.children: list[Node] = []
        self.own: list[str] = []

    def all(self, tag: str = "", **wanted: str) -> list["Node"]:
        found = [node for child in self.children for node in child.all(tag, **wanted)]
        wanted_here = {k.rstrip("_").replace("_", "-"): v for k, v in wanted.items()}
        fits = tag in ("", self.tag) and all(
            v in (self.attributes.get(k) or "").split() for k, v in wanted_here.items()
        )
        return [self, *found] if fits else found

    @property
    def text(self) -> str:
        return "".join([*self.own, *(child.text for child in self.children)])


class Sound(HTMLParser):
    """Builds a tree and refuses tags that are not closed in order, and ids used twice."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open = [Node("", {})]
        self.ids: set[str] = set()
        self.feed(text)
        self.close()
        assert len(self.open) == 1, f"<{self.open[-1].tag}> is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        node = Node(tag, dict(attrs))
        if id_ := node.attributes.get("id"):
            assert id_ not in self.ids, id_
            self.ids.add(id_)
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.open[-1].own.append(data)


MIOU = Score("val_miou", "mIoU")


def parse(text: str) -> Node:
    """The tree of a page or a part of one, checked for what every one has to keep."""
    tree = Sound(text).open[0]
    assert not re.search(r"https?://|//\w+\.\w", re.sub(r"base64,[\w+/=]*", "", text))
    for node in tree.all():
        assert not any(name.startswith("on") for name in node.attributes), node.tag
        assert node.tag not in ("link", "iframe", "object", "embed")
        source = node.attributes.get("src")
        assert source is None or source.startswith("data:image/"), source
        assert (node.attributes.get("href") or "#").startswith("#")
    for picture in tree.all("img"):
        assert picture.attributes["alt"], "every picture has a text that stands for it"
    for label in tree.all("label"):
        assert label.attributes["for"] in {n.attributes.get("id") for n in tree.all("input")}
    return tree


def opened(uri: str | None) -> Image.Image:
    assert uri is not None
    found = Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2], validate=True)))
    found.load()
    return found


def sections(tree: Node) -> list[str | None]:
    return [node.attributes.get("id") for node in tree.all("section")]


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    run = RunDir(tmp_path_factory.mktemp("runs") / "unet")
    train(tiny_config(epochs=3), run.path, command="netlab train unet")
    return run


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    run = RunDir(tmp_path_factory.mktemp("runs") / "vae")
    train(tiny_labelled("vae"), run.path)
    return run


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    run = RunDir(tmp_path_factory.mktemp("runs") / "classifier")
    train(tiny_labelled("classifier"), run.path)
    return run


def command(*words: str | Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*map(str, words), "--threads", "1", "--device", "cpu"])
    assert caught.value.code == 0


# a run and its scores


def test_a_training_ends_with_a_page(unet: RunDir) -> None:
    text = unet.page.read_text(encoding="utf-8")
    tree = parse(text)
    assert text.startswith("<!DOCTYPE html>")
    assert sections(tree) == [
        "settings", "curves", "scores", "confusion", "calibration", "pictures",
    ]  # fmt: skip
    assert "unet on synthetic · val, 24 pictures" in tree.text
    assert "netlab train unet" in tree.text
    assert tree.all("pre")[0].text == re.sub(
        r"(?m)^(data_dir|images|masks):.*\n", "", unet.config.read_text()
    )
    links = [node.attributes["href"] for node in tree.all("nav")[0].all("a")]
    assert links == [f"#{name}" for name in sections(tree)]


def test_its_scores_are_those_of_the_best_epoch(unet: RunDir) -> None:
    tree = parse(unet.page.read_text())
    best = max(float(row["val_miou"]) for row in read_rows(unet.metrics))
    shown = tree.all("dd", class_="value")[0].text
    assert float(shown) == pytest.approx(best, abs=1e-3)
    row = next(r for r in tree.all("tr") if r.text.startswith("mIoU"))
    network, constant, mean_mask = (cell.text for cell in row.all("td"))
    assert network.removesuffix(" (best)") == shown
    trivial = max(float(constant), float(mean_mask.removesuffix(" (best)")))
    assert f"trivial: {trivial:.4f}" in tree.all("dd", class_="beside")[0].text


def test_hover_data_are_the_numbers_of_metrics_csv(unet: RunDir) -> None:
    tree = parse(unet.page.read_text())
    with unet.metrics.open(newline="") as file:
        rows = list(csv.DictReader(file))
    charts = {c.all("figcaption")[0].text: c for c in tree.all("figure", class_="chart")}
    wanted = {
        "Loss": {"training": "train_loss", "validation": "val_loss"},
        "Validation mIoU": {"validation": "val_miou"},
        "Learning rate": {"Learning rate": "lr"},
        "ce": {"training": "train_ce", "validation": "val_ce"},
        "iou pet": {"validation": "val_iou_pet"},
    }
    for title, columns in wanted.items():
        data = json.loads(charts[title].attributes["data-chart"] or "")
        assert data["x"] == [1, 2, 3]
        found = {line["name"]: line["y"] for line in data["lines"]}
        assert found == {k: [float(row[v]) for row in rows] for k, v in columns.items()}
    table = tree.all("section", id="curves")[0].all("table")[0]
    assert [cell.text for cell in table.all("tr")[1].children] == list(rows[0].values())


def test_pictures_of_a_run_decode_and_masks_keep_their_ids(unet: RunDir) -> None:
    tree = parse(unet.page.read_text())
    examples = tree.all("figure", class_="example")
    assert len(examples) == 24, "all of a small part, each once"
    captions = [figure.all("figcaption")[0].text for figure in examples]
    assert len({caption.split(" · ")[0] for caption in captions}) == 24
    scores = [float(caption.rpartition(" ")[2]) for caption in captions]
    assert scores == sorted(scores, reverse=True)
    for figure in examples[:4]:
        picture, target, predicted, error = (
            opened(node.attributes["src"]) for node in figure.all("img")
        )
        assert picture.size == target.size == (32, 32)
        assert (target.mode, predicted.mode, error.mode) == ("P", "P", "P")
        ids = np.asarray(target), np.asarray(predicted)
        assert max(map(np.max, ids)) <= 2
        assert (np.asarray(error) == (ids[0] != ids[1])).all()


def test_eval_writes_its_page_and_refreshes_that_of_the_run(
    unet: RunDir,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # the figure of weights outside of a run goes here
    run = RunDir(tmp_path / "copy")
    shutil.copytree(unet.path, run.path)
    command("eval", run.path)
    scored = run.page.read_text()
    assert (run.path / "eval_test.html").read_text() == scored
    assert "test, 128 pictures" in parse(scored).text
    assert "page: " in capsys.readouterr().err
    command("eval", run.path, "--limit", "9", "--html", tmp_path / "few.html")
    assert "test, 9 pictures" in parse((tmp_path / "few.html").read_text()).text
    assert run.page.read_text() == scored, "a few pictures say less than all"
    lone = tmp_path / "lone.safetensors"
    shutil.copyfile(run.best, lone)
    command("eval", lone, "--limit", "9", "--html", tmp_path / "lone.html")
    tree = parse((tmp_path / "lone.html").read_text())
    assert "curves" not in sections(tree)
    assert tree.all("h1")[0].text == "lone"


def test_a_run_with_nothing_left_to_do_keeps_its_page(unet: RunDir, tmp_path: Path) -> None:
    run = RunDir(tmp_path / "copy")
    shutil.copytree(unet.path, run.path)
    run.page.write_text("scored on the test split")
    train(tiny_config(epochs=3), run, resume=True)
    assert run.page.read_text() == "scored on the test split"
    train(tiny_config(epochs=4), run, resume=True)
    assert "epochs4, best: " in parse(run.page.read_text()).text


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def message(self, text: str) -> None:
        self.said.append(text)


def test_a_page_that_fails_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()

    def fail(*_: object) -> str:
        raise ValueError("no such chart")

    monkeypatch.setattr(training_page, "run_page", fail)
    best = train(tiny_config(epochs=1), tmp_path / "run", listener=heard)
    assert best["epoch"] == 1
    assert any("no report: ValueError('no such chart')" in text for text in heard.said)
    assert not RunDir(tmp_path / "run").page.exists()


def test_an_older_page_does_not_stay_when_a_longer_run_ends_without_one(
    unet: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDir(tmp_path / "copy")
    shutil.copytree(unet.path, run.path)
    with monkeypatch.context() as patched:
        patched.setattr(training_page, "run_page", lambda *_: 1 / 0)
        train(tiny_config(epochs=4), run, resume=True)
    assert not run.page.exists(), "the page of three epochs would be taken for that of four"
    train(tiny_config(epochs=4), run, resume=True)
    assert "epochs4, best: " in parse(run.page.read_text()).text


def test_scoring_for_the_page_is_told_and_can_be_stopped(tmp_path: Path) -> None:
    heard = Heard()

    def scoring() -> bool:
        return any("scoring the best network on 24 pictures" in text for text in heard.said)

    run = RunDir(tmp_path / "run")
    best = train(tiny_config(epochs=1), run.path, listener=heard, stopped=scoring)
    assert best["epoch"] == 1
    assert heard.said[-1] == "no report: stopped; netlab eval writes one"
    assert not run.page.exists()


def test_a_run_that_stopped_early_says_how_far_it_came(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    train(tiny_config(epochs=30, early_stop=1, lr=1e-12), run.path)
    epochs = len(read_rows(run.metrics))
    assert epochs < 30
    assert f"epochs{epochs} of 30, best: {epochs - 1}" in parse(run.page.read_text()).text


def test_a_page_that_nobody_asked_for_does_not_fail_eval(
    unet: RunDir,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = RunDir(tmp_path / "copy")
    shutil.copytree(unet.path, run.path)
    run.metrics.write_text("epoch,val_miou\n1,0.5\n")  # by hand, or another version
    command("eval", run.path, "--limit", "9")
    assert "page: " in capsys.readouterr().err
    monkeypatch.setattr(scoring_page, "weights_page", lambda *_: 1 / 0)
    table = tmp_path / "rows.csv"
    command("eval", run.path, "--limit", "9", "--csv", table, "--json")
    told = capsys.readouterr()
    assert json.loads(told.out)["count"] == 9
    assert len(read_rows(table)) == 9
    assert "figure: " in told.err
    assert "no page: ZeroDivisionError('division by zero')" in told.err
    asked = ["eval", str(run.path), "--limit", "9", "--html", str(tmp_path / "asked.html")]
    with pytest.raises((SystemExit, ZeroDivisionError)) as caught:
        main([*asked, "--threads", "1", "--device", "cpu"])
    assert getattr(caught.value, "code", 1), "what was asked for and is not there is an error"


def test_weights_are_called_by_their_run_also_from_inside_of_it(
    unet: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDir(tmp_path / "a-run")
    shutil.copytree(unet.path, run.path)
    monkeypatch.chdir(run.path)
    command("eval", "best.safetensors", "--limit", "9")
    assert parse(Path("eval_test.html").read_text()).all("h1")[0].text == "a-run"
    command("eval", "last.safetensors", "--limit", "9", "--html", "last.html")
    tree = parse(Path("last.html").read_text())
    assert tree.all("h1")[0].text == "a-run · last"
    assert "epochs3, weights of epoch 3" in tree.text
    assert "best: " not in tree.text


def test_a_classifier_s_page(classifier: RunDir) -> None:
    tree = parse(classifier.page.read_text())
    assert sections(tree) == [
        "settings", "curves", "scores", "confusion", "calibration", "pictures",
    ]  # fmt: skip
    heat = tree.all("div", class_="heat")[0]
    assert len(heat.all("tr")) == 11
    for row in heat.all("tr")[1:]:
        shares = [float(cell.text) for cell in row.all("td") if cell.text]
        assert not shares or sum(shares) == pytest.approx(100, abs=0.5)
    assert not tree.all("fieldset"), "one layer leaves nothing to switch"
    captions = [f.all("figcaption")[0].text for f in tree.all("figure", class_="example")]
    assert all(re.match(r"\d, read as \d \(\d\.\d\d\) · ", caption) for caption in captions)


def test_a_vae_s_page_shows_samples_and_once_scored_its_swaps(
    vae: RunDir, classifier: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = parse(vae.page.read_text())
    assert sections(tree) == ["settings", "curves", "samples"]
    sample = tree.all("section", id="samples")[0].all("img")[0]
    assert opened(sample.attributes["src"]).width > 300
    best = read_header(vae.best).about["metrics"]["val_loss"]
    assert float(tree.all("dd", class_="value")[0].text) == pytest.approx(best, abs=6e-3)
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "vae.html"
    judged = ("--judge", classifier.path, "--limit", "20", "--html", out)
    command("eval", vae.path, *judged, "--json")
    tree = parse(out.read_text())
    assert sections(tree) == [
        "settings", "curves", "scores", "swap-table", "swaps", "reconstructions",
    ]  # fmt: skip
    assert len(tree.all("section", id="swap-table")[0].all("tr")) == 11
    rows = tree.all("section", id="swaps")[0].all("tr")[1:]
    assert all(
        len(row.all("img")) == 12 and len(row.all("td", class_="marked")) == 1 for row in rows
    )
    assert "Read by" not in tree.text
    assert "read by classifier" in tree.text
    assert "another real picture" in tree.text


@pytest.mark.slow
def test_reconstructions_are_ordered_as_everywhere_else(vae: RunDir) -> None:
    report = evaluate(vae.path, limit=20, device="cpu", threads=1)
    part = next(s for s in report.sections() if s.name == "reconstructions")
    shown = parse(part.body).all("figcaption")
    names = [report.data.names[i] for group in ranked(report.by_rank()).values() for i in group]
    assert [node.text.partition(": ")[0] for node in shown] == names


def test_the_page_of_a_comparison(unet: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = score_run(unet, "val", device="cpu", threads=1)
    monkeypatch.setattr(SegmentationReport, "sections", lambda _: 1 / 0)  # pictures and all
    comparison = side_by_side([entry])
    tree = parse(comparison_page(comparison, document(comparison, "val")))
    scores = tree.all("section", id="scores")[0]
    assert scores.all("caption")[0].text == "64 pictures of val"
    assert len(tree.all("section", id="confusion")[0].all("div", class_="heat")) == 1


def test_the_page_of_many_classes_is_small() -> None:
    count, size, kinds = 30, 128, 250
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (count, size, size, 3), dtype=np.uint8)  # the worst for a JPEG
    masks = random.integers(0, kinds, (count, size, size), dtype=np.uint8)
    names = tuple(f"picture-{i}" for i in range(count))
    data = SegmentationSet(noise, masks, names, tuple(f"class-{i}" for i in range(kinds)))
    report = SegmentationReport(data, data, "test")
    report.predicted = [np.where(masks == 7, 9, masks)]
    report.predicted[0][0, 0, masks[0, 0] == 3] = 4
    report.counts = [
        confusion(torch.from_numpy(report.predicted[0]), torch.from_numpy(masks), kinds)
    ]
    report._result = {  # type: ignore[misc]
        "split": "test", "count": count, "dropped": 0, "miou": 0.5, "pixel_accuracy": 0.5,
        "iou": {}, "dice": {}, "baselines": {"constant": {"miou": 0.2, "pixel_accuracy": 0.3}},
    }  # fmt: skip
    report.calibration.update(torch.full((1, 3, 1, 1), 1 / 3), torch.zeros(1, 1, 1).long())
    rows = [{"epoch": e, "val_miou": 0.5, "val_loss": 1.0, "seconds": 1} for e in range(1, 201)]
    text = run_page(RunDir(Path("no-such-run")), rows, tiny_config(), report)
    tree = parse(text)
    assert len(tree.all("figure", class_="example")) == 24
    assert len(text) < 2 * 2**20
    mistakes = tree.all("section", id="confusion")[0].all("tr")[1:]
    told = [[cell.text for cell in row.children] for row in mistakes]
    assert told[0] == ["class-7 as class-9", f"{(masks == 7).sum():,}", "100.0 %"]
    assert [line[0] for line in told[1:]] == ["class-3 as class-4"] * bool((masks[0, 0] == 3).sum())


# parts of a page


def test_what_users_call_things_is_never_markup(unet: RunDir) -> None:
    images, masks = drawn(6, 32)
    data = SegmentationSet(images, masks, tuple(f"{EVIL}{i}" for i in range(6)), (EVIL, "b", "c"))
    report = SegmentationReport(data, data, "test")
    report.update(
        lambda images: torch.nn.functional.one_hot(  # type: ignore[arg-type]
            torch.from_numpy(masks).long(), 3
        ).permute(0, 3, 1, 2),
        (torch.from_numpy(images), torch.from_numpy(masks).long()),
    )
    row = {"epoch": 1, f"val_{EVIL}": 0.5, "val_loss": 1.0, "seconds": 1}
    text = run_page(RunDir(unet.path.parent / EVIL.replace("/", "")), [row], tiny_config(), report)
    tree = parse(text)
    assert len(tree.all("script")) == 1
    captions = [f.all("figcaption")[0].text for f in tree.all("figure", class_="example")]
    assert len(captions) == 6
    assert all(caption.startswith(EVIL) for caption in captions)
    assert EVIL in [li.text for li in tree.all("li")]
    assert EVIL in [th.text for th in tree.all("th")]
    assert tree.all("h1")[0].text == EVIL.replace("/", "")
    assert "alert" not in tree.all("script")[0].text
    odd = element("p", "name-\udcff.jpg")  # a file name that is no UTF-8
    assert "udcff" in odd.encode("utf-8").decode()


def test_markup_stays_and_all_else_is_escaped() -> None:
    inner = element("b", "<&>", title='"', hidden=True, open=None, class_="x")
    assert inner == '<b title="&quot;" hidden class="x">&lt;&amp;&gt;</b>'
    assert element("p", inner, " & ") == f"<p>{inner} &amp; </p>"
    assert element("input", name="n", value=0) == '<input name="n" value="0">'
    assert join(None, inner) == inner


def test_page_has_headlines_sections_and_no_outside() -> None:
    parts = [Section("one", "One & only", element("p", "text"))]
    text = page("A <title>", parts, subtitle="sub", headlines=[Headline("mIoU", "0.5", "of 1")])
    tree = parse(text)
    assert tree.all("title")[0].text == "A <title>"
    assert [n.text for n in tree.all("dl")[0].all("dd")] == ["0.5", "of 1"]
    assert tree.all("section")[0].attributes["aria-labelledby"] == "one-title"
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert "</s" not in tree.all("script")[0].text + tree.all("style")[0].text


def test_chart_draws_each_point_where_its_axis_says() -> None:
    lines = [
        Line("a", (1, 2, 4), (0.0, 0.5, 1.0)),
        Line("b", (2, 3), (float("nan"), 0.25), dashed=True),
        Line("best: 1", (4,), (1.0,), marker="ring"),
    ]
    figure = parse(line_chart(Panel("T", "epoch", "y", lines, y_range=(0.0, 1.0))))
    data = json.loads(figure.all("figure")[0].attributes["data-chart"] or "")
    assert data["x"] == [1, 2, 3, 4]
    assert {line["name"]: line["y"] for line in data["lines"]} == {
        "a": [0.0, 0.5, None, 1.0],
        "b": [None, None, 0.25, None],
    }
    spaces = np.diff(data["px"])
    assert spaces == pytest.approx(np.full(3, spaces[0]), abs=0.15)
    low, middle, _, high = data["lines"][0]["py"]
    assert middle == pytest.approx((low + high) / 2, abs=0.1)
    assert high < low, "up is more"
    path = figure.all("path")[0].attributes["d"] or ""
    points = re.findall(r"[ML]([\d.]+) ([\d.]+)", path)
    assert [float(y) for _, y in points] == [low, middle, high]
    assert len(figure.all("circle", class_="ring")) == 1
    assert len(figure.all("g", class_="cursor")[0].all("circle")) == 2
    assert [li.text for li in figure.all("li")] == ["a", "b", "best: 1"]
    words = figure.all("svg")[0].attributes["aria-label"]
    assert words == "T by epoch: a from 0 to 1; b from 0.25 to 0.25; best: 1"


@pytest.mark.parametrize("values", [[], [float("nan")], [float("inf"), 1.0], [1e40, -1e40]])
def test_chart_of_numbers_that_cannot_be_drawn(values: list[float]) -> None:
    line = Line("a", range(len(values)), values)
    figure = parse(line_chart(Panel("T", "epoch", "", [line])))
    json.loads(figure.all("figure")[0].attributes["data-chart"] or "")
    assert "nan" not in (figure.all("svg")[0].text + str(figure.all("path"))).lower()


def test_panels_of_a_run_show_each_column_once() -> None:
    row = {"epoch": 1, "train_loss": 2, "train_ce": 1, "val_loss": 3, "val_ce": 1, "val_miou": 0.5}
    first = training_panels([row], MIOU)
    assert [panel.title for panel in first] == ["Loss", "Validation mIoU"]
    assert [panel.title for panel in other_panels([row], MIOU)] == ["ce"]
    assert [line.label for line in other_panels([row], MIOU)[0].lines] == ["training", "validation"]
    later = {"epoch": 2, "val_loss": 9}  # a run may take an epoch for its best by another measure
    marked = training_panels([row, later], Score("none", ""), best_epoch=2)
    assert marked[0].lines[-1].label == "best: 9.000 at epoch 2"
    judged = training_panels([row], Score("val_loss_that_is_not_there", ""))
    assert [line.label for line in judged[0].lines][-1].startswith("best: 3.000")


def test_score_table_marks_the_best_and_only_where_it_says_something() -> None:
    rows = [
        ScoreRow("high", [0.5, 0.75, None], best="highest"),
        ScoreRow("low", [0.5, 0.75, float("nan")], best="lowest"),
        ScoreRow("  same", [1.0, 1.0, 1.0], best="highest"),
        ScoreRow("alone", [1.0, None, None], best="highest"),
        ScoreRow("unmarked", [-123.456, 2, 3]),
    ]
    table = parse(score_table(["a", "b", "c"], rows, "Scores"))
    marked = [[cell.text for cell in row.all("strong")] for row in table.all("tr")[1:]]
    assert marked == [["0.7500"], ["0.5000"], [], [], []]
    assert [cell.text for cell in table.all("tr")[-1].all("td")] == ["-123.46", "2.0000", "3.0000"]
    assert table.all("th", class_="inner")[0].text == "same"
    assert table.all("caption")[0].text == "Scores"
    with pytest.raises(ValueError, match="row 'x' needs 1 values, got 2"):
        score_table(["a"], [ScoreRow("x", [1, 2])], "")


def test_heat_table_shades_by_share() -> None:
    table = parse(heat_table(["r"], ["a", "b", "c"], [[0.25, 1.0, None]], "H", corner="t \\ p"))
    cells = table.all("tr")[1].all("td")
    assert [cell.text for cell in cells] == ["25.0", "100.0", ""]
    assert [cell.attributes.get("style") for cell in cells] == [
        "--share:0.250",
        "--share:1.000",
        None,
    ]
    assert table.all("th", scope="col")[0].text == "t \\ p"
    assert parse(plain_table(["a", "b"], [["x", "<y>"]], "P")).all("td")[0].text == "<y>"


def test_gallery_takes_any_number_of_layers() -> None:
    uri = picture_uri(np.zeros((8, 8, 3), np.uint8))
    layers = ["Picture", "Target", *(f"method {i}" for i in range(4))]
    groups = [Group("Best", [Example("n", [uri] * 6, "caption")] * 2), Group("Empty", [])]
    tree = parse(gallery("g", layers, groups, first="method 2"))
    views = [node.attributes for node in tree.all("input", type="radio")]
    assert [v["data-view"] for v in views] == ["Side by side", *layers]
    assert [v["value"] for v in views if "checked" in v] == ["5"]
    assert {v["name"] for v in views} == {"g-view"}
    figure = tree.all("figure")[0]
    assert [n.attributes["data-layer"] for n in figure.all("div", class_="layer")] == list("123456")
    assert figure.all("img")[2].attributes["alt"] == "method 0: n"
    assert [h.text for h in tree.all("h3")] == ["Best"]
    assert tree.all("input", type="range")[0].attributes["value"] == "60"
    with pytest.raises(ValueError, match="example 'n' needs 2 layers, got 6"):
        gallery("g", layers[:2], groups)
    with pytest.raises(ValueError, match="first view 'x' is none of"):
        gallery("g", layers, groups, first="x")


def test_picture_table_frames_the_marked_one() -> None:
    uri = picture_uri(np.zeros((8, 8, 1), np.uint8))
    tree = parse(picture_table(["in", "out"], [PictureRow("r", [uri] * 2, marked=1)], "C"))
    assert [cell.attributes.get("class") for cell in tree.all("tr")[1].all("td")] == [
        None,
        "marked",
    ]
    assert [n.attributes["alt"] for n in tree.all("img")] == ["in: r", "out: r"]
    with pytest.raises(ValueError, match="row 'r' needs 1 pictures, got 2"):
        picture_table(["in"], [PictureRow("r", [uri] * 2)], "C")


def test_pictures_and_masks_survive_their_uris() -> None:
    small = np.random.default_rng(0).integers(0, 256, (28, 28, 1), dtype=np.uint8)
    assert (np.asarray(opened(picture_uri(small))) == small[..., 0]).all()
    large, mask = drawn(1, 128)
    found = opened(picture_uri(large[0]))
    assert (found.format, found.size) == ("JPEG", (128, 128))
    assert np.abs(np.asarray(found).astype(int) - large[0]).mean() < 6
    painted = opened(mask_uri(mask[0], 3))
    assert (np.asarray(painted) == mask[0]).all()
    assert (np.asarray(painted.convert("RGB"))[mask[0] == 2] == class_colours(3)[2]).all()
    wrong = mask[0] == 2
    shown = np.asarray(opened(error_uri(wrong)).convert("RGBA"))
    assert (shown[wrong] == (*WRONG, 255)).all()
    assert (shown[~wrong][:, 3] == 0).all()


@pytest.mark.parametrize("count", [1, 2, 3, 7, 24, 25, 1000])
def test_ranked_pictures_are_each_in_one_group(count: int) -> None:
    scores = np.random.default_rng(count).random(count)
    groups = ranked(scores)
    places = np.concatenate([*groups.values()])
    assert len(set(places.tolist())) == len(places) == min(count, 24) - (count == 7)
    assert (np.diff(scores[places]) <= 0).all()
    assert groups["Best"][0] == scores.argmax()
    if count > 1:
        assert list(groups.values())[-1][-1] == scores.argmin()
    if count == 1000:
        middle = np.sort(scores)[496:504]
        assert set(scores[groups["Median"]]) == set(middle)


# in a browser


DRIVER = """
const told = {};
addEventListener("error", (event) => { told.error = event.message; });
addEventListener("load", () => {
  const visible = (node) => getComputedStyle(node).visibility === "visible";
  const layers = [...document.querySelector(".example").querySelectorAll(".layer")];
  const shown = () => layers.map(visible);
  told.broken = [...document.images].filter((i) => !i.complete || !i.naturalWidth).length;
  told.images = document.images.length;
  told.start = shown();
  const views = [...document.querySelectorAll(".views input")];
  views[2].click();
  told.clicked = shown();
  views[0].click();
  told.beside = shown();
  const slider = document.querySelector(".opacity input");
  told.off = slider.disabled;
  views[3].click();
  slider.value = 25;
  slider.dispatchEvent(new Event("input"));
  told.opacity = getComputedStyle(document.querySelector(".layer.shown")).opacity;
  const chart = document.querySelector(".chart");
  const svg = chart.querySelector("svg");
  const box = svg.getBoundingClientRect();
  const data = JSON.parse(chart.dataset.chart);
  const point = { clientX: box.left + (data.px[1] * box.width) / svg.viewBox.baseVal.width + 2,
                  clientY: box.top + 9, bubbles: true };
  const plot = chart.querySelector(".plot");
  const tip = () => [...chart.querySelectorAll(".tip:not([hidden]) div")].map((n) => n.textContent);
  plot.dispatchEvent(new PointerEvent("pointerdown", { ...point, pointerType: "touch" }));
  told.touched = tip();
  plot.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
  told.key = tip();
  plot.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  told.away = tip();
  told.wide = document.documentElement.scrollWidth <= innerWidth;
  const result = document.createElement("pre");
  result.id = "told";
  result.textContent = JSON.stringify(told);
  document.body.append(result);
});
"""


NARROW = """
addEventListener("load", () => {
  const told = { inside: document.documentElement.scrollWidth <= innerWidth };
  told.controls = getComputedStyle(document.querySelector(".controls")).position;
  const plot = document.querySelector(".plot");
  const press = (key) => plot.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  const tip = plot.querySelector(".tip");
  told.tips = ["Home", "ArrowRight", "End"].map((key) => {
    press(key);
    const [box, around] = [tip, plot].map((node) => node.getBoundingClientRect());
    const inside = box.left >= around.left - 1 && box.right <= around.right + 1;
    return { rows: [...tip.children].map((row) => row.textContent), inside };
  });
  const result = document.createElement("pre");
  result.id = "told";
  result.textContent = JSON.stringify(told);
  document.body.append(result);
});
"""


@pytest.fixture
def in_browser(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Opens a page with a script after its own; gives what that script has told."""
    if CHROMIUM is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on PATH")

    def run(text: str, address: str = "", driver: str = DRIVER) -> dict[str, Any]:
        path = tmp_path / "page.html"
        driven = text.replace("</body>", f"<script>{driver}</script></body>")
        path.write_text(driven, encoding="utf-8")
        words = [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--user-data-dir={tmp_path / 'profile'}", "--window-size=600,900",
            "--virtual-time-budget=4000", "--enable-logging=stderr", "--dump-dom",
            path.as_uri() + address,
        ]  # fmt: skip
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        assert "CONSOLE" not in done.stderr, done.stderr
        found = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, flags=re.DOTALL)
        assert found, done.stderr
        told: dict[str, Any] = json.loads(found[1].replace("&gt;", ">").replace("&amp;", "&"))
        return told

    return run


def test_page_works_in_a_browser(unet: RunDir, in_browser: Callable[..., dict[str, Any]]) -> None:
    told = in_browser(unet.page.read_text(), "#view=error")
    assert "error" not in told
    assert (told["broken"], told["images"]) == (0, 96)
    assert told["start"] == [True, False, False, True], "the address chooses the view"
    assert told["clicked"] == [True, True, False, False]
    assert told["beside"] == [True] * 4
    assert told["off"] is True
    assert float(told["opacity"]) == 0.25
    rows = read_rows(unet.metrics)
    for number, key in ((1, "touched"), (2, "key")):
        epoch, *values = told[key]
        assert epoch == f"epoch {number + 1}"
        assert [value.split()[0] for value in values] == ["training", "validation"]
        wanted = [float(rows[number][name]) for name in ("train_loss", "val_loss")]
        assert [float(value.split()[1]) for value in values] == pytest.approx(wanted, rel=1e-4)
    assert told["away"] == []
    assert told["wide"], "nothing is wider than the window"


def test_nothing_leaves_a_narrow_window(in_browser: Callable[..., dict[str, Any]]) -> None:
    columns = [f"a method of some length {i}" for i in range(12)]
    scores = ScoreRow("a score", [float(i) for i in range(12)], best="highest")
    name = "a very long name of a curve that says all its settings, one by one, to the last"
    lines = [Line(name, (0.1 + 0.2, 1, 2), (0.5, 0.25, 1.0)), Line("short", (2,), (0.75,))]
    uri = picture_uri(np.zeros((8, 8, 3), np.uint8))
    shown = gallery("g", ["A", "B"], [Group("", [Example("n", [uri] * 2, "caption")])])
    body = join(
        score_table(columns, [scores], "wide"), line_chart(Panel("T", "x", "", lines)), shown
    )
    told = in_browser(page("Narrow", [Section("all", "All", body)]), driver=NARROW)
    assert told["inside"], "a wide table scrolls by itself, and the page does not"
    assert told["controls"] == "static", "in a small window, the switch would cover pictures"
    assert [tip["rows"] for tip in told["tips"]] == [
        ["x 0.3", f"{name} 0.5"],
        ["x 1", f"{name} 0.25"],
        ["x 2", f"{name} 1", "short 0.75"],
    ]
    assert all(tip["inside"] for tip in told["tips"])


def test_html_is_text_that_is_markup() -> None:
    assert isinstance(element("p"), Html)
    assert not isinstance("p", Html)
