"""The noise floor: how far do two trainings of the same network on the same images differ?

Cells are groups of trainings that differ in nothing but the seed. Their scores' variance is pooled over cells,
s^2 = sum over cells of sum (x - cell mean)^2 / sum (n - 1), which estimates the variance of a single training's score
if it is much the same in every cell. Two single trainings differ by more than t_{0.975, df} sqrt(2) s in 5 % of cases
by chance: the floor under which a difference between two single trainings says nothing about faces.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from anonbench.statistics.effect import check_level


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """Differences between trainings that differ in the seed alone, in the unit of the scores.

    n_cells: groups with at least two trainings.
    n_trainings: trainings in these groups.
    df: n_trainings - n_cells.
    sd: of a single training's score.
    floor: the size that |difference| of two single trainings exceeds by chance in 1 - level of cases.
    n_pairs, mean_abs, max_abs: of |difference| over all pairs within cells.
    Without a cell of two trainings the numbers are NaN.
    """

    n_cells: int
    n_trainings: int
    df: int
    sd: float
    floor: float
    n_pairs: int
    mean_abs: float
    max_abs: float


def noise_floor(cells: Iterable[Sequence[float]], level: float = 0.95) -> NoiseFloor:
    """Pool the spread of scores within cells.

    cells: the scores of each cell. Cells of one score do not count.

    >>> f = noise_floor([[50.0, 52.0], [70.0, 71.0, 72.0], [33.0]])
    >>> f.n_cells, f.df, round(f.sd, 4), round(f.floor, 3), f.n_pairs
    (2, 3, 1.1547, 5.197, 4)
    """
    check_level(level)
    scores = [np.asarray(cell, np.float64) for cell in cells if len(cell) >= 2]
    n = sum(map(len, scores))
    df = n - len(scores)
    if df == 0:
        return NoiseFloor(0, 0, 0, math.nan, math.nan, 0, math.nan, math.nan)
    sd = math.sqrt(sum(float(((x - x.mean()) ** 2).sum()) for x in scores) / df)
    gaps = [abs(a - b) for x in scores for a, b in combinations(x.tolist(), 2)]
    floor = float(stats.t.ppf((1 + level) / 2, df)) * math.sqrt(2) * sd
    return NoiseFloor(len(scores), n, df, sd, floor, len(gaps), float(np.mean(gaps)), max(gaps))


@dataclass(frozen=True, slots=True)
class TrainingTest:
    """A difference between two sets of trainings, with the luck of queries and the luck of training.

    standard_error, df: of both together.
    p: two-sided.
    low, high: interval.
    """

    standard_error: float
    df: float
    p: float
    low: float
    high: float


def training_test(
    difference: float, query_error: float, n_clusters: int, noise: NoiseFloor, n_runs: int, level: float = 0.95
) -> TrainingTest:
    """Test a difference of means over n_runs trainings each, against both sources of luck.

    Variance: query_error^2 (bootstrap over identities) + 2 sd^2 / n_runs (two independent sets of trainings), with
    Welch and Satterthwaite's degrees of freedom. The bootstrap already holds the part of the training's luck that
    differs from query to query. That part counts twice, so the test is on the cautious side.
    NaN where the noise or the query error is unknown. Where both are 0, every seed and every resample gave the same
    difference: the interval is that difference alone.
    """
    check_level(level)
    queries, training = query_error**2, 2 * noise.sd**2 / n_runs
    error = math.sqrt(queries + training) if noise.df else math.nan
    if math.isnan(error):
        return TrainingTest(error, error, error, error, error)
    if error == 0:
        return TrainingTest(error, noise.df, float(difference == 0), difference, difference)
    df = (queries + training) ** 2 / (queries**2 / max(1, n_clusters - 1) + training**2 / noise.df)
    reach = float(stats.t.ppf((1 + level) / 2, df)) * error
    p = 2 * float(stats.t.sf(abs(difference) / error, df))
    return TrainingTest(error, df, p, difference - reach, difference + reach)
