"""One config: layering, types, faults, YAML, presets."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from netlab.config import TrainConfig, flag_of
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
)


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
        ({"images": "a", "dataset": "pets"}, "--images is for --dataset pairs, not for pets"),
        ({"parts": {"dataset": {"x": 1}}}, "unknown kind of component 'dataset'"),
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


@pytest.mark.parametrize("name", preset_names("unet"))
def test_every_preset_is_valid_and_described(name: str) -> None:
    merge({}, [defaults_of("unet"), preset("unet", name)])
    assert dict(preset_summaries())[f"unet/{name}"].endswith(".")


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
