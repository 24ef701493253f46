"""Every cell of the tables: its difference, what can be concluded from it, and on what basis.

A cell is (dataset, model, variant, contrast, metric). The families of Holm's correction are the cells of one contrast
and one metric, over all datasets, models and variants: the questions that a reader asks of the tables together.
Equivalence tests, and tests that a difference is beyond the margin, form separate families in the same way.

What a verdict is based on (`basis`):

- `queries`: the bootstrap over identities. The verdict is about the networks that were trained.
- `queries and training`: the luck of training is added, as measured between seeds on the same dataset. Used for
  `anon_anon`, where before and after are different trainings, as soon as there are two seeds of some cell.

`orig_anon` tests the same networks twice, so the luck of training is in both scores and the basis is `queries`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from anonbench.core.errors import DataError
from anonbench.data.variants import ORIGINAL
from anonbench.statistics.bootstrap import RESAMPLES, bootstrap_mean_difference
from anonbench.statistics.equivalence import beyond_margin_bootstrap, beyond_margin_t, tost_bootstrap, tost_t
from anonbench.statistics.multiple import holm
from anonbench.statistics.noise import NoiseFloor, noise_floor, training_test
from anonbench.studies.reid_faces.settings import DESIGN
from anonbench.tasks.reid.scores import PairedQueries, Runs, pair_runs
from anonbench.tasks.reid.settings import Condition, Contrast, Design

QUERIES, TRAINING = "queries", "queries and training"
VERDICTS = (
    "lower, beyond the margin",
    "lower",
    "lower, within the margin",
    "within the margin",
    "higher, within the margin",
    "higher",
    "higher, beyond the margin",
    "undecided",
)
KEY = ("dataset", "model", "variant", "contrast", "metric")
COLUMNS = (
    *KEY, "n_runs", "n_pairs", "n_excluded", "n_queries", "n_identities", "n_changed", "before", "after", "difference",
    "low", "high", "p", "sd_runs", "training_sd", "training_low", "training_high", "training_p", "basis", "p_holm",
    "margin", "tost_low", "tost_high", "tost_p", "tost_p_holm", "beyond_p", "beyond_p_holm", "verdict", "note",
)  # fmt: skip
FAMILY = ["contrast", "metric"]


def cell_table(
    scores: Mapping[Condition, Runs],
    *,
    margin: float,
    alpha: float = 0.05,
    resamples: int = RESAMPLES,
    seed: int = 0,
    design: Design = DESIGN,
) -> pd.DataFrame:
    """All contrasts that the conditions allow, one row a cell and metric.

    scores: scores of every query, by condition and run (`tasks.reid.scores.read_scores`).
    margin: of equivalence, in percent points.
    alpha: of the tests. Intervals are at 1 - alpha, those of equivalence at 1 - 2 alpha.
    design: the contrasts and the baseline. Conditions that are neither are left out (`no_contrast` lists them).
    Raises `DataError` when a condition has no baseline, or none is a contrast.
    """
    noise = {
        (dataset, metric): noise_floor(training_scores(scores, metric, dataset).values(), 1 - alpha)
        for dataset in sorted({c.dataset for c in scores})
        for metric in design.metrics
    }
    rows = []
    for condition in sorted(scores):
        found = design.contrast_of(condition)
        if found is None:
            continue
        pairs = pair_runs(baseline_of(found, condition, scores), scores[condition], (found.baseline, condition))
        key = {
            "dataset": condition.dataset, "model": condition.model, "variant": found.names["variant"],
            "contrast": found.setting,
        }  # fmt: skip
        retrained = condition.train != found.baseline.train
        for metric in design.metrics:
            cell = _cell(pairs, metric, retrained, noise[condition.dataset, metric], margin, alpha, resamples, seed)
            rows.append({**key, "metric": metric, **cell})
    if not rows:
        raise DataError("statistics: none of the metrics is of an anonymized test set; nothing can be compared.")
    table = pd.DataFrame(rows)
    for p in ("p", "tost_p", "beyond_p"):
        decisive = table["decisive_p"] if p == "p" else table[p]
        table[f"{p}_holm"] = decisive.groupby([table[c] for c in FAMILY]).transform(lambda f: holm(f.to_numpy()))
    table["verdict"] = [
        verdict(r.difference, r.p_holm, r.tost_p_holm, r.beyond_p_holm, alpha)
        for r in table[["difference", "p_holm", "tost_p_holm", "beyond_p_holm"]].itertuples()
    ]
    return table.sort_values([*FAMILY, "dataset", "variant", "model"], ignore_index=True)[list(COLUMNS)]


def baseline_of(contrast: Contrast, condition: Condition, scores: Mapping[Condition, Runs]) -> Runs:
    """The scores that a condition is compared with. Raises `DataError` when they are not there."""
    if contrast.baseline not in scores:
        raise DataError(
            f"{condition}: there are no metrics of {contrast.baseline} to compare it with. Evaluate that too."
        )
    return scores[contrast.baseline]


def no_contrast(scores: Iterable[Condition], design: Design = DESIGN) -> list[str]:
    """The conditions that are neither a contrast nor the baseline of one, in words: they enter no comparison."""
    contrasts = {c: design.contrast_of(c) for c in scores}
    compared = {c for c, found in contrasts.items() if found} | {f.baseline for f in contrasts.values() if f}
    return [str(c) for c in sorted(contrasts) if c not in compared]


def training_scores(
    scores: Mapping[Condition, Runs], metric: str, dataset: str | None = None, original_only: bool = False
) -> dict[tuple[Condition, int | None], list[float]]:
    """The mean score of each training, grouped by what differs in nothing but the seed.

    Only conditions tested on the variant they were trained on count: one independent score a training.
    """
    groups: dict[tuple[Condition, int | None], list[float]] = {}
    for condition in sorted(scores):
        trained_here = condition.same_variant and (condition.train == ORIGINAL or not original_only)
        if trained_here and dataset in (None, condition.dataset):
            for (split, _), table in sorted(scores[condition].items(), key=str):
                groups.setdefault((condition, split), []).append(float(table[metric].mean()))
    return groups


def verdict(difference: float, p_holm: float, tost_p_holm: float, beyond_p_holm: float, alpha: float) -> str:
    """What a cell shows: a direction if p_holm < alpha, and a size, within or beyond the margin, by the others.

    >>> verdict(-0.3, 0.001, 0.002, 1.0, 0.05), verdict(-0.3, 0.2, 0.3, 1.0, 0.05)
    ('lower, within the margin', 'undecided')
    """
    small = tost_p_holm < alpha
    if p_holm < alpha:
        size = ", within the margin" if small else ", beyond the margin" if beyond_p_holm < alpha else ""
        return ("lower" if difference < 0 else "higher") + size
    return "within the margin" if small else "undecided"


def _cell(
    pairs: PairedQueries, metric: str, different_trainings: bool, noise: NoiseFloor, margin: float, alpha: float,
    resamples: int, seed: int,
) -> dict[str, Any]:  # fmt: skip
    table = pairs.table
    before, after = table[f"{metric}_before"], table[f"{metric}_after"]
    bootstrap = bootstrap_mean_difference(
        (after - before).to_numpy(), table["pid"].to_numpy(), resamples=resamples, seed=seed
    )
    runs = (after - before).groupby([table["split"], table["seed"]]).mean()
    low, high = bootstrap.interval(1 - alpha)
    p = bootstrap.p_two_sided()
    equivalence = tost_bootstrap(bootstrap, margin, alpha)
    beyond = beyond_margin_bootstrap(bootstrap, margin)
    retrained = training_test(
        bootstrap.estimate, bootstrap.standard_error, bootstrap.n_clusters, noise, pairs.n_runs, 1 - alpha
    )
    use_training = different_trainings and noise.df > 0
    if use_training and not math.isnan(retrained.p):
        with_training = tost_t(bootstrap.estimate, retrained.standard_error, retrained.df, margin, alpha)
        # The luck of training comes on top: a sparse set of changes stays as uncertain as it was.
        equivalence = max(equivalence, with_training, key=lambda e: e.p)
        beyond = max(beyond, beyond_margin_t(bootstrap.estimate, retrained.standard_error, retrained.df, margin))
    note = equivalence.note or ("fewer than 10 identities" if bootstrap.n_clusters < 10 else "")
    return {
        "n_runs": pairs.n_runs,
        "n_pairs": len(table),
        "n_excluded": pairs.n_excluded,
        "n_queries": table["path"].nunique(),
        "n_identities": bootstrap.n_clusters,
        "n_changed": bootstrap.n_changed,
        "before": float(before.mean()),
        "after": float(after.mean()),
        "difference": bootstrap.estimate,
        "low": low,
        "high": high,
        "p": p,
        "sd_runs": float(runs.std(ddof=1)) if len(runs) > 1 else math.nan,
        "training_sd": noise.sd,
        "training_low": retrained.low if use_training else math.nan,
        "training_high": retrained.high if use_training else math.nan,
        "training_p": retrained.p if use_training else math.nan,
        "basis": TRAINING if use_training else QUERIES,
        "decisive_p": max(p, retrained.p) if use_training else p,
        "margin": margin,
        "tost_low": equivalence.low,
        "tost_high": equivalence.high,
        "tost_p": equivalence.p,
        "beyond_p": beyond,
        "note": note,
    }
