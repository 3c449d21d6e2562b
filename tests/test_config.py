"""One config: layering, types, faults, YAML, presets."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from netlab import registry
from netlab.cli.train import merged_settings
from netlab.config import TrainConfig, changes, flag_of
from netlab.errors import ConfigError
from netlab.expressions import Term, parse_sum
from netlab.settings import (
    Layer,
    defaults_of,
    merge,
    preset,
    preset_names,
    preset_summaries,
    read_config_file,
    read_settings,
    recipe,
    user_layers,
)
from netlab.tasks.segmentation.task import Segmentation


def test_later_layers_win_and_silence_overrides_nothing() -> None:
    layers = [
        defaults_of("unet"),
        Layer("file", {"epochs": 7, "lr": 0.5}),
        Layer("flags", {"lr": 0.1}),
    ]
    config = merge({}, layers)
    assert (config.dataset, config.epochs, config.lr) == ("pets", 7, 0.1)


def test_yaml_round_trip_is_exact(tmp_path: Path) -> None:
    config = merge(
        {},
        [
            defaults_of("unet"),
            Layer(
                "x",
                {
                    "dataset": "pairs",
                    "classes": ["a", "b"],
                    "mask_values": [255, 0],
                    "lr": 1e-4,
                    "loss": "ce+2*dice",
                },
            ),
            read_settings(["decoder.mode=nearest"]),
        ],
    )
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    assert merge({}, [read_config_file(path)]) == config
    assert config.parts == {"decoder": {"mode": "nearest"}}


@given(
    st.builds(
        dict,
        lr=st.floats(1e-8, 10),
        epochs=st.integers(1, 10**6),
        ema=st.floats(0, 0.9999),
        skip_bad=st.booleans(),
        limit=st.none() | st.integers(2, 10**6),
    )
)
@settings(deadline=None)
def test_any_valid_config_survives_yaml(values: dict[str, object]) -> None:
    config = TrainConfig(**values)
    assert merge({}, [Layer("yaml", yaml.safe_load(config.to_yaml()))]) == config


def test_all_faults_are_named_at_once_with_their_source() -> None:
    with pytest.raises(ConfigError) as caught:
        merge({}, [Layer("my.yaml", {"epoch": 3, "lr": "fast", "batch_size": 2.5})])
    text = str(caught.value)
    assert "my.yaml: unknown setting 'epoch'. Did you mean 'epochs'?" in text
    assert "lr must be a number, not 'fast'" in text
    assert "batch_size must be a whole number, not 2.5" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"lr": 0}, "lr must be above 0"),
        ({"lr": float("nan")}, "not nan"),
        ({"ema": 1.0}, "ema must be at most"),
        ({"warmup": 0.95}, "warmup must be at most 0.9"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"encoder": "maxpol"}, "Did you mean 'maxpool'"),
        ({"loss": "ce+dise"}, "Did you mean 'dice'"),
        ({"loss": "ce,dice"}, "no weighted sum"),
        ({"precision": "fp8"}, "unknown precision 'fp8'"),
        ({"parts": {"encodr": {"x": 1}}}, "Did you mean 'encoder'"),
        ({"skip_bad": "yes"}, "true or false"),
        ({"threads": True}, "whole number"),
        ({"epochs": float("inf")}, "whole number"),
        (
            {"images": "a", "dataset": "pets"},
            "--images is for --dataset pairs or class-folder, not for pets",
        ),
        ({"masks": "a", "dataset": "mnist"}, "--masks is for --dataset pairs, not for mnist"),
        ({"conditioning": "filn"}, "Did you mean 'film'"),
        ({"block": "residul"}, "Did you mean 'residual'"),
        ({"disturb": 1.5}, "disturb must be at most 1"),
        ({"latent": 0}, "latent must be at least 1"),
        ({"parts": {"metric": {"x": 1}}}, "unknown kind of component 'metric'"),
    ],
)
def test_bad_values_say_what_is_wrong(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("(", r"\(")):
        merge({}, [Layer("flags", changes)])


def test_numbers_that_yaml_reads_as_text_are_accepted() -> None:
    assert merge({}, [Layer("file", yaml.safe_load("lr: 1e-3"))]).lr == 0.001


@pytest.mark.parametrize("text", ["lr 3", "=3", "- a\n- b", "x: [", "*a"])
def test_bad_yaml_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        merge({}, [read_config_file(path)])
    assert "\n" not in str(caught.value)


def test_settings_words() -> None:
    layer = read_settings(["lr=1e-2", "encoder.convs=3", "image-size=64"])
    assert layer.values == {"lr": "1e-2", "image_size": 64, "parts": {"encoder": {"convs": 3}}}
    assert read_settings(["loss.dice.smooth=2"]).values["parts"] == {
        "loss": {"dice": {"smooth": 2}}
    }
    with pytest.raises(ConfigError, match="key=value"):
        read_settings(["lr"])


ARCHS = registry.names("architecture")
PRESETS = [(arch, name) for arch in ARCHS for name in preset_names(arch)]


@pytest.mark.parametrize(("arch", "name"), PRESETS)
@pytest.mark.parametrize("dataset", [None, *registry.names("dataset")])
def test_every_preset_is_valid_and_described(arch: str, name: str, dataset: str | None) -> None:
    layers = [Layer("flags", {"dataset": dataset} if dataset else {})]
    assert merge({}, recipe(arch, layers, name)).arch == arch
    assert dict(preset_summaries())[f"{arch}/{name}"].endswith(".")


def test_presets_are_listed_without_the_recipes_of_single_data_sets() -> None:
    assert sorted(dict(preset_summaries())) == [f"{arch}/{name}" for arch, name in PRESETS]
    assert not any("." in name for _, name in PRESETS)
    assert {"default", "lesson"} <= set(preset_names("vae"))
    with pytest.raises(ConfigError, match=r"unknown preset of classifier 'default.cifar10'"):
        preset("classifier", "default.cifar10")


@pytest.fixture
def two_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A vae's recipe that does otherwise for digits, and a preset."""
    folder = tmp_path / "presets" / "vae"
    folder.mkdir(parents=True)
    texts = {
        "default": "dataset: mnist\nencoder: strided\ndecoder: upsample\nepochs: 3\nlr: 0.5\n"
        "loss: bce+kl\nparts: {decoder: {mode: nearest}, loss: {kl: {anneal: 0.1, ramp: 0.4}}}",
        "default.digits": "epochs: 5\nwidth: 7\nparts: {loss: {kl: {free_bits: 0.2}}}",
        "other": "lr: 0.25\nwidth: 9",
        "drawn": "dataset: digits\nlr: 0.125",
        "drawn.digits": "lr: 0.0625",
    }
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(f"# A recipe.\n{text}\n")
    monkeypatch.setattr("netlab.settings._PRESETS", tmp_path / "presets")
    return tmp_path


def merged(
    preset_: str | None = None,
    file: Path | None = None,
    set_: list[str] | None = None,
    **flags: object,
) -> TrainConfig:
    """As `netlab train vae` merges its settings."""
    return merged_settings("vae", preset_, file, set_, dict(flags))


@pytest.mark.parametrize("where", ["flag", "set", "yaml", "preset"])
def test_a_data_set_brings_its_recipe_wherever_it_is_named(two_recipes: Path, where: str) -> None:
    file = two_recipes / "c.yaml"
    file.write_text("dataset: digits")
    config = {
        "flag": lambda: merged(dataset="digits"),
        "set": lambda: merged(set_=["dataset=digits"]),
        "yaml": lambda: merged(file=file),
        "preset": lambda: merged("drawn"),
    }[where]()
    assert (config.dataset, config.epochs, config.width) == ("digits", 5, 7)
    assert config.lr == (0.0625 if where == "preset" else 0.5), "so has a preset its own for it"
    kl = {"anneal": 0.1, "ramp": 0.4, "free_bits": 0.2}
    assert config.parts == {"decoder": {"mode": "nearest"}, "loss": {"kl": kl}}


def test_the_data_set_that_counts_is_the_last_one(two_recipes: Path) -> None:
    file = two_recipes / "c.yaml"
    file.write_text("dataset: digits\nwidth: 11")
    assert merged(file=file).width == 11, "above the recipe"
    assert merged("other", dataset="digits").width == 9, "so is a preset"
    config = merged(file=file, dataset="cifar10")
    assert (config.dataset, config.epochs, config.width) == ("cifar10", 3, 11)
    assert merged(dataset="mnist").epochs == 3
    assert merged("drawn", dataset="mnist").lr == 0.125


def test_arguments_of_what_is_replaced_are_dropped(two_recipes: Path) -> None:
    assert merged(decoder="transpose").parts == {"loss": {"kl": {"anneal": 0.1, "ramp": 0.4}}}
    assert merged(decoder="upsample").parts["decoder"] == {"mode": "nearest"}, "it stays"
    assert merged(loss="mse").parts["loss"] == {}
    kept = merged(loss="mse+2*kl+cycle").parts["loss"]
    assert kept == {"kl": {"anneal": 0.1, "ramp": 0.4}}
    with pytest.raises(ConfigError, match="no weighted sum"):
        merged(loss="mse,kl")


def test_arguments_that_the_user_gives_are_for_what_the_user_names(two_recipes: Path) -> None:
    words = ["encoder.x=1", "loss.kl.anneal=0.3", "loss.gaussian.sigma=0.2", "loss.dice.smooth=2"]
    config = merged(set_=words, encoder="maxpool", loss="gaussian+kl")
    assert config.parts["encoder"] == {"x": 1}
    assert config.parts["loss"] == {
        "kl": {"anneal": 0.3, "ramp": 0.4},  # one of two is given anew
        "gaussian": {"sigma": 0.2},
        "dice": {"smooth": 2},  # of no term: refused, by name, where the loss is built
    }
    file = two_recipes / "c.yaml"
    file.write_text("decoder: transpose\nparts: {decoder: {x: 2}}")
    assert merged(file=file).parts["decoder"] == {"x": 2}
    assert "decoder" not in merged(file=file, decoder="upsample").parts


def test_flags_win_over_set() -> None:
    config = merge({}, user_layers(["lr=0.5", "epochs=3"], {"lr": 0.25}))
    assert (config.lr, config.epochs, config.parts) == (0.25, 3, {})
    with pytest.raises(ConfigError) as caught:
        merge({}, user_layers(["parts=3", "epoch=1"], {"lr": "x"}))
    assert str(caught.value).count("parts must be") == 1
    assert "--set: unknown setting 'epoch'" in str(caught.value)
    assert "flags: lr must be" in str(caught.value)


def test_unknown_preset() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'lesson'"):
        preset("unet", "leson")


def test_places_of_one_machine_stay_out_of_weights_files() -> None:
    config = TrainConfig(dataset="pairs", data_dir="/somewhere", images="/a", masks="/b")
    assert not {"data_dir", "images", "masks"} & config.portable().keys()


def test_flags_are_named_after_their_fields() -> None:
    assert flag_of("image_size") == "--image-size"


@given(
    st.lists(
        st.tuples(st.sampled_from([1.0, 0.5, 2.0, 1e-3]), st.sampled_from(["ce", "dice", "a-b"])),
        min_size=1,
        max_size=3,
        unique_by=lambda t: t[1],
    )
)
@settings(deadline=None)
def test_sums_are_read_as_they_are_written(terms: list[tuple[float, str]]) -> None:
    text = " + ".join(f"{w}*{n}" for w, n in terms)
    assert parse_sum(text) == tuple(Term(w, n) for w, n in terms)


@pytest.mark.parametrize(
    "text", ["", "+", "ce+", "2", "2*", "ce ce", "-1*ce", "0*ce", "ce+ce", "inf*ce"]
)
def test_what_is_no_sum_is_refused(text: str) -> None:
    if text == "ce ce":
        assert parse_sum(text) == (Term(1.0, "cece"),)  # spaces do not count
        return
    with pytest.raises(ConfigError):
        parse_sum(text)


@pytest.mark.parametrize("value", [["unet"], 3, {"unet": 1}])
def test_an_architecture_that_is_no_text_is_refused(tmp_path: Path, value: object) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"arch": value}))
    for asked in (None, "unet"):
        with pytest.raises(ConfigError, match=r"c\.yaml: arch must be text"):
            merged_settings(asked, None, path, None, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epochs: 1\nwidth: 4\nepochs: 2\n", "epochs is set twice, in lines 1 and 3"),
        ("epochs: 1\n'epochs': 1\n", "epochs is set twice, in lines 1 and 2"),
        ("parts:\n  loss: {smooth: 1, smooth: 2}\n", "smooth is set twice, in line 2"),
        ("parts: &a\n  loss:\n    ce: 1\n    ce: 1\nx: *a\n", "ce is set twice, in lines 3 and 4"),
    ],
)
def test_a_key_twice_is_refused_by_name(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="twice.yaml: " + expected) as caught:
        read_config_file(path)
    assert caught.value.exit_code == 2


def test_a_key_twice_in_a_value_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"--set loss=.*: smooth is set twice, in line 1"):
        read_settings(["loss={smooth: 1, smooth: 2}"])


def test_keys_of_merged_mappings_may_be_overlaid(tmp_path: Path) -> None:
    path = tmp_path / "merged.yaml"
    path.write_text("a: &a {x: 1}\nb: &b {<<: *a, x: 2}\nc: {<<: *b, x: 3}\n", encoding="utf-8")
    assert read_config_file(path).values["c"] == {"x": 3}


def test_task_and_data_set_take_arguments_of_their_own(tmp_path: Path) -> None:
    words = ["task.noise=0.2", "dataset.bands=4"]
    config = merge({}, user_layers(words, {}))
    assert config.parts == {"task": {"noise": 0.2}, "dataset": {"bands": 4}}
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    assert merge({}, [read_config_file(path)]) == config
    other = merge({}, user_layers(["task.noise=0.3", "dataset.bands=4"], {}))
    changed = changes(config.to_dict(), other.to_dict())
    assert changed == ["--set task was {'noise': 0.2}, is {'noise': 0.3}"]
    for kind, reason in (("task", "task 'segmentation'"), ("dataset", "dataset 'synthetic'")):
        mine = merge({}, user_layers([f"{kind}.bands=4"], {}))
        with pytest.raises(ConfigError, match=f"{reason} does not take bands"):
            Segmentation.create(mine, Segmentation.load(mine, "train"))
