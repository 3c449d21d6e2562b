"""Disturbances of pictures: what each does, by a second method, and what they derive from."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from netlab.layers.disturb import TESTS, add_noise, disturb, disturb_alike, jpeg, mean_filter

CHANNELS = (1, 3)


def pictures(count: int = 4, channels: int = 3, size: int = 12, seed: int = 0) -> Tensor:
    """Levels of 8 bits, (N, C, S, S) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, channels, size, size), generator=generator) / 255


def changed(images: Tensor, share: float, *, seed: int = 0, epoch: int = 0) -> Tensor:
    return disturb(images, share, seed=seed, epoch=epoch, indices=np.arange(len(images)))


def moved(before: Tensor, after: Tensor) -> NDArray[np.bool_]:
    """Which pictures are not what they were."""
    different: NDArray[np.bool_] = (before != after).flatten(1).any(dim=1).numpy()
    return different


def test_the_contract_s_disturbances_are_there() -> None:
    assert list(TESTS) == ["mean_filter_3", "noise_8", "jpeg_75"]


@pytest.mark.parametrize("name", TESTS)
@pytest.mark.parametrize("channels", CHANNELS)
def test_every_disturbance_keeps_shape_and_range_and_repeats_itself(
    name: str, channels: int
) -> None:
    images = pictures(channels=channels)
    before = images.clone()
    out = TESTS[name](images)
    assert torch.equal(images, before), "the pictures themselves stay"
    assert out.shape == images.shape
    assert out.dtype == images.dtype
    assert float(out.min()) >= 0
    assert float(out.max()) <= 1
    assert moved(images, out).all()
    assert torch.equal(out, TESTS[name](images))


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("channels", CHANNELS)
def test_mean_filter_is_the_mean_of_the_neighbours(side: int, channels: int) -> None:
    images = pictures(2, channels, 7)
    pad = side // 2
    wide = np.pad(images.numpy(), ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode="edge")
    expected = np.empty(images.shape, np.float32)
    for y in range(7):
        for x in range(7):
            expected[:, :, y, x] = wide[:, :, y : y + side, x : x + side].mean(axis=(2, 3))
    np.testing.assert_allclose(mean_filter(images, side), expected, atol=1e-6)
    assert torch.equal(TESTS["mean_filter_3"](images), mean_filter(images))


def test_noise_has_its_standard_deviation_and_is_clipped() -> None:
    gray = torch.linspace(0.4, 0.6, 20).view(-1, 1, 1, 1).expand(-1, 1, 50, 50)
    noise = TESTS["noise_8"](gray) - gray
    assert float(noise.std()) == pytest.approx(8 / 255, rel=0.02)
    assert float(noise.mean()) == pytest.approx(0, abs=1e-3)
    apart = np.corrcoef(noise.flatten(1).numpy()) - np.eye(20)
    assert np.abs(apart).max() < 0.1, "each picture has its own"
    assert torch.equal(TESTS["noise_8"](gray[3:5]) - gray[3:5], noise[3:5]), "whatever its batch"
    black = add_noise(torch.zeros(1, 1, 50, 50), 0.1, torch.Generator().manual_seed(0))
    assert float((black == 0).float().mean()) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("channels", CHANNELS)
def test_jpeg_is_that_of_pillow(channels: int) -> None:
    images = pictures(3, channels, 24)
    qualities = np.array([10, 75, 95])
    found = jpeg(images, qualities)
    for image, quality, out in zip(images, qualities, found, strict=True):
        pixels = (image * 255).round().byte().permute(1, 2, 0).numpy()
        buffer = io.BytesIO()
        Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(
            buffer, "JPEG", quality=int(quality)
        )
        again = np.asarray(Image.open(buffer)).reshape(24, 24, channels)
        assert (again == (out * 255).round().byte().permute(1, 2, 0).numpy()).all()
    errors = (found - images).square().mean(dim=(1, 2, 3)).tolist()
    assert errors == sorted(errors, reverse=True), "more quality, less error"
    assert torch.equal(jpeg(images, 75)[1], found[1])


@given(st.integers(0, 1000), st.integers(0, 50))
@settings(max_examples=10, deadline=None)
def test_disturb_derives_from_seed_epoch_and_indices(seed: int, epoch: int) -> None:
    images = pictures(60, 1, 8)
    out = changed(images, 0.5, seed=seed, epoch=epoch)
    torch.manual_seed(seed + 7)
    assert torch.equal(out, changed(images, 0.5, seed=seed, epoch=epoch))
    assert (moved(images, out) != moved(images, changed(images, 0.5, seed=seed + 1))).any()
    assert (moved(images, out) != moved(images, changed(images, 0.5, epoch=epoch + 1))).any()


def test_which_pictures_are_disturbed_does_not_depend_on_the_batch() -> None:
    images = pictures(200, 1, 8)
    whole = moved(images, changed(images, 0.5, epoch=3))
    chosen = np.random.default_rng(0).permutation(200)[:50]
    some = disturb(images[chosen], 0.5, seed=0, epoch=3, indices=chosen)
    assert (moved(images[chosen], some) == whole[chosen]).all()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 1.0])
@pytest.mark.parametrize("channels", CHANNELS)
def test_about_the_share_is_disturbed_and_stays_in_its_range(share: float, channels: int) -> None:
    images = pictures(600, channels, 8)
    before = images.clone()
    out = changed(images, share)
    assert torch.equal(images, before)
    assert float(out.min()) >= 0
    assert float(out.max()) <= 1
    assert moved(images, out).mean() == pytest.approx(
        share, abs=4 * (share * (1 - share) / 600) ** 0.5
    )


def test_each_kind_of_disturbance_is_a_third() -> None:
    """On a flat gray picture blur and JPEG leave nothing to see, noise does."""
    flat = torch.full((900, 1, 8, 8), 128 / 255)
    assert moved(flat, changed(flat, 0.9)).mean() == pytest.approx(0.3, abs=0.06)
    # Blur takes the mean of a neighbourhood, so that a checkerboard loses its contrast evenly.
    board = (torch.arange(8)[:, None] + torch.arange(8)) % 2 * 0.8 + 0.1
    out = changed(board.expand(900, 1, 8, 8).clone(), 0.9)[:, 0, 2:-2, 2:-2]
    spread = out[:, ::2, ::2].flatten(1).std(dim=1)
    even = (spread < 1e-6) & ((out[:, 0, 0] - board[0, 0]).abs() > 0.01)
    assert float(even.float().mean()) == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("channels", CHANNELS)
def test_disturb_alike_passes_a_gradient(channels: int) -> None:
    images = pictures(8, channels).requires_grad_()
    generator = torch.Generator().manual_seed(0)
    out = disturb_alike(images, 0.5, generator)
    assert out.shape == images.shape
    out.sum().backward()
    assert images.grad is not None
    inner = images.grad[:, :, 4:-4, 4:-4]
    torch.testing.assert_close(inner, torch.ones_like(inner))  # each pixel goes somewhere, whole
    assert torch.equal(disturb_alike(images, 0.0, generator), images)


def test_disturb_alike_moves_by_whole_pixels_and_blurs_about_the_share() -> None:
    spot = torch.zeros(400, 1, 11, 11)
    spot[:, :, 5, 5] = 1
    flat = torch.full_like(spot, 0.5)
    for seed in range(5):
        generators = [torch.Generator().manual_seed(seed) for _ in range(2)]
        out, noise = (
            disturb_alike(x, 0.3, g) for x, g in zip((spot, flat), generators, strict=True)
        )
        quiet = out - (noise - 0.5)  # the same noise on both
        places = quiet.flatten(1).argmax(dim=1)
        y, x = divmod(int(places[0]), 11)
        assert (places == places[0]).all(), "all are moved alike"
        assert max(abs(y - 5), abs(x - 5)) <= 2
        peak = quiet.flatten(1).amax(dim=1)
        assert float((peak < 0.999).float().mean()) == pytest.approx(0.3, abs=0.1)
        noisy = (noise - 0.5).flatten(1).std(dim=1)
        assert float((noisy > 0).float().mean()) == pytest.approx(0.3, abs=0.1)
        assert float(noisy.max()) < 16 / 255 * 1.3


def test_disturb_alike_comes_from_its_generator_alone() -> None:
    images = pictures()
    first, again, other = (
        disturb_alike(images, 0.5, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
