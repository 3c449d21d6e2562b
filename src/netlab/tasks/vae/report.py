"""The full score of a conditional VAE: `netlab eval`."""

import time
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from netlab.contracts.dataset import LabelledSet
from netlab.contracts.report import Headline, Measure, Section, Shown
from netlab.figures.grid import as_rgb
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
from netlab.tasks.vae.gathered import Gathered, joined
from netlab.tasks.vae.judge import Judge
from netlab.tasks.vae.page import vae_headlines, vae_sections
from netlab.tasks.vae.scores import SwapScores, mean_of
from netlab.tasks.vae.table import vae_measures, vae_table
from netlab.vae_terms.kl import kl_nats

_SHOWN, _CLASSES = 8, 10  # pictures in the figure, and in the page
_SAMPLES = 50  # of the importance-weighted bound
_BOUNDED = 512  # pictures that it is measured on: each costs as much as fifty others
_BATCH = 256


class VaeReport:
    """Gathers what a conditional VAE does with a part of the data.

    Each picture is swapped to one other label, all others equally often: the label of picture i is
    moved on by 1 + i mod (K - 1).

    Args:
        task: the vae task; gives batches.
        data: the part that is scored.
        train: the training part: the probes are fitted there, the nearest pictures found there.
        split: name of the scored part.
        judge: reads pictures; None leaves out what needs one.
        beside: results of other weights by name, shown beside these.
    """

    def __init__(
        self,
        task: Any,
        data: LabelledSet,
        train: LabelledSet,
        split: str,
        judge: Judge | None,
        beside: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.task, self.data, self.train, self.split = task, data, train, split
        self.judge, self.network, self.beside = judge, None, beside
        self.kinds = len(data.classes)
        self.labels = torch.from_numpy(data.labels)
        turn = 1 + torch.arange(len(data)) % max(1, self.kinds - 1)
        self.asked = (self.labels + turn) % self.kinds
        self.parts: list[Gathered] = []
        self.generator = torch.Generator().manual_seed(0)
        self.seen, self.seconds = 0, 0.0

    def update(self, network: Any, batch: tuple[Tensor, ...]) -> None:
        """Take one batch in; batches come in the order of the pictures."""
        self.network = network
        images, labels = batch
        place = slice(self.seen, self.seen + len(images))
        every = torch.eye(self.kinds, device=images.device)
        true, wrong = every[labels], every[self.asked[place].to(labels.device)]
        likelihood = self.task.likelihood
        started = time.perf_counter()
        posterior = network.encode(images, true)
        swapped = likelihood.picture(network.decode(posterior.mean, wrong))
        pictures = to_bytes(swapped)  # waits for the GPU
        self.seconds += time.perf_counter() - started
        z = posterior.sample(self.generator)
        # Re-encoded as a file would be: rounded to 256 levels.
        stored = to_unit(torch.from_numpy(pictures).to(images.device))
        self.parts.append(
            Gathered(
                mean=posterior.mean.cpu(),
                again_mean=network.encode(stored, wrong).mean.cpu(),
                reconstruction=likelihood.nats(network.decode(z, true), images).cpu(),
                kl=_kl(posterior).cpu(),
                bound=self._bounds(network, images, true, posterior),
                again=to_bytes(likelihood.picture(network.decode(posterior.mean, true))),
                swapped=pictures,
            )
        )
        self.seen += len(images)

    @cached_property
    def gathered(self) -> Gathered:
        """All batches, joined."""
        return joined(self.parts)

    def result(self) -> dict[str, Any]:
        """The JSON document of `netlab eval`; see the contract of its keys in the README."""
        return self._result

    @cached_property
    def _result(self) -> dict[str, Any]:
        found = self.gathered
        reconstruction, kl = float(found.reconstruction.mean()), float(found.kl.mean())
        dims = int(np.prod(self.data.images.shape[1:]))
        levels = self.task.likelihood.levels
        scores = SwapScores(self.data, self.train, self.asked, self.judge)
        active = active_dimensions(found.mean)
        return {
            "split": self.split,
            "count": len(self.data),
            "dropped": len(self.data.dropped),
            "elbo_nats": -reconstruction - kl,
            "reconstruction_nats": reconstruction,
            "kl_nats": kl,
            "iwae": {
                "k": _SAMPLES,
                "count": len(found.bound),
                "nats": float(found.bound.mean()),
            },
            "bits_per_dim": bits_per_dim(reconstruction + kl, dims) if levels else None,
            **scores.reconstructions(found.again),
            **scores.swaps(found.swapped, scores.see(found.swapped)),
            "leak": self._leak(found.mean),
            "latent_r2": mean_of(latent_r2(found.mean, found.again_mean, active)),
            "active_dimensions": int(active.sum()),
            "classes": list(self.data.classes),
            "judge": self._judged(),
            "baselines": {
                "input": scores.returned_input(),
                "real": scores.another_real(),
                **self.beside,
            },
            "images_per_second": round(len(self.data) / max(self.seconds, 1e-9), 1),
        }

    def table(self, width: int | None = None) -> list[str]:
        """The scores as lines of text, beside those of the trivial predictors."""
        return vae_table(self.result(), width)

    def measures(self) -> list[Measure]:
        """What runs are compared by, the score first; see `contracts.report.Report`."""
        return vae_measures(self.result())

    def resampled(self, draws: NDArray[np.int64]) -> NDArray[np.float64]:
        """The score of resamples of the pictures, draws (R, N) to (R,): swap accuracy, or without
        a judge the reconstruction in nats.
        """
        found = self.gathered
        if self.judge is None:
            values = found.reconstruction.double().numpy()
        else:
            read = self.judge.read(to_unit(torch.from_numpy(found.swapped)))
            values = (read.cpu() == self.asked).double().numpy()
        with np.errstate(invalid="ignore"):  # a diverged network has infinite nats
            scores: NDArray[np.float64] = draws @ values / draws.sum(axis=1)
        return scores

    def by_rank(self) -> NDArray[np.float64]:
        """How well each picture is reconstructed, (N,): the log likelihood in nats."""
        return -self.gathered.reconstruction.double().numpy()

    def shown(self, indices: NDArray[np.int64]) -> Shown:
        """Some pictures, and what they become under the labels asked for."""
        found, names = self.gathered, self.data.classes
        labels, asked = self.data.labels[indices], self.asked.numpy()[indices]
        return Shown(
            common=[("Input", as_rgb(self.data.images[indices]))],
            own=as_rgb(found.swapped[indices]),
            names=[f"{names[a]} to {names[b]}" for a, b in zip(labels, asked, strict=True)],
            scores=[f"{nats:.0f}" for nats in self.by_rank()[indices]],
        )

    def outcome(self) -> NDArray[np.uint8]:
        """What the network made of every picture: swapped pictures (N, S, S, C)."""
        return self.gathered.swapped

    def rows(self) -> list[dict[str, Any]]:
        """A row a picture for `--csv`: name, labels, what the judge reads, nats."""
        found, names = self.gathered, self.data.classes
        read = self.judge.read(to_unit(torch.from_numpy(found.swapped))) if self.judge else None
        return [
            {
                "name": name,
                "true_label": names[self.data.labels[i]],
                "asked_label": names[int(self.asked[i])],
                "read": "" if read is None else names[int(read[i])],
                "reconstruction_nats": round(float(found.reconstruction[i]), 4),
                "kl_nats": round(float(found.kl[i]), 4),
            }
            for i, name in enumerate(self.data.names)
        ]

    def headlines(self) -> list[Headline]:
        """The scores that a page begins with."""
        return vae_headlines(self.result())

    def confusion(self) -> None:
        """It takes no class for another."""

    def sections(self) -> list[Section]:
        """The parts of its page."""
        return vae_sections(self)

    def under_every_label(self) -> tuple[NDArray[np.int64], Any]:
        """Places of the first picture of each class, and those under every label."""
        chosen = _one_of_each(self.data.labels, _CLASSES)
        images, labels = raw_batch(self.data, chosen, lambda t: t)
        return chosen, self.task.under_every_label(self.network, images, labels)

    def figure(self, title: str) -> Image.Image:
        """Some pictures under every label."""
        chosen = _one_of_each(self.data.labels, _SHOWN)
        images, labels = raw_batch(self.data, chosen, lambda t: t)
        names = [self.data.names[i] for i in chosen]
        figure: Image.Image = self.task.every_label(self.network, images, labels, names, title)
        return figure

    def _bounds(self, network: Any, images: Tensor, true: Tensor, posterior: Any) -> Tensor:
        """Importance-weighted bounds of as many pictures of a batch as are still wanted."""
        count = max(0, min(len(images), _BOUNDED - self.seen))
        if not count:
            return torch.zeros(0)
        mean, log_var = posterior.mean[:count], posterior.log_var[:count]
        weights = []
        for _ in range(_SAMPLES):
            z = type(posterior)(mean, log_var).sample(self.generator)
            log_p = -self.task.likelihood.nats(network.decode(z, true[:count]), images[:count])
            log_q = gaussian_log_density(z, mean, log_var)
            weights.append((log_p + standard_log_density(z) - log_q).cpu())
        return importance_bound(torch.stack(weights))

    @torch.inference_mode()
    def _leak(self, test_means: Tensor) -> dict[str, float]:
        network: Any = self.network
        device = next(network.parameters()).device
        every = torch.eye(self.kinds, device=device)
        means = []
        for start in range(0, len(self.train), _BATCH):
            indices = np.arange(start, min(start + _BATCH, len(self.train)))
            images, labels = raw_batch(self.train, indices, lambda t: t.to(device))
            means.append(network.encode(images, every[labels]).mean.cpu())
        labels = torch.from_numpy(self.train.labels)
        sides = (torch.cat(means).clone(), labels, test_means.clone(), self.labels, self.kinds)
        with torch.inference_mode(False), torch.enable_grad():
            return {
                "linear": linear_probe(*sides),
                "mlp": mlp_probe(*sides),
                "chance": chance(labels, self.labels, self.kinds),
            }

    def _judged(self) -> dict[str, Any] | None:
        if self.judge is None:
            return None
        return {"weights": self.judge.name, "accuracy": self.judge.accuracy}


def _kl(posterior: Any) -> Tensor:
    return kl_nats(posterior.mean, posterior.log_var).sum(dim=1)


def _one_of_each(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Places of the first picture of each of the first `count` classes."""
    found = [np.flatnonzero(labels == k)[:1] for k in np.unique(labels)[:count]]
    return np.concatenate(found)
