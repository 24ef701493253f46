"""Are two pictures of one person? How well similarities tell genuine pairs from impostors, whatever the threshold.

    v = verify([0.9, 0.7], [np.array([0.8, 0.1, 0.2])])
    v.auc, v.eer, v.true_positive_rate(1e-2)

A pair is accepted when its similarity is at least a threshold. The false positive rate (FPR) is the share of impostor
pairs that are accepted, the true positive rate (TPR) that of genuine pairs.

- AUC: the chance that a genuine pair is more alike than an impostor pair, ties counted half.
- EER: the rate at which as many impostor pairs are accepted as genuine ones are refused, on the straight lines between
  neighbouring thresholds.
- TPR at an FPR: the best among all thresholds that accept at most this share of impostor pairs. Nothing is drawn
  between thresholds. Below 10 / FPR impostor pairs it is not told: fewer than ten accepted pairs would decide it.

All are exact. Impostor pairs come in blocks and are counted between the sorted genuine similarities, since a threshold
elsewhere accepts no more genuine pairs. So the memory grows with the genuine pairs alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anonbench.core.errors import DataError

Floats = NDArray[np.float64]

FALSE_POSITIVE_RATES = {"TPR_1e-2": 1e-2, "TPR_1e-3": 1e-3}
LEAST_ACCEPTED = 10  # impostor pairs that are accepted at the threshold


@dataclass(frozen=True, eq=False)
class Verification:
    """The rates at every threshold that matters, from the strictest to the one that accepts all.

    accepted_genuine, accepted_impostor: (t,) pairs that are accepted, rising from 0 to all.
    n_genuine, n_impostor: pairs.
    """

    accepted_genuine: NDArray[np.int64]
    accepted_impostor: NDArray[np.int64]
    n_genuine: int
    n_impostor: int

    @property
    def tpr(self) -> Floats:
        return self.accepted_genuine / self.n_genuine

    @property
    def fpr(self) -> Floats:
        return self.accepted_impostor / self.n_impostor

    @property
    def auc(self) -> float:
        """Area under the receiver operating characteristic, 0..1."""
        return float(np.trapezoid(self.tpr, self.fpr))

    @property
    def eer(self) -> float:
        """Equal error rate, 0..1."""
        gap = self.fpr + self.tpr - 1  # rises from -1 to 1
        after = int(np.argmax(gap >= 0))
        step = gap[after] - gap[after - 1]
        share = -gap[after - 1] / step
        return float(self.fpr[after - 1] + share * (self.fpr[after] - self.fpr[after - 1]))

    def true_positive_rate(self, false_positive_rate: float) -> float | None:
        """TPR at an FPR, 0..1; None where there are too few impostor pairs to tell."""
        if self.n_impostor * false_positive_rate < LEAST_ACCEPTED * (1 - 1e-9):  # 10 / 1e-3 pairs are enough
            return None
        allowed = self.accepted_impostor <= self.n_impostor * false_positive_rate * (1 + 1e-9)
        return float(self.tpr[allowed].max())

    def as_values(self) -> dict[str, Any]:
        """EER, TPR_1e-2, TPR_1e-3, AUC, n_genuine, n_impostor."""
        rates = {name: self.true_positive_rate(rate) for name, rate in FALSE_POSITIVE_RATES.items()}
        return {"EER": self.eer, **rates, "AUC": self.auc, "n_genuine": self.n_genuine, "n_impostor": self.n_impostor}


def verify(genuine: ArrayLike, impostors: Iterable[ArrayLike]) -> Verification:
    """Count the pairs that each threshold accepts.

    genuine: similarities of pairs of one person, any real numbers.
    impostors: blocks of similarities of pairs of two people.
    Raises `DataError` where there is no genuine or no impostor pair, or a similarity is missing.

    >>> v = verify([0.9, 0.7], [[0.8], [0.1, 0.2]])
    >>> round(v.auc, 4), v.eer, v.true_positive_rate(1e-2)
    (0.8333, 0.3333333333333333, None)
    """
    values, counts = np.unique(_checked(genuine), return_counts=True)  # rising
    # Bins of impostors: below the first value, equal to it, between it and the second, equal to that, ...
    bins = np.zeros(2 * len(values) + 1, np.int64)
    for block in impostors:
        scores = _checked(block)
        left = np.searchsorted(values, scores)
        equal = left < len(values)
        equal[equal] = values[left[equal]] == scores[equal]
        bins += np.bincount(2 * left + equal, minlength=len(bins))
    if not len(values) or not bins.sum():
        raise DataError(
            f"verification: {counts.sum()} pairs of one person and {bins.sum()} of two; expected at least one of each. "
            f"Does the gallery show the probes' people, and others?"
        )
    own = np.zeros_like(bins)
    own[1::2] = counts
    accepted_genuine, accepted_impostor = (np.concatenate([[0], np.cumsum(part[::-1])]) for part in (own, bins))
    return Verification(accepted_genuine, accepted_impostor, int(counts.sum()), int(bins.sum()))


def _checked(scores: ArrayLike) -> Floats:
    array = np.asarray(scores, np.float64).ravel()
    if not np.isfinite(array).all():
        raise DataError("verification: a similarity is missing or infinite; are the features finite?")
    return array
