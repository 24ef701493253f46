"""Outcomes of attacks as the tables of the study read them: means over runs, and the strongest of several attacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from anonbench.attacks._outcome import read_outcome
from anonbench.data.variants import ORIGINAL
from anonbench.studies.kinds import Files

Outcome = Mapping[str, Any]
LONG = (
    "variant", "attack", "dataset", "run", "method", "recognizer", "n_probes", "n_people", "n_gallery_images",
    "without", "unranked", "rank1", "rank5", "mAP", "random_rank1", "control_rank1", "EER", "TPR_1e-2", "TPR_1e-3",
    "AUC", "risk", "risk_low", "risk_high", "interval", "void", "why", "worst_pid", "worst_rank1", "worst_probes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """An attack on a variant, over all its runs.

    rank1: mean share of probes whose first answer is right, 0..1; None where the attack ranks nothing.
    risk: mean over the runs, 0..1.
    low, high: the least lower and the greatest upper end of the runs' intervals.
    void: whether the attack does no better than a guess in some run.
    why: it is.
    proven: whether the same attack does better than a guess on clear pictures. Its failure then says something: the
        upper end of the interval holds. A void attack that is not proven says nothing.
    """

    attack: str
    rank1: float | None
    risk: float
    low: float
    high: float
    void: bool
    why: str
    proven: bool

    def __str__(self) -> str:
        """The risk with its interval, in percent."""
        return f"{100 * self.risk:.0f} [{100 * self.low:.0f}, {100 * self.high:.0f}]"

    @property
    def silent(self) -> bool:
        """Whether nothing follows from it."""
        return self.void and not self.proven


def read_outcomes(files: Files) -> list[dict[str, Any]]:
    """The outcomes among the files of a table."""
    paths: Sequence[Path] = files.get("attacks", ())
    return [read_outcome(path) for path in paths]


def measured(outcomes: Sequence[Outcome], attack: str, variant: str) -> Measured | None:
    """What the runs of an attack on a variant found; None where there is none."""
    every = [o for o in outcomes if o["attack"] == attack]
    found = [o for o in every if o["variant"] == variant]
    clear = [o["risk"]["void"] for o in every if o["variant"] == ORIGINAL]
    if not found:
        return None
    ranked = [o["identification"]["rank1"] for o in found if o["identification"]]
    risks = [o["risk"] for o in found]
    return Measured(
        attack,
        fmean(ranked) if ranked else None,
        fmean(risk["value"] for risk in risks),
        min(risk["low"] for risk in risks),
        max(risk["high"] for risk in risks),
        any(risk["void"] for risk in risks),
        next((risk["why"] for risk in risks if risk["void"]), ""),
        bool(clear) and not any(clear),
    )


def strongest(outcomes: Sequence[Outcome], attacks: Iterable[str], variant: str) -> Measured | None:
    """The attack with the highest risk among those that are not void; None without any.

    Where all are void: of those that succeed on clear pictures the one with the highest upper end, else any.
    """
    found = [m for attack in attacks if (m := measured(outcomes, attack, variant)) is not None]
    return max(found, key=lambda m: (not m.void, m.void and m.proven, m.high if m.void else m.risk), default=None)


def long_table(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """All that was found, a row an attack, variant and run (`LONG`); rates in 0..1."""
    return pd.DataFrame([_row(outcome) for outcome in outcomes], columns=list(LONG))


def _row(outcome: Outcome) -> dict[str, Any]:
    parts = {name: outcome[name] or {} for name in ("identification", "baseline", "control", "verification", "worst")}
    risk = outcome["risk"]
    return {
        **{name: outcome[name] for name in LONG if name in outcome and name != "risk"},
        **parts["identification"],
        "random_rank1": parts["baseline"].get("rank1"),
        "control_rank1": parts["control"].get("rank1"),
        **{name: parts["verification"].get(name) for name in ("EER", "TPR_1e-2", "TPR_1e-3", "AUC")},
        "risk": risk["value"],
        "risk_low": risk["low"],
        "risk_high": risk["high"],
        **{name: risk[name] for name in ("interval", "void", "why")},
        "worst_pid": parts["worst"].get("pid"),
        "worst_rank1": parts["worst"].get("rank1"),
        "worst_probes": parts["worst"].get("n_probes"),
    }
