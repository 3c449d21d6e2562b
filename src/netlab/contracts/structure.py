"""What a network is made of, in numbers; `netlab.inspect.structure` measures it."""

from dataclasses import dataclass
from itertools import pairwise

Shape = tuple[int, ...]
"""Of one picture's map or vector, without the batch: (C, H, W) or (N,)."""

PICTURE, LABEL, OUTPUT = "picture", "label", "output"
"""Names of the ends of links that are no levels."""


@dataclass(frozen=True)
class Level:
    """What runs one after another in one part of a network at one size."""

    name: str
    """Of the part, with a number where the part has several levels: `encoder 2`, `head`."""
    kind: str
    """The part it belongs to, such as `encoder`; `other` for what belongs to no part."""
    takes: Shape
    """Of its first input."""
    shape: Shape
    """Of its output; empty if it did not run or belongs to no part."""
    weights: int
    multiply_adds: int
    """For one picture."""

    @property
    def size(self) -> Shape:
        """Height and width of the output; empty for a vector."""
        return self.shape[1:]


@dataclass(frozen=True)
class Link:
    """A way that numbers take from one level, or an input, to another, or the output."""

    source: str
    target: str


@dataclass(frozen=True)
class Structure:
    """A network as it works on one picture."""

    inputs: tuple[tuple[str, Shape], ...]
    """`picture`, and `label` where the network takes one."""
    output: Shape
    levels: tuple[Level, ...]
    """In the order in which they run."""
    links: tuple[Link, ...]

    @property
    def weights(self) -> int:
        """Trainable numbers of the whole network."""
        return sum(level.weights for level in self.levels)

    @property
    def multiply_adds(self) -> int:
        """Of the whole network for one picture; see `netlab.inspect.trace` for what counts."""
        return sum(level.multiply_adds for level in self.levels)

    @property
    def chain(self) -> tuple[Level, ...]:
        """The levels that the picture passes through."""
        reached = {PICTURE}
        for _ in self.links:
            reached |= {link.target for link in self.links if link.source in reached}
        return tuple(level for level in self.levels if level.name in reached)

    @property
    def skips(self) -> tuple[Link, ...]:
        """Links of the chain, from the picture to the output, that pass levels by."""
        names = [PICTURE, *(level.name for level in self.chain), OUTPUT]
        steps = set(pairwise(names))
        return tuple(
            link
            for link in self.links
            if link.source in names and (link.source, link.target) not in steps
        )
