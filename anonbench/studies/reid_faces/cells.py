"""Every cell of the tables: its difference, what can be concluded from it, and on what basis.

A cell is (dataset, model, variant, contrast, metric). The families of Holm's correction are the cells of one contrast
and one metric, over all datasets, models and variants: the questions that a reader asks of the tables together.
Equivalence tests, and tests that a difference is beyond the margin, form separate families in the same way.

What a verdict is based on is said in `statistics.decision`. The luck of training is measured on the same dataset, and
used for `anon_anon`, where before and after are different trainings.

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
from anonbench.statistics.decision import decide, judge
from anonbench.statistics.noise import NoiseFloor, noise_floor
from anonbench.studies.reid_faces.settings import DESIGN
from anonbench.tasks.reid.scores import PairedQueries, Runs, pair_runs
from anonbench.tasks.reid.settings import Condition, Contrast, Design

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
    table = judge(pd.DataFrame(rows), FAMILY, alpha)
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


def _cell(
    pairs: PairedQueries, metric: str, retrained: bool, noise: NoiseFloor, margin: float, alpha: float,
    resamples: int, seed: int,
) -> dict[str, Any]:  # fmt: skip
    table = pairs.table
    before, after = table[f"{metric}_before"], table[f"{metric}_after"]
    bootstrap = bootstrap_mean_difference(
        (after - before).to_numpy(), table["pid"].to_numpy(), resamples=resamples, seed=seed
    )
    runs = (after - before).groupby([table["split"], table["seed"]]).mean()
    decided = decide(bootstrap, noise, pairs.n_runs, retrained=retrained, margin=margin, alpha=alpha)
    return {
        "n_runs": pairs.n_runs,
        "n_pairs": len(table),
        "n_excluded": pairs.n_excluded,
        "n_queries": table["path"].nunique(),
        "n_identities": bootstrap.n_clusters,
        "n_changed": bootstrap.n_changed,
        "before": float(before.mean()),
        "after": float(after.mean()),
        "sd_runs": float(runs.std(ddof=1)) if len(runs) > 1 else math.nan,
        **decided,
    }
