"""Predicting masks: inputs, names, formats, geometry and the command."""

import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from netlab.errors import PictureError, UsageError, WorkFailed
from netlab.figures.palette import palette_bytes
from netlab.predict import pipeline
from netlab.predict import prediction as prediction_module
from netlab.predict.inputs import Job, Naming, find_inputs, make_folders, plan, plan_bytes
from netlab.predict.outputs import (
    FORMATS,
    Done,
    Style,
    check_format,
    read_background,
    write_outputs,
)
from netlab.predict.pipeline import Outcome, predict_files
from netlab.predict.prediction import Prediction
from netlab.predict.predictor import Predictor, predict_mask
from netlab.settings import Layer, merge
from netlab.tasks.load import describe, load_weights
from netlab.tasks.segmentation.task import Segmentation
from netlab.weights.file import save_weights
from tests.conftest import forked, netlab

CLASSES = ("pet", "background", "border")


def masks_of(predictor: Predictor, images: list[Image.Image]) -> list[np.ndarray]:
    return [prediction.mask for prediction in predictor.predict(images)]


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network with random weights whose masks hold all three classes."""
    torch.manual_seed(3)
    settings_ = {"width": 4, "depth": 2, "image_size": 32, "norm": "batch"}
    config = merge({}, [Layer("test", settings_)])
    task = Segmentation(config, CLASSES)
    network = task.build_network()
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    about = describe(config, network, task.facts())
    network.train()
    for _ in range(20):  # statistics of the norms, so that the outputs are not all alike
        network(torch.randn(4, 3, 32, 32) * 2)
    network.eval()
    with torch.no_grad():
        logits = network(torch.randn(8, 3, 32, 32) * 2)
        network.head.bias -= logits.mean(dim=(0, 2, 3))
        network.head.weight *= 3
    save_weights(path, network.state_dict(), about)
    return path


@pytest.fixture(scope="session")
def predictor(weights: Path) -> Predictor:
    return Predictor.load(weights, device="cpu", precision="fp32", threads=1)


def picture(width: int = 60, height: int = 40, seed: int = 0) -> Image.Image:
    """A smooth colourful picture."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def jpeg(path: Path, **size: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(**size).save(path)
    return path


def opened(path: Path) -> Image.Image:
    """A picture whose file is closed again."""
    with Image.open(path) as image:
        image.load()
        return image


def run(
    predictor: Predictor, jobs: Sequence[Job], style: Style | None = None, batch_size: int = 4
) -> list[Outcome]:
    make_folders(jobs)
    return list(predict_files(jobs, predictor, style or Style(), batch_size=batch_size))


def sizes(outcomes: Sequence[Outcome]) -> list[tuple[int, int]]:
    return [result.size for _, result in outcomes if isinstance(result, Done)]


def plain(weights: Path, image: Image.Image) -> np.ndarray:
    """The same mask by the shortest way: one picture, nothing shared with the code under test."""
    network, about, _ = load_weights(weights)
    size = about["input"]["size"]
    small = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), np.float32) / 255
    x = torch.from_numpy((small - 0.5) / 0.25).permute(2, 0, 1)[None].contiguous()
    with torch.no_grad():
        logits = F.interpolate(network(x), (image.height, image.width), mode="bilinear")
    return logits.argmax(dim=1)[0].numpy()


# Geometry


@pytest.mark.parametrize("size", [(60, 40), (32, 32), (7, 5), (1, 1), (3, 500), (500, 3)])
def test_mask_is_that_of_a_plain_loop(
    predictor: Predictor, weights: Path, size: tuple[int, int]
) -> None:
    image = picture(*size)
    [mask] = masks_of(predictor, [image])
    assert mask.dtype == np.uint8
    assert mask.shape == (size[1], size[0])
    assert (mask == plain(weights, image)).mean() >= 0.999


def test_masks_hold_every_class(predictor: Predictor) -> None:
    """Otherwise the other tests would compare constant pictures."""
    [mask] = masks_of(predictor, [picture(200, 150)])
    assert set(np.unique(mask)) == {0, 1, 2}


def test_batch_gives_the_masks_of_single_pictures(predictor: Predictor) -> None:
    images = [picture(30 + 7 * n, 50 - 3 * n, seed=n) for n in range(7)]
    for one, image in zip(masks_of(predictor, images), images, strict=True):
        [alone] = masks_of(predictor, [image])
        assert (one == alone).mean() >= 0.999


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 70), st.integers(1, 70), st.integers(1, 9), st.integers(1, 9), st.integers(1, 90)
)
def test_strips_are_rows_of_the_resized_logits(
    height: int, width: int, h: int, w: int, strip: int
) -> None:
    logits = torch.randn(3, h, w, generator=torch.Generator().manual_seed(height * 71 + width))
    whole = F.interpolate(logits[None], (height, width), mode="bilinear")[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prediction_module, "STRIP", strip)
        probabilities = Prediction(logits, (height, width), CLASSES).probabilities()
    np.testing.assert_allclose(probabilities, whole.softmax(dim=0).numpy(), atol=2e-6)


def test_arrays_of_a_prediction_agree(predictor: Predictor) -> None:
    [prediction] = predictor.predict([picture(90, 70)])
    probabilities = prediction.probabilities()
    assert probabilities.shape == (3, 70, 90)
    assert (probabilities.argmax(axis=0) == prediction.mask).mean() > 0.999
    np.testing.assert_allclose(probabilities.max(axis=0), prediction.confidence, atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    assert prediction.shares == pytest.approx(
        {name: float((prediction.mask == k).mean()) for k, name in enumerate(CLASSES)}
    )


def test_tta_mirrors_with_the_picture(weights: Path) -> None:
    predictor = Predictor.load(weights, device="cpu", precision="fp32", threads=1, tta=True)
    image = picture(80, 60)
    flipped = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    one, other = masks_of(predictor, [image, flipped])
    assert (one == other[:, ::-1]).mean() > 0.999


def test_large_photo_needs_no_array_of_floats(predictor: Predictor) -> None:
    """24 megapixels: nothing of its size but the mask, and that in strips."""
    [small] = predictor.predict([picture(40, 40)])
    huge = Prediction(small.logits, (4000, 6000), CLASSES)
    assert max(strip.numel() for _, strip in huge.strips()) <= 3 * prediction_module.STRIP
    assert huge.mask.shape == (4000, 6000)


# Kinds of pictures


def test_exif_orientation_is_applied(predictor: Predictor, tmp_path: Path) -> None:
    upright = picture(60, 40)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side: turn right to see it upright
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "a.png", exif=exif)
    upright.save(tmp_path / "b.png")
    run(predictor, plan(find_inputs([str(tmp_path)]), Naming("_ids")).jobs, Style("ids"))
    turned, straight = (opened(tmp_path / f"{name}_ids.png") for name in "ab")
    assert turned.size == (60, 40)
    assert (np.asarray(turned) == np.asarray(straight)).all()


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("x.jpg", "RGB"),
        ("x.jpg", "L"),
        ("x.jpg", "CMYK"),
        ("x.png", "L"),
        ("x.png", "P"),
        ("x.png", "RGBA"),
        ("x.png", "1"),
        ("x.png", "I;16"),
        ("x.webp", "RGB"),
        ("x.bmp", "RGB"),
        ("x.tif", "RGB"),
        ("x.TIFF", "I;16"),
        ("x.gif", "P"),
    ],
)
def test_every_kind_is_read(predictor: Predictor, tmp_path: Path, name: str, mode: str) -> None:
    image = picture(60, 40)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    else:
        image = image.convert(mode)
    frames = {"save_all": True, "append_images": [picture(60, 40, seed=9)]}
    image.save(tmp_path / name, **(frames if name.endswith("gif") else {}))
    jobs = plan(find_inputs([str(tmp_path)]), Naming("_mask")).jobs
    [outcome] = run(predictor, jobs)
    assert sizes([outcome]) == [(40, 60)]
    if mode in ("RGB", "L", "P") and not name.endswith(("jpg", "webp")):
        [first] = masks_of(predictor, [image.convert("RGB")])
        assert (np.asarray(opened(tmp_path / "x_mask.png")) == first).mean() > 0.99
    if mode == "I;16":
        gray = masks_of(predictor, [picture(60, 40).convert("L").convert("RGB")])[0]
        assert (np.asarray(opened(tmp_path / "x_mask.png")) == gray).all()


def test_predict_mask_takes_files_bytes_and_pictures(
    weights: Path, predictor: Predictor, tmp_path: Path
) -> None:
    image = picture()
    image.save(tmp_path / "pet.png")
    path = tmp_path / "pet.png"
    expected = masks_of(predictor, [image])[0]
    for source in (path, str(path), path.read_bytes(), image, image.convert("RGBA")):
        made = predict_mask(source, weights=weights, device="cpu")
        assert (made.mask == expected).mean() > 0.97  # the machine may choose bf16


# Formats


@pytest.fixture
def prediction() -> Prediction:
    """Two rows of pixels that are surely pet, background and border, from left to right."""
    logits = torch.full((3, 2, 3), -20.0)
    for column in range(3):
        logits[column, :, column] = 20
    return Prediction(logits, (2, 3), CLASSES)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    Image.new("RGB", (3, 2), (200, 100, 50)).save(tmp_path / "in.png")
    return Job(tmp_path / "in.png", tmp_path / "out.png", tmp_path / "sure.png")


def written(job: Job, prediction: Prediction, style: Style) -> Image.Image:
    write_outputs(job, prediction, style)
    assert job.output is not None
    return opened(job.output)


def test_color_is_a_palette_of_ids(job: Job, prediction: Prediction) -> None:
    image = written(job, prediction, Style())
    assert image.mode == "P"
    assert np.asarray(image).tolist() == [[0, 1, 2]] * 2
    assert list(image.getpalette() or [])[:9] == palette_bytes(3)


def test_ids_and_binary(job: Job, prediction: Prediction) -> None:
    image = written(job, prediction, Style("ids"))
    assert image.mode == "L"
    assert np.asarray(image)[0].tolist() == [0, 1, 2]
    image = written(job, prediction, Style("binary"))
    assert image.mode == "L"
    assert np.asarray(image)[0].tolist() == [255, 0, 0]
    image = written(job, prediction, Style("binary", include_border=True))
    assert np.asarray(image)[0].tolist() == [255, 0, 255]


def test_overlay_tints_all_but_the_background(job: Job, prediction: Prediction) -> None:
    pixels = np.asarray(written(job, prediction, Style("overlay")))
    assert pixels.shape == (2, 3, 3)
    assert pixels[0, 1].tolist() == [200, 100, 50]
    assert pixels[0, 0].tolist() != [200, 100, 50] != pixels[0, 2].tolist()


def test_cutout_has_soft_alpha(job: Job, prediction: Prediction) -> None:
    image = written(job, prediction, Style("cutout"))
    assert image.mode == "RGBA"
    assert np.asarray(image)[0].tolist() == [
        [200, 100, 50, 255],
        [200, 100, 50, 0],
        [200, 100, 50, 128],
    ]


def test_cutout_on_a_background(job: Job, prediction: Prediction, tmp_path: Path) -> None:
    image = written(job, prediction, Style("cutout", background=read_background("#00ff00")))
    assert image.mode == "RGB"
    assert np.asarray(image)[0, :2].tolist() == [[200, 100, 50], [0, 255, 0]]
    Image.new("RGB", (50, 9), (1, 2, 3)).save(tmp_path / "back.png")
    background = read_background(str(tmp_path / "back.png"))
    image = written(job, prediction, Style("cutout", background=background))
    assert np.asarray(image)[0, :2].tolist() == [[200, 100, 50], [1, 2, 3]]


def test_a_background_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a picture nor a colour"):
        read_background("no-such")
    (tmp_path / "x.png").write_bytes(b"no")
    with pytest.raises(UsageError, match="--background"):
        read_background(str(tmp_path / "x.png"))


def test_confidence_is_gray(job: Job, prediction: Prediction) -> None:
    done = write_outputs(job, prediction, Style(certainty=True))
    assert done.mean_confidence == pytest.approx(1)
    assert job.confidence is not None
    image = opened(job.confidence)
    assert image.mode == "L"
    assert (np.asarray(image) == 255).all()


def test_classes_without_a_pet() -> None:
    logits = torch.tensor([[[5.0, 0.0]], [[0.0, 5.0]]])
    cells = Prediction(logits, (1, 2), ("background", "cell"))
    image = FORMATS["binary"](Job(b"", None), cells, Style("binary"))
    assert np.asarray(image).tolist() == [[0, 255]]
    check_format("color", ("background",))
    with pytest.raises(UsageError, match="needs a class"):
        check_format("binary", ("background", "border"))


# Inputs and names


def names(jobs: Sequence[Job], root: Path) -> list[str]:
    return [str(job.output.relative_to(root)) for job in jobs if job.output is not None]


def test_folders_patterns_and_files(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "sub/c.jpg", "notes.txt", ".hidden.jpg", "odd.dat"):
        jpeg(tmp_path / "f" / name) if name.endswith("jpg") else None
        path = tmp_path / "f" / name
        path.touch()
    folder = tmp_path / "f"

    def names_of(*paths: str, recursive: bool = False) -> list[str]:
        items = find_inputs([str(folder / p) for p in paths], recursive=recursive)
        return [str(item.path.relative_to(folder)) for item in items]

    assert names_of("") == ["a.PNG", "b.jpg"]
    assert names_of("", recursive=True) == ["a.PNG", "b.jpg", str(Path("sub/c.jpg"))]
    assert names_of("*.jpg") == ["b.jpg"]
    assert names_of("**/*.jpg") == ["b.jpg", str(Path("sub/c.jpg"))]
    assert names_of("odd.dat", "b.jpg", "") == ["odd.dat", "b.jpg", "a.PNG"]


def test_nothing_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        find_inputs([str(tmp_path / "missing.jpg")])
    with pytest.raises(UsageError, match="no pictures in this folder"):
        find_inputs([str(tmp_path)])
    with pytest.raises(UsageError, match="no pictures match"):
        find_inputs([str(tmp_path / "*.jpg")])


def test_a_name_with_brackets_is_no_pattern(tmp_path: Path) -> None:
    path = jpeg(tmp_path / "pet[1].jpg")
    assert [item.path for item in find_inputs([str(path)])] == [path]


def test_default_names(tmp_path: Path) -> None:
    for name in ("pet.jpg", "pet.png", "dog.jpg"):
        jpeg(tmp_path / name)
    jobs = plan(find_inputs([str(tmp_path)]), Naming("_mask")).jobs
    assert names(jobs, tmp_path) == ["dog_mask.png", "pet.jpg_mask.png", "pet.png_mask.png"]


def test_out_keeps_sub_folders(tmp_path: Path) -> None:
    for name in ("in/a.jpg", "in/x/a.jpg", "in/x/y/b.jpg"):
        jpeg(tmp_path / name)
    naming = Naming("_mask", tmp_path / "out")
    expected = ["out/a_mask.png", "out/x/a_mask.png", "out/x/y/b_mask.png"]
    for text in ("in", "in/**/*.jpg"):
        jobs = plan(find_inputs([str(tmp_path / text)], recursive=True), naming).jobs
        assert [Path(n).as_posix() for n in names(jobs, tmp_path)] == expected


def test_equal_names_from_two_folders_are_numbered(tmp_path: Path) -> None:
    files = [str(jpeg(tmp_path / d / "a.jpg")) for d in ("x", "y")]
    for overwrite in (False, True):
        naming = Naming("_mask", tmp_path / "out", overwrite=overwrite)
        jobs = plan(find_inputs(files), naming).jobs
        assert [job.output.name for job in jobs if job.output] == ["a_mask.png", "a_mask-2.png"]


def test_existing_outputs_are_kept_replaced_or_skipped(tmp_path: Path) -> None:
    inputs = find_inputs([str(jpeg(tmp_path / "a.jpg")), str(jpeg(tmp_path / "b.jpg"))])
    (tmp_path / "a_mask.png").touch()
    (tmp_path / "a_mask-2.png").touch()
    assert names(plan(inputs, Naming("_mask")).jobs, tmp_path) == ["a_mask-3.png", "b_mask.png"]
    replaced = plan(inputs, Naming("_mask", overwrite=True)).jobs
    assert names(replaced, tmp_path) == ["a_mask.png", "b_mask.png"]
    left = plan(inputs, Naming("_mask", skip_done=True))
    assert names(left.jobs, tmp_path) == ["b_mask.png"]
    assert left.skipped == [tmp_path / "a.jpg"]


def test_mask_and_confidence_have_the_same_number(tmp_path: Path) -> None:
    inputs = find_inputs([str(jpeg(tmp_path / "a.jpg"))])
    (tmp_path / "a_confidence.png").touch()
    [job] = plan(inputs, Naming("_mask", confidence=True)).jobs
    assert job == Job(
        tmp_path / "a.jpg", tmp_path / "a_mask-2.png", tmp_path / "a_confidence-2.png"
    )


def test_an_input_is_never_replaced(tmp_path: Path) -> None:
    files = [str(jpeg(tmp_path / name)) for name in ("dog.jpg", "dog_mask.png")]
    jobs = plan(find_inputs(files), Naming("_mask", overwrite=True)).jobs
    assert names(jobs, tmp_path) == ["dog_mask-2.png", "dog_mask_mask.png"]
    own = Naming("_mask", tmp_path / "dog_mask.png", overwrite=True)
    with pytest.raises(UsageError, match="its own input"):
        plan(find_inputs(files[1:]), own)


def test_out_as_one_file(tmp_path: Path) -> None:
    files = [str(jpeg(tmp_path / name)) for name in ("a.jpg", "b.jpg")]
    naming = Naming("_mask", tmp_path / "m.png", confidence=True)
    assert plan(find_inputs(files[:1]), naming).jobs == [
        Job(tmp_path / "a.jpg", tmp_path / "m.png", tmp_path / "m_confidence.png")
    ]
    with pytest.raises(UsageError, match="give a folder"):
        plan(find_inputs(files), naming)
    (tmp_path / "m.png").touch()
    with pytest.raises(UsageError, match="exists already"):
        plan(find_inputs(files[:1]), naming)
    assert plan(find_inputs(files[:1]), Naming("_mask", tmp_path / "m.png", overwrite=True)).jobs
    for out in ("m.jpg", "a.jpg"):
        with pytest.raises(UsageError, match="outputs are PNG"):
            plan(find_inputs(files[:1]), Naming("_mask", tmp_path / out))


def test_a_pipe_has_no_second_output(tmp_path: Path) -> None:
    assert plan_bytes(lambda: b"x", Naming("_mask")).jobs == [Job(b"x", None)]
    with pytest.raises(UsageError, match="--out"):
        plan_bytes(lambda: b"x", Naming("_mask", confidence=True))
    [job] = plan_bytes(lambda: b"x", Naming("_mask", tmp_path)).jobs
    assert job.output == tmp_path / "stdin_mask.png"


# Whole folders


def test_a_second_run_does_not_take_its_own_outputs(predictor: Predictor, tmp_path: Path) -> None:
    jpeg(tmp_path / "a.png")
    jpeg(tmp_path / "b_mask.png")  # a photo that merely has such a name
    for suffix, format_ in (("_mask", "color"), ("_cutout", "cutout"), ("_overlay", "overlay")):
        naming = Naming(suffix, confidence=True)
        run(predictor, plan(find_inputs([str(tmp_path)]), naming).jobs, Style(format_))
        for pattern in (tmp_path, tmp_path / "*.png"):
            taken = [item.path.name for item in find_inputs([str(pattern)])]
            assert taken == ["a.png", "b_mask.png"]
    assert find_inputs([str(tmp_path / "a_mask.png")])  # named, so taken


def test_damaged_pictures_are_skipped_and_named(predictor: Predictor, tmp_path: Path) -> None:
    whole = jpeg(tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "c.jpg").write_bytes(b"")
    (tmp_path / "d.png").write_bytes(b"no picture")
    jpeg(tmp_path / "e.jpg")
    jobs = plan(find_inputs([str(tmp_path)]), Naming("_mask")).jobs
    outcomes = run(predictor, jobs, batch_size=2)
    assert [isinstance(result, PictureError) for _, result in outcomes] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert [job for job, _ in outcomes] == jobs
    assert sorted(p.name for p in tmp_path.glob("*_mask*")) == ["a_mask.png", "e_mask.png"]


def test_outcomes_keep_their_order(predictor: Predictor, tmp_path: Path) -> None:
    for number in range(11):
        jpeg(tmp_path / f"{number:02}.jpg", width=20 + number, height=31 - number, seed=number)
    jobs = plan(find_inputs([str(tmp_path)]), Naming("_ids", tmp_path / "out")).jobs
    for batch_size in (1, 3, 50):
        outcomes = run(predictor, jobs, Style("ids"), batch_size=batch_size)
        assert sizes(outcomes) == [(31 - n, 20 + n) for n in range(11)]
    assert run(predictor, []) == []


def test_stopping_finishes_what_has_begun(predictor: Predictor, tmp_path: Path) -> None:
    for number in range(9):
        jpeg(tmp_path / f"{number}.jpg")
    jobs = plan(find_inputs([str(tmp_path)]), Naming("_mask")).jobs
    asked = iter([False, False, True])
    outcomes = predict_files(
        jobs,
        predictor,
        Style(),
        batch_size=2,
        stop=lambda: next(asked),
    )
    assert len(list(outcomes)) == 4
    assert len(list(tmp_path.glob("*_mask.png"))) == 4


def test_a_full_disk_ends_the_work(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(job: Job, made: Prediction, style: Style) -> Done:
        raise WorkFailed("disk full")

    monkeypatch.setattr(pipeline, "write_outputs", full)
    jobs = [Job(jpeg(tmp_path / "a.jpg"), tmp_path / "m.png")]
    with pytest.raises(WorkFailed):
        list(predict_files(jobs, predictor, Style()))


def test_a_picture_that_changes_meanwhile_fails(job: Job) -> None:
    other = Prediction(torch.zeros(3, 4, 4), (9, 9), CLASSES)
    with pytest.raises(PictureError, match="changed"):
        write_outputs(job, other, Style("overlay"))


# The command


def command(*words: object, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    return forked("predict-mask", *map(str, words), cwd=cwd)


def test_command_with_json(weights: Path, tmp_path: Path) -> None:
    whole = jpeg(tmp_path / "in" / "a.jpg").read_bytes()
    (tmp_path / "in" / "b.jpg").write_bytes(whole[:200])
    made = command(
        "in", "--weights", weights, "--out", "out", "--confidence", "--json", cwd=tmp_path
    )
    assert made.returncode == 1, made.stderr
    document = json.loads(made.stdout)
    [result] = document["results"]
    assert result["input"] == str(Path("in/a.jpg"))
    assert result["output"] == str(Path("out/a_mask.png"))
    assert sum(result["share"].values()) == pytest.approx(1)
    assert set(result["share"]) == set(CLASSES)
    assert 1 / 3 <= result["mean_confidence"] <= 1
    assert [failure["input"] for failure in document["failures"]] == [str(Path("in/b.jpg"))]
    assert opened(tmp_path / "out" / "a_confidence.png").size == (60, 40)
    assert b"Traceback" not in made.stderr
    assert "1 of 2 done, 1 failed" in made.stderr.decode().splitlines()[-1]


def test_command_through_a_pipe(weights: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    picture(30, 20).save(buffer, "PNG")
    made = netlab(
        "predict-mask", "-", "--weights", weights, "--format", "ids",
        cwd=tmp_path, stdin=buffer.getvalue(),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    image = Image.open(io.BytesIO(made.stdout))
    assert (image.mode, image.size) == ("L", (30, 20))
    assert list(tmp_path.iterdir()) == []


def test_command_twice_then_the_rest(weights: Path, tmp_path: Path) -> None:
    jpeg(tmp_path / "pet.jpg")
    first = command("pet.jpg", "--weights", weights, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stdout.decode().split() == ["pet_mask.png"]
    second = command(".", "--weights", weights, cwd=tmp_path)
    assert second.stdout.decode().split() == ["pet_mask-2.png"]
    third = command("*.*", "--weights", weights, "--skip-done", cwd=tmp_path)
    assert third.returncode == 0, third.stderr
    assert third.stdout == b""
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pet.jpg", "missing.jpg"], "missing.jpg: no such file"),
        (["pet.jpg", "--format", "colour"], "Did you mean 'color'"),
        (["pet.jpg", "--background", "red"], "--background goes with"),
        (["pet.jpg", "--include-border"], "--include-border goes with"),
        (["pet.jpg", "--overwrite", "--skip-done"], "contradict"),
        (["-", "pet.jpg"], "goes alone"),
        (["-", "--json"], "give --out"),
        (["pet.jpg", "--format", "cutout", "--background", "nix"], "neither a picture"),
    ],
)
def test_wrong_use_writes_nothing(
    weights: Path,
    tmp_path: Path,
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from netlab.cli.main import main

    jpeg(tmp_path / "pet.jpg")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["predict-mask", *words, "--weights", str(weights)])
    assert ended.value.code == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert message in errors[0]
    assert [path.name for path in tmp_path.iterdir()] == ["pet.jpg"]


def test_outputs_named_by_a_shell_s_pattern_are_left_out(
    predictor: Predictor, tmp_path: Path
) -> None:
    photo = jpeg(tmp_path / "a.jpg")
    run(predictor, plan(find_inputs([str(photo)]), Naming("_mask")).jobs, Style("color"))
    both = [str(p) for p in sorted(tmp_path.iterdir())]
    assert len(both) == 2
    assert [item.path for item in find_inputs(both)] == [photo]
    twice = [both[1]] * 2
    assert len(find_inputs(twice)) == 1, "named alone, it is taken"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_thousand_pictures_some_damaged_killed_half_way_and_finished(
    weights: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    for index in range(1000):
        path = jpeg(folder / f"{index:04}.jpg", width=20, height=16, seed=index)
        if index % 20 == 7:
            path.write_bytes(path.read_bytes()[: 100 + index % 3])
    words = ["predict-mask", "in", "--out", "out", "--weights", str(weights), "--skip-done"]
    started = [sys.executable, "-m", "netlab", *words]
    with subprocess.Popen(started, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        while len(list(out.glob("*.png"))) < 200:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    done = {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert 200 <= len(done) < 950
    assert all(opened(path).size == (20, 16) for path in done)  # whole, or not there
    rest = command(*words[1:], cwd=tmp_path)
    assert rest.returncode == 1
    assert len(list(out.glob("*.png"))) == 950
    assert all(path.stat().st_mtime_ns == time_ for path, time_ in done.items())
    named = re.findall(r"^.*in/(\d{4})\.jpg: .+$", rest.stderr.decode(), re.MULTILINE)
    assert sorted(named) == [f"{i:04}" for i in range(7, 1000, 20)]
