"""Numbers in words, for the pages of the study."""

from __future__ import annotations

import math

import pandas as pd

from anonbench.report.words import count, estimate, p_value, points
from anonbench.studies.reid_faces.headings import HEADINGS
from anonbench.studies.reid_faces.settings import CONTRASTS

METRIC_NAMES = {"map": "mAP", "rank1": "rank-1"}
CONTRAST_NAMES = {name: HEADINGS.settings[name] for name in CONTRASTS}


def overall_lines(effects: pd.DataFrame, alpha: float) -> list[str]:
    if effects.empty:
        return []
    lines = ["## Over all models and datasets", ""]
    for row in effects[effects["unit"] == "pair"].to_dict("records"):
        others = effects[
            (effects["unit"] != "pair") & (effects["metric"] == row["metric"]) & (effects["after"] == row["after"])
        ]
        lines.append(
            f"- {METRIC_NAMES[row['metric']]}, {CONTRAST_NAMES[row['after']]}: {overall_sentences(row, others, alpha)}"
        )
    return [*lines, ""]


def overall_sentences(row: dict[str, object], others: pd.DataFrame, alpha: float) -> str:
    """What the test over the (model, dataset) pairs says, and whether it holds with coarser units.

    row: of unit `pair`.
    others: the same contrast's rows of units `dataset` and `model`.
    """
    r = pd.Series(row)
    if math.isnan(r["p_one_sided"]):
        return f"{count(int(r['n']), 'pair', 'pairs')} of model and dataset: no test ({r['note']})."
    drop = r["p_one_sided"] < alpha
    text = (
        f"{estimate(r['difference'], r['low'], r['high'])} over {int(r['n'])} pairs of model and dataset; a drop is "
        f"{'shown' if drop else 'not shown'} ({p_value(r['p_one_sided'])}, one-sided; d_z {r['dz']:.2f} "
        f"[{r['dz_low']:.2f}, {r['dz_high']:.2f}]); equivalence within ±{points(r['margin'])} is "
        f"{'shown' if r['equivalent'] else 'not shown'} ({p_value(r['tost_p'])})."
    )
    for other in others.to_dict("records"):
        unit, n, p = other["unit"], int(other["n"]), float(other["p_one_sided"])
        if math.isnan(p):
            continue
        outcome = "shown" if p < alpha else "not shown"
        text += f" With {n} {unit}s as the observations a drop is {outcome} ({p_value(p)})."
    return text
