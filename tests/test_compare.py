"""`netlab compare`: what is trained, what is reused, and whether the numbers are right."""

import csv
import json
import os
import shutil
import signal
import statistics
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from netlab import registry
from netlab.cli.main import main
from netlab.cli.view.comparison import comparison_lines
from netlab.compare.comparison import COSTS, Comparison, Entry, Method, document, side_by_side
from netlab.compare.files import comparison_page
from netlab.compare.methods import (
    FOUR_METHODS,
    find_training,
    grid,
    method_key,
    method_names,
    same_training,
    span,
)
from netlab.config import TrainConfig
from netlab.contracts.dataset import SegmentationSet
from netlab.contracts.report import Measure
from netlab.contracts.score import Score
from netlab.data.readers.fingerprint import fingerprint
from netlab.errors import ConfigError, UsageError
from netlab.figures.curves import draw_panels, method_panels
from netlab.figures.grid import draw_stacks
from netlab.metrics.bootstrap import Difference, draw_pictures, draw_runs, paired_difference
from netlab.metrics.confusion import mean_iou
from netlab.models.unet import UNet
from netlab.registry import get
from netlab.runs.folder import RunDir
from netlab.runs.summary import list_runs, summarise
from netlab.settings import Layer, merge, read_config_file
from netlab.tasks.data import data_request
from netlab.tasks.segmentation.report import SegmentationReport
from netlab.training import fit as engine_train
from netlab.training import prepare as preparation
from netlab.weights.file import read_tensors
from tests._copies import drawn
from tests.conftest import TINY_FLAGS, tiny_config, tiny_labelled

pytestmark = pytest.mark.usefixtures("drawn_once")

SCORE = Measure("mIoU", ("miou",), higher_is_better=True)


# --- what is trained


def test_a_grid_is_every_combination() -> None:
    layers = grid(["encoder=maxpool,strided", "loss=ce, ce+0.5*dice", "loss.dice.smooth=2"])
    assert [layer.values for layer in layers] == [
        {"encoder": e, "loss": loss, "parts": {"loss": {"dice": {"smooth": 2}}}}
        for e in ("maxpool", "strided")
        for loss in ("ce", "ce+0.5*dice")
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["encoder"],
        ["encoder="],
        ["=a"],
        ["lr=1,2", "lr=3"],
        ["image-size=32", "image_size=64"],
        ["lr=1,1"],
        ["seed=0,1"],
        ["precision=fp32,bf16"],
        ["on-nan=stop,skip"],
        ["class-weights=[1,1,2],none"],
    ],
)
def test_a_grid_that_is_none_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError, match="--grid"):
        grid(words)


def _build(method: Layer) -> TrainConfig:
    return merge(tiny_config().to_dict(), [method])


def test_each_method_is_trained_under_each_seed() -> None:
    methods = [Layer("", m) for m in FOUR_METHODS]
    configs = span(methods, _build, {"lr"}, seeds=3)
    assert len(configs) == 12
    assert [c.seed for c in configs] == [0, 1, 2] * 4
    assert [(c.encoder, c.decoder, c.loss) for c in configs[::3]] == [
        ("maxpool", "transpose", "ce"),
        ("maxpool", "transpose", "dice"),
        ("strided", "transpose", "ce"),
        ("strided", "upsample", "dice"),
    ]
    assert len({method_key(c).to_yaml() for c in configs}) == 4


def test_what_the_methods_differ_in_cannot_be_shared() -> None:
    with pytest.raises(UsageError, match="--encoder"):
        span([Layer("", FOUR_METHODS[0])], _build, {"encoder", "lr"}, seeds=1)


@pytest.mark.parametrize("word", ["lr=0.001,1e-3", "width=8,08"])
def test_one_value_in_two_spellings_is_one_method(word: str) -> None:
    with pytest.raises(UsageError, match="the same method"):
        span(grid([word]), _build, set(), seeds=1)


def test_a_bad_value_in_a_grid_is_named() -> None:
    with pytest.raises(ConfigError, match="max-pol"):
        span(grid(["encoder=max-pol"]), _build, set(), seeds=1)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"data_dir": "elsewhere"}, True),
        ({"dataset": "pairs", "images": "i", "masks": "m"}, False),
        ({"save_every": 5, "log": "events"}, True),
        ({"on_nan": "skip"}, False),
        ({"device": "cpu", "precision": "bf16", "threads": 7}, True),
        ({"epochs": 3}, False),
        ({"seed": 1}, False),
        ({"loss": "dice"}, False),
        ({"parts": {"encoder": {"x": 1}}}, False),
        ({"early_stop": 4}, False),
    ],
)
def test_which_runs_are_the_same_training(change: dict[str, Any], same: bool) -> None:
    wanted = replace(tiny_config(), device="auto", precision="auto", threads=0)
    assert same_training(wanted, replace(wanted, **change)) is same


def test_a_machine_that_was_asked_for_matters() -> None:
    wanted = tiny_config(precision="fp32", threads=1)
    assert same_training(wanted, wanted)
    assert not same_training(wanted, replace(wanted, precision="bf16"))
    assert not same_training(wanted, replace(wanted, threads=2))


def test_methods_are_called_by_what_differs() -> None:
    configs = [merge(tiny_config().to_dict(), [Layer("", m)]) for m in FOUR_METHODS]
    assert method_names(configs, list("abcd")) == [
        "maxpool + transpose + ce",
        "maxpool + transpose + dice",
        "strided + transpose + ce",
        "strided + upsample + dice",
    ]
    rates = [tiny_config(lr=0.1), tiny_config(lr=0.2)]
    assert method_names(rates, list("ab")) == ["lr 0.1", "lr 0.2"]
    assert method_names([tiny_config()], ["only"]) == ["only"]
    seeded = [tiny_config(seed=s, loss=loss) for s in (0, 1) for loss in ("ce", "dice")]
    assert method_names(seeded, list("abcd")) == ["ce", "dice", "ce", "dice"]
    seeds = [tiny_config(seed=0), tiny_config(seed=1)]
    assert method_names(seeds, list("ab")) == ["a", "b"]
    assert method_names(seeds, ["same", "same"]) == ["same (1)", "same (2)"]
    many = [tiny_config(), tiny_config(lr=0.1, width=8, depth=3)]
    assert method_names(many, list("ab"))[1] == "width 8 + depth 3 + lr 0.1"


def test_names_leave_out_what_tells_nothing() -> None:
    weighted = {"parts": {"loss": {"ce": {"smooth": 0.1}}}, "limit": None}
    configs = [tiny_config(loss="ce", **weighted), tiny_config(loss="dice", limit=5)]
    assert method_names(configs, list("ab")) == ["ce", "limit 5 + dice"]
    same = [tiny_config(**weighted), tiny_config(limit=None)]  # here the argument alone tells
    assert method_names(same, list("ab")) == ["loss.ce.smooth 0.1", "loss.ce.smooth None"]
    own = {"dataset": "pairs", "images": "i", "masks": "m"}
    named = [tiny_config(classes=(name, "rest"), **own) for name in ("cat", "dog")]
    assert method_names(named, list("ab")) == ["classes cat,rest", "classes dog,rest"]


# --- whether a difference is one


def test_resamples_have_as_many_pictures() -> None:
    draws = draw_pictures(50, draws=200, seed=1)
    assert draws.shape == (200, 50)
    assert (draws.sum(axis=1) == 50).all()
    assert draws.std() == pytest.approx(1, abs=0.05)  # multinomial: variance 1 - 1 / 50
    assert (draws == draw_pictures(50, draws=200, seed=1)).all()
    assert (draws != draw_pictures(50, draws=200, seed=2)).any()
    with pytest.raises(ValueError, match="count"):
        draw_pictures(0)


def test_the_interval_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    first = rng.normal(0.7, 0.2, 300)
    second = first - rng.normal(0.02, 0.1, 300)
    draws = draw_pictures(300, draws=4000)
    value = float(first.mean() - second.mean())
    interval = paired_difference(draws @ first / 300, draws @ second / 300, value)
    wanted = stats.bootstrap(
        (first, second),
        lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        paired=True,
        method="percentile",
        n_resamples=4000,
        random_state=1,
    ).confidence_interval
    assert interval is not None
    assert interval.low == pytest.approx(wanted.low, abs=8e-4)
    assert interval.high == pytest.approx(wanted.high, abs=8e-4)
    assert interval.clear == (wanted.low > 0 or wanted.high < 0)


def test_a_score_against_itself_is_no_difference() -> None:
    scores = np.linspace(0, 1, 100)
    difference = paired_difference(scores, scores, 0.0)
    assert difference == Difference(0.0, 0.0, 0.0)
    assert not difference.clear
    assert not Difference(-0.1, 0.2, 0.3).clear  # an interval that is not around its value


def test_resamples_without_a_score_are_left_out() -> None:
    nan, inf = np.nan, np.inf
    difference = paired_difference(
        np.array([1.0, nan, inf, 1.0]), np.array([0.0, 0.5, inf, 0.0]), 1.0
    )
    assert difference is not None
    assert (difference.low, difference.high) == (1.0, 1.0)
    assert difference.clear
    assert paired_difference(np.array([nan, inf]), np.array([1.0, inf]), 0.0) is None
    with pytest.raises(ValueError, match="equal resamples"):
        paired_difference(np.zeros(2), np.zeros(3), 0.0)


def test_several_seeds_widen_the_interval_and_one_does_not() -> None:
    one = np.random.default_rng(0).normal(0.7, 0.01, 4000)
    assert (draw_runs([one]) == one).all()
    seeds = [one - 0.1, one + 0.1]
    drawn = draw_runs(seeds)
    assert drawn.mean() == pytest.approx(one.mean(), abs=0.005)
    # The mean of two draws from {-0.1, 0.1} is -0.1, 0 or 0.1 with chances 1/4, 1/2, 1/4.
    shares = [np.mean(np.abs(drawn - one - step) < 1e-9) for step in (-0.1, 0.0, 0.1)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.03)


def _report(counts: torch.Tensor) -> SegmentationReport:
    names = tuple(f"p{i}" for i in range(len(counts)))
    data: Any = SimpleNamespace(classes=("pet", "background", "border"), names=names)
    report = SegmentationReport(data, data, "test")
    report.counts.append(counts)
    return report


def test_resampled_scores_are_those_of_the_drawn_pictures() -> None:
    counts = torch.from_numpy(np.random.default_rng(0).integers(0, 50, (7, 3, 3)))
    report = _report(counts)
    draws = draw_pictures(7, draws=20)
    draws[0] = 1
    scores = report.resampled(draws)
    assert scores[0] == pytest.approx(float(mean_iou(counts.sum(dim=0))), abs=1e-12)
    for row, score in zip(draws, scores, strict=True):
        chosen = np.repeat(np.arange(7), row)  # the pictures themselves, over and over
        assert score == pytest.approx(float(mean_iou(counts[chosen].sum(dim=0))), abs=1e-12)


# --- side by side


def _entry(
    config: TrainConfig, miou: float, pictures: str = "same", **costs: float | None
) -> Entry:
    """A scored run whose pictures are all equally good."""
    result = {
        "miou": miou, "iou": {"pet": miou}, "split": "test", "count": 5, "dropped": 1,
        "baselines": {"constant": {"miou": 0.2}, "mean_mask": {"miou": 0.37}},
    }  # fmt: skip
    quality = np.full(5, miou)
    report: Any = SimpleNamespace(
        data=SimpleNamespace(names=("a", "b", "c", "d", "e")),
        result=lambda: result,
        measures=lambda: [SCORE, Measure("IoU pet", ("iou", "pet"), higher_is_better=True)],
        resampled=lambda draws: (draws * quality).sum(axis=1) / draws.sum(axis=1),
        confusion=lambda: None,
        sections=list,
        by_rank=lambda: quality,
        shown=lambda _: None,
    )
    run = RunDir(Path(f"runs/{config.loss}-{config.seed}"))
    paid = {"weights": 1_900_000, "multiply_adds": 1.2e9, "seconds": 60.0, **costs}
    entry = Entry(run, config, report, [], paid)
    entry.__dict__["pictures"] = pictures  # instead of those of data that are not there
    return entry


def test_seeds_are_one_method_with_a_spread() -> None:
    entries = [_entry(tiny_config(loss="ce", seed=s), m) for s, m in enumerate((0.70, 0.74))]
    entries.append(_entry(tiny_config(loss="dice"), 0.9))
    comparison = side_by_side(entries)
    assert [m.name for m in comparison.methods] == ["ce", "dice"]
    assert comparison.methods[0].mean(SCORE) == pytest.approx(0.72)
    assert comparison.methods[0].spread(SCORE) == pytest.approx(0.02 * 2**0.5)
    assert comparison.methods[1].spread(SCORE) is None
    assert comparison.best(SCORE) == {1}
    difference = comparison.differences[0, 1]
    assert difference.value == pytest.approx(0.72 - 0.9)
    assert difference.clear


def test_less_is_better_where_that_is_so() -> None:
    seconds = next(m for m in COSTS if m.name == "seconds")
    entries = [
        _entry(tiny_config(loss="ce"), 0.7, seconds=9.0),
        _entry(tiny_config(loss="dice"), 0.7, seconds=5.0),
    ]
    comparison = side_by_side(entries)
    assert comparison.best(seconds) == {1}
    assert comparison.best(next(m for m in COSTS if m.name == "memory_mib")) == set()
    assert comparison.best(SCORE) == {0, 1}
    assert comparison.best(Measure("", ("miou",), higher_is_better=None)) == set()


def test_other_tasks_stand_in_no_table() -> None:
    entries = [_entry(tiny_config(), 0.7), _entry(tiny_labelled("vae"), 0.7)]
    with pytest.raises(UsageError, match="segmentation and vae"):
        side_by_side(entries)


@registry.register("architecture")
class OtherUNet(UNet):
    """Another architecture for segmentation."""


def test_two_architectures_of_one_task_stand_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("other", "tests.test_compare:OtherUNet", "netlab.architecture")
    monkeypatch.setattr(registry, "installed", lambda: EntryPoints([point]))
    entries = [_entry(tiny_config(), 0.7), _entry(tiny_config(arch="other"), 0.6)]
    assert [m.name for m in side_by_side(entries).methods] == ["unet", "other"]


@pytest.mark.parametrize("losses", [("ce", "dice"), ("ce", "ce")])
def test_other_pictures_are_said_and_not_bootstrapped(losses: tuple[str, str]) -> None:
    entries = [_entry(tiny_config(loss=n, seed=i), 0.7, f"set {i}") for i, n in enumerate(losses)]
    comparison = side_by_side(entries)
    assert len(comparison.methods) == 2  # even with equal settings, as pairs of other folders have
    assert not comparison.same_pictures
    assert comparison.differences == {}
    assert comparison.baselines == {}
    assert comparison.best(SCORE) == set()
    assert comparison.best(COSTS[0]) == {0, 1}
    assert "not scored on the same pictures" in comparison_lines(comparison)[0]
    assert "not scored on the same pictures" in comparison_page(
        comparison, document(comparison, "test")
    )


def test_a_run_that_is_not_at_its_end_is_named_so() -> None:
    config = tiny_config(epochs=60)
    entries = [_entry(config, 0.7), replace(_entry(config, 0.6), unfinished="11 of 60 epochs")]
    entries[1].__dict__["pictures"] = "same"
    assert [
        m.name for m in side_by_side(entries, dict.fromkeys([entries[0].run], "x")).methods
    ] == [
        "x (1)",
        "x (2) (11 of 60 epochs)",
    ]


def test_a_trivial_predictor_is_no_method_and_gets_no_mark() -> None:
    comparison = side_by_side([_entry(tiny_config(loss=n), 0.1) for n in ("ce", "dice")])
    page = comparison_page(comparison, document(comparison, "test"))
    row = page.split('scope="row">mIoU</th>')[1].split("</tr>")[0]
    assert row.count("(best)") == 2
    assert row.index("0.3700") > row.rindex("(best)")


def test_many_pairs_without_a_difference_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    entries = [_entry(tiny_config(lr=rate), 0.7) for rate in (0.1, 0.2, 0.3, 0.4, 0.5)]
    lines = comparison_lines(side_by_side(entries))
    assert [line.strip() for line in lines if "no clear" in line] == [
        "no clear difference in mIoU between 10 pairs of methods"
    ]


def test_pictures_of_the_same_names_are_told_apart_by_their_contents() -> None:
    images, masks = drawn(3)
    one = SegmentationSet(images, masks, ("a", "b", "c"), ("pet", "background", "border"))
    moved = masks.copy()
    moved[1, 0, 0] = (moved[1, 0, 0] + 1) % 3
    prints = {fingerprint(part) for part in (one, replace(one, masks=moved))}
    assert len(prints) == 2
    assert fingerprint(replace(one, masks=masks.copy())) in prints


@pytest.mark.parametrize("dataset", ["synthetic", "digits"])
def test_drawn_test_pictures_are_the_same_for_all_seeds(dataset: str) -> None:
    configs = [tiny_config(seed=seed, dataset=dataset) for seed in (0, 5)]
    loaded: dict[str, list[Any]] = {
        split: [
            get("dataset", dataset)().load(data_request(config, split, print))  # type: ignore[arg-type]
            for config in configs
        ]
        for split in ("train", "val", "test")
    }
    same = {
        split: len({fingerprint(part) for part in parts}) == 1 for split, parts in loaded.items()
    }
    assert same == {"train": False, "val": True, "test": True}


def test_times_of_other_machines_are_not_ranked() -> None:
    seconds = next(m for m in COSTS if m.name == "seconds")
    entries = [
        _entry(tiny_config(loss="ce"), 0.7, seconds=9.0),
        _entry(tiny_config(loss="dice", device="cuda"), 0.7, seconds=5.0),
    ]
    comparison = side_by_side(entries)
    assert comparison.best(seconds) == set()
    text = "\n".join(comparison_lines(comparison))
    assert "not all were trained on the same device" in text


def test_large_scores_keep_their_zeros_beside_a_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    scores = {"ce": (89.3, 91.7), "dice": (20.0, 20.0)}
    entries = [
        _entry(tiny_config(loss=loss, seed=seed), value)
        for loss, values in scores.items()
        for seed, value in enumerate(values)
    ]
    line = next(x for x in comparison_lines(side_by_side(entries)) if x.startswith("mIoU"))
    assert line.split() == ["mIoU", "90.5±1.7*", "20.0±.0", "0.3700"]
    entries = [_entry(tiny_config(seed=seed), value) for seed, value in enumerate((0.70, 0.71))]
    line = next(x for x in comparison_lines(side_by_side(entries)) if x.startswith("mIoU"))
    assert line.split() == ["mIoU", ".705±.007", "0.3700"]


def test_what_is_no_number_has_no_cell_and_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    entries = [_entry(tiny_config(loss="ce"), np.inf), _entry(tiny_config(loss="dice"), 0.6)]
    with np.errstate(invalid="ignore"):
        comparison = side_by_side(entries)
    assert comparison.differences == {}
    json.dumps(document(comparison, "test"), allow_nan=False)
    line = next(x for x in comparison_lines(comparison) if x.startswith("mIoU"))
    assert line.split() == ["mIoU", "0.6000", "0.3700"]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_table_fits_and_marks_the_best(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    scores = (0.71, 0.705, 0.75, 0.72)
    configs = [merge(tiny_config().to_dict(), [Layer("", m)]) for m in FOUR_METHODS]
    comparison = side_by_side([_entry(c, s) for c, s in zip(configs, scores, strict=True)])
    lines = comparison_lines(comparison)
    text = "\n".join(lines)
    table = lines[: lines.index("* best of the methods")]
    assert all(len(line) <= columns for line in table)
    for score in scores:
        assert f"{score:.4f}" in text
    assert "0.7500*" in text
    assert "0.7100*" not in text
    assert "mean mask" in text.replace("\n", " ")
    assert "0.3700" in text  # the better of the trivial predictors
    assert "0.2000" not in text
    better = "strided + transpose + ce is better than maxpool + transpose + ce: 0.0400 mIoU"
    assert better in text


def test_a_method_without_a_value_leaves_its_cell_empty() -> None:
    first = _entry(tiny_config(loss="ce"), 0.7, seconds=None)
    second = _entry(tiny_config(loss="dice"), 0.6)
    comparison = Comparison([Method("a", [first]), Method("b", [second])], [SCORE], {})
    line = next(x for x in comparison_lines(comparison) if x.startswith("training time"))
    assert line.split() == ["training", "time", "60", "s"]  # no mark without a second value


# --- figures


def test_curves_keep_the_colour_of_a_method_over_its_seeds() -> None:
    rows: list[dict[str, float | None]] = [
        {"epoch": e, "train_loss": 1 / e, "val_loss": 2 / e, "val_miou": 0.5} for e in range(1, 6)
    ]
    panels = method_panels(["a", "b"], [[rows, rows], [rows]], Score("val_miou", "mIoU"))
    assert [panel.title for panel in panels] == [
        "Training loss",
        "Validation loss",
        "Validation mIoU",
    ]
    assert panels[0].y_range == panels[1].y_range == (0.0, 2.0)
    for panel in panels:
        assert [line.label for line in panel.lines] == ["a", "", "b"]
        assert panel.lines[0].colour == panel.lines[1].colour != panel.lines[2].colour
    assert draw_panels(panels).width > 1000
    assert len(method_panels(["a"], [[rows]], Score("val_nothing", "x"))) == 2


def test_a_colour_that_comes_again_is_dashed() -> None:
    rows: list[dict[str, float | None]] = [{"epoch": e, "train_loss": 1 / e} for e in (1, 2)]
    lines = method_panels([str(i) for i in range(9)], [[rows]] * 9, Score("val_miou", ""))[0].lines
    assert len({(line.colour, line.dashed) for line in lines}) == 9
    assert [line.dashed for line in lines] == [False] * 7 + [True] * 2


def test_a_row_shows_what_each_method_makes_of_a_picture() -> None:
    whole = [np.full((2, 8, 8, 3), value, dtype=np.uint8) for value in (10, 90, 170, 250)]
    names = ("Input", "Target", "one", "two")
    figure = draw_stacks(list(zip(names, whole, strict=True)), ["x", "y"], title="t")
    colours = {c: n for n, c in figure.getcolors(10**6) or []}
    cell = 144 * 144
    for value in (10, 90, 170, 250):
        assert colours[(value,) * 3] >= 2 * cell


# --- the command


def _compare(*words: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["compare", *map(str, words)])
    captured = capsys.readouterr()
    return int(end.value.code or 0), captured.out, captured.err


def _rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "comparison.csv").read_text().splitlines()))


FLAGS = [*TINY_FLAGS, "--epochs", "1"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_four_methods_are_trained_once_and_compared(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = _compare(*FLAGS, "--json", capsys=capsys)
    assert code == 0, err
    result = json.loads(out)
    assert [m["name"] for m in result["methods"]] == [
        "maxpool + transpose + ce", "maxpool + transpose + dice",
        "strided + transpose + ce", "strided + upsample + dice",
    ]  # fmt: skip
    assert len(result["differences"]) == 6
    assert result["baselines"]["mean_mask"]["miou"] > 0
    made = folder / result["folder"]
    assert {"comparison.json", "comparison.csv", "curves.png", "pictures.png", "report.html"} <= {
        p.name for p in made.iterdir()
    }
    rows = _rows(made)
    for method, row in zip(result["methods"], rows, strict=True):
        assert float(row["miou"]) == pytest.approx(method["miou"])
        assert method["weights"] > 1000
        assert isinstance(method["weights"], int)
        assert method["multiply_adds"] > method["weights"]
        assert method["memory_mib"] > 10
        with pytest.raises(SystemExit):
            main(
                ["eval", f"runs/{method['runs'][0]}", "--json", "--device", "cpu", "--threads", "1"]
            )
        assert json.loads(capsys.readouterr().out)["miou"] == pytest.approx(method["miou"])
    runs = sorted(p.name for p in (folder / "runs").glob("*unet*"))
    assert len(runs) == 4

    code, out, err = _compare(*FLAGS, capsys=capsys)
    assert code == 0, err
    assert err.count("there already") == 4
    assert sorted(p.name for p in (folder / "runs").glob("*unet*")) == runs
    assert "best of the methods" in out
    with Image.open(made / "pictures.png") as picture:
        assert picture.width > 6 * 144
    page = (made / "report.html").read_text()
    for method in result["methods"]:
        assert page.count(method["name"]) > 5
        assert method["runs"][0] in page
    assert page.count("Of the pixels of each true class") >= 4
    assert str(folder) not in page


LABELLED = [
    "--dataset", "digits", "--image-size", "12", "--depth", "1", "--width", "4", "--limit", "24",
    "--epochs", "1", "--batch-size", "8", "--device", "cpu", "--precision", "fp32",
    "--threads", "1",
]  # fmt: skip


@pytest.mark.parametrize(
    ("arch", "axis", "score", "pictures"),
    [
        pytest.param("vae", "latent=2,6", "reconstruction_nats", True, marks=pytest.mark.slow),
        ("classifier", "lr=0.001,0.01", "accuracy", False),
    ],
)
def test_other_architectures_are_compared_by_their_own_scores(
    arch: str,
    axis: str,
    score: str,
    pictures: bool,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--arch", arch, "--grid", axis, *LABELLED, "--out", "made"]
    code, out, err = _compare(*words, "--json", capsys=capsys)
    assert code == 0, err
    result = json.loads(out)
    assert result["score"] == score
    assert [m["name"] for m in result["methods"]] == [
        f"{axis.partition('=')[0]} {v}" for v in axis.partition("=")[2].split(",")
    ]
    ((difference),) = result["differences"]
    scores = {m["name"]: m[score] for m in result["methods"]}
    sign = 1 if score == "accuracy" else -1  # nats are better the fewer
    gap = sign * (scores[difference["better"]] - scores[difference["worse"]])
    assert difference["difference"] == pytest.approx(gap, abs=1e-9)
    assert gap >= 0
    assert (folder / "made" / "pictures.png").is_file() is pictures
    assert (folder / "made" / "curves.png").is_file()
    assert "Settings" in (folder / "made" / "report.html").read_text()


def _interrupt_at(monkeypatch: pytest.MonkeyPatch, row: int) -> None:
    """Send Ctrl-C while the given epoch row, counted over all trainings, is being finished."""
    rows = iter(range(1, 100))
    finish = engine_train.finish_epoch

    def finish_and_interrupt(*args: Any) -> None:
        if next(rows) == row:
            os.kill(os.getpid(), signal.SIGINT)
        finish(*args)

    monkeypatch.setattr(engine_train, "finish_epoch", finish_and_interrupt)


@pytest.mark.slow
def test_an_interrupted_comparison_is_ended_by_the_same_command(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--grid", "loss=ce,dice", *TINY_FLAGS]
    code, _, err = _compare(*words, "--runs-dir", "whole", capsys=capsys)
    assert code == 0, err
    with monkeypatch.context() as patch:
        _interrupt_at(patch, 3)  # the first epoch of the second method
        code, out, err = _compare(*words, capsys=capsys)
    assert (code, out) == (130, "")
    assert "the same netlab compare does the rest" in err.splitlines()[-1]
    done = sorted((folder / "runs").glob("*unet*"))
    assert [summarise(RunDir(path)).state for path in done] == ["done", "interrupted"]
    code, out, err = _compare(*words, capsys=capsys)
    assert code == 0, err
    assert err.count("there already") == 1
    assert "going on at epoch 2" in err
    assert sorted((folder / "runs").glob("*unet*")) == done
    for path, whole in zip(done, sorted((folder / "whole").glob("*unet*")), strict=True):
        one, other = (read_tensors(run / "last.safetensors") for run in (path, whole))
        assert all(one[name].equal(other[name]) for name in other)


def test_ctrl_c_in_the_last_epoch_of_a_method_ends_the_comparison_too(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _interrupt_at(monkeypatch, 1)
    code, out, err = _compare("--grid", "loss=ce,dice", *FLAGS, capsys=capsys)
    assert (code, out) == (130, "")
    runs = list((folder / "runs").glob("*unet*"))
    assert len(runs) == 1
    assert summarise(RunDir(runs[0])).state == "done"
    assert "stopped before 2 of 2: dice" in err


@pytest.mark.slow
@pytest.mark.parametrize("changes", [["--epochs", "2"], ["--epochs", "2", "--lr", "0.5"]])
def test_a_run_that_was_altered_is_not_the_same_training(
    changes: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["unet", *FLAGS], ["--resume", "last", *changes, "--allow-changes"]):
        with pytest.raises(SystemExit) as end:
            main(["train", *words])
        assert end.value.code == 0, capsys.readouterr().err
    (summary,) = list_runs(folder / "runs")
    assert (summary.state, summary.altered) == ("done", True)
    assert find_training(merge({}, [Layer("", summary.config)]), folder / "runs") is None
    code, _, err = _compare("--grid", "loss=ce,dice", *FLAGS, *changes, capsys=capsys)
    assert code == 0, err
    assert "there already" not in err


def test_a_run_of_a_damaged_config_is_no_training_to_go_on_with(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["train", "unet", *FLAGS, "--run-dir", "runs/a"])
    config = merge({}, [read_config_file(Path("runs/a/config.yaml"))])
    assert find_training(config, folder / "runs") is not None
    with Path("runs/a/config.yaml").open("a") as file:
        file.write("speed: 3\n")
    assert find_training(config, folder / "runs") is None
    assert find_training(replace(config, limit=None), folder / "runs") is None


@pytest.mark.slow
def test_seeds_through_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--grid", "loss=ce,dice", "--seeds", "2", *FLAGS]
    code, out, err = _compare(*words, "--json", capsys=capsys)
    assert code == 0, err
    result = json.loads(out)
    assert [len(method["runs"]) for method in result["methods"]] == [2, 2]
    assert result["count"] > 0
    assert len(result["differences"]) == 1
    rows = _rows(folder / result["folder"])
    assert [row["seed"] for row in rows] == ["0", "1", "0", "1"]
    for method, pair in zip(result["methods"], (rows[:2], rows[2:]), strict=True):
        values = [float(row["seconds"]) for row in pair]
        assert method["seconds"] == pytest.approx(statistics.fmean(values))
        assert method["spread"]["seconds"] == pytest.approx(statistics.stdev(values))


def test_any_runs_side_by_side(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for width in (4, 6):
        with pytest.raises(SystemExit) as end:
            main(["train", "unet", *FLAGS, "--width", str(width), "--run-dir", f"w{width}"])
        assert end.value.code == 0
    code, out, err = _compare("w4", "w6", "w4", "--out", "both", capsys=capsys)
    assert code == 0, err
    assert "width 4" in out
    assert "width 6" in out
    assert "width 4 (" not in out
    assert len(_rows(folder / "both")) == 2
    code, _, err = _compare("w4", "w6", "--out", "both", capsys=capsys)
    assert code == 2
    assert "both exists already" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--encoder", "strided", "--dataset", "synthetic"], "--encoder"),
        (["--grid", "encoder"], "--grid encoder"),
        (["--grid", "encoder=nothing"], "unknown encoder 'nothing'"),
        (["--arch", "vae", "--dataset", "digits"], "--grid"),
        (["no-such-run"], "no-such-run"),
        (["no-such-run", "--seeds", "2"], "leave out"),
        (["no-such-run", "--lr", "0.5"], "--lr"),
        (["--split", "train"], "--split train"),
        (["--judge", "judge-mnist", "--dataset", "synthetic"], "--judge"),
        (["--grid", "precision=fp32,bf16"], "precision"),
        (["--arch", "vae", "--dataset", "digits", "--grid", "latent=2,4", "--judge", "x"], "'x'"),
        (
            [
                "--arch",
                "vae",
                "--dataset",
                "digits",
                "--grid",
                "latent=2,4",
                "--judge",
                "unet-pets",
            ],
            "a judge is a classifier",
        ),
        (["--dataset", "synthetic", "--out", "/dev/null/made"], "/dev/null/made: cannot be made"),
        (["--grid", "loss=ce,dice", "--dataset", "synthetic", "--device", "cuda:77"], "cuda:77"),
    ],
)
def test_wrong_use_is_one_line(
    words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = _compare(*words, capsys=capsys)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert list(folder.iterdir()) == []


def test_a_method_that_fails_does_not_stop_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--grid", "lr=1e30,0.001", *FLAGS, "--optimizer", "adam", "--clip", "0"]
    code, out, err = _compare(*words, "--json", capsys=capsys)
    assert code == 1, err
    result = json.loads(out)
    assert [method["name"] for method in result["methods"]] == ["lr 0.001"]
    assert "lr 1e+30, seed 0" in err.splitlines()[-1]
    ((failure),) = result["failed"]
    assert failure.startswith("lr 1e+30, seed 0: the ")


@pytest.mark.slow
def test_advice_of_a_method_that_failed_can_be_followed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--grid", "lr=1e30,0.001", *FLAGS, "--optimizer", "adam", "--clip", "0"]
    assert _compare(*words, capsys=capsys)[0] == 1
    _, _, err = _compare(*words, "--on-nan", "skip", capsys=capsys)
    assert "skipped: the " in err
    assert len(list((folder / "runs").glob("*unet*"))) == 2


def test_memory_that_runs_out_in_one_method_does_not_stop_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = preparation.prepare

    def short_of_memory(config: TrainConfig, *args: Any) -> Any:
        if config.loss == "ce":
            raise RuntimeError("CUDA out of memory")
        return prepare(config, *args)

    monkeypatch.setattr(preparation, "prepare", short_of_memory)
    code, out, err = _compare("--grid", "loss=ce,dice", *FLAGS, "--json", capsys=capsys)
    assert code == 1, err
    assert json.loads(out)["failed"] == ["ce, seed 0: out of memory"]


def test_a_run_that_another_process_trains_is_left_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["train", "unet", *FLAGS, "--loss", "ce", "--run-dir", "runs/a"])
    run = RunDir(folder / "runs" / "a")
    run.best.unlink()
    with run.locked():
        code, out, err = _compare("--grid", "loss=ce,dice", *FLAGS, "--json", capsys=capsys)
    assert code == 1, err
    assert "another process" in json.loads(out)["failed"][0]


def _pairs(folder: Path, count: int) -> None:
    for name, pictures in zip(("images", "masks"), drawn(count), strict=True):
        (folder / name).mkdir()
        for i, picture in enumerate(pictures):
            Image.fromarray(picture).save(folder / name / f"{i}.png")


@pytest.mark.slow
def test_runs_on_pictures_that_have_changed_are_not_taken(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _pairs(folder, 24)
    flags = [*TINY_FLAGS, "--dataset", "pairs", "--images", "images", "--masks", "masks"]
    words = ["--grid", "loss=ce,dice", *flags, "--classes", "pet,background,border"]
    assert _compare(*words, "--epochs", "1", capsys=capsys)[0] == 0
    code, _, err = _compare(*words, "--epochs", "1", capsys=capsys)
    assert (code, err.count("there already")) == (0, 2)
    for name in ("images", "masks"):
        (folder / name / "3.png").unlink()
    code, out, err = _compare(*words, "--epochs", "1", "--json", capsys=capsys)
    assert code == 0, err
    assert err.count("trained on other pictures") == 2
    assert "there already" not in err
    ((better, worse),) = [(d["better"], d["worse"]) for d in json.loads(out)["differences"]]
    assert {better, worse} == {"ce", "dice"}


@pytest.mark.slow
def test_own_pictures_may_lie_elsewhere_by_now(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _pairs(folder, 24)
    flags = [*FLAGS, "--dataset", "pairs", "--classes", "pet,background,border"]
    with pytest.raises(SystemExit):
        main(["train", "unet", *flags, "--images", "images", "--masks", "masks", "--run-dir", "a"])
    scores = []
    for moved in ("", "moved-"):
        folders: list[str] = []
        if moved:
            for name in ("images", "masks"):
                Path(name).rename(moved + name)
                folders += [f"--{name}", moved + name]
        code, out, err = _compare("a", *folders, "--json", capsys=capsys)
        assert code == 0, err
        scores.append(json.loads(out)["methods"][0]["miou"])
    assert scores[0] == scores[1]
    code, _, err = _compare("a", capsys=capsys)
    assert code == 2
    assert "images" in err


@pytest.mark.slow
def test_a_finished_run_without_whole_weights_is_not_taken(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--grid", "loss=ce,dice", *FLAGS, "--json"]
    assert _compare(*words, capsys=capsys)[0] == 0
    (first, _) = sorted((folder / "runs").glob("*unet*"))
    shutil.copytree(first, folder / "runs" / "copy")
    best = folder / "runs" / "copy" / "best.safetensors"
    best.write_bytes(best.read_bytes()[:-100])
    code, _, err = _compare(*words, capsys=capsys)
    assert (code, err.count("there already")) == (0, 2)
    assert err.count("runs/copy/best.safetensors: damaged") == 1


@pytest.mark.slow
def test_a_damaged_byte_in_a_finished_run_is_trained_anew(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--grid", "loss=ce,dice", *FLAGS]
    assert _compare(*words, capsys=capsys)[0] == 0
    _flip_last_byte(sorted((folder / "runs").glob("*unet*"))[0] / "best.safetensors")
    code, _, err = _compare(*words, capsys=capsys)
    assert (code, err.count("there already")) == (0, 1)
    assert "not taken" in err
    code, _, err = _compare(*words, capsys=capsys)
    assert (code, err.count("there already")) == (0, 2)


def _flip_last_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 255
    path.write_bytes(content)


def test_a_run_that_cannot_be_scored_does_not_stop_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        with pytest.raises(SystemExit):
            main(["train", "unet", *FLAGS, "--run-dir", name])
    _flip_last_byte(Path("a/best.safetensors"))
    code, out, err = _compare("a", "b", "--json", capsys=capsys)
    assert code == 1, err
    result = json.loads(out)
    assert [method["runs"] for method in result["methods"]] == [["b"]]
    assert result["failed"][0].startswith("a: ")
    _flip_last_byte(Path("b/best.safetensors"))
    code, out, err = _compare("a", "b", capsys=capsys)
    assert (code, out) == (2, "")
    assert "a: " in err
    assert "b/best.safetensors: damaged" in err.splitlines()[-1]


def test_runs_of_other_tasks_are_refused_before_they_are_scored(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arch, flags in (("unet", FLAGS), ("classifier", LABELLED)):
        with pytest.raises(SystemExit) as end:
            main(["train", arch, *flags, "--run-dir", str(folder / arch)])
        assert end.value.code == 0
    capsys.readouterr()
    code, out, err = _compare("unet", "classifier", capsys=capsys)
    assert (code, out) == (2, "")
    assert "unet (segmentation), classifier (classification)" in err
    assert "scoring" not in err
