"""One forward pass, watched: what runs in which order, on what, and how much it computes.

What is watched are units: the elements of a part's module lists (`encoder.levels.0`), or the whole
part where it has none (`head`). Nothing is known by its name, so that parts of other packages are
watched alike.

Multiply-adds are counted where torch computes, so that a product made without a module counts too:

- convolution: numbers of its output × input channels of a group × kernel area;
- transposed convolution: numbers of its input × output channels of a group × kernel area;
- matrix product, of which linear layers and attention are made: numbers of its output × length of
  a row of the first factor.

Products with padding count as others do. Biases, normalisation, activations, pooling,
interpolation, sums and recurrent layers are left out.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

_ATEN = torch.ops.aten
_FACTOR = {_ATEN.mm: 0, _ATEN.bmm: 0, _ATEN.addmm: 1, _ATEN.baddbmm: 1}
"""Matrix products, and which argument is the first factor."""


@dataclass(eq=False)
class Unit:
    """A part of a network, or an element of one of its module lists; shapes include the batch."""

    name: str
    """As `named_modules` says: `encoder.levels.0`; empty for the network around its parts."""
    part: str
    """The network's child that it belongs to."""
    whole: bool = False
    """Whether it is what is left of a part around its units."""
    weights: int = 0
    multiply_adds: int = 0
    takes: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
    sources: dict[str, None] = field(default_factory=dict)
    """Names of the units and inputs whose numbers reach it without passing another unit."""


@dataclass(frozen=True)
class Trace:
    """What `trace` saw."""

    units: list[Unit]
    """In the order in which they ran, then those that did not run and have weights."""
    shape: tuple[int, ...]
    """Of the last tensor of the output, with the batch."""
    sources: tuple[str, ...]
    """Of that tensor; see `Unit.sources`."""


def trace(
    network: nn.Module, run: Callable[[], Any], inputs: Mapping[str, Tensor] | None = None
) -> Trace:
    """Watch a network while `run` sends a batch through it.

    Args:
        network: in the mode that it is to run in.
        run: calls it, and returns its output.
        inputs: tensors that `run` uses, with the names under which they are sources.
    """
    tracer = _Tracer(network)
    for name, tensor in (inputs or {}).items():
        tracer.sources[tensor] = {name: None}
    hooks = list(tracer.hooks())
    try:
        with _plain_attention(), tracer:
            output = [leaf for leaf in tree_leaves(run()) if isinstance(leaf, Tensor)]
    finally:
        for hook in hooks:
            hook.remove()
    idle = [u for u in tracer.declared if u.weights and not any(u is ran for ran in tracer.ran)]
    shape = tuple(output[-1].shape) if output else ()
    sources = tuple(tracer.sources.get(output[-1], ())) if output else ()
    return Trace(tracer.ran + idle, shape, sources)


class _Tracer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees each operation of torch, and by its hooks in which unit it takes place."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.owners = dict(_owners(network))
        self.declared = list({id(unit): unit for unit in self.owners.values()}.values())
        self.ran: list[Unit] = []
        self.inside: list[Unit] = []
        self.sources: Any = WeakTensorKeyDictionary()
        """Tensor to the names of the units and inputs that it was made from."""

    def hooks(self) -> Iterator[Any]:
        """Register the hooks that say where the pass is."""
        for module, unit in self.owners.items():
            if unit.name:
                yield module.register_forward_pre_hook(self._entered(unit), with_kwargs=True)
                yield module.register_forward_hook(self._left(unit))

    def _entered(self, unit: Unit) -> Callable[..., None]:
        def enter(_module: nn.Module, args: Any, kwargs: Any) -> None:
            outermost = unit not in self.inside
            self.inside.append(unit)
            if unit not in self.ran:
                self.ran.append(unit)
            if outermost and not unit.whole:
                given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
                unit.takes = unit.takes or (tuple(given[0].shape) if given else ())
                for tensor in given:
                    unit.sources.update(self.sources.get(tensor, {}))

        return enter

    def _left(self, unit: Unit) -> Callable[..., None]:
        def leave(_module: nn.Module, _args: Any, output: Any) -> None:
            self.inside.pop()
            if unit in self.inside or unit.whole:
                return
            for leaf in tree_leaves(output):
                if isinstance(leaf, Tensor):
                    unit.shape = tuple(leaf.shape)
                    self.sources[leaf] = {unit.name: None}

        return leave

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do the operation; count its multiply-adds, and note what its result is made from."""
        out = func(*args, **(kwargs or {}))
        if count := _multiply_adds(func, args, out):
            self._here().multiply_adds += count
        made_from: dict[str, None] = {}
        for leaf in tree_leaves((args, kwargs)):
            if isinstance(leaf, Tensor):
                made_from.update(self.sources.get(leaf, {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor) and made_from:
                self.sources[leaf] = made_from
        return out

    def _here(self) -> Unit:
        """The unit under way; around the units of a part, one for each gap between them."""
        here = self.inside[-1] if self.inside else Unit("", "", whole=True)
        if not here.whole:
            return here
        if not self.ran or self.ran[-1].name != here.name:
            self.ran.append(Unit(here.name, here.part, whole=True))
        return self.ran[-1]


def _owners(network: nn.Module) -> Iterator[tuple[nn.Module, Unit]]:
    """Each module of a network and the unit that it belongs to, with the unit's weights.

    A weight that several units share is the first one's.
    """
    seen: set[int] = set()

    def claim(module: nn.Module, *, alone: bool = False) -> int:
        fresh = {id(p): p for p in module.parameters(recurse=not alone) if id(p) not in seen}
        seen.update(fresh)
        return sum(p.numel() for p in fresh.values())

    yield network, Unit("", "", whole=True, weights=claim(network, alone=True))
    for part_name, part in network.named_children():
        lists = {n: m for n, m in part.named_children() if isinstance(m, nn.ModuleList)}
        if not lists:
            unit = Unit(part_name, part_name, weights=claim(part))
            yield from ((module, unit) for module in part.modules())
            continue
        for group, stack in lists.items():
            for index, step in stack.named_children():
                unit = Unit(f"{part_name}.{group}.{index}", part_name, weights=claim(step))
                yield from ((module, unit) for module in step.modules())
        yield part, Unit(part_name, part_name, whole=True, weights=claim(part, alone=True))
        for name, child in part.named_children():
            if name not in lists:
                around = Unit(f"{part_name}.{name}", part_name, whole=True, weights=claim(child))
                yield from ((module, around) for module in child.modules())


def _multiply_adds(func: Any, args: Any, out: Any) -> int:
    """Of one operation; see the top of the file."""
    packet = getattr(func, "overloadpacket", None)
    if packet is _ATEN.convolution:
        transposed = args[6]
        return int((args[0] if transposed else out).numel() * args[1].shape[1:].numel())
    if packet in _FACTOR:
        return int(out.numel() * args[_FACTOR[packet]].shape[-1])
    return 0


@contextlib.contextmanager
def _plain_attention() -> Iterator[None]:
    """Let attention be computed by matrix products that can be seen, not in one piece."""
    fast: Any = torch.backends.mha
    was = fast.get_fastpath_enabled()
    fast.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        fast.set_fastpath_enabled(was)
