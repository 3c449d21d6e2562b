"""Whole networks, put together from built components."""

from typing import Any, Protocol

from torch import nn


class ArchitectureBuilder(Protocol):
    """A component of the kind `architecture`.

    Its task (`netlab.tasks`) builds it, and knows what it takes: the components that `parts` names,
    in that order, and keywords of its own. Both attributes are literals in the body of the class:
    the command line reads them without importing it.
    """

    @property
    def task(self) -> str:
        """Name of the task that it is trained for."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Kinds of the components that it is put together from."""

    def __call__(self, *components: Any, **sizes: Any) -> nn.Module:
        """Put the network together."""
