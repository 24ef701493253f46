"""One-sided paired t-tests: does anonymizing lower a score over the same (model, dataset) pairs?

Source: Dietlmeier et al. 2020, section IV-B ("one-sided paired t-test"): every (model, dataset) pair is one
observation before and one after. Two contrasts are tested, both against training and testing on original images
(`orig_orig`): testing the same model on anonymized images (`orig_anon`), and training on them too (`anon_anon`).

The test takes the pairs as independent draws. They are not quite: models share datasets and datasets share models, so
a p-value from it is the paper's, comparable with the paper's, and no more than that.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from anonbench.core.errors import DataError
from anonbench.studies.reid_faces.settings import BASELINE, CONTRASTS, METRICS

KEY = ("data", "model")
COLUMNS = (*KEY, *(f"{metric}_{setting}" for setting in (BASELINE, *CONTRASTS) for metric in METRICS))


@dataclass(frozen=True, slots=True)
class PairedTest:
    """The outcome of one test, in the unit of its input.

    n: pairs.
    difference: mean_after - mean_before, negative for a loss.
    standard_error: of that difference.
    t: difference / standard_error.
    df: n - 1.
    p: one-sided, the chance of a t this low if the true mean did not fall.
    note: why numbers are NaN, else "".
    """

    n: int
    mean_before: float
    mean_after: float
    difference: float
    standard_error: float
    t: float
    df: int
    p: float
    note: str = ""


def paired_t_test(before: ArrayLike, after: ArrayLike) -> PairedTest:
    """Test whether the mean of `after` is lower than that of `before`, pair by pair.

    before, after: (n,) finite numbers, in the same order. Fewer than two pairs, or differences that are all equal
    (to float64 rounding), leave t and p undefined: NaN, with a note.
    Raises `DataError` when the lengths differ or a number is missing.

    >>> result = paired_t_test([80.0, 60.0, 70.0], [78.0, 59.0, 67.0])
    >>> round(result.difference, 3), round(result.t, 3), result.df, round(result.p, 4)
    (-2.0, -3.464, 2, 0.0371)
    """
    x, y = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise DataError(f"paired test: shapes {x.shape} and {y.shape}; expected two lists of one length.")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError("paired test: a score is missing or infinite; expected finite numbers only.")
    n = len(x)
    if n == 0:
        nan = math.nan
        return PairedTest(0, nan, nan, nan, nan, nan, -1, nan, "no pairs")
    differences = y - x
    means = float(x.mean()), float(y.mean()), float(differences.mean())
    if n < 2:
        return PairedTest(n, *means, math.nan, math.nan, 0, math.nan, "one pair: a t-test needs at least two")
    rounding = 8 * np.finfo(np.float64).eps * max(np.abs(x).max(), np.abs(y).max())
    if np.ptp(differences) <= rounding:
        return PairedTest(n, *means, 0.0, math.nan, n - 1, math.nan, "all differences are equal: t is undefined")
    outcome = stats.ttest_rel(y, x, alternative="less")
    return PairedTest(
        n,
        *means,
        standard_error=float(stats.sem(differences)),
        t=float(outcome.statistic),
        df=n - 1,
        p=float(outcome.pvalue),
    )


def paired_tests(table: pd.DataFrame) -> pd.DataFrame:
    """Both contrasts for mAP and rank-1 over the rows of a score table.

    table: one row a (data, model) pair, with the columns `COLUMNS` (others are ignored), scores in percent.
    Returns four rows: metric, before, after (names of the settings), then the fields of `PairedTest`.
    Raises `DataError` for missing columns, a pair listed twice, or a score that is not a number in 0..100.
    """
    check_table(table)
    rows = []
    for metric in METRICS:
        for setting in CONTRASTS:
            test = paired_t_test(table[f"{metric}_{BASELINE}"].to_numpy(), table[f"{metric}_{setting}"].to_numpy())
            rows.append({"metric": metric, "before": BASELINE, "after": setting, **asdict(test)})
    return pd.DataFrame(rows)


def check_table(table: pd.DataFrame) -> None:
    """Raises `DataError` unless the table has `COLUMNS`, each pair once, and scores in 0..100."""
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise DataError(
            f"paired tests: the table lacks the columns {', '.join(missing)}; "
            f"found {', '.join(map(str, table.columns))}."
        )
    pairs = list(zip(*(table[key] for key in KEY), strict=True))
    for number, (data, model) in enumerate(pairs):
        if (data, model) in pairs[:number]:
            raise DataError(f"paired tests: {model} on {data} is listed twice; expected one row a pair.")
        for column in COLUMNS[len(KEY) :]:
            value = table[column].iloc[number]
            if not (isinstance(value, (int, float, np.number)) and 0 <= value <= 100):
                raise DataError(
                    f"paired tests: {column} of {model} on {data} is {value}; expected a percentage from 0 to 100. "
                    f"Has that cell been evaluated?"
                )
