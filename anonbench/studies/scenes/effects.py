"""What anonymizing the training pictures costs: every cell's difference to the network trained on original pictures.

    cases = cases_of([entry, ...])      # of config's `tables:`, those with `rows: instances`
    table = effect_table(cases, read_runs(cases, files), margin=1.0)

Average precision is no mean over pictures. So every resample of the validation pictures is scored anew, from the
matches that `evaluate-instances` keeps, with the same draws for all networks: the difference is paired picture by
picture, and joint over seeds. Before and after are different trainings. The luck of training is measured between seeds
on the same dataset and network, and added (`statistics.decision`). The variants of one network are corrected together,
each metric by itself: the cells of a table's column.

The acceleration of the BCa interval is that of a jackknife that leaves out groups of pictures (`JACKKNIFE_GROUPS`), not
each picture: with 5000 of them that would cost more than the resamples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anonbench.core.errors import DataError
from anonbench.data.results import read_metrics
from anonbench.data.variants import ORIGINAL
from anonbench.report.cells import number
from anonbench.statistics.bootstrap import ClusterBootstrap, acceleration, drawn_weights
from anonbench.statistics.decision import decide, judge
from anonbench.statistics.noise import NoiseFloor, noise_floor
from anonbench.studies.scenes.settings import GROUPS as OWN_SCORES
from anonbench.studies.scenes.settings import Metric, SceneCondition
from anonbench.tasks.instances.matches import Matches, average_precisions, read_matches

Floats = NDArray[np.float64]
MATCHES = ".matches.npz"
RESAMPLES = 2000
JACKKNIFE_GROUPS = 100
TOLERANCE = 1e-6  # in percent, between a file of scores and its matches
FAMILY = ["dataset", "model", "metric"]
KEY = ("dataset", "model", "variant", "metric")
COLUMNS = (
    *KEY, "n_runs", "n_pictures", "before", "after", "difference", "low", "high", "p", "training_sd", "training_low",
    "training_high", "training_p", "basis", "p_holm", "margin", "tost_low", "tost_high", "tost_p", "tost_p_holm",
    "beyond_p", "beyond_p_holm", "verdict", "noise_floor", "note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """Networks that are compared: one dataset and network, trained on several variants.

    variants: anonymized ones.
    metrics: columns of tables.
    """

    dataset: str
    model: str
    variants: tuple[str, ...]
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One training: its scores, and its matches by kind."""

    file: Path
    scores: Mapping[str, Any]
    matches: Mapping[str, Matches]


Runs = Mapping[SceneCondition, Mapping[int, Run]]
"""Condition -> seed -> run."""


def cases_of(entries: Iterable[Mapping[str, Any]]) -> list[Case]:
    """What tables compare, each network once, with the variants and metrics of all tables that show it.

    Metrics of small, medium and large instances are left out: the matches do not know sizes.
    """
    variants: dict[tuple[str, str], dict[str, None]] = {}
    metrics: dict[tuple[str, str], dict[str, None]] = {}
    for entry in entries:
        key = entry["dataset"], entry["model"]
        variants.setdefault(key, {}).update(dict.fromkeys(entry["variants"]))
        known = [column for column in entry["metrics"] if Metric.of(column).group not in OWN_SCORES[1:]]
        metrics.setdefault(key, {}).update(dict.fromkeys(known))
    return [Case(*key, tuple(variants[key]), tuple(metrics[key])) for key in variants]


def read_runs(cases: Sequence[Case], files: Iterable[Path]) -> Runs:
    """The runs in files of scores; their matches lie beside them.

    Raises `DataError` for a file that cannot be read, and for matches that do not give the scores beside them.
    """
    metrics = {(case.dataset, case.model): [Metric.of(column) for column in case.metrics] for case in cases}
    found: dict[SceneCondition, dict[int, Run]] = {}
    for file in files:
        scores = read_metrics(file, ("dataset", "model", "train", "tested", "seed"))
        condition = SceneCondition(*(str(scores[key]) for key in ("dataset", "model", "train", "tested")))
        wanted = metrics.get((condition.dataset, condition.model), [])
        kinds = dict.fromkeys(metric.kind for metric in wanted)
        matches = {kind: read_matches(file.with_suffix(MATCHES), kind) for kind in kinds}
        _check_agreement(file, scores, matches, wanted)
        found.setdefault(condition, {})[int(scores["seed"])] = Run(file, scores, matches)
    return found


def effect_table(
    cases: Sequence[Case],
    runs: Runs,
    *,
    margin: float,
    alpha: float = 0.05,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """A row a network, variant and metric (`COLUMNS`); scores and differences in percent.

    margin: of equivalence, in percent points.
    Raises `DataError` for runs that are missing, or of other seeds or pictures than those of the original.
    """
    rows = []
    for case in cases:
        conditions = {v: SceneCondition(case.dataset, case.model, v) for v in (ORIGINAL, *case.variants)}
        _check_runs(conditions, runs)
        resampled = {v: resample(runs[c], case.metrics, resamples, seed) for v, c in conditions.items()}
        seeds = len(runs[conditions[ORIGINAL]])
        for m, column in enumerate(case.metrics):
            noise = noise_floor([resampled[v].by_seed[:, m].tolist() for v in conditions], 1 - alpha)
            for variant in case.variants:
                before, after = resampled[ORIGINAL], resampled[variant]
                bootstrap = _difference(before, after, m)
                decided = decide(
                    bootstrap, noise, seeds, retrained=True, margin=margin, alpha=alpha, drawn="pictures",
                    clusters="pictures",
                )  # fmt: skip
                rows.append(
                    {
                        "dataset": case.dataset, "model": case.model, "variant": variant, "metric": column,
                        "n_runs": seeds, "n_pictures": bootstrap.n_clusters,
                        "before": float(before.by_seed[:, m].mean()), "after": float(after.by_seed[:, m].mean()),
                        "noise_floor": _floor_of_means(noise, seeds), **decided,
                    }
                )  # fmt: skip
    if not rows:
        raise DataError("scene effects: no table compares anything; name one with `rows: instances`.")
    return judge(pd.DataFrame(rows), FAMILY, alpha)[list(COLUMNS)]


@dataclass(frozen=True)
class Resampled:
    """The scores of a condition in percent, M metrics.

    by_seed: (S, M) on all pictures.
    values: (R, M) means over seeds, a resample a row.
    without: (G, M) the same without one group of pictures each.
    """

    by_seed: Floats
    values: Floats
    without: Floats
    n_pictures: int
    n_changed: int


def resample(runs: Mapping[int, Run], columns: Sequence[str], resamples: int, seed: int) -> Resampled:
    """Score a condition on resamples of its pictures. The draws depend on the number of pictures and the seed alone."""
    metrics = [Metric.of(column) for column in columns]
    first = next(iter(next(iter(runs.values())).matches.values()))
    n = len(first.pictures)
    everything = np.ones(n)
    groups = np.arange(n) % min(n, JACKKNIFE_GROUPS)
    by_seed = np.stack([score(run.matches, metrics, everything) for _, run in sorted(runs.items())])
    values = np.stack(
        [
            _mean_score(runs, metrics, weights)
            for block in drawn_weights(n, resamples=resamples, seed=seed)
            for weights in block
        ]
    )
    without = np.stack([_mean_score(runs, metrics, (groups != g).astype(float)) for g in range(groups.max() + 1)])
    used = np.zeros(n, bool)
    for run in runs.values():
        for matches in run.matches.values():
            used[matches.picture] = True
            used |= matches.truths.sum(axis=1) > 0
    return Resampled(by_seed, values, without, n, int(used.sum()))


def score(matches: Mapping[str, Matches], metrics: Sequence[Metric], weights: Floats) -> Floats:
    """(M,) metrics in percent on pictures that count so often; NaN where nothing is to be found.

    weights: (P,) >= 0.
    """
    areas = {kind: average_precisions(found, weights) for kind, found in matches.items()}
    return np.array([100 * _of_metric(areas[m.kind], matches[m.kind], m) for m in metrics])


def _of_metric(areas: Floats, matches: Matches, metric: Metric) -> float:
    """areas: (K, T) of categories and thresholds."""
    if metric.group:
        if metric.group not in matches.categories:
            raise DataError(f"{metric.column}: the networks do not know '{metric.group}', only {matches.categories}")
        areas = areas[[matches.categories.index(metric.group)]]
    if metric.measure != "AP":
        areas = areas[:, np.isclose(matches.thresholds, int(metric.measure[2:]) / 100)]
    return float(np.nanmean(areas)) if np.isfinite(areas).any() else float("nan")


def _mean_score(runs: Mapping[int, Run], metrics: Sequence[Metric], weights: Floats) -> Floats:
    return np.mean([score(run.matches, metrics, weights) for _, run in sorted(runs.items())], axis=0)


def _difference(before: Resampled, after: Resampled, m: int) -> ClusterBootstrap:
    """The bootstrap of a difference of means over seeds, in percent points."""
    estimate = float((after.by_seed[:, m] - before.by_seed[:, m]).mean())
    values = after.values[:, m] - before.values[:, m]
    values = values[np.isfinite(values)]
    if not len(values):
        raise DataError("scene effects: nothing is to be found in any resample of the pictures.")
    jackknife = after.without[:, m] - before.without[:, m]
    changed = max(before.n_changed, after.n_changed)
    return ClusterBootstrap(estimate, values, before.n_pictures, changed, acceleration(jackknife))


def _floor_of_means(noise: NoiseFloor, seeds: int) -> float:
    """The difference of two means over seeds that chance alone exceeds in 5 % of cases, in percent points."""
    return noise.floor / float(np.sqrt(seeds))


def _check_runs(conditions: Mapping[str, SceneCondition], runs: Runs) -> None:
    baseline = conditions[ORIGINAL]
    for variant, condition in conditions.items():
        if condition not in runs:
            raise DataError(
                f"{condition.dataset}, {condition.model}: there are no scores of the network trained on {variant}. "
                f"Evaluate it too."
            )
        found, expected = sorted(runs[condition]), sorted(runs[baseline])
        if found != expected:
            raise DataError(
                f"{condition.dataset}, {condition.model}: trained on {variant} with the seeds {found}, on {ORIGINAL} "
                f"with {expected}. Evaluate all variants for all seeds."
            )
        for run in runs[condition].values():
            for kind, matches in run.matches.items():
                if matches.pictures != runs[baseline][expected[0]].matches[kind].pictures:
                    raise DataError(f"{run.file}: other pictures were tested than for {ORIGINAL}. Evaluate again.")


def _check_agreement(
    file: Path, scores: Mapping[str, Any], matches: Mapping[str, Matches], metrics: Sequence[Metric]
) -> None:
    if not metrics:
        return
    weights = np.ones(len(next(iter(matches.values())).pictures))
    for metric, value in zip(metrics, score(matches, metrics, weights), strict=True):
        written = 100 * number(scores, metric.place)
        if not abs(written - value) <= TOLERANCE:
            raise DataError(
                f"{file}: {metric.place} is {written:.4f} %, by the matches beside it {value:.4f} %. Evaluate again."
            )
