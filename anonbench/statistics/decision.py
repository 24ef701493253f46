"""What a difference between two sets of trainings shows: its direction, and its size against a margin.

    row = decide(bootstrap, noise, n_runs=3, retrained=True, margin=1.0)
    table = judge(pd.DataFrame(rows), family=["metric"])     # adds corrected p-values and `verdict`

What a verdict is based on (`basis`):

- what was drawn (`queries`, `pictures`): the bootstrap. The verdict is about the networks that were trained.
- that `and training`: the luck of training is added, as measured between seeds. Used where before and after are
  different trainings, as soon as there are two seeds of something.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from anonbench.statistics.bootstrap import ClusterBootstrap
from anonbench.statistics.equivalence import beyond_margin_bootstrap, beyond_margin_t, tost_bootstrap, tost_t
from anonbench.statistics.multiple import holm
from anonbench.statistics.noise import NoiseFloor, training_test

FEW = 10  # clusters, below which a bootstrap says little
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
DECIDED = (
    "difference", "low", "high", "p", "training_sd", "training_low", "training_high", "training_p", "basis",
    "decisive_p", "margin", "tost_low", "tost_high", "tost_p", "beyond_p", "note",
)  # fmt: skip
"""The fields of `decide`."""


def decide(
    bootstrap: ClusterBootstrap, noise: NoiseFloor, n_runs: int, *, retrained: bool, margin: float, alpha: float = 0.05,
    drawn: str = "queries", clusters: str = "identities",
) -> dict[str, Any]:  # fmt: skip
    """Test one difference: the fields `DECIDED`.

    noise: of trainings that differ in the seed alone.
    n_runs: trainings on either side.
    retrained: whether before and after are different trainings.
    margin: of equivalence, in the unit of the difference, > 0.
    drawn, clusters: what the bootstrap's values are of, and what it resamples, in words.
    """
    low, high = bootstrap.interval(1 - alpha)
    p = bootstrap.p_two_sided()
    equivalence = tost_bootstrap(bootstrap, margin, alpha, clusters)
    beyond = beyond_margin_bootstrap(bootstrap, margin)
    with_luck = training_test(
        bootstrap.estimate, bootstrap.standard_error, bootstrap.n_clusters, noise, n_runs, 1 - alpha
    )
    use_training = retrained and noise.df > 0
    if use_training and not math.isnan(with_luck.p):
        by_training = tost_t(bootstrap.estimate, with_luck.standard_error, with_luck.df, margin, alpha)
        # The luck of training comes on top: a sparse set of changes stays as uncertain as it was.
        equivalence = max(equivalence, by_training, key=lambda e: e.p)
        beyond = max(beyond, beyond_margin_t(bootstrap.estimate, with_luck.standard_error, with_luck.df, margin))
    return {
        "difference": bootstrap.estimate,
        "low": low,
        "high": high,
        "p": p,
        "training_sd": noise.sd,
        "training_low": with_luck.low if use_training else math.nan,
        "training_high": with_luck.high if use_training else math.nan,
        "training_p": with_luck.p if use_training else math.nan,
        "basis": f"{drawn} and training" if use_training else drawn,
        "decisive_p": max(p, with_luck.p) if use_training else p,
        "margin": margin,
        "tost_low": equivalence.low,
        "tost_high": equivalence.high,
        "tost_p": equivalence.p,
        "beyond_p": beyond,
        "note": equivalence.note or (f"fewer than {FEW} {clusters}" if bootstrap.n_clusters < FEW else ""),
    }


def judge(table: pd.DataFrame, family: Sequence[str], alpha: float = 0.05) -> pd.DataFrame:
    """Rows of `decide` with `p_holm`, `tost_p_holm`, `beyond_p_holm` and `verdict`.

    family: columns; rows that are alike in them are corrected together (Holm), each of the three tests by itself.
    """
    judged = table.copy()
    for p in ("p", "tost_p", "beyond_p"):
        decisive = judged["decisive_p"] if p == "p" else judged[p]
        judged[f"{p}_holm"] = decisive.groupby([judged[c] for c in family]).transform(lambda f: holm(f.to_numpy()))
    judged["verdict"] = [
        verdict(r.difference, r.p_holm, r.tost_p_holm, r.beyond_p_holm, alpha)
        for r in judged[["difference", "p_holm", "tost_p_holm", "beyond_p_holm"]].itertuples()
    ]
    return judged


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
