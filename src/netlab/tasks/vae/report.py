"""The full score of a conditional VAE: `netlab eval`."""

import time
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netlab.contracts.dataset import LabelledSet
from netlab.contracts.likelihood import Likelihood
from netlab.contracts.report import Batch, Headline, Measure, Section, Shown
from netlab.contracts.vae_term import Posterior, VaeNetwork
from netlab.figures.grid import as_rgb, draw_stacks
from netlab.figures.html.table import score as digits
from netlab.figures.text_table import text_table
from netlab.metrics.bounds import (
    bits_per_dim,
    gaussian_log_density,
    importance_bound,
    standard_log_density,
)
from netlab.metrics.latent import active_dimensions, latent_r2
from netlab.metrics.probe import chance, linear_probe, mlp_probe
from netlab.tasks.base import raw_batch
from netlab.tasks.pixels import to_bytes, to_unit
from netlab.tasks.report import BaseReport, finite
from netlab.tasks.vae.judge import Judge, Seen
from netlab.tasks.vae.page import every_label_section, reconstructions_section, swap_table_section
from netlab.tasks.vae.scores import SwapScores
from netlab.vae_terms.kl import kl_nats

_SHOWN, _CLASSES = 8, 10  # pictures in the figure, and in the page
_SAMPLES = 50  # of the importance-weighted bound
_BOUNDED = 512  # pictures that it is measured on: each costs as much as fifty others
_BATCH = 256
_STANDINS = {"input": "input returned", "real": "another real picture"}


class Gathered(NamedTuple):
    """What one pass over the scored pictures leaves behind, a row for each picture."""

    mean: Tensor
    """(N, D), posterior means under the true label."""
    swapped_mean: Tensor
    """(N, D), posterior means of the swapped pictures under the asked label."""
    reconstruction_nats: Tensor
    """(N,), -log p(x | z, y), z drawn from the posterior."""
    kl_nats: Tensor
    """(N,)."""
    bounds: Tensor
    """(M,), importance-weighted bounds of the first pictures."""
    reconstructions: NDArray[np.uint8]
    """(N, S, S, C), decoded from the mean under the true label."""
    swapped: NDArray[np.uint8]
    """(N, S, S, C), decoded from the mean under the asked label."""


class EveryLabel(NamedTuple):
    """N pictures and what is decoded from their posterior means."""

    images: NDArray[np.uint8]
    """(N, S, S, C)."""
    reconstructions: NDArray[np.uint8]
    """(N, S, S, C), with the label they have."""
    swaps: NDArray[np.uint8]
    """(N, K, S, S, C), with each label."""


class VaeReport(BaseReport):
    """Gathers what a conditional VAE does with a split of the data.

    Each picture is swapped to one other label, all others equally often: the label of picture i is
    moved on by 1 + i mod (K - 1).

    Args:
        likelihood: of the loss that the network was trained with.
        data: the split that is scored.
        train: the training split: the probes are fitted there, the nearest pictures found there.
        split: name of the scored split.
        judge: reads pictures; None leaves out what needs one.
        others: results of other weights by name, shown next to these.
    """

    data: LabelledSet

    def __init__(
        self,
        likelihood: Likelihood,
        data: LabelledSet,
        train: LabelledSet,
        split: str,
        judge: Judge | None,
        others: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(data, split)
        self.likelihood, self.train = likelihood, train
        self.judge, self.others = judge, others
        self.network: VaeNetwork | None = None
        self.device = torch.device("cpu")
        classes = len(data.classes)
        self.labels = torch.from_numpy(data.labels)
        turn = 1 + torch.arange(len(data)) % max(1, classes - 1)
        self.asked = (self.labels + turn) % classes
        self.swap_scores = SwapScores(data, train, self.asked, judge)
        self.batches: list[Gathered] = []
        self.generator = torch.Generator().manual_seed(0)
        self.pictures = 0

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take one batch in; batches come in the order of the pictures."""
        vae, (images, labels) = cast(VaeNetwork, network), batch
        self.network, self.device = vae, images.device
        one_hot = torch.eye(len(self.data.classes), device=images.device)
        asked = self.asked[self.pictures : self.pictures + len(images)].to(labels.device)
        true_weights, wrong_weights = one_hot[labels], one_hot[asked]
        likelihood = self.likelihood

        started = time.perf_counter()
        posterior = vae.encode(images, true_weights)
        swapped = to_bytes(likelihood.picture(vae.decode(posterior.mean, wrong_weights)))
        self.seconds += time.perf_counter() - started  # to_bytes has waited for the GPU

        z = posterior.sample(self.generator)
        # Encoded again as a file would be: rounded to 256 levels.
        stored = to_unit(torch.from_numpy(swapped).to(images.device))
        gathered = Gathered(
            mean=posterior.mean,
            swapped_mean=vae.encode(stored, wrong_weights).mean,
            reconstruction_nats=likelihood.nats(vae.decode(z, true_weights), images),
            kl_nats=kl_nats(posterior.mean, posterior.log_var).sum(dim=1),
            bounds=self._bounds(vae, images, true_weights, posterior),
            reconstructions=to_bytes(likelihood.picture(vae.decode(posterior.mean, true_weights))),
            swapped=swapped,
        )
        self.batches.append(gathered)
        self.pictures += len(images)

    @cached_property
    def gathered(self) -> Gathered:
        """All batches as one, on the CPU."""
        columns: Any = zip(*self.batches, strict=True)
        joined: list[Any] = [
            torch.cat(column).cpu() if isinstance(column[0], Tensor) else np.concatenate(column)
            for column in columns
        ]
        return Gathered(*joined)

    @cached_property
    def seen(self) -> Seen | None:
        """What the judge sees in the swapped pictures, read once for all that needs it."""
        return self.swap_scores.see(self.gathered.swapped)

    def scores(self) -> dict[str, Any]:
        """See `BaseReport`."""
        gathered = self.gathered
        reconstruction = float(gathered.reconstruction_nats.mean())
        kl = float(gathered.kl_nats.mean())
        dims = int(np.prod(self.data.images.shape[1:]))
        active = active_dimensions(gathered.mean)
        judge = self.judge
        return {
            "elbo_nats": -reconstruction - kl,
            "reconstruction_nats": reconstruction,
            "kl_nats": kl,
            "iwae": {
                "k": _SAMPLES,
                "count": len(gathered.bounds),
                "nats": float(gathered.bounds.mean()),
            },
            "bits_per_dim": (
                bits_per_dim(reconstruction + kl, dims) if self.likelihood.levels else None
            ),
            **self.swap_scores.reconstructions(gathered.reconstructions),
            **self.swap_scores.swaps(gathered.swapped, self.seen),
            "leak": self._leak(gathered.mean),
            "latent_r2": finite(latent_r2(gathered.mean, gathered.swapped_mean, active)),
            "active_dimensions": int(active.sum()),
            "classes": list(self.data.classes),
            "judge": judge and {"weights": judge.name, "accuracy": judge.accuracy},
            "baselines": {
                "input": self.swap_scores.returned_input(),
                "real": self.swap_scores.another_real(),
                **self.others,
            },
        }

    def score_rows(self) -> list[Measure]:
        """See `BaseReport`; none is better for being higher, as `sections` says."""
        result = self.result()

        def row(label: str, *keys: str) -> Measure:
            return Measure(label, keys, higher_is_better=None)

        return [
            row("swap accuracy", "swap_accuracy"),
            *(
                row(f"  under {name.replace('_', ' ')}", "swap_accuracy_disturbed", name)
                for name in result["swap_accuracy_disturbed"] or {}
            ),
            row("kept the old label", "kept_old_label"),
            row("latent R2 after the swap", "latent_r2"),
            *(
                row(f"style kept: {name.replace('_', ' ')} (r)", "style", name)
                for name in result["style"]
            ),
            row("distance moved (rms)", "distance", "swapped"),
            row("  nearest real picture", "distance", "nearest_real"),
            row("Frechet distance to real", "realism", "swapped"),
            row("  real to real", "realism", "real_floor"),
            row("label read from z: linear probe", "leak", "linear"),
            row("label read from z: MLP probe", "leak", "mlp"),
            row("  chance", "leak", "chance"),
            row("reconstructions read right", "reconstruction_read_right"),
            row("reconstruction MSE", "mse"),
            row("background of outputs", "background"),
            row("ELBO (nats)", "elbo_nats"),
            row("  reconstruction", "reconstruction_nats"),
            row("  KL", "kl_nats"),
            row(f"importance-weighted, k {result['iwae']['k']} (nats)", "iwae", "nats"),
            row("bits per dimension", "bits_per_dim"),
        ]

    def table(self, width: int | None = None) -> list[str]:
        """The scores and the swap table as lines of text."""
        return [*super().table(width), *_swap_lines(self.result(), width)]

    def measures(self) -> list[Measure]:
        """What VAEs are compared by; the score comes first, without a judge the likelihood."""
        judged = self.judge is not None
        likelihood = [
            Measure("reconstruction, nats", ("reconstruction_nats",), higher_is_better=False),
            Measure("KL, nats", ("kl_nats",), higher_is_better=None),
            Measure("reconstruction MSE", ("mse",), higher_is_better=False),
        ]
        swap = [
            Measure("swap accuracy", ("swap_accuracy",), higher_is_better=True),
            Measure("read right", ("reconstruction_read_right",), higher_is_better=True),
            Measure("Frechet distance", ("realism", "swapped"), higher_is_better=False),
        ]
        z = [
            Measure("latent R2", ("latent_r2",), higher_is_better=True),
            Measure("leak, linear", ("leak", "linear"), higher_is_better=False),
            Measure("leak, MLP", ("leak", "mlp"), higher_is_better=False),
        ]
        return [*swap, *z, *likelihood] if judged else [*likelihood, *z]

    def score_by_picture(self) -> NDArray[np.float64]:
        """Whether each swap is read as asked; without a judge, the reconstruction in nats; (N,)."""
        if self.seen is None:
            return self.gathered.reconstruction_nats.double().numpy()
        return (self.seen.ids == self.asked).double().numpy()

    def by_rank(self) -> NDArray[np.float64]:
        """How well each picture is reconstructed, (N,): the log likelihood in nats."""
        return -self.gathered.reconstruction_nats.double().numpy()

    def shown(self, indices: NDArray[np.int64]) -> Shown:
        """Some pictures, and what they become under the labels asked for."""
        names = self.data.classes
        labels, asked = self.data.labels[indices], self.asked.numpy()[indices]
        return Shown(
            common=[("Input", as_rgb(self.data.images[indices]))],
            own=as_rgb(self.gathered.swapped[indices]),
            names=[f"{names[a]} to {names[b]}" for a, b in zip(labels, asked, strict=True)],
            scores=[f"{nats:.0f}" for nats in self.by_rank()[indices]],
        )

    def outcome(self) -> NDArray[np.uint8]:
        """What the network made of every picture: swapped pictures (N, S, S, C)."""
        return self.gathered.swapped

    def rows(self) -> list[dict[str, Any]]:
        """A row for each picture for `--csv`: name, labels, what the judge reads, nats."""
        gathered, names = self.gathered, self.data.classes
        read = [""] * len(self.data) if self.seen is None else [names[k] for k in self.seen.ids]
        return [
            {
                "name": name,
                "true_label": names[self.data.labels[i]],
                "asked_label": names[int(self.asked[i])],
                "read": read[i],
                "reconstruction_nats": round(float(gathered.reconstruction_nats[i]), 4),
                "kl_nats": round(float(gathered.kl_nats[i]), 4),
            }
            for i, name in enumerate(self.data.names)
        ]

    def headlines(self) -> list[Headline]:
        """Swap accuracy, label leak, and likelihood, each beside what it is to be compared with."""
        result = self.result()
        leak, judge, baselines = result["leak"], result["judge"], result["baselines"]
        chance = f"MLP probe; chance: {digits(leak['chance'])}"
        headlines = [
            Headline("Label read from z", digits(leak["mlp"]), chance),
            Headline("ELBO", digits(result["elbo_nats"]), "nats a picture; higher is better"),
        ]
        if judge is None:
            return headlines
        remark = (
            f"input returned: {digits(baselines['input']['swap_accuracy'])}, "
            f"real pictures: {digits(baselines['real']['swap_accuracy'])}; "
            f"read by {judge['weights']}"
        )
        return [Headline("Swap accuracy", digits(result["swap_accuracy"]), remark), *headlines]

    def sections(self) -> list[Section]:
        """Scores, the swap table, pictures under every label, and reconstructions."""
        indices = _one_of_each(self.data.labels, _CLASSES)
        scores = self.scores_section(
            "No score is marked as the best: a picture that is returned as it is keeps all of its "
            "style, and another real picture of the asked class is always realistic. A good "
            "network comes close to both at once.",
            columns=[_STANDINS.get(name, name) for name in self.result()["baselines"]],
            caption=", each under one other label",
        )
        return [
            scores,
            swap_table_section(self.result()),
            every_label_section(self.data, indices, *self._under_every_label(indices)),
            reconstructions_section(self.data, self.gathered.reconstructions, self.by_rank()),
        ]

    def figure(self, title: str) -> Image.Image:
        """Some pictures under every label."""
        indices = _one_of_each(self.data.labels, _SHOWN)
        every = self._under_every_label(indices)
        return every_label_figure(every, self.data, indices, title)

    def _under_every_label(self, indices: NDArray[np.int64]) -> EveryLabel:
        images, labels = raw_batch(self.data, indices, lambda t: t.to(self.device))
        assert self.network is not None
        classes = len(self.data.classes)
        return under_every_label(self.network, self.likelihood, images, labels, classes)

    def _bounds(
        self, network: VaeNetwork, images: Tensor, true_weights: Tensor, posterior: Posterior
    ) -> Tensor:
        """Importance-weighted bounds of as many pictures of a batch as are still wanted."""
        count = max(0, min(len(images), _BOUNDED - self.pictures))
        if not count:
            return torch.zeros(0)
        first = Posterior(posterior.mean[:count], posterior.log_var[:count])
        log_weights = []
        for _ in range(_SAMPLES):
            z = first.sample(self.generator)
            output = network.decode(z, true_weights[:count])
            log_p = -self.likelihood.nats(output, images[:count])
            log_q = gaussian_log_density(z, first.mean, first.log_var)
            log_weights.append(log_p + standard_log_density(z) - log_q)
        return importance_bound(torch.stack(log_weights).cpu())  # waits for the GPU

    @torch.inference_mode()
    def _leak(self, test_means: Tensor) -> dict[str, float]:
        assert self.network is not None
        classes = len(self.data.classes)
        one_hot = torch.eye(classes, device=self.device)
        means = []
        for start in range(0, len(self.train), _BATCH):
            indices = np.arange(start, min(start + _BATCH, len(self.train)))
            images, labels = raw_batch(self.train, indices, lambda t: t.to(self.device))
            means.append(self.network.encode(images, one_hot[labels]).mean)
        train_means = torch.cat(means).cpu()  # waits for the GPU
        labels = torch.from_numpy(self.train.labels)
        sides = (train_means.clone(), labels, test_means.clone(), self.labels, classes)
        with torch.inference_mode(False), torch.enable_grad():
            return {
                "linear": linear_probe(*sides),
                "mlp": mlp_probe(*sides),
                "chance": chance(labels, self.labels, classes),
            }


@torch.inference_mode()
def under_every_label(
    network: VaeNetwork, likelihood: Likelihood, images: Tensor, labels: Tensor, classes: int
) -> EveryLabel:
    """Decode pictures (N, C, S, S) with their label and with each of K; all on one device."""
    one_hot = torch.eye(classes, device=images.device)
    true_weights = one_hot[labels]
    z = network.encode(images, true_weights).mean
    reconstructions = to_bytes(likelihood.picture(network.decode(z, true_weights)))
    every = network.decode(z.repeat_interleave(classes, dim=0), one_hot.repeat(len(images), 1))
    swaps = to_bytes(likelihood.picture(every))
    shape = (len(images), classes, *swaps.shape[1:])
    return EveryLabel(to_bytes(images), reconstructions, swaps.reshape(shape))


def every_label_figure(
    every: EveryLabel, data: LabelledSet, indices: NDArray[np.int64], title: str
) -> Image.Image:
    """A figure of the pictures at `indices`, their reconstruction, and each under every label."""
    captions = [f"{data.names[i]}: {data.classes[data.labels[i]]}" for i in indices]
    by_label = zip(data.classes, every.swaps.swapaxes(0, 1), strict=True)
    stacks = [("input", every.images), ("decoded", every.reconstructions), *by_label]
    return draw_stacks(stacks, captions, title=title, cell=80)


def _swap_lines(result: Mapping[str, Any], width: int | None) -> list[str]:
    table, classes, judge = result["swap_table"], result["classes"], result["judge"]
    if table is None:
        return ["no judge for this data set: name one with --judge to have swaps read"]
    cells = [
        [name, *("" if share is None else f"{share:.2f}" for share in row)]
        for name, row in zip(classes, table, strict=True)
    ]
    return [
        "",
        f"read as asked, by {judge['weights']}: rows are the true label, columns the asked one",
        *text_table(cells, ["", *classes], width=width),
    ]


def _one_of_each(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Indices of the first picture of each of the first `count` classes."""
    return np.concatenate([np.flatnonzero(labels == k)[:1] for k in np.unique(labels)[:count]])
