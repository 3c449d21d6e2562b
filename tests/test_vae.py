"""Conditional VAE: its parts keep their contracts, its terms have the values of their formulas."""

import math
from dataclasses import replace
from itertools import pairwise, permutations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Laplace, Normal, kl_divergence

from netlab import registry
from netlab.config import TrainConfig
from netlab.contracts.dataset import DataRequest
from netlab.contracts.vae_term import Posterior, VaeStep
from netlab.data.digits import Digits
from netlab.errors import ConfigError
from netlab.expressions import parse_sum
from netlab.layers.blocks.conv import ConvBlock
from netlab.layers.reader import frozen
from netlab.settings import Layer, merge, recipe
from netlab.tasks.vae.step import draw_wrong, vae_step
from netlab.tasks.vae.task import ConditionalVae, in_order
from netlab.training.loop import train_epoch
from netlab.training.prepare import build_model, prepare, settle
from netlab.vae_terms.kl import kl_nats
from tests.conftest import tiny_labelled

CLASSES = ("a", "b", "c", "d", "e")
KINDS, SIZE, LATENT = len(CLASSES), 16, 4
TERMS = registry.names("vae-term")
LIKELIHOODS = [name for name in TERMS if hasattr(registry.get("vae-term", name), "nats")]
HELPED = [name for name in TERMS if hasattr(registry.get("vae-term", name), "helper_loss")]
SMALL_HELPERS = {
    "adversary": {"hidden": 8},
    "dependence": {"features": 16},
    "swap-class": {"width": 4},
}


def config_of(**changes: object) -> TrainConfig:
    return tiny_labelled("vae", **{"image_size": SIZE, "latent": LATENT} | changes)


def plain_block(a: int, b: int) -> nn.Module:
    return ConvBlock(a, b, norm=nn.BatchNorm2d, activation=nn.ReLU)


def drawn_digits(count: int, size: int = SIZE) -> tuple[Tensor, Tensor]:
    """Pictures (N, 1, S, S) in [0, 1] and labels (N,)."""
    data = Digits().load(DataRequest(split="train", image_size=size, limit=count))
    images = torch.from_numpy(data.images).permute(0, 3, 1, 2).float() / 255
    return images, torch.from_numpy(data.labels)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def term_of(name: str, channels: int = 1, **more: Any) -> Any:
    built = {"classes": KINDS, "channels": channels, "size": SIZE, "latent": LATENT}
    return registry.get("vae-term", name)(**built, **SMALL_HELPERS.get(name, {}) | more)


def network_of(likelihood: str = "bce", channels: int = 1) -> Any:
    """An untrained network in training mode."""
    return build_model(config_of(loss=f"{likelihood}+kl"), KINDS, channels).train()


def step_of(
    *terms: Any,
    network: Any = None,
    likelihood: str = "bce",
    channels: int = 1,
    count: int = 6,
    done: float = 1.0,
    generator: torch.Generator | None = None,
) -> VaeStep:
    """A pass over random pictures, with what some terms need; of an untrained network, if none."""
    images = torch.rand(count, channels, SIZE, SIZE, generator=seeded(1))
    labels = torch.arange(count) % KINDS
    network = network or network_of(likelihood, channels)
    return vae_step(
        network,
        term_of(likelihood, channels),
        terms,
        images,
        labels,
        KINDS,
        learning=network.training,
        wrong=(labels + 1) % KINDS,
        done=done,
        generator=generator or seeded(2),
    )


def number(scalar: Tensor) -> float:
    """The value, without its gradient."""
    return float(scalar.detach())


def remind(term: Any, channels: int = 1) -> None:
    """Let a term that remembers batches see a few."""
    if hasattr(term, "helper_loss"):
        for _ in range(3):
            term.helper_loss(step_of(term, channels=channels))


def touched(module: nn.Module) -> set[str]:
    """Names of the parameters that a gradient has reached."""
    return {name for name, p in module.named_parameters() if p.grad is not None and p.grad.any()}


@pytest.mark.parametrize("arch", registry.names("architecture"))
@pytest.mark.parametrize("channels", [1, 3])
def test_every_architecture_is_built_from_a_config(arch: str, channels: int) -> None:
    config = tiny_labelled(arch, **({"dataset": "synthetic"} if arch == "unet" else {}))
    network = build_model(config, KINDS, channels)
    again = build_model(config, KINDS, channels)
    for a, b in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b), "weights derive from the seed"
    colours = 3 if arch == "unet" else channels
    images = torch.rand(2, colours, config.image_size, config.image_size)
    out = network(images, torch.eye(KINDS)[:2]) if arch == "vae" else network(images)
    shape = {"unet": (2, KINDS, 12, 12), "vae": (2, channels, 12, 12), "classifier": (2, KINDS)}
    assert (out[1] if arch == "vae" else out).shape == shape[arch]


@pytest.mark.parametrize("name", registry.names("conditioning"))
def test_conditioning_keeps_its_contract(name: str) -> None:
    built = registry.get("conditioning", name)(classes=KINDS, size=7, block=plain_block)
    labels = torch.rand(3, KINDS, generator=seeded()).softmax(dim=1)
    assert built.image(labels).shape == (3, built.image_channels, 7, 7)
    assert built.vector(labels).shape == (3, built.vector_size)
    condition = built.condition(labels)
    assert all(len(part) == 3 for part in condition)
    assert built.block(4, 6)(torch.rand(3, 4, 5, 9), *condition).shape == (3, 6, 5, 9)


@pytest.mark.parametrize("name", registry.names("block"))
def test_block_keeps_its_contract(name: str) -> None:
    block = registry.get("block", name)
    for a, b in ((4, 4), (4, 6), (6, 4)):
        built = block(a, b, norm=nn.BatchNorm2d, activation=nn.SiLU)
        x = torch.randn(2, a, 7, 5, generator=seeded(), requires_grad=True)
        out = built(x)
        assert out.shape == (2, b, 7, 5)
        out.square().sum().backward()
        assert x.grad is not None
        assert touched(built) >= {n for n, p in built.named_parameters() if p.dim() > 1}
        kinds = {type(module) for module in built.modules()}
        assert {nn.BatchNorm2d, nn.SiLU} <= kinds


def test_a_residual_block_begins_as_what_it_adds_to() -> None:
    block = registry.get("block", "residual")(4, 4, norm=nn.BatchNorm2d, activation=nn.ReLU)
    x = torch.rand(2, 4, 6, 6)
    for norm in (m for m in block.inner.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.zeros_(norm.weight)
    torch.testing.assert_close(block(x), x)


@pytest.mark.parametrize("name", TERMS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_term_is_one_number_that_the_vae_learns_from(name: str, channels: int) -> None:
    likelihood = name if name in LIKELIHOODS else "bce"
    network, term = network_of(likelihood, channels), term_of(name, channels).train()
    remind(term, channels)
    value = term(step_of(term, network=network, likelihood=likelihood, channels=channels))
    assert value.shape == ()
    assert value.isfinite()
    assert all(isinstance(x, bool) for x in (term.adversarial, term.swaps, term.reencodes))
    value.backward()
    assert touched(network)
    assert not touched(term), "the term teaches the VAE alone"


@pytest.mark.parametrize("name", LIKELIHOODS)
@pytest.mark.parametrize("channels", [1, 3])
def test_likelihoods_prefer_the_right_picture(name: str, channels: int) -> None:
    term = term_of(name, channels)
    images = (torch.rand(3, channels, 5, 5, generator=seeded()) * 250).round().add(2) / 255
    means = images.logit()
    rest = torch.zeros(3, channels * (term.numbers - 1), 5, 5)
    picture = term.picture(torch.cat([means, rest], dim=1))
    torch.testing.assert_close(picture, images)
    nats = [
        term.nats(torch.cat([means + off, rest], dim=1), images) for off in (0.0, 0.5, 2.0, 6.0)
    ]
    assert all(n.shape == (3,) for n in nats)
    for near, far in pairwise(nats):
        assert (near < far).all()


SIZES = [(28, 3, 1), (28, 1, 2), (13, 2, 1), (13, 1, 2), (13, 2, 3)]


@pytest.mark.parametrize(("size", "depth", "stem"), SIZES)
@pytest.mark.parametrize("encoder", registry.names("encoder"))
@pytest.mark.parametrize("decoder", registry.names("decoder"))
@pytest.mark.parametrize("channels", [1, 3])
def test_vae_of_any_parts_and_size(
    size: int, depth: int, stem: int, encoder: str, decoder: str, channels: int
) -> None:
    for likelihood in ("bce", "logistic"):
        config = config_of(
            image_size=size, depth=depth, stem=stem, encoder=encoder, decoder=decoder,
            loss=f"{likelihood}+kl",
        )  # fmt: skip
        network = build_model(config, KINDS, channels)
        images, labels = torch.rand(2, channels, size, size), torch.eye(KINDS)[:2]
        posterior, output = network(images, labels)
        assert posterior.mean.shape == posterior.log_var.shape == (2, LATENT)
        assert output.shape == (2, channels * term_of(likelihood).numbers, size, size)
        torch.testing.assert_close(output, network.decode(posterior.mean, labels))
        (output.square().sum() + posterior.log_var.square().sum()).backward()
        names = {n for n, _ in network.named_parameters() if not n.endswith("bias")}
        assert touched(network) >= names, "every weight is used"


@pytest.mark.parametrize("block", registry.names("block"))
@pytest.mark.parametrize("conditioning", registry.names("conditioning"))
def test_the_label_enters_on_both_sides(block: str, conditioning: str) -> None:
    network = build_model(config_of(block=block, conditioning=conditioning), KINDS, 1).eval()
    every = torch.eye(KINDS)
    images = torch.rand(1, 1, SIZE, SIZE, generator=seeded()).expand(KINDS, -1, -1, -1)
    z = torch.randn(1, LATENT, generator=seeded()).expand(KINDS, -1)
    with torch.inference_mode():
        for out in (network.encode(images, every).mean, network.decode(z, every)):
            assert (torch.pdist(out.flatten(1)) > 1e-4).all()
        between = network.decode(z[:1], (every[:1] + every[1:2]) / 2)
        ends = network.decode(z[:2], every[:2])
    assert ((between - ends).flatten(1).abs().amax(dim=1) > 1e-4).all()


def test_the_lesson_s_vae_is_as_the_lesson_has_it() -> None:
    config = merge({}, recipe("vae", [], "lesson"))
    assert (config.conditioning, config.latent, config.loss) == ("channel", 256, "bce+kl")
    assert config.parts.get("loss", {}) == {}
    network = build_model(config, 10, 1)
    posterior, output = network(torch.rand(2, 1, 28, 28), torch.eye(10)[:2])
    assert posterior.mean.shape == (2, 256)
    assert output.shape == (2, 1, 28, 28)
    assert network.encoder.levels[0].layers[0].in_channels == (1 + 1) * config.stem**2
    assert network.from_latent.in_features == 256 + 10


def test_outputs_have_no_grey_floor() -> None:
    """The sigmoid stands behind a layer without bounds: black and white can be reached."""
    network = build_model(config_of(), KINDS, 1).eval()
    z, labels = torch.randn(2, LATENT, generator=seeded()), torch.eye(KINDS)[:2]
    for name in LIKELIHOODS:
        for bias, reached in ((-8.0, 0.0), (8.0, 1.0)):
            nn.init.constant_(network.head.bias, bias)
            with torch.inference_mode():
                output = network.decode(z, labels).repeat(1, term_of(name).numbers, 1, 1)
                assert (term_of(name).picture(output) - reached).abs().max() < 0.02


def test_a_network_that_has_learnt_draws_dark_backgrounds() -> None:
    config = config_of(loss="bce+kl", width=8, image_size=12)
    task = ConditionalVae(config, [str(i) for i in range(10)], channels=1, mirrors=False)
    torch.manual_seed(0)
    network = task.build_network().train()
    images, labels = drawn_digits(200, 12)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for start in range(0, 60 * 20, 20):
        rows = torch.arange(start, start + 20) % 200
        optimizer.zero_grad()
        task.loss(network, (images[rows], labels[rows]), 0.5).total.backward()
        optimizer.step()
    network.eval()
    with torch.inference_mode():
        output = network(images, torch.eye(10)[labels])[1]
    dark = task.likelihood.picture(output)[images < 0.02]
    assert float(dark.min()) < 0.02
    assert float(dark.mean()) < 0.1


def test_z_is_drawn_from_the_posterior() -> None:
    mean, log_var = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, -4.0]])
    many = Posterior(mean.expand(20000, -1), log_var.expand(20000, -1))
    z = many.sample(seeded())
    torch.testing.assert_close(z.mean(dim=0), mean[0], rtol=0, atol=0.03)
    torch.testing.assert_close(z.std(dim=0), (0.5 * log_var[0]).exp(), rtol=0.03, atol=0)
    assert torch.equal(z, many.sample(seeded()))
    assert not torch.equal(z, many.sample(seeded(1)))


def test_log_variances_stay_finite_whatever_the_picture() -> None:
    network = build_model(config_of(norm="none"), KINDS, 1).eval()
    posterior = network.encode(torch.full((1, 1, SIZE, SIZE), 1e6), torch.eye(KINDS)[:1])
    assert posterior.log_var.exp().isfinite().all()
    assert posterior.log_var.abs().max() <= 12


@pytest.mark.parametrize(
    ("names", "training", "expected"),
    [
        (["bce", "kl", "adversary"], True, ["encode", "decode"]),
        (["bce", "kl", "adversary"], False, ["encode", "decode"]),
        # under the true label and a wrong one: together in training, for the sake of batch norm
        (["bce", "kl", "adversary", "swap-class"], True, ["encode", "decode"]),
        (["bce", "kl", "adversary", "swap-class"], False, ["encode", "decode", "decode"]),
        (["cycle", "bce", "kl"], True, ["encode", "decode", "encode"]),
    ],
)
def test_a_pass_does_once_what_its_terms_need(
    names: list[str], training: bool, expected: list[str]
) -> None:
    network, calls = network_of().train(training), []
    for name in ("encode", "decode"):
        call = getattr(network, name)

        def counted(*args: Any, call: Any = call, name: str = name) -> Any:
            calls.append(name)
            return call(*args)

        setattr(network, name, counted)
    terms = [term_of(name) for name in names]
    step = step_of(*terms, network=network)
    assert calls == expected
    assert (step.swapped is None) == (not any(term.swaps for term in terms))
    assert (step.swapped_posterior is None) == (not any(term.reencodes for term in terms))
    for term in terms:
        term(step)
        if training and hasattr(term, "helper_loss"):
            term.helper_loss(step)
    assert calls == expected, "terms never run the network"
    assert network.training == training


@pytest.mark.parametrize("name", TERMS)
def test_what_a_term_says_it_needs_is_enough(name: str) -> None:
    likelihood, term = name if name in LIKELIHOODS else "bce", term_of(name)
    assert term.swaps or not term.reencodes
    for mode in (True, False):
        network = network_of(likelihood).train(mode)
        assert term(step_of(term, network=network, likelihood=likelihood)).isfinite()


def test_nothing_random_happens_outside_the_pass() -> None:
    terms = [term_of("swap-class", realism=0.5, robust=0.3)]
    terms += [term_of(name) for name in TERMS if name not in (*LIKELIHOODS, "swap-class")]
    step = step_of(*terms)
    before = torch.get_rng_state()
    for term in terms:
        term(step)
        if hasattr(term, "helper_loss"):
            term.helper_loss(step)
    assert torch.equal(torch.get_rng_state(), before)


ORDERS = ["+".join(order) for order in permutations(["bce", "kl", "cycle", "swap-class"])]
MANY = ["adversary", "bce", "cycle", "dependence", "kl", "swap-class"]


def trained_two_steps(loss: str) -> tuple[dict[str, Tensor], list[str]]:
    """All weights and statistics after two steps, and what was logged, by a loss's typed order."""
    arguments = {name: SMALL_HELPERS[name] for name in SMALL_HELPERS if name in loss}
    config = config_of(
        loss=loss, dataset="digits", limit=48, batch_size=16, parts={"loss": arguments}
    )
    config, machine = settle(config)
    trainer, state = prepare(config, machine)
    asked = iter([False])
    train_epoch(replace(trainer, stopped=lambda: next(asked, True)), state)
    assert state.progress.step == 2
    evaluation = trainer.task.evaluation()
    batch = trainer.task.eval_batch(trainer.val, np.arange(8), trainer.to_device)
    with torch.inference_mode():
        evaluation.update(state.best_network.eval(), batch)
    numbers = {name: torch.tensor(value) for name, value in evaluation.row().items()}
    tensors = {
        k: v for module in (state.network, state.helpers) for k, v in module.state_dict().items()
    }
    sums = {name: torch.tensor(value) for name, value in state.progress.sums.items()}
    return tensors | numbers | sums, [*state.progress.sums, *evaluation.row()]


def assert_equal_bits(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    assert [name for name in found if not torch.equal(found[name], expected[name])] == []


@pytest.fixture(scope="module")
def two_steps() -> dict[str, Tensor]:
    return trained_two_steps("bce+kl+swap-class+cycle")[0]


@pytest.mark.parametrize("loss", ORDERS)
def test_the_order_of_terms_changes_nothing(loss: str, two_steps: dict[str, Tensor]) -> None:
    """To the last bit: terms are built, learn and are added in an order of their own."""
    found, logged = trained_two_steps(loss)
    assert_equal_bits(found, two_steps)
    assert [name for name in logged if name in loss.split("+")] == loss.split("+")


def test_the_order_of_many_terms_with_helpers_changes_nothing() -> None:
    expected = trained_two_steps("+".join(MANY))[0]
    for order in (MANY[::-1], MANY[2:] + MANY[:2]):
        assert_equal_bits(trained_two_steps("+".join(order))[0], expected)


@pytest.mark.parametrize("helped", ["adversary", "dependence", "swap-class"])
def test_the_encoder_learns_whatever_helper_a_loss_has(helped: str) -> None:
    """A pass that a helper began without gradients left the encoder as it was drawn."""
    start = config_of(loss=f"bce+kl+{helped}", dataset="digits", limit=48, batch_size=16)
    drawn = build_model(start, classes=10, channels=1).state_dict()
    trained = trained_two_steps(f"bce+kl+{helped}")[0]
    for name in ("encoder.levels.0.layers.0.weight", "to_posterior.weight"):
        assert not torch.equal(trained[name], drawn[name]), name


def test_the_own_order_of_terms_is_that_of_all_recipes() -> None:
    """What the recipes train is what they have always trained."""
    for preset, dataset in [("default", "mnist"), ("default", "cifar10"), ("lesson", "mnist")]:
        config = merge({}, recipe("vae", [Layer("flags", {"dataset": dataset})], preset))
        names = [term.name for term in parse_sum(config.loss)]
        assert in_order(names) == names
        assert in_order(names[::-1]) == names


def test_batch_norm_is_in_use_what_it_was_in_training() -> None:
    """Its running statistics describe both kinds of pictures, and the encoder real ones alone."""
    network = network_of()
    for norm in (m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)):
        norm.momentum = 1.0
    with torch.no_grad():
        step = step_of(term_of("cycle"), network=network, count=64)
        assert step.swapped is not None
        assert step.swapped_posterior is not None
        assert network.training
        network.eval()
        used = [network.decode(step.z, w) for w in (step.true_weights, step.wrong_weights)]
        # the running variance is unbiased, that of the batch is not
        close = {"rtol": 0.05, "atol": 0.02}
        torch.testing.assert_close(used[0], step.output, **close)
        torch.testing.assert_close(term_of("bce").picture(used[1]), step.swapped, **close)
        torch.testing.assert_close(
            network.encode(step.images, step.true_weights).mean, step.posterior.mean, **close
        )
        torch.testing.assert_close(
            network.encode(step.swapped, step.wrong_weights).mean, step.swapped_posterior.mean
        )


@given(st.integers(2, 12), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_a_wrong_label_is_another_one(classes: int, seed: int) -> None:
    labels = torch.arange(600) % classes
    wrong = draw_wrong(labels, classes, seeded(seed))
    assert (wrong != labels).all()
    assert int(wrong.min()) >= 0
    assert int(wrong.max()) < classes
    steps = torch.bincount((wrong - labels) % classes, minlength=classes)[1:]
    assert (steps - 600 / (classes - 1)).abs().max() < 5 * math.sqrt(600 / (classes - 1))


DENSITIES: dict[str, tuple[Any, dict[str, float]]] = {
    "bce": (lambda mean: Bernoulli(probs=mean), {}),
    "mse": (lambda mean: Normal(mean, math.sqrt(0.5)), {}),
    "gaussian": (lambda mean: Normal(mean, 0.3), {"sigma": 0.3}),
    "laplace": (lambda mean: Laplace(mean, 0.2), {"scale": 0.2}),
}


@pytest.mark.parametrize("name", DENSITIES)
@pytest.mark.parametrize("channels", [1, 3])
def test_log_densities_are_those_of_torch(name: str, channels: int) -> None:
    density, arguments = DENSITIES[name]
    term = term_of(name, channels, **arguments)
    output = 3 * torch.randn(4, channels, 6, 5, generator=seeded())
    images = torch.rand(4, channels, 6, 5, generator=seeded(1))
    images = images.round() if name == "bce" else images
    made: Distribution = density(output.sigmoid())
    expected = -made.log_prob(images).flatten(1).sum(dim=1)
    torch.testing.assert_close(term.nats(output, images), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("name", "argument"), [("gaussian", "sigma"), ("laplace", "scale")])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_a_spread_that_is_none_is_refused(name: str, argument: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{argument} must be above 0"):
        term_of(name, **{argument: value})


def level_nats(mean: Tensor, log_scale: Tensor) -> Tensor:
    """-log p of all 256 levels of single pixels: (N,) parameters each to (256, N)."""
    output = torch.stack([mean, log_scale], dim=1)[:, :, None, None]
    levels = torch.arange(256, dtype=output.dtype) / 255
    term = term_of("logistic")
    return torch.stack([term.nats(output, x.expand(len(mean), 1, 1, 1)) for x in levels])


@given(st.lists(st.tuples(st.floats(-12, 12), st.floats(-20, 20)), min_size=1, max_size=16))
@settings(max_examples=15, deadline=None)
def test_probabilities_of_all_levels_sum_to_one(parameters: list[tuple[float, float]]) -> None:
    mean, log_scale = torch.tensor(parameters, dtype=torch.float64).T
    total = (-level_nats(mean, log_scale)).exp().sum(dim=0)
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-9)


def test_the_logistic_s_levels_are_differences_of_its_distribution_function() -> None:
    mean = torch.tensor([0.0, -3.0, 2.0, 8.0], dtype=torch.float64)
    log_scale = torch.tensor([0.0, 1.0, -1.0, 3.0], dtype=torch.float64)
    scale, middle = (log_scale - 3).exp(), mean.sigmoid()
    edges = (torch.arange(257, dtype=torch.float64) - 0.5)[:, None] / 255
    below = ((edges - middle) / scale).sigmoid()
    below[0], below[-1] = 0, 1  # the tails belong to the first and the last level
    expected = below[1:] - below[:-1]
    torch.testing.assert_close((-level_nats(mean, log_scale)).exp(), expected, rtol=1e-6, atol=1e-9)


def test_a_far_level_has_a_finite_cost_and_a_gradient() -> None:
    output = torch.tensor([[30.0, -20.0]]).view(1, 2, 1, 1).requires_grad_()
    nats = term_of("logistic").nats(output, torch.full((1, 1, 1, 1), 0.5))
    assert nats.isfinite().all()
    assert nats > 100
    nats.sum().backward()
    assert output.grad is not None
    assert output.grad.isfinite().all()


def coded(mean: Tensor, log_var: Tensor, done: float = 1.0) -> Any:
    return SimpleNamespace(posterior=Posterior(mean, log_var), done=done)


def test_kl_is_that_of_torch() -> None:
    mean, log_var = torch.randn(2, 9, LATENT, generator=seeded()).unbind()
    expected = kl_divergence(Normal(mean, (0.5 * log_var).exp()), Normal(0, 1))
    torch.testing.assert_close(kl_nats(mean, log_var), expected, rtol=1e-5, atol=1e-6)
    value = term_of("kl")(coded(mean, log_var))
    torch.testing.assert_close(value, expected.sum(dim=1).mean(), rtol=1e-5, atol=1e-6)
    assert float(kl_nats(torch.zeros(1), torch.zeros(1))) == 0


@pytest.mark.parametrize(
    ("arguments", "done", "expected"),
    [
        ({}, 0.0, 2.5),
        ({"free_bits": 0.25}, 1.0, 2.5),  # both of 0.5 and 2 nats are above it
        ({"free_bits": 1.0}, 1.0, 1 + 2),
        ({"free_bits": 3.0}, 1.0, 3 + 3),
        ({"capacity": 4.0}, 0.0, 2.5),
        ({"capacity": 4.0}, 0.25, 0.5),  # half of the ramp: |2.5 - 2|
        ({"capacity": 4.0}, 1.0, 1.5),
        ({"capacity": 4.0, "ramp": 0.0}, 0.0, 1.5),
        ({"anneal": 0.2}, 0.0, 0.0),
        ({"anneal": 0.2}, 0.05, 2.5 / 4),
        ({"anneal": 0.2}, 0.9, 2.5),
        ({"free_bits": 1.0, "capacity": 2.0, "ramp": 0.5, "anneal": 1.0}, 0.25, (3 - 1) / 4),
    ],
)
def test_free_bits_capacity_and_anneal(
    arguments: dict[str, float], done: float, expected: float
) -> None:
    """Two numbers of z with ½ mean² of 0.5 and 2 nats, on the average of two pictures."""
    mean = torch.tensor([[1.0, 8**0.5], [1.0, 0.0]])
    value = term_of("kl", **arguments)(coded(mean, torch.zeros(2, 2), done))
    assert float(value) == pytest.approx(expected, abs=1e-6)


def test_free_bits_stop_the_pull_on_what_is_below_them() -> None:
    mean = torch.tensor([[0.5, 2.0]], requires_grad=True)
    term_of("kl", free_bits=1.0)(coded(mean, torch.zeros(1, 2))).backward()
    assert mean.grad is not None
    assert mean.grad.tolist() == [[0.0, 2.0]]


def saying(term: Any, odds: list[float]) -> None:
    """Make an adversary's readers say the same, whatever they are given."""
    for reader in term.readers:
        nn.init.zeros_(reader[-1].weight)
        with torch.no_grad():
            reader[-1].bias.copy_(torch.tensor(odds).log())


def test_the_adversary_is_the_distance_from_a_uniform_guess() -> None:
    step, term = step_of(), term_of("adversary")
    saying(term, [1.0] * KINDS)
    assert number(term(step)) == pytest.approx(0, abs=1e-6)
    saying(term, [0.6, 0.1, 0.1, 0.1, 0.1])
    uniform = torch.distributions.Categorical(torch.ones(KINDS))
    read = torch.distributions.Categorical(torch.tensor([0.6, 0.1, 0.1, 0.1, 0.1]))
    assert number(term(step)) == pytest.approx(float(kl_divergence(uniform, read)), rel=1e-5)
    whole, early = number(term(step)), replace(step, done=0.02)
    assert number(term(early)) == pytest.approx(0.4 * whole)  # it rises over the first twentieth
    expected = -sum(math.log([0.6, 0.1][min(k, 1)]) for k in step.labels.tolist()) / 6
    assert number(term.helper_loss(step)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        *((name, {}) for name in HELPED),
        ("swap-class", {"realism": 1.0}),
        ("swap-class", {"robust": 0.5}),
    ],
)
def test_helpers_and_the_vae_learn_apart(name: str, more: dict[str, float]) -> None:
    network, term = network_of(), term_of(name, **more).train()
    remind(term)
    term(step_of(term, network=network)).backward()
    assert touched(network)
    assert not touched(term)
    network = network_of()
    loss = term.helper_loss(step_of(term, network=network))
    weights = {n for n, p in term.named_parameters() if p.dim() > 1}
    assert loss.requires_grad == bool(weights)
    if weights:
        loss.backward()
    assert not touched(network)
    assert touched(term) >= weights


@pytest.mark.parametrize("name", HELPED)
def test_what_a_term_reads_leaves_its_helper_as_it_was(name: str) -> None:
    term = term_of(name).train()
    step = step_of(term)
    before = {k: v.clone() for k, v in term.state_dict().items()}
    term(step)
    assert all(torch.equal(v, before[k]) for k, v in term.state_dict().items())
    assert all(module.training for module in term.modules())
    assert all(p.requires_grad for p in term.parameters())
    term.helper_loss(step)
    moved = {k for k, v in term.state_dict().items() if not torch.equal(v, before[k])}
    constants = {"directions", "phases"}
    statistics = {k for k, _ in term.named_buffers()} - constants
    assert moved == statistics, "it has seen a batch, but not learnt yet"


def test_frozen_gives_back_what_it_took_even_after_an_error() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).train()
    module[0].bias.requires_grad_(False)

    def fail() -> None:
        with frozen(module):
            assert not module.training
            assert not any(p.requires_grad for p in module.parameters())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert module.training
    assert [p.requires_grad for p in module.parameters()] == [True, False, True, True]


def gradient(network: nn.Module) -> Tensor:
    grads = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
    return torch.cat(grads)


def test_a_helper_that_learns_in_the_same_step_changes_no_gradient_of_the_vae() -> None:
    """Batch norm that moves between forward and backward would, without a word from torch."""
    loss = "bce+kl+5*adversary+5*swap-class"
    arguments = {"swap-class": {"width": 4, "disturb": 0.0}, "adversary": {"hidden": 8}}
    config = config_of(loss=loss, parts={"loss": arguments})
    images = torch.rand(6, 1, SIZE, SIZE, generator=seeded(1))
    labels = torch.arange(6) % KINDS
    gradients = []
    for together in (False, True):
        torch.manual_seed(0)
        task = ConditionalVae(config, CLASSES, channels=1)
        network: Any = build_model(config, KINDS, 1).train()
        task.criterion.train()
        torch.manual_seed(3)
        if together:
            loss_ = task.loss(network, (images, labels), 1.0)
        else:  # the helpers have seen the batch as well, a moment before
            terms = task.terms.values()
            step = vae_step(network, task.likelihood, terms, images, labels, KINDS, learning=True)
            for term in terms:
                if hasattr(term, "helper_loss"):
                    term.helper_loss(step)
            loss_ = task.criterion(step)
        loss_.total.backward()
        gradients.append(gradient(network))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-5, atol=1e-6)


def test_swap_class_is_the_cross_entropy_of_the_asked_label() -> None:
    term = term_of("swap-class", disturb=0.0)
    step = step_of(term)
    nn.init.zeros_(term.reader.head.weight)
    with torch.no_grad():
        term.reader.head.bias.copy_(torch.tensor([0.6, 0.1, 0.1, 0.1, 0.1]).log())
    expected = -np.log([0.6 if k == 0 else 0.1 for k in step.wrong.tolist()]).mean()
    assert number(term(step)) == pytest.approx(expected, rel=1e-5)
    assert term.read(step.images).tolist() == [0] * 6


def test_a_robust_reader_learns_on_pictures_that_it_reads_worse() -> None:
    term = term_of("swap-class", disturb=0.0, robust=0.5)
    step = step_of(term)
    attacked = step.views[term].real
    assert attacked is not None
    moved = (attacked - step.images).flatten(1).norm(dim=1)
    assert (moved <= 0.5 + 1e-5).all()
    assert moved.unique().numel() == len(moved)  # each by a length of its own
    term.eval()
    read = [
        nn.functional.cross_entropy(term.reader(x), step.labels) for x in (step.images, attacked)
    ]
    assert number(read[1]) > number(read[0])
    assert all(p.grad is None for p in term.parameters())
    before = {name: tensor.clone() for name, tensor in term.state_dict().items()}
    loss = term.train().helper_loss(step)
    term.load_state_dict(before)
    seen = term.view_real(step.images, step.labels, seeded(2))
    expected = nn.functional.cross_entropy(term.reader(seen), step.labels)
    torch.testing.assert_close(loss, expected)


def test_a_reader_sees_all_pictures_disturbed_and_its_own_without_gradient() -> None:
    term = term_of("swap-class", disturb=0.9, realism=0.5)
    step = step_of(term)
    views = step.views[term]
    assert views.real is not None
    assert views.fake is not None
    assert step.swapped is not None
    for view, pictures in ((views.real, step.images), (views.fake, step.swapped)):
        assert view.shape == pictures.shape
        assert not view.requires_grad
        assert not torch.equal(view, pictures)
    assert views.swapped.requires_grad
    assert not torch.equal(views.swapped, views.fake), "each is drawn anew"
    assert step_of(term_of("swap-class")).views.popitem()[1].fake is None
    in_use = step_of(term, network=network_of().eval()).views[term]
    assert in_use.real is in_use.fake is None, "nothing learns"


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def test_realism_is_one_logit_more_which_no_label_is_read_from() -> None:
    """It says real by 2 of all pictures: the VAE is content, the reader is half wrong."""
    odds = [0.6, 0.1, 0.1, 0.1, 0.1]
    terms = [term_of("swap-class", disturb=0.0, realism=r) for r in (0.0, 0.5)]
    step = step_of(*terms)
    for term in terms:
        nn.init.zeros_(term.reader.head.weight)
        with torch.no_grad():
            term.reader.head.bias[:KINDS].copy_(torch.tensor(odds).log())
            term.reader.head.bias[KINDS:].fill_(2.0)
    plain, real = terms
    assert plain.reader.head.out_features + 1 == real.reader.head.out_features == KINDS + 1
    more = number(real(step)) - number(plain(step))
    assert more == pytest.approx(0.5 * softplus(-2), rel=1e-5)
    more = number(real.helper_loss(step)) - number(plain.helper_loss(step))
    assert more == pytest.approx(softplus(-2) + softplus(2), rel=1e-5)
    assert real.read(step.images).tolist() == [0] * 6


def codes(mean: Tensor, labels: Tensor) -> Any:
    """A step whose posterior means are given."""
    weights = nn.functional.one_hot(labels, KINDS).float()
    posterior = SimpleNamespace(mean=mean)
    return SimpleNamespace(posterior=posterior, labels=labels, true_weights=weights, done=1.0)


def test_dependence_is_what_a_ridge_regression_explains() -> None:
    """Solved again in float64 from all batches at once; the sums do not fade."""
    term = term_of("dependence", features=12, memory=10**9)
    labels = torch.randint(0, KINDS, (300,), generator=seeded())
    mean = torch.randn(300, LATENT, generator=seeded(1))
    mean[:, 0] += labels
    for part in range(0, 300, 60):
        term.helper_loss(codes(mean[part : part + 60], labels[part : part + 60]))
    z, target = mean.double().numpy(), np.eye(KINDS)[labels.numpy()]
    waves = 2**0.5 * np.cos(z @ term.directions.double().numpy() + term.phases.double().numpy())
    features = np.concatenate([np.ones((300, 1)), z, waves], axis=1)
    ridge = np.diag([1e-6, *[1e-2] * (LATENT + 12)])
    solution = np.linalg.solve(features.T @ features / 300 + ridge, features.T @ target / 300)
    apart = features[:50] @ solution - target.mean(axis=0)
    expected = np.square(apart).sum(axis=1).mean() / (1 - 1 / KINDS)
    value = float(term(codes(mean[:50], labels[:50])))
    assert value == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("nothing", 0.0, 0.1), ("all", 0.95, 1.02), ("its size", 0.3, 1.02)]
)
def test_dependence_is_0_where_z_tells_nothing_and_1_where_it_tells_all(
    kind: str, low: float, high: float
) -> None:
    term = term_of("dependence", features=128, memory=10**6)
    labels = torch.randint(0, KINDS, (4000,), generator=seeded())
    mean = torch.randn(4000, LATENT, generator=seeded(1))
    if kind == "all":
        mean = 2 * nn.functional.one_hot(labels, KINDS)[:, :LATENT].float()
    if kind == "its size":  # which no line through z finds
        sign = torch.randint(0, 2, (4000,), generator=seeded(2)) * 2 - 1
        mean[:, 0] = 0.6 * sign * labels
    term.helper_loss(codes(mean, labels))
    assert low <= float(term(codes(mean[:1000], labels[:1000]))) <= high


class Echo(nn.Module):
    """Decodes z into itself and encodes it as it was, plus `off`."""

    def __init__(self, off: float) -> None:
        super().__init__()
        self.off = off

    def encode(self, images: Tensor, labels: Tensor) -> Posterior:
        z = images.flatten(1) + self.off * labels.argmax(dim=1, keepdim=True)
        return Posterior(z, torch.full_like(z, -30.0))

    def decode(self, z: Tensor, labels: Tensor) -> Tensor:
        return z.view(-1, 1, 2, 2).logit()


@pytest.mark.parametrize("count", [1, 4])
def test_cycle_is_half_the_square_of_what_the_way_back_misses(count: int) -> None:
    """In units of the spread of each number of z over the batch; of 1 for a picture alone."""
    images = 0.2 + 0.6 * torch.rand(count, 1, 2, 2, generator=seeded())
    labels, wrong = torch.zeros(count, dtype=torch.int64), 1 + torch.arange(count) % 2
    term, values = term_of("cycle"), []
    for off in (0.0, 0.5):
        step = vae_step(
            Echo(off), term_of("bce"), [term], images, labels, 3, learning=True, wrong=wrong
        )
        values.append(float(term(step)))
    variance = np.var(images.flatten(1).numpy(), axis=0, ddof=1) if count > 1 else np.ones(4)
    missed = (0.5 * wrong.numpy()) ** 2
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert values[1] == pytest.approx(0.5 * missed.mean() * (1 / variance).sum(), rel=0.01)


@pytest.mark.parametrize("loss", ["mse+kl", "logistic+0.5*kl+3*adversary+2*swap-class+cycle"])
def test_the_loss_is_the_weighted_sum_of_its_terms(loss: str) -> None:
    config = config_of(loss=loss, parts={"loss": {"swap-class": SMALL_HELPERS["swap-class"]}})
    config = config if "swap" in loss else config_of(loss=loss)
    task = ConditionalVae(config, CLASSES, channels=1)
    step = step_of(*task.terms.values(), likelihood=loss.split("+")[0])
    found = task.criterion(step)
    weights = {n.split("*")[-1]: float(n.split("*")[0]) if "*" in n else 1 for n in loss.split("+")}
    assert found.terms.keys() == weights.keys()
    total = sum(weights[name] * float(part) for name, part in found.terms.items())
    assert number(found.total) == pytest.approx(total, rel=1e-5)
    assert not any(part.requires_grad for part in found.terms.values())
