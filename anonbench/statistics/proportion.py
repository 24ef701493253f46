"""Shares of a sample and what they tell of the whole: intervals of a proportion, and how large a sample must be.

Both intervals treat the cases as independent. Wilson's (1927) has on average the coverage that it promises, and is the
one to read; Clopper and Pearson's (1934) never has less, and is the one to quote where a guarantee is asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.stats import binomtest

CONFIDENCE = 0.95
WILSON, CLOPPER_PEARSON = "wilson", "exact"  # as SciPy calls them


@dataclass(frozen=True, slots=True)
class Proportion:
    """`hits` of `n` cases. value: their share, 0..1; NaN without a case.

    >>> Proportion(9, 10).wilson()
    (0.5958499732047615, 0.9821237869049271)
    """

    hits: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.n:
            raise ValueError(f"{self.hits} of {self.n} cases; expected 0 <= hits <= n")

    @property
    def value(self) -> float:
        return self.hits / self.n if self.n else math.nan

    def wilson(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Wilson's score interval, 0..1; all of it without a case."""
        return self._interval(WILSON, confidence)

    def clopper_pearson(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Clopper and Pearson's exact interval, 0..1; all of it without a case."""
        return self._interval(CLOPPER_PEARSON, confidence)

    def _interval(self, method: str, confidence: float) -> tuple[float, float]:
        if not self.n:
            return 0.0, 1.0
        found = binomtest(self.hits, self.n).proportion_ci(confidence, method)
        return float(found.low), float(found.high)


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
    from scipy.stats import norm

    z = float(norm.ppf((1 + confidence) / 2))
    return z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
