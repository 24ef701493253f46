"""`rows: tradeoff`: a row a way of hiding: what it costs in mAP, and which risk is left.

    tradeoff:
      study: privacy
      rows: tradeoff
      dataset: market1501-rendered
      faces: market1501-faces
      model: bot                             # the network that pays
      attacks: [faces_parrot, faces_restored]  # the risk is that of the strongest
      variants: [blur, blur_half, zero]
      curves: {blur: [blur, blur_half]}      # doses of one method, joined by a line in the figure

The cost is the mean loss of average precision over all queries, of networks that were trained on originals: queries and
gallery are hidden in the same way. A bootstrap over people gives its interval.

A way of hiding is on the Pareto front where no other of the table has both a lower cost and a lower risk. It may be
recommended where the upper end of its risk is at most `risk_bound` of `privacy_statistics`, its attackers succeed on
clear pictures, and no other such way has a lower cost. Which bound is chosen before anything is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.structure import check_known
from anonbench.data import paths
from anonbench.data.entries import runs_of
from anonbench.data.results import read_frame
from anonbench.data.variants import ORIGINAL
from anonbench.report.layout import DASH
from anonbench.report.tables import Table
from anonbench.statistics.bootstrap import bootstrap_mean_difference
from anonbench.studies.kinds import Entry, Files
from anonbench.studies.privacy.kinds import KINDS
from anonbench.studies.privacy.kinds._common import NOTE, OfAttacks, in_percent, rows_of
from anonbench.studies.privacy.results import Measured, long_table, read_outcomes, strongest
from anonbench.studies.tables import NAME

QUERY = ("path", "pid", "ap")
COST = (
    "Cost: points of mAP that {model}, trained on originals, loses where queries and gallery are hidden, with an "
    "interval at {level:.0%} by a bootstrap over people."
)
RULE = (
    "Recommended: the upper end of the risk is at most {bound:.0%}, its attackers succeed on clear pictures, and no "
    "other such way costs less. The bound is `risk_bound`."
)


@KINDS.register("tradeoff")
class Tradeoff(OfAttacks):
    whole = "shows the strongest of several attacks"
    more: ClassVar[Mapping[str, Any]] = {
        "model": NAME,
        "curves": {"type": "object", "additionalProperties": {"type": "array", "minItems": 2}},
    }

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        super().check(config, entry, where)
        check_known(f"{where}.model", [entry["model"]], config["models"])
        for name, doses in entry["curves"].items():
            check_known(f"{where}.curves.{name}", doses, entry["variants"])
        if ORIGINAL in entry["variants"]:
            raise ConfigError(f"{where}.variants: '{ORIGINAL}' is in every table; take it out")

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        found = super().inputs(config, entry)
        for variant in rows_of(entry):
            found[f"queries {variant}"] = [
                paths.queries(paths.metrics(entry["dataset"], entry["model"], ORIGINAL, run, variant))
                for run in runs_of(config, entry["dataset"], entry["model"])
            ]
        return found

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        return {**super().spec(config, entry), "statistics": config["privacy_statistics"]}

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        outcomes, chosen = read_outcomes(files), spec["statistics"]
        before = files[f"queries {ORIGINAL}"]
        rows = []
        for variant in rows_of(spec):
            cost = loss(before, files[f"queries {variant}"], chosen["confidence"], chosen["resamples"])
            rows.append(_row(variant, cost, strongest(outcomes, spec["attacks"], variant)))
        frame = judged(pd.DataFrame(rows), chosen["risk_bound"])
        return Table(
            frame,
            f"{name}: what hiding costs on {spec['dataset']}, and which risk is left",
            [
                COST.format(model=spec["model"], level=chosen["confidence"]),
                RULE.format(bound=chosen["risk_bound"]),
                NOTE.format(label=label),
            ],
            self.key,
            shown=_shown(frame),
            runs=long_table(outcomes),
        )


def loss(before: Sequence[Path], after: Sequence[Path], level: float, resamples: int) -> tuple[float, float, float]:
    """Mean loss of average precision over the queries of all runs, and its interval; 0..1, above 0 for a loss.

    before, after: results of every query, a file a run, in the same order.
    Raises `DataError` where the files have other queries.
    """
    lost, people = [], []
    for first, second in zip(before, after, strict=True):
        a, b = (read_frame(path, QUERY).dropna(subset=["ap"]).sort_values("path") for path in (first, second))
        if list(a["path"]) != list(b["path"]):
            raise DataError(f"{second}: other queries than {first}; expected the same. Evaluate both again.")
        lost.append(a["ap"].to_numpy() - b["ap"].to_numpy())
        people.append(a["pid"].to_numpy())
    values = np.concatenate(lost)
    if not values.any():
        return 0.0, 0.0, 0.0
    found = bootstrap_mean_difference(values, np.concatenate(people), resamples=resamples)
    return (float(found.estimate), *found.interval(level))


def judged(frame: pd.DataFrame, bound: float) -> pd.DataFrame:
    """The rows with `pareto` and `recommended`, by cost and risk in percent.

    bound: of the upper end of the risk, 0..1.
    """
    points = list(zip(frame["cost"], frame["risk"], strict=True))
    known = [not void and not pd.isna(risk) for void, risk in zip(frame["void"], frame["risk"], strict=True)]
    rivals = [point for ok, point in zip(known, points, strict=True) if ok]
    front = [
        ok and not any(c <= cost and r <= risk and (c, r) != (cost, risk) for c, r in rivals)
        for ok, (cost, risk) in zip(known, points, strict=True)
    ]
    safe = [ok and high <= 100 * bound for ok, high in zip(known, frame["risk_high"], strict=True)]
    least = min((cost for ok, (cost, _) in zip(safe, points, strict=True) if ok), default=None)
    best = [ok and cost == least for ok, (cost, _) in zip(safe, points, strict=True)]
    return frame.assign(pareto=front, recommended=best)


def _row(variant: str, cost: tuple[float, float, float], risk: Measured | None) -> dict[str, Any]:
    value, low, high = cost
    return {
        "variant": variant,
        "cost": in_percent(value, 2),
        "cost_low": in_percent(low, 2),
        "cost_high": in_percent(high, 2),
        "risk": in_percent(risk.risk) if risk else None,
        "risk_low": in_percent(risk.low) if risk else None,
        "risk_high": in_percent(risk.high) if risk else None,
        "attack": risk.attack if risk else None,
        "void": risk.silent if risk else True,
    }


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    lines = []
    for row in frame.to_dict("records"):
        risk = "void" if row["void"] else f"{row['risk']:.0f} [{row['risk_low']:.0f}, {row['risk_high']:.0f}]"
        lines.append(
            {
                "variant": row["variant"],
                "cost in mAP": f"{row['cost']:.1f} [{row['cost_low']:.1f}, {row['cost_high']:.1f}]",
                "risk": risk,
                "attack": row["attack"] or DASH,
                "Pareto front": "yes" if row["pareto"] else "",
                "recommended": "yes" if row["recommended"] else "",
            }
        )
    return pd.DataFrame(lines)
