"""Weighted sums of named terms, as in `--loss ce+0.5*dice`."""

import re
from typing import NamedTuple

from netlab.errors import ConfigError

_TERM = re.compile(r"(?:(?P<weight>\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)\*)?(?P<name>[a-z][a-z0-9-]*)")


class Term(NamedTuple):
    """One term of a weighted sum."""

    weight: float
    name: str


def parse_sum(text: str) -> tuple[Term, ...]:
    """Read `name`, `2*name`, and sums of those.

    Raises:
        ConfigError: text that is no such sum, a weight of zero, or a term given twice.

    >>> parse_sum("ce + 0.5*dice")
    (Term(weight=1.0, name='ce'), Term(weight=0.5, name='dice'))
    """
    terms = []
    for piece in re.sub(r"\s+", "", text).split("+"):
        match = _TERM.fullmatch(piece)
        if match is None:
            raise ConfigError(
                f"'{text}' is no weighted sum: write terms like ce, 0.5*dice or ce+0.5*dice"
            )
        terms.append(Term(float(match["weight"] or 1), match["name"]))
    if any(term.weight == 0 for term in terms):
        raise ConfigError(f"'{text}': a term with weight 0 does nothing; leave it out")
    if len({term.name for term in terms}) < len(terms):
        raise ConfigError(f"'{text}': a term is given twice; add its weights instead")
    return tuple(terms)
