"""How far trainings differ that differ in the seed alone, and what the test of the cells makes of that."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import pandas as pd

from anonbench.data.variants import ORIGINAL
from anonbench.statistics.bootstrap import RESAMPLES, bootstrap_mean_difference
from anonbench.statistics.noise import noise_floor
from anonbench.studies.reid_faces.cells import training_scores
from anonbench.studies.reid_faces.settings import METRICS
from anonbench.tasks.reid.scores import Runs, pair_runs
from anonbench.tasks.reid.settings import Condition

COLUMNS = (
    "dataset", "metric", "n_cells", "n_trainings", "df", "sd", "floor", "n_pairs", "mean_abs", "max_abs",
    "aa_tests", "aa_rejected",
)  # fmt: skip
ALL = "all"


def noise_table(
    scores: Mapping[Condition, Runs], alpha: float = 0.05, resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """The noise floor by dataset and over all (`COLUMNS`), in percent points.

    aa_tests, aa_rejected: the cells' own test applied to original → original of two seeds, every pair of seeds of
    every model: how many tests, and how many with p < alpha (two-sided, not adjusted). More than alpha of them show
    what the bootstrap over identities does not know: the luck of training.
    """
    rows = []
    for metric in METRICS:
        found = {d: _seed_tests(scores, d, metric, resamples, seed) for d in sorted({c.dataset for c in scores})}
        for dataset in (*found, ALL):
            groups = training_scores(scores, metric, None if dataset == ALL else dataset)
            floor = noise_floor(groups.values(), 1 - alpha)
            outcomes = [p for d, ps in found.items() if dataset in (d, ALL) for p in ps]
            rows.append([
                dataset, metric, floor.n_cells, floor.n_trainings, floor.df, floor.sd, floor.floor, floor.n_pairs,
                floor.mean_abs, floor.max_abs, len(outcomes), sum(p < alpha for p in outcomes),
            ])  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _seed_tests(scores: Mapping[Condition, Runs], dataset: str, metric: str, resamples: int, seed: int) -> list[float]:
    """The A/A test: p of one seed against another on original → original, for each pair of a model and split."""
    p_values = []
    for condition in sorted(scores):
        if condition.dataset != dataset or not condition.same_variant or condition.train != ORIGINAL:
            continue
        runs = scores[condition]
        for one, other in combinations(sorted(runs, key=str), 2):
            if one[0] != other[0]:
                continue
            # Under one name for both, so that the pairing takes them as the same run.
            pairs = pair_runs({one: runs[one]}, {one: runs[other]}, (condition, condition)).table
            d = (pairs[f"{metric}_after"] - pairs[f"{metric}_before"]).to_numpy()
            bootstrap = bootstrap_mean_difference(d, pairs["pid"].to_numpy(), resamples=resamples, seed=seed)
            p_values.append(bootstrap.p_two_sided())
    return p_values
