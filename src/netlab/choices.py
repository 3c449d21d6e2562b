"""Values of settings that both the help and the training need; nothing here imports torch."""

from dataclasses import dataclass

PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
"""Choices of `--precision` other than `auto`, each with its type in torch."""


@dataclass(frozen=True)
class Strength:
    """How far each change goes, drawn uniformly from its range."""

    flip: bool = False
    """Mirror left and right in half of the cases."""
    zoom: float = 0.0
    """Scale by 2**u, u in ±zoom: in is a crop, out shows mirrored surroundings."""
    aspect: float = 0.0
    """Stretch one side against the other by 2**u, u in ±aspect."""
    turn: float = 0.0
    """Rotation in degrees, ±."""
    shift: float = 0.0
    """Displacement as a share of the side, ±."""
    whole: bool = False
    """Displace by whole pixels, which blurs nothing."""
    light: float = 0.0
    """Brightness, ± share of the full range."""
    contrast: float = 0.0
    """Contrast, ± share."""
    colour: float = 0.0
    """Saturation and each channel's gain, ± share."""

    @property
    def moves(self) -> bool:
        """Whether any pixel moves."""
        return self.flip or any((self.zoom, self.aspect, self.turn, self.shift))

    @property
    def tints(self) -> bool:
        """Whether any pixel changes its colour."""
        return any((self.light, self.contrast, self.colour))


STRENGTHS = {
    "none": Strength(),
    "flip": Strength(flip=True),
    "shift": Strength(flip=True, shift=0.125, whole=True),
    "standard": Strength(
        flip=True,
        zoom=0.35,
        aspect=0.12,
        turn=12,
        shift=0.08,
        light=0.12,
        contrast=0.2,
        colour=0.15,
    ),
    "strong": Strength(
        flip=True, zoom=0.6, aspect=0.2, turn=20, shift=0.12, light=0.2, contrast=0.35, colour=0.3
    ),
}
"""Choices of `--augment`."""
