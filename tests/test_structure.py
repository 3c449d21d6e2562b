"""Levels of networks: numbers worked out by hand, and those that torch's own counter finds."""

from collections.abc import Sequence
from importlib.metadata import EntryPoint, EntryPoints
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from netlab import registry
from netlab.config import TrainConfig
from netlab.contracts.structure import Level, Link, Structure
from netlab.errors import WeightsError
from netlab.inspect.structure import structure, structure_of
from netlab.settings import Layer, merge, recipe
from netlab.tasks.load import load
from tests.conftest import tiny_config

DATASETS = {"unet": "synthetic", "vae": "mnist", "classifier": "mnist"}
CHANNELS = {"unet": 3, "vae": 1, "classifier": 1}
CLASSES = 4


def build(arch: str, **parts: object) -> tuple[nn.Module, TrainConfig]:
    """A network without memory, of an architecture's own recipe with some parts changed."""
    small = {"dataset": DATASETS[arch], "width": 4, "image_size": 16, "threads": 1}
    config = merge({}, recipe(arch, [Layer("test", small | parts)]))
    names = [str(index) for index in range(CLASSES)]
    about = {"classes": names, "input": {"channels": CHANNELS[arch], "size": config.image_size}}
    task = registry.get("task", registry.get("architecture", arch).task)
    with torch.device("meta"):
        network: nn.Module = task.of_weights(config, about).build_network()
    return network.eval(), config


def measured(arch: str, **parts: object) -> tuple[nn.Module, Structure]:
    network, config = build(arch, **parts)
    return network, structure(network, CHANNELS[arch], config.image_size, CLASSES)


def assert_nothing_is_lost(network: nn.Module, found: Structure) -> None:
    """Weights as torch has them, multiply-adds as its own counter counts them."""
    assert found.weights == sum(p.numel() for p in network.parameters())
    inputs = [torch.zeros(2, *shape, device="meta") for _, shape in found.inputs]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    assert found.multiply_adds * 2 * 2 == counter.get_total_flops() > 0
    names = [level.name for level in found.levels]
    assert len(set(names)) == len(names)


def by_name(found: Structure) -> dict[str, Level]:
    return {level.name: level for level in found.levels}


def test_numbers_of_a_small_unet_by_hand() -> None:
    config = tiny_config(width=2, depth=1, image_size=8, norm="batch")
    from netlab.training.prepare import build_model

    found = structure(build_model(config), channels=3, size=8)
    # 3 × 3 convolutions at 8 × 8 and 4 × 4; a batch norm has two numbers a channel.
    assert found.levels == (
        Level("encoder 1", "encoder", (3, 8, 8), (2, 8, 8),
              (54 + 2) + 4 + (36 + 2) + 4, 64 * 54 + 64 * 36),
        Level("encoder 2", "encoder", (2, 8, 8), (2, 4, 4), 0, 0),
        Level("bottleneck", "bottleneck", (2, 4, 4), (4, 4, 4),
              (72 + 4) + 8 + (144 + 4) + 8, 16 * 72 + 16 * 144),
        Level("decoder", "decoder", (4, 4, 4), (2, 8, 8),
              (32 + 2) + (72 + 2) + 4 + (36 + 2) + 4, 16 * 32 + 64 * 72 + 64 * 36),
        Level("head", "head", (2, 8, 8), (3, 8, 8), 6 + 3, 64 * 6),
    )  # fmt: skip
    assert (found.weights, found.multiply_adds) == (505, 17_024)
    assert found.inputs == (("picture", (3, 8, 8)),)
    assert found.output == (3, 8, 8)
    assert found.skips == (Link("encoder 1", "decoder"),)
    assert found.links == (
        Link("picture", "encoder 1"),
        Link("encoder 1", "encoder 2"),
        Link("encoder 2", "bottleneck"),
        Link("bottleneck", "decoder"),
        Link("encoder 1", "decoder"),
        Link("decoder", "head"),
        Link("head", "output"),
    )


PARTS = list(
    product(registry.names("encoder"), registry.names("decoder"), registry.names("bottleneck"))
)


@pytest.mark.parametrize(("encoder", "decoder", "bottleneck"), PARTS)
def test_unets_of_all_parts(encoder: str, decoder: str, bottleneck: str) -> None:
    for stem, depth in ((1, 1), (2, 3), (3, 2), (1, 8)):
        parts = {"encoder": encoder, "decoder": decoder, "bottleneck": bottleneck}
        network, found = measured("unet", stem=stem, depth=depth, **parts)
        assert_nothing_is_lost(network, found)
        kinds = [level.kind for level in found.levels]
        assert kinds.count("decoder") == depth
        assert kinds.count("encoder") >= depth
        assert kinds.count("bottleneck") == kinds.count("head") == 1
        assert len(found.skips) == depth
        padded = -(-16 // (stem * 2**depth)) * 2**depth
        levels = by_name(found)
        for link in found.skips:
            assert levels[link.source].kind == "encoder"
            assert levels[link.target].kind == "decoder"
        sizes = [level.size for level in found.levels if level.kind == "decoder"]
        assert sizes == [(padded >> d, padded >> d) for d in reversed(range(depth))]
        assert found.output == (CLASSES, 16, 16)


@pytest.mark.parametrize("conditioning", registry.names("conditioning"))
@pytest.mark.parametrize(("encoder", "decoder", "bottleneck"), PARTS)
def test_vaes_of_all_parts(conditioning: str, encoder: str, decoder: str, bottleneck: str) -> None:
    parts = {"encoder": encoder, "decoder": decoder, "bottleneck": bottleneck}
    for stem, depth in ((1, 1), (2, 2)):
        network, found = measured(
            "vae", conditioning=conditioning, stem=stem, depth=depth, latent=6, **parts
        )
        assert_nothing_is_lost(network, found)
        levels = by_name(found)
        assert found.inputs == (("picture", (1, 16, 16)), ("label", (CLASSES,)))
        assert found.skips == ()
        assert levels["to posterior"].shape == (12,)
        assert levels["from latent"].takes == (6 + CLASSES,)
        assert Link("to posterior", "from latent") in found.links
        assert Link("conditioning", "encoder 1") in found.links
        assert Link("label", "from latent") in found.links


def test_film_reaches_each_level_of_the_decoder_and_channel_none() -> None:
    for conditioning, expected in (("film", {"decoder 1", "decoder 2"}), ("channel", set())):
        _, found = measured("vae", conditioning=conditioning, depth=2, stem=1)
        reached = {link.target for link in found.links if link.source == "label"}
        assert reached - {"conditioning", "from latent"} == expected


@pytest.mark.parametrize("encoder", registry.names("encoder"))
@pytest.mark.parametrize("bottleneck", registry.names("bottleneck"))
def test_classifiers_of_all_parts(encoder: str, bottleneck: str) -> None:
    for depth in (1, 3):
        network, found = measured("classifier", encoder=encoder, bottleneck=bottleneck, depth=depth)
        assert_nothing_is_lost(network, found)
        assert [level.kind for level in found.levels][-3:] == ["bottleneck", "neck", "head"]
        assert found.levels[-1].shape == found.output == (CLASSES,)


@settings(max_examples=15, deadline=None, derandomize=True, phases=[Phase.generate])
@given(data=st.data())
def test_nothing_is_lost_in_any_network(data: st.DataObject) -> None:
    def name(kind: str) -> str:
        return data.draw(st.sampled_from(registry.names(kind)))

    arch = name("architecture")
    kinds = ["encoder", "bottleneck", "block", "norm", "activation"]
    kinds += ["decoder"] * (arch != "classifier") + ["conditioning"] * (arch == "vae")
    parts: dict[str, object] = {kind: name(kind) for kind in kinds}
    parts |= {"depth": data.draw(st.integers(1, 5)), "width": data.draw(st.integers(1, 9))}
    parts |= {"stem": data.draw(st.integers(1, 4))} if arch != "classifier" else {}
    network, found = measured(arch, image_size=data.draw(st.integers(8, 40)), **parts)
    assert_nothing_is_lost(network, found)


# ------------------------------------------------------------------ parts of other packages


class Blurred(nn.Module):
    """An encoder that does much outside of its levels."""

    def __init__(self, *, in_channels: int, widths: Sequence[int], block: object) -> None:
        super().__init__()
        self.before = nn.Conv2d(in_channels, in_channels, kernel_size=1)
        self.gain = nn.Parameter(torch.ones(1, in_channels, 1, 1))
        sources = [in_channels, *widths[:-1]]
        self.levels = nn.ModuleList(block(a, b) for a, b in zip(sources, widths, strict=True))
        self.out_channels = (*widths, widths[-1])
        self.strides = tuple(2**level for level in range(len(widths) + 1))
        self.unused = nn.Linear(3, 5)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.before(x) * self.gain
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
            kernel = torch.ones(x.shape[1], 1, 2, 2, device=x.device) / 4
            x = F.conv2d(x, kernel, stride=2, groups=x.shape[1])
        return [*maps, x]


class Attention(nn.Module):
    """A bottleneck whose products are in no layer of its own."""

    def __init__(self, *, in_channels: int, out_channels: int, block: object) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.mix = nn.Conv2d(in_channels, out_channels, kernel_size=1)
        self.attention = nn.MultiheadAttention(out_channels, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mix(x)
        words = x.flatten(2).transpose(1, 2)
        read: Tensor = self.attention(words, words, words, need_weights=False)[0]
        return x + read.transpose(1, 2).reshape_as(x)


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.register("encoder")(Blurred)
    registry.register("bottleneck")(Attention)
    made = {"encoder": "Blurred", "bottleneck": "Attention"}
    points = EntryPoints(
        EntryPoint("other", f"tests.test_structure:{value}", f"netlab.{kind}")
        for kind, value in made.items()
    )
    monkeypatch.setattr(registry, "installed", lambda: points)


@pytest.mark.usefixtures("plugins")
def test_parts_of_other_packages_are_measured_alike() -> None:
    network, found = measured("unet", encoder="other", bottleneck="other", depth=2, stem=1)
    assert_nothing_is_lost(network, found)
    levels = by_name(found)
    # In front of the first level: a 1 × 1 convolution and the gain; behind the last: the unused.
    block = sum(p.numel() for p in network.encoder.levels[0].parameters())
    assert levels["encoder 1"].weights == block + (9 + 3) + 3
    last = sum(p.numel() for p in network.encoder.levels[1].parameters())
    assert levels["encoder 2"].weights == last + 20
    # The first halving, between the levels, is with the second; the second, behind it, as well.
    convs = 64 * (36 * 8 + 72 * 8)
    assert levels["encoder 2"].multiply_adds == convs + 4 * 8 * 8 * 4 + 8 * 4 * 4 * 4
    tokens, width = 16, 16
    attention = 4 * tokens * width**2 + 2 * tokens**2 * width
    assert levels["bottleneck"].multiply_adds == tokens * 8 * 16 + attention
    assert {link.target for link in found.skips} == {"decoder 1", "decoder 2"}


class Reader(nn.Module):
    """A network that is attention alone."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        words = x.flatten(2).transpose(1, 2)
        read: Tensor = self.attention(words, words, words, need_weights=False)[0]
        return read


def test_attention_that_torch_would_compute_in_one_piece() -> None:
    found = structure(Reader(), channels=8, size=4)  # on the CPU, where there are quicker ways
    assert found.weights == 4 * (64 + 8)
    # Queries, keys, values and what is read from them; then queries by keys, and shares by values.
    assert found.multiply_adds == 16 * 4 * 64 + 2 * 16 * 16 * 8


class Odd(nn.Module):
    """A network with weights and products outside of its parts, and a part that does not run."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 2, kernel_size=1)
        self.idle = nn.Linear(2, 2)
        self.matrix = nn.Parameter(torch.ones(64, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.first(x).flatten(2) @ self.matrix


def test_what_belongs_to_no_part_is_a_level_of_its_own() -> None:
    found = structure(Odd(), channels=1, size=8)
    levels = by_name(found)
    assert levels["other"] == Level("other", "other", (), (), 192, 2 * 64 * 3)
    assert levels["idle"] == Level("idle", "idle", (), (), 6, 0)
    assert (found.weights, found.multiply_adds) == (192 + 6 + 4, 384 + 128)
    assert Link("first", "output") in found.links


class Named(nn.Module):
    """Parts whose names would be those of other levels, and of the network's ends."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = Blurred(in_channels=1, widths=(2, 3), block=lambda a, b: nn.Conv2d(a, b, 1))
        self.conv_1, self.other = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1)
        self.output = nn.Conv2d(5, 6, 1)
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.other(self.conv_1(self.conv(x)[-1]))) * self.gain


def test_levels_of_one_name_are_numbered_on() -> None:
    network = Named()
    found = structure(network, channels=1, size=8)
    assert_nothing_is_lost(network.to("meta"), found)
    names = ["conv 1", "conv 2", "conv 1 1", "other", "output 1", "other 1"]
    assert [level.name for level in found.levels] == names


def test_numbers_do_not_depend_on_the_caller_s_mode() -> None:
    network = Reader()
    found = structure(network, channels=8, size=4)
    with torch.inference_mode():
        assert structure(network, channels=8, size=4) == found


def test_a_network_is_left_as_it_was() -> None:
    config = tiny_config(norm="batch")
    from netlab.training.prepare import build_model

    network = build_model(config).train()
    network.head.eval()
    kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    structure(network, 3, 32)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in network.state_dict().items())
    assert network.training
    assert not network.head.training
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("unet-pets", {"encoder", "bottleneck", "decoder", "head"}),
        ("judge-mnist", {"encoder", "bottleneck", "neck", "head"}),
    ],
)
def test_bundled_weights(name: str, parts: set[str]) -> None:
    loaded = load(name)
    found = structure_of(loaded)
    assert {level.kind for level in found.levels} == parts
    assert found.weights == loaded.about["weights"]
    with pytest.raises(WeightsError, match="do not say what pictures"):
        structure_of(loaded._replace(about={"classes": []}))
