"""The catalogue: what is listed exists, keeps its contract, and needs no central edit."""

import os
import subprocess
import sys
import textwrap
from importlib.metadata import EntryPoint, EntryPoints
from itertools import pairwise
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import pytest
import torch

from netlab import registry
from netlab.components import component, network_words, parts_of
from netlab.errors import ConfigError, UnknownComponent
from netlab.layers.blocks.conv import ConvBlock
from netlab.settings import Layer, defaults_of, merge, preset, recipe
from netlab.training.prepare import build_model
from netlab.weights.bundled import summaries as weights_summaries
from tests._docs_run import write_own_package
from tests.conftest import slow, tiny_config


def block(a: int, b: int) -> torch.nn.Module:
    return ConvBlock(a, b, norm=torch.nn.BatchNorm2d, activation=torch.nn.ReLU)


@pytest.mark.parametrize("kind", registry.FOLDERS)
def test_every_listed_component_can_be_imported_and_has_a_line(kind: str) -> None:
    assert registry.names(kind)
    for summary in registry.summaries(kind):
        assert registry.get(kind, summary.name)
        assert summary.text.endswith(".")
        assert len(summary.text) < 100


def test_names_that_the_contract_promises() -> None:
    assert {"maxpool", "strided"} <= set(registry.names("encoder"))
    assert {"transpose", "upsample"} <= set(registry.names("decoder"))
    assert {"unet", "vae", "classifier"} <= set(registry.names("architecture"))
    assert {"channel", "film"} <= set(registry.names("conditioning"))
    assert {"conv", "residual"} <= set(registry.names("block"))
    assert {"ce", "dice"} <= set(registry.names("loss"))
    assert {"bce", "mse", "kl"} <= set(registry.names("vae-term"))
    assert {"pets", "pairs", "synthetic"} <= set(registry.names("dataset"))
    assert {"mnist", "cifar10", "digits", "class-folder"} <= set(registry.names("dataset"))
    assert {"adam", "adamw"} <= set(registry.names("optimizer"))
    assert {"constant", "cosine", "onecycle"} <= set(registry.names("schedule"))


@pytest.mark.parametrize("arch", registry.names("architecture"))
def test_an_architecture_says_what_it_is_put_together_from(arch: str) -> None:
    config = merge({}, recipe(arch, [Layer("test", {"width": 4})]))
    about = {"classes": ["a", "b"], "input": {"channels": 3, "size": config.image_size}}
    factory = registry.get("task", registry.get("architecture", arch).task)
    with torch.device("meta"):
        network = factory.of_weights(config, about).build_network()
    parts = [name for name, _ in network.named_children() if name in registry.FOLDERS]
    assert parts_of(arch) == registry.get("architecture", arch).parts == tuple(parts)
    said = " + ".join(getattr(config, kind) for kind in parts)
    assert network_words(config.to_dict()) == f"{arch}: {said}"


def test_a_network_is_put_into_words_without_torch() -> None:
    code = (
        "import sys; from netlab.components import network_words as w; "
        "print(w({'arch': 'unet', 'encoder': 'a', 'bottleneck': 'b', 'decoder': 'c'}), "
        "'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "unet: a + b + c False"


GOOD_ENCODER = """
    from collections.abc import Sequence

    from torch import Tensor, nn

    from netlab import registry
    from netlab.components import component
    from netlab.config import TrainConfig
    from netlab.contracts.block import Block
    from netlab.registry import register


    @register("encoder")
    class Halving(nn.Module):
        def __init__(self, *, in_channels: int, widths: Sequence[int], block: Block) -> None:
            super().__init__()
            self.level = block(in_channels, widths[0])
            self.out_channels = (widths[0], widths[0])
            self.strides = (1, 2)

        def forward(self, x: Tensor) -> list[Tensor]:
            level: Tensor = self.level(x)
            return [level, level[..., ::2, ::2]]


    def channels(config: TrainConfig, block: Block) -> Sequence[int]:
        build = registry.get("encoder", "maxpool")
        return build(in_channels=3, widths=(4, 8), block=block).out_channels


    needs_skips: bool = component(TrainConfig(), "decoder").needs_skips
"""
BROKEN = {
    "forward gives one map": (
        ("-> list[Tensor]:\n            level: Tensor", "-> Tensor:\n            level: Tensor"),
        ("return [level, level[..., ::2, ::2]]", "return level"),
        "class Halving",
    ),
    "constructor lacks widths": (
        ("*, in_channels: int, widths: Sequence[int], block", "*, in_channels: int, block"),
        ("widths[0]", "8"),
        "class Halving",
    ),
    "strides are missing": (
        ("self.strides = (1, 2)", "pass"),
        ("", ""),
        "class Halving",
    ),
    "a builder is called wrongly": (
        ("widths=(4, 8), block=block", "widths=8, block=block"),
        ("", ""),
        "return build(",
    ),
    "what a component gives is of another type": (
        ("needs_skips: bool", "needs_skips: str"),
        ("", ""),
        "needs_skips: str",
    ),
    "a kind that does not exist": (
        ('@register("encoder")', '@register("encodr")'),
        ("", ""),
        '@register("encodr")',
    ),
}


@pytest.mark.slow
def test_mypy_refuses_what_breaks_a_contract_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    good, wanted = textwrap.dedent(GOOD_ENCODER), {}
    (tmp_path / "good.py").write_text(good)
    for index, (first, second, line) in enumerate(BROKEN.values()):
        text = textwrap.dedent(GOOD_ENCODER.replace(*first).replace(*second))
        assert text != good
        (tmp_path / f"broken_{index}.py").write_text(text)
        number = next(n for n, have in enumerate(text.split("\n"), 1) if line in have)
        wanted[f"broken_{index}.py"] = number
    names = ["__init__.py", *(path.name for path in write_own_package(tmp_path))]
    for path in [tmp_path / "src" / "netlab_own" / name for name in names]:
        path.touch()
        path.rename(tmp_path / f"own_{path.name}")
    words = [sys.executable, "-m", "mypy", "--strict", "--no-pretty", "--cache-dir", "mypy"]
    files = [path.name for path in sorted(tmp_path.glob("*.py"))]
    env = {**os.environ, "PYTHONPATH": str(Path(registry.__file__).parent.parent)}
    done = subprocess.run(
        [*words, *files], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    errors = [line.split(":")[:2] for line in done.stdout.splitlines() if ": error: " in line]
    assert {name: int(number) for name, number in errors} == wanted, done.stdout
    assert len(errors) == len(wanted), done.stdout


NETWORKS = [
    pytest.param(arch, kind, name, marks=[pytest.mark.slow] * (arch != "vae"))
    for arch in registry.names("architecture")
    for kind in (*parts_of(arch), "block", "norm", "activation")
    for name in registry.names(kind)
]


@pytest.mark.parametrize(("arch", "kind", "name"), NETWORKS)
def test_every_network_can_be_sent_to_another_process(arch: str, kind: str, name: str) -> None:
    """As a spawned worker gets it, or torch.save keeps it."""
    layers = [Layer("test", {"width": 4, "image_size": 16, kind: name})]
    network = build_model(merge({}, recipe(arch, layers))).eval()
    inputs = [torch.rand(2, 3, 16, 16)]
    inputs += [torch.nn.functional.one_hot(torch.tensor([0, 1]), 3).float()] * (arch == "vae")
    sent = ForkingPickler.loads(bytes(ForkingPickler.dumps(network)))
    with torch.inference_mode():
        torch.testing.assert_close(sent(*inputs), network(*inputs), rtol=0, atol=0)


@pytest.mark.parametrize("name", registry.names("encoder"))
def test_encoder_keeps_its_contract(name: str) -> None:
    encoder = registry.get("encoder", name)(in_channels=3, widths=(4, 8, 16), block=block)
    maps = encoder(torch.zeros(2, 3, 24, 40))
    assert [m.shape[1] for m in maps] == list(encoder.out_channels)
    assert [24 // m.shape[2] for m in maps] == list(encoder.strides)
    assert [40 // m.shape[3] for m in maps] == list(encoder.strides)
    assert all(a.shape[2] > b.shape[2] for a, b in pairwise(maps))


@pytest.mark.parametrize("name", registry.names("bottleneck"))
def test_bottleneck_keeps_its_contract(name: str) -> None:
    bottleneck = registry.get("bottleneck", name)(in_channels=6, out_channels=10, block=block)
    assert bottleneck(torch.zeros(2, 6, 3, 5)).shape == (2, bottleneck.out_channels, 3, 5)


@pytest.mark.parametrize("name", registry.names("decoder"))
def test_decoder_is_built_from_channels_and_strides_alone(name: str) -> None:
    # Strides that none of our encoders has: a factor of 4 in the middle.
    decoder = registry.get("decoder", name)(
        in_channels=12, skip_channels=(4, 6), strides=(1, 4, 8), block=block
    )
    skips = [torch.zeros(2, 4, 16, 24), torch.zeros(2, 6, 4, 6)]
    out = decoder(torch.zeros(2, 12, 2, 3), skips)
    assert out.shape == (2, decoder.out_channels, 16, 24)


@pytest.mark.parametrize("name", registry.names("decoder"))
def test_impossible_pairing_is_one_clear_line(name: str) -> None:
    with pytest.raises(ConfigError, match="multiple of the one before") as caught:
        registry.get("decoder", name)(
            in_channels=12, skip_channels=(4, 6), strides=(2, 3, 6), block=block
        )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["norm", "activation"])
def test_layers_keep_the_shape(kind: str) -> None:
    for name in registry.names(kind):
        layer = registry.get(kind, name)
        built = layer(6) if kind == "norm" else layer()
        assert built(torch.randn(2, 6, 1, 1)).shape == (2, 6, 1, 1) if kind != "norm" else True
        assert built(torch.randn(2, 6, 3, 4)).shape == (2, 6, 3, 4)


@pytest.mark.parametrize("name", registry.names("schedule"))
def test_schedule_stays_in_its_range_and_ends_low(name: str) -> None:
    schedule = registry.get("schedule", name)
    for steps, warmup in ((1, 0), (2, 1), (100, 10), (100, 0), (100, 90)):
        shares = [schedule(s, steps=steps, warmup=warmup) for s in range(steps)]
        assert all(0 < share <= 1 for share in shares)
    if name != "constant":
        assert max(shares) == pytest.approx(1)
        assert shares[-1] < 0.1


@pytest.mark.parametrize("name", registry.names("optimizer"))
def test_optimizer_takes_its_own_arguments_and_no_others(name: str) -> None:
    weights = [torch.nn.Parameter(torch.ones(2))]
    config = tiny_config(optimizer=name, parts={"optimizer": {"beta1": 0.5}})
    built = component(config, "optimizer")(weights, lr=0.1, weight_decay=0)
    assert built.param_groups[0]["betas"] == (0.5, 0.999)
    for wrong in ("betas", "lr_decay"):  # one of torch's class behind it, and one of none
        config = tiny_config(optimizer=name, parts={"optimizer": {wrong: 1}})
        with pytest.raises(ConfigError, match=f"'{name}' does not take {wrong}"):
            component(config, "optimizer")(weights, lr=0.1, weight_decay=0)


def losses_for(task: str) -> list[str]:
    return [name for name in registry.names("loss") if task in registry.get("loss", name).tasks]


def test_every_loss_is_for_a_task_that_exists() -> None:
    for name in registry.names("loss"):
        assert set(registry.get("loss", name).tasks) <= set(registry.names("task"))
    assert set(registry.names("loss")) == {
        name for task in registry.names("task") for name in losses_for(task)
    }


@pytest.mark.parametrize("name", losses_for("segmentation"))
def test_loss_falls_when_the_prediction_improves(name: str) -> None:
    target = torch.randint(0, 3, (2, 6, 6), generator=torch.Generator().manual_seed(0))
    term = registry.get("loss", name)(classes=3, class_weights=None)
    right = torch.nn.functional.one_hot(target, 3).movedim(-1, 1).float()
    losses = [float(term(scale * right, target)) for scale in (-5, 0, 1, 5, 30)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(
    ("encoder", "decoder", "weights"),
    [
        ("maxpool", "transpose", 7_703_107),
        ("strided", "transpose", 8_047_619),
        ("strided", "upsample", 7_531_523),
    ],
)
def test_lesson_networks_have_exactly_the_lesson_s_weights(
    encoder: str, decoder: str, weights: int
) -> None:
    parts = Layer("test", {"encoder": encoder, "decoder": decoder})
    config = merge({}, [defaults_of("unet"), preset("unet", "lesson"), parts])
    assert sum(p.numel() for p in build_model(config).parameters()) == weights


@pytest.mark.parametrize("encoder", registry.names("encoder"))
@pytest.mark.parametrize("decoder", registry.names("decoder"))
@pytest.mark.parametrize("stem", [1, *slow(2)])
def test_any_input_size_works(encoder: str, decoder: str, stem: int) -> None:
    config = tiny_config(encoder=encoder, decoder=decoder, stem=stem)
    network = build_model(config).eval()
    for height, width in ((1, 1), (3, 50), (37, 50), (32, 32)):
        with torch.inference_mode():
            logits = network(torch.randn(2, 3, height, width))
        assert logits.shape == (2, 3, height, width)
        assert logits.isfinite().all()


@pytest.mark.parametrize("decoder", registry.names("decoder"))
def test_channels_last_and_threads_change_nothing(decoder: str) -> None:
    """Transposed convolutions in this layout have had bugs that gave wrong results."""
    network = build_model(tiny_config(decoder=decoder, width=8)).eval()
    x = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        plain = network(x)
        fast = network.to(memory_format=torch.channels_last)(
            x.contiguous(memory_format=torch.channels_last)
        )
    torch.testing.assert_close(plain, fast, rtol=1e-4, atol=1e-5)


def test_upsample_before_or_after_its_convolution_is_the_same() -> None:
    conv = torch.nn.Conv2d(6, 3, kernel_size=1)
    up = torch.nn.Upsample(scale_factor=2, mode="bilinear")
    x = torch.randn(2, 6, 5, 7)
    torch.testing.assert_close(up(conv(x)), conv(up(x)), rtol=1e-4, atol=1e-5)


def test_unknown_names_get_the_nearest_and_the_list() -> None:
    with pytest.raises(UnknownComponent, match=r"Did you mean 'strided'.*Known: .*maxpool"):
        registry.get("encoder", "stridded")
    with pytest.raises(UnknownComponent, match="kind of component 'encodr'"):
        registry.names("encodr")


def test_plugins_come_from_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    here = "tests.test_registry"
    made = {"good": "PluginEncoder", "wrong": "NotAComponent", "gone": "Missing"}
    points = EntryPoints(
        EntryPoint(name, f"{here}:{value}", "netlab.encoder")
        for name, value in (made | {"maxpool": "PluginEncoder"}).items()
    )
    monkeypatch.setattr(registry, "installed", lambda: points)
    assert "good" in registry.names("encoder")
    assert registry.get("encoder", "good") is PluginEncoder
    assert registry.get("encoder", "maxpool") is not PluginEncoder, "our own names come first"
    with pytest.raises(UnknownComponent, match="is no encoder"):
        registry.get("encoder", "wrong")
    with pytest.raises(UnknownComponent, match="cannot be imported"):
        registry.get("encoder", "gone")


@registry.register("encoder")
class PluginEncoder:
    """Stands for a component of another package."""


class NotAComponent:
    """Lacks the decorator."""


def test_bundled_weights_are_listed_by_task_data_score_and_size() -> None:
    lines = dict(weights_summaries())
    assert (
        lines["unet-pets"] == "segmentation on pets; test mIoU 0.7563, 1,931,372 weights, 3.7 MiB"
    )
    assert "test accuracy" in lines["judge-mnist"]
    assert "test swap accuracy" in lines["vae-mnist"]
    assert all(len(line) < 100 for line in lines.values())
