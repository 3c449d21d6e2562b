"""The scores of a conditional VAE as lines of text."""

from collections.abc import Callable
from typing import Any

_LABEL, _CELL = 34, 12


def vae_table(result: dict[str, Any]) -> list[str]:
    """The VAE beside trivial stand-ins and, where there are any, other weights."""
    names = {"network": result, **result["baselines"]}
    lines = [
        f"{result['count']} pictures of {result['split']}, {result['dropped']} dropped, "
        f"{result['images_per_second']:.0f} images/s",
        f"{'':<{_LABEL}}" + "".join(f"{name[: _CELL - 1]:>{_CELL}}" for name in names),
    ]

    def row(label: str, *keys: str) -> None:
        cells = [_cell(_dig(scores, keys)) for scores in names.values()]
        lines.append(f"{label:<{_LABEL}}" + "".join(f"{cell:>{_CELL}}" for cell in cells))

    row("swap accuracy", "swap_accuracy")
    for name in result["swap_accuracy_disturbed"] or {}:
        row(f"  under {name.replace('_', ' ')}", "swap_accuracy_disturbed", name)
    row("kept the old label", "kept_old_label")
    row("latent R2 after the swap", "latent_r2")
    for name in result["style"]:
        row(f"style kept: {name.replace('_', ' ')} (r)", "style", name)
    row("distance moved (rms)", "distance", "swapped")
    row("  nearest real picture", "distance", "nearest_real")
    row("Frechet distance to real", "realism", "swapped")
    row("  real to real", "realism", "real_floor")
    row("label read from z: linear probe", "leak", "linear")
    row("label read from z: MLP probe", "leak", "mlp")
    row("  chance", "leak", "chance")
    row("reconstructions read right", "reconstruction_read_right")
    row("reconstruction MSE", "mse")
    row("background of outputs", "background")
    row("ELBO (nats)", "elbo_nats")
    row("  reconstruction", "reconstruction_nats")
    row("  KL", "kl_nats")
    row(f"importance-weighted, k {result['iwae']['k']} (nats)", "iwae", "nats")
    row("bits per dimension", "bits_per_dim")
    return [*lines, *_swap_lines(result)]


def _swap_lines(result: dict[str, Any]) -> list[str]:
    table, classes = result["swap_table"], result["classes"]
    if table is None:
        return ["no judge for this data set: name one with --judge to have swaps read"]
    width = max(6, *(len(name) + 1 for name in classes))
    judge = result["judge"]
    lines = [
        "",
        f"read as asked, by {judge['weights']}: rows are the true label, columns the asked one",
        f"{'':<12}" + "".join(f"{name:>{width}}" for name in classes),
    ]
    show: Callable[[float | None], str] = lambda x: "" if x is None else f"{x:.2f}"  # noqa: E731
    return lines + [
        f"{name:<12}" + "".join(f"{show(x):>{width}}" for x in row)
        for name, row in zip(classes, table, strict=True)
    ]


def _dig(scores: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        scores = scores.get(key) if isinstance(scores, dict) else None
    return scores


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"
