"""One pass of a conditional VAE over a batch, from which the terms of its loss are taken."""

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor

from netlab.contracts.likelihood import Likelihood
from netlab.contracts.vae_term import Observer, VaeNetwork, VaeStep, VaeTerm, Views
from netlab.layers.reader import in_use


def vae_step(
    network: VaeNetwork,
    likelihood: Likelihood,
    terms: Collection[VaeTerm],
    images: Tensor,
    labels: Tensor,
    classes: int,
    *,
    learning: bool,
    wrong: Tensor | None = None,
    done: float = 1.0,
    generator: torch.Generator | None = None,
) -> VaeStep:
    """Encode, sample, decode, swap and encode again, as far as the terms of the loss need it.

    Args:
        network: in training or evaluation mode, in which it is left.
        likelihood: turns what is decoded into pictures.
        terms: of the loss.
        images: x, (B, C, S, S) in [0, 1].
        labels: y, (B,), true labels.
        classes: their number K.
        learning: whether anything is learnt from it: what helpers see is then drawn as well.
        wrong: y', (B,), another label for each picture; None draws them.
        done: share of the run that is behind, 0 to 1.
        generator: what all random numbers come from, on the CPU; None is the global one.
    """
    swaps = any(term.swaps for term in terms)
    observers = [term for term in terms if isinstance(term, Observer)]
    wrong = draw_wrong(labels, classes, generator) if wrong is None else wrong
    true_weights = F.one_hot(labels, classes).float()
    wrong_weights = F.one_hot(wrong, classes).float()
    real = {o: o.view_real(images, labels, generator) for o in observers} if learning else {}

    posterior = network.encode(images, true_weights)  # q(z | x, y)
    z = posterior.sample(generator)
    swapped_output: Tensor | None = None
    if (
        swaps and network.training
    ):  # one batch: batch norm's running statistics are to describe both kinds
        both_weights = torch.cat([true_weights, wrong_weights])
        output, swapped_output = network.decode(z.repeat(2, 1), both_weights).chunk(2)
    else:
        output = network.decode(z, true_weights)  # of p(x | z, y)
        if swaps:
            swapped_output = network.decode(z, wrong_weights)

    swapped, swapped_posterior, views = None, None, dict[Observer, Views]()
    if swapped_output is not None:
        swapped = likelihood.picture(swapped_output)  # x', the mean of p(x | z, y')
        for observer in observers:
            learns_swapped = learning and observer.learns_swapped
            fake = observer.view(swapped.detach(), generator) if learns_swapped else None
            views[observer] = Views(observer.view(swapped, generator), real.get(observer), fake)
        if any(term.reencodes for term in terms):
            with in_use(network):
                swapped_posterior = network.encode(swapped, wrong_weights)  # q(z | x', y')

    return VaeStep(
        images=images,
        labels=labels,
        wrong=wrong,
        true_weights=true_weights,
        wrong_weights=wrong_weights,
        posterior=posterior,
        z=z,
        output=output,
        swapped=swapped,
        swapped_posterior=swapped_posterior,
        views=views,
        done=done,
    )


def draw_wrong(labels: Tensor, classes: int, generator: torch.Generator | None = None) -> Tensor:
    """Another label for each picture, all others equally likely: (B,) to (B,)."""
    turn = torch.randint(1, max(classes, 2), labels.shape, generator=generator).to(labels)
    return (labels + turn) % classes
