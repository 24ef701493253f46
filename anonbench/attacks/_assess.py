"""From what a search finds to the parts of an outcome: how often the attack succeeds, on whom, and the risk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from anonbench.attacks._outcome import Trial
from anonbench.attacks._search import Findings
from anonbench.statistics.proportion import Proportion
from anonbench.statistics.risk import risk
from anonbench.statistics.verification import verify

LEAST_PROBES = 3  # of a person who may be called the worst served
TOP = 5


def assess(findings: Findings, resamples: int, seed: int) -> dict[str, Any]:
    """The counts and parts of an outcome (`_outcome.KEYS`) that a search gives.

    resamples: bootstrap draws of people for the risk's interval.
    seed: of the draws.
    """
    known = [trial for trial in findings.trials if not trial.control]
    control = [trial for trial in findings.trials if trial.control]
    baseline = _at_random(known)
    found = risk(_clusters(known), _clusters(control), baseline["rank1"], resamples=resamples, seed=seed)
    return {
        "n_probes": len(known),
        "n_people": len({trial.pid for trial in known}),
        "n_gallery_images": findings.n_gallery,
        "unranked": findings.unranked,
        "identification": _identification(known),
        "verification": verify(findings.genuine, findings.impostors).as_values(),
        "baseline": baseline,
        "control": {"rank1": _rate(control, 1) if control else None, "n_probes": len(control)},
        "risk": asdict(found),
        "worst": _worst(known),
        "groups": _groups(known),
    }


def _identification(trials: Sequence[Trial]) -> dict[str, float]:
    return {
        "rank1": _rate(trials, 1),
        "rank5": _rate(trials, TOP),
        "mAP": fmean(trial.ap or 0.0 for trial in trials),
    }


def _at_random(trials: Sequence[Trial]) -> dict[str, float]:
    """The same expected of a random order."""
    return {
        "rank1": fmean(t.matches / t.ranked for t in trials),
        "rank5": fmean(_within_top(t.matches, t.ranked) for t in trials),
        "mAP": fmean(expected_ap(t.matches, t.ranked) for t in trials),
    }


def expected_ap(matches: int, ranked: int) -> float:
    """The mean average precision over all orders of `ranked` pictures of which `matches` are right.

    A picture at rank k is right with probability m/n, and the k-1 before it are each right with (m-1)/(n-1) then, so
    that E[AP] = (H_n + (n - H_n) (m - 1)/(n - 1)) / n, where H_n is the n-th harmonic number.

    >>> expected_ap(1, 2), expected_ap(2, 2)
    (0.75, 1.0)
    """
    harmonic = sum(1 / k for k in range(1, ranked + 1))
    others = (matches - 1) / (ranked - 1) if ranked > 1 else 0.0
    return (harmonic + (ranked - harmonic) * others) / ranked


def _within_top(matches: int, ranked: int) -> float:
    """The chance that one of the right pictures is among the first five."""
    return 1 - math.comb(ranked - matches, TOP) / math.comb(ranked, TOP) if ranked > TOP else 1.0


def _rate(trials: Sequence[Trial], rank: int) -> float:
    return fmean(t.rank is not None and t.rank <= rank for t in trials)


def _clusters(trials: Iterable[Trial]) -> list[tuple[int, int]]:
    """(hits at rank 1, probes) of each person."""
    return [(sum(hits), len(hits)) for hits in _by_person(trials).values()]


def _by_person(trials: Iterable[Trial]) -> dict[int, list[bool]]:
    """Person -> whether each of their probes is a hit at rank 1."""
    people: dict[int, list[bool]] = {}
    for trial in trials:
        people.setdefault(trial.pid, []).append(trial.rank == 1)
    return people


def _worst(trials: Sequence[Trial]) -> dict[str, Any] | None:
    """The person who is found most often; None where nobody has enough probes."""
    enough = {pid: hits for pid, hits in _by_person(trials).items() if len(hits) >= LEAST_PROBES}
    if not enough:
        return None
    pid = max(enough, key=lambda person: (fmean(enough[person]), len(enough[person]), -person))
    return {"pid": pid, "rank1": fmean(enough[pid]), "n_probes": len(enough[pid])}


def _groups(trials: Sequence[Trial]) -> dict[str, dict[str, Any]]:
    """grouping -> group -> rank-1 with Wilson's interval; people are clusters."""
    groupings: Mapping[str, str] = trials[0].groups
    found: dict[str, dict[str, Any]] = {}
    for grouping in groupings:
        for group in sorted({t.groups[grouping] for t in trials} - {""}):
            members = [trial for trial in trials if trial.groups[grouping] == group]
            share = Proportion.of_clusters(_clusters(members))
            low, high = share.wilson()
            values = {"rank1": share.value, "low": low, "high": high, "n_probes": share.n}
            found.setdefault(grouping, {})[group] = values
    return found
