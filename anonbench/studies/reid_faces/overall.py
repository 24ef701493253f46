"""One answer over all (model, dataset) pairs: the paper's t-test with an effect size and an equivalence test beside it.

The paper takes the 30 pairs as independent. They share six models and five datasets, so the same is computed with the
mean of each dataset, and of each model, as one observation: fewer observations, less dependent ones.
"""

from __future__ import annotations

import pandas as pd

from anonbench.statistics.effect import paired_effect
from anonbench.statistics.equivalence import tost_paired
from anonbench.studies.reid_faces.paired import check_table, paired_t_test
from anonbench.studies.reid_faces.settings import BASELINE, CONTRASTS, METRICS

UNITS = {"pair": None, "dataset": "data", "model": "model"}
COLUMNS = (
    "metric", "before", "after", "unit", "n", "mean_before", "mean_after", "difference", "low", "high", "t", "df",
    "p_one_sided", "dz", "dz_low", "dz_high", "gz", "margin", "tost_low", "tost_high", "tost_p", "equivalent", "note",
)  # fmt: skip


def effect_table(table: pd.DataFrame, margin: float, alpha: float = 0.05) -> pd.DataFrame:
    """Effects over the rows of a score table, for both contrasts, both metrics and every unit of observation.

    table: one row a (data, model) pair with the columns of `paired.COLUMNS`, in percent.
    margin: of equivalence, in percent points.

    Columns of the result:

    - p_one_sided: of a loss (the paper's test).
    - low, high: interval of the mean difference at 1 - alpha. tost_low, tost_high: at 1 - 2 alpha.
    - dz, gz: effect sizes (see `effect`).
    """
    check_table(table)
    rows = []
    for metric in METRICS:
        for after in CONTRASTS:
            columns = [f"{metric}_{BASELINE}", f"{metric}_{after}"]
            for unit, key in UNITS.items():
                scores = table[columns] if key is None else table.groupby(key)[columns].mean()
                x, y = scores[columns[0]].to_numpy(float), scores[columns[1]].to_numpy(float)
                test, effect = paired_t_test(x, y), paired_effect(x, y, 1 - alpha)
                tost = tost_paired(x, y, margin, alpha)
                rows.append([
                    metric, BASELINE, after, unit, test.n, test.mean_before, test.mean_after, test.difference,
                    effect.low, effect.high, test.t, test.df, test.p, effect.dz, effect.dz_low, effect.dz_high,
                    effect.gz, margin, tost.low, tost.high, tost.p, tost.equivalent, test.note,
                ])  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))
