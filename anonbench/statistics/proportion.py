"""Shares of a sample and what they say about the whole: intervals of a proportion, and how large a sample must be.

Read Wilson's (1927) interval: on average it has the coverage that it promises. Quote Clopper and Pearson's (1934) where
a guarantee is needed: it never has less. Both treat the cases as independent.

Cases in clusters (the faces of an image) are not independent: one bad image loses several. Both intervals then use an
effective number of cases, n divided by the design effect (Kish 1965, "Survey Sampling", section 8.2), as Korn and
Graubard (1998, Survey Methodology 24:193) do for Clopper and Pearson's. Deviation: without their factor for the degrees
of freedom, which matters where the clusters are few.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from scipy.stats import beta, norm

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Proportion:
    """`hits` of `n` cases.

    value: their share, 0..1. NaN without a case.
    effective: how many independent cases say as much, above 0 and at most n. None for all of them.

    >>> Proportion(9, 10).wilson()
    (0.5958499732047615, 0.9821237869049271)
    """

    hits: int
    n: int
    effective: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.n:
            raise ValueError(f"{self.hits} of {self.n} cases; expected 0 <= hits <= n")
        if not 0 <= self.cases <= self.n or (self.n and not self.cases):
            raise ValueError(f"{self.effective} effective cases of {self.n}; expected 0 < effective <= n")

    @classmethod
    def of_clusters(cls, clusters: Iterable[tuple[int, int]]) -> Proportion:
        """From (hits, cases) of each cluster, such as an image with its faces; empty clusters count for nothing.

        effective: n / d, where d, at least 1, is the variance between clusters over that of independent cases: the sum
        of (hits - value cases)^2 over n value (1 - value). Where all cases are hits, or none, or all are in one
        cluster, nothing is known of d, and a cluster counts as one case. With one case a cluster all of them count.

        >>> Proportion.of_clusters([(4, 4), (0, 4), (4, 4), (4, 4)]).effective
        4.0
        """
        pairs = [pair for pair in clusters if pair[1]]
        hits, n = (sum(values) for values in zip(*pairs, strict=True)) if pairs else (0, 0)
        if hits in (0, n) or len(pairs) == 1:
            return cls(hits, n, float(len(pairs)))
        # In whole numbers (n^2 times the sum, n times the variance), so that d is exactly 1 with one case a cluster.
        between = sum((k * n - hits * cases) ** 2 for k, cases in pairs)
        return cls(hits, n, n / max(1.0, between / (n * hits * (n - hits))))

    @property
    def cases(self) -> float:
        """The effective number of cases."""
        return self.n if self.effective is None else self.effective

    @property
    def value(self) -> float:
        return self.hits / self.n if self.n else math.nan

    def wilson(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Wilson's score interval, 0..1; all of it without a case."""
        _check(confidence)
        if not self.n:
            return 0.0, 1.0
        z, n, p = float(norm.ppf((1 + confidence) / 2)), self.cases, self.value
        centre = (2 * n * p + z**2) / (2 * (n + z**2))
        half = z / (2 * (n + z**2)) * math.sqrt(4 * n * p * (1 - p) + z**2)
        return (centre - half if self.hits else 0.0), (centre + half if self.hits < self.n else 1.0)

    def clopper_pearson(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Clopper and Pearson's exact interval, 0..1; all of it without a case."""
        _check(confidence)
        if not self.n:
            return 0.0, 1.0
        tail, hits, misses = (1 - confidence) / 2, self.value * self.cases, (1 - self.value) * self.cases
        low = float(beta.ppf(tail, hits, misses + 1)) if self.hits else 0.0
        high = float(beta.ppf(1 - tail, hits + 1, misses)) if self.hits < self.n else 1.0
        return low, high


def _check(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")


def half_width(share: float, n: int, confidence: float = CONFIDENCE) -> float:
    """Half the width of Wilson's interval when `share` of n cases are hits (rounded to whole cases)."""
    low, high = Proportion(round(share * n), n).wilson(confidence)
    return (high - low) / 2


def cases_for(share: float, half: float, confidence: float = CONFIDENCE, most: int = 10_000_000) -> int:
    """The fewest cases with which Wilson's interval is at most +- `half` when `share` of them are hits.

    >>> cases_for(0.9, 0.05)
    141
    """
    if not 0 < half < 0.5:
        raise ValueError(f"half must lie between 0 and 0.5, got {half}")
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        if _smooth_half_width(share, middle, confidence) <= half:
            high = middle
        else:
            low = middle + 1
    return low


def cases_without_miss(least: float, confidence: float = CONFIDENCE) -> int:
    """How many cases, all of them hits, show that the share is at least `least` (Clopper and Pearson's lower end).

    >>> cases_without_miss(0.99)
    368
    """
    return math.ceil(math.log((1 - confidence) / 2) / math.log(least))


def _smooth_half_width(share: float, n: int, confidence: float) -> float:
    """Wilson's half width without rounding hits to whole numbers, which would make it jump."""
    z = float(norm.ppf((1 + confidence) / 2))
    return z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
