"""Trained runs side by side: scored on the same pictures, with what they cost."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

from netlab.compare.methods import method_key, method_names
from netlab.components import task_of
from netlab.config import TrainConfig
from netlab.contracts.report import Measure, Report
from netlab.data.readers.fingerprint import fingerprint
from netlab.errors import NetlabError, UsageError
from netlab.inspect.structure import structure_of
from netlab.metrics.bootstrap import Difference, draw_pictures, draw_runs, paired_difference
from netlab.runs.folder import RunDir
from netlab.runs.pictures import with_paths
from netlab.runs.summary import epoch_rows, summarise
from netlab.scoring.evaluate import check_pictures, evaluate
from netlab.settings import Layer, merge
from netlab.tasks.load import load

_TIMES = ("training_images_per_second", "seconds")
"""Costs that were measured on the machine of the training."""
_COUNTS = ("weights", "multiply_adds")

COSTS = (
    Measure("weights", ("weights",), higher_is_better=False),
    Measure("multiply-adds", ("multiply_adds",), higher_is_better=False),
    Measure("training images/s", ("training_images_per_second",), higher_is_better=True),
    Measure("use, images/s", ("images_per_second",), higher_is_better=True),
    # Of the whole process, which may have trained other methods before: no better or worse.
    Measure("memory, MiB", ("memory_mib",), higher_is_better=None),
    Measure("training time", ("seconds",), higher_is_better=False),
)
"""What a run costs; the multiply-adds are those of one picture, the memory is that of training."""


@dataclass(frozen=True)
class Entry:
    """One trained run and its score."""

    run: RunDir
    config: TrainConfig
    report: Report
    rows: Sequence[Mapping[str, float | None]]
    """Those of metrics.csv."""
    costs: Mapping[str, float | None]
    unfinished: str = ""
    """How far it came, if not to its end."""

    @cached_property
    def pictures(self) -> str:
        """Tells the scored pictures from others, also from those of the same names."""
        return fingerprint(self.report.data)

    @property
    def machine(self) -> tuple[str, str, int]:
        """What it was trained on."""
        return self.config.device, self.config.precision, self.config.threads

    @cached_property
    def values(self) -> dict[str, Any]:
        """The JSON document of `netlab eval`, and the costs."""
        return {**self.report.result(), **self.costs}


@dataclass(frozen=True)
class Method:
    """Runs that differ in nothing but their seeds."""

    name: str
    entries: Sequence[Entry]

    def values(self, measure: Measure) -> list[float]:
        """A value a run, where it has one."""
        values = [measure.of(entry.values) for entry in self.entries]
        return [value for value in values if value is not None]

    def mean(self, measure: Measure) -> float | None:
        """Mean over the runs."""
        values = self.values(measure)
        return statistics.fmean(values) if values else None

    def spread(self, measure: Measure) -> float | None:
        """Standard deviation over the runs (n - 1); None for fewer than two."""
        values = self.values(measure)
        return statistics.stdev(values) if len(values) > 1 else None


@dataclass(frozen=True)
class Comparison:
    """Methods on the same split of the same data."""

    methods: Sequence[Method]
    measures: Sequence[Measure]
    """Of the task; the first is the score. Costs stand in `COSTS`."""
    differences: Mapping[tuple[int, int], Difference]
    """By the indices of two methods: how much better the first is."""

    @property
    def entries(self) -> list[Entry]:
        """All runs."""
        return [entry for method in self.methods for entry in method.entries]

    @property
    def first(self) -> Entry:
        """Any run, for what is the same in all of them."""
        return self.methods[0].entries[0]

    @property
    def same_pictures(self) -> bool:
        """Whether all runs were scored on the same pictures."""
        return len({entry.pictures for entry in self.entries}) == 1

    @property
    def same_machine(self) -> bool:
        """Whether all runs were trained in the same way on the same kind of device."""
        return len({entry.machine for entry in self.entries}) == 1

    @property
    def baselines(self) -> dict[str, Any]:
        """Results of the trivial predictors; none if the methods' data differ."""
        return dict(self.first.values["baselines"]) if self.same_pictures else {}

    def best_trivial(self) -> tuple[str, dict[str, Any]]:
        """Name and result of the trivial predictor with the best score; empty without any."""
        score = self.measures[0]
        scores = {name: score.of(result) for name, result in self.baselines.items()}
        scored = [(_sign(score) * v, name) for name, v in scores.items() if v is not None]
        if not scored:
            return "", {}
        _, best = max(scored, key=lambda pair: pair[0])
        return best, self.baselines[best]

    def best(self, measure: Measure) -> set[int]:
        """Indices of the methods that are best in a measure; none where they cannot be ranked."""
        means = [method.mean(measure) for method in self.methods]
        known = [mean for mean in means if mean is not None]
        unfair = measure.name in _TIMES and not self.same_machine
        unfair |= measure.name == "seconds" and any(e.unfinished for e in self.entries)
        unfair |= measure not in COSTS and not self.same_pictures
        if measure.higher_is_better is None or len(known) < 2 or unfair:
            return set()
        best = max(known) if measure.higher_is_better else min(known)
        return {index for index, mean in enumerate(means) if mean == best}


def score_run(
    run: RunDir,
    split: str,
    *,
    moved: Mapping[str, str] | None = None,
    data_dir: Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    judge: str | None = None,
    runs_dir: Path = Path("runs"),
) -> Entry:
    """Score a run's best weights.

    Args:
        run: its folder.
        split: `val` or `test`.
        moved: `images` and `masks`, if the folders of the run lie elsewhere now.
        data_dir, device, precision, threads, judge, runs_dir: see
            `netlab.scoring.evaluate.evaluate`.

    Raises:
        WeightsError, DataError, UsageError: see `evaluate`.
        ConfigError: `moved` of a run that is not on own folders.
    """
    loaded = load(run.best)
    structure = structure_of(loaded)
    config = with_paths(loaded.config, run.best)
    if not moved and data_dir is None:
        check_pictures(config, run.best)
    config = merge(config.to_dict(), [Layer("flags", moved or {})])
    report: Report = evaluate(
        loaded._replace(config=config),
        split=split,
        data_dir=data_dir,
        device=device,
        precision=precision,
        threads=threads,
        judge=judge,
        runs_dir=runs_dir,
    )
    rows = epoch_rows(run)
    last = rows[-1] if rows else {}
    costs = {
        "weights": structure.weights,
        "multiply_adds": structure.multiply_adds,
        "training_images_per_second": last.get("images_per_second"),
        "memory_mib": max((row.get("memory_mib") or 0 for row in rows), default=0) or None,
        "seconds": last.get("seconds"),
    }
    summary = summarise(run)
    ended = summary.state == "done" or summary.epoch >= summary.epochs
    unfinished = "" if ended else f"{summary.epoch} of {summary.epochs} epochs"
    return Entry(run, loaded.config, report, rows, costs, unfinished)


def score_runs(
    runs: Iterable[RunDir], score: Callable[[RunDir], Entry], note: Callable[[str], None]
) -> tuple[list[Entry], list[str]]:
    """Score runs; one that cannot be scored does not stop the others.

    Args:
        runs: their folders.
        score: `score_run` with its settings.
        note: called with a line for each run that is scored, or cannot be.

    Returns:
        The scored runs, and a line for each of the others.

    Raises:
        NetlabError: none could be scored; that of the last.
    """
    entries: list[Entry] = []
    failures: list[str] = []
    last_error: NetlabError | None = None
    for run in runs:
        note(f"scoring {run.path}")
        try:
            entries.append(score(run))
        except NetlabError as error:
            last_error = error
            failures.append(f"{run.name}: {error}")
            note(failures[-1])
    if last_error is not None and not entries:
        raise last_error
    return entries, failures


def side_by_side(entries: Sequence[Entry], known: Mapping[RunDir, str] | None = None) -> Comparison:
    """Put scored runs together: those that differ in their seeds alone are one method.

    Args:
        entries: one or more.
        known: what the methods of runs are called if their settings do not tell them apart, as
            when all others failed; the names of the runs without.

    Raises:
        UsageError: runs of different tasks.
    """
    tasks = sorted({task_of(entry.config) for entry in entries})
    if len(tasks) > 1:
        raise UsageError(f"runs of {' and '.join(tasks)} have no scores in common")
    groups: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        # Weights do not say which folders their pictures came from: the pictures do.
        key = method_key(entry.config).to_yaml(), entry.pictures, entry.unfinished
        groups.setdefault(key, []).append(entry)
    firsts = [group[0] for group in groups.values()]
    fallback = [(known or {}).get(e.run) or e.run.name for e in firsts]
    names = method_names([e.config for e in firsts], fallback)
    names = [
        f"{name} ({e.unfinished})" if e.unfinished else name
        for name, e in zip(names, firsts, strict=True)
    ]
    if len(set(names)) < len(names):  # the same settings on different pictures
        names = [f"{name} ({number})" for number, name in enumerate(names, start=1)]
    methods = [Method(n, group) for n, group in zip(names, groups.values(), strict=True)]
    # Classes may differ between data sets: each measure that any of them has.
    measures = list(dict.fromkeys(m for e in firsts for m in e.report.measures()))
    comparable = len({entry.pictures for entry in entries}) == 1
    differences = _differences(methods, measures[0]) if comparable else {}
    return Comparison(methods, measures, differences)


def _sign(score: Measure) -> int:
    return -1 if score.higher_is_better is False else 1


def _differences(methods: Sequence[Method], score: Measure) -> dict[tuple[int, int], Difference]:
    """For each two methods, all on the same pictures; the sign is such that more is better."""
    sign = _sign(score)
    draws = draw_pictures(len(methods[0].entries[0].report.data.names))
    resampled = [
        sign * draw_runs([entry.report.resampled(draws) for entry in method.entries], seed=seed)
        for seed, method in enumerate(methods, start=1)
    ]
    means = [method.mean(score) for method in methods]
    differences = {}
    for a, b in combinations(range(len(methods)), 2):
        first, second = means[a], means[b]
        if first is None or second is None:
            continue
        difference = paired_difference(resampled[a], resampled[b], sign * (first - second))
        if difference is not None:
            differences[a, b] = difference
    return differences


def document(comparison: Comparison, split: str) -> dict[str, Any]:
    """The comparison as JSON-able values."""
    score = comparison.measures[0]
    every = [*comparison.measures, *COSTS]
    result = comparison.first.values
    return {
        "split": result["split"] if comparison.same_pictures else split,
        "count": result["count"] if comparison.same_pictures else None,
        "dropped": result["dropped"] if comparison.same_pictures else None,
        "methods": [
            {
                "name": method.name,
                **{m.name: _plain(m, method.mean(m)) for m in every},
                "spread": {m.name: method.spread(m) for m in every},
                "runs": [entry.run.name for entry in method.entries],
            }
            for method in comparison.methods
        ],
        "baselines": {
            name: {m.name: m.of(values) for m in comparison.measures}
            for name, values in comparison.baselines.items()
        },
        "score": score.name,
        "differences": [
            {
                "better": comparison.methods[a if d.value >= 0 else b].name,
                "worse": comparison.methods[b if d.value >= 0 else a].name,
                "difference": abs(d.value),
                "interval_95": [d.low, d.high] if d.value >= 0 else [-d.high, -d.low],
                "clear": d.clear,
            }
            for (a, b), d in comparison.differences.items()
        ],
    }


def rows(comparison: Comparison) -> list[dict[str, Any]]:
    """A row for each run, for CSV."""
    return [
        {
            "method": method.name,
            "seed": entry.config.seed,
            "run": entry.run.name,
            **{m.name: _plain(m, m.of(entry.values)) for m in (*comparison.measures, *COSTS)},
        }
        for method in comparison.methods
        for entry in method.entries
    ]


def _plain(measure: Measure, value: float | None) -> float | None:
    """A count as a whole number."""
    return value if value is None or measure.name not in _COUNTS else round(value)
