"""Verification: by hand, and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.metrics import roc_auc_score, roc_curve

from anonbench.core.errors import DataError
from anonbench.statistics.verification import verify


def test_by_hand() -> None:
    # Thresholds .9 (genuine 1 of 2, impostors 0 of 3), .8 (1 of 2, 1 of 3), .7 (2 of 2, 1 of 3), then all.
    found = verify([0.9, 0.7], [[0.8], [0.1, 0.2]])
    assert found.auc == pytest.approx(5 / 6)  # 5 of the 6 pairs of pairs are in order
    assert found.eer == pytest.approx(1 / 3)  # at .7 one of three is accepted; between .8 and .7 a half is refused
    assert found.n_genuine == 2
    assert found.n_impostor == 3


def test_a_tie_counts_half() -> None:
    assert verify([0.5], [[0.5]]).auc == 0.5
    assert verify([0.5], [[0.5]]).eer == 0.5


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_as_scikit_learn(seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    genuine, impostors = rng.normal(1, 1, 60), rng.normal(0, 1, 3000)
    if ties:
        genuine, impostors = genuine.round(1), impostors.round(1)
    found = verify(genuine, np.array_split(impostors, 7))
    truth = np.repeat([1, 0], [60, 3000])
    scores = np.concatenate([genuine, impostors])
    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
    assert found.auc == pytest.approx(roc_auc_score(truth, scores))
    assert found.eer == pytest.approx(brentq(lambda x: 1 - x - np.interp(x, fpr, tpr), 0, 1), abs=1e-6)
    assert found.true_positive_rate(1e-2) == pytest.approx(tpr[fpr <= 1e-2].max())


def test_the_rate_at_few_false_positives_needs_enough_impostors() -> None:
    enough = verify([2.0, 0.5], [np.linspace(0, 1, 1000)])
    values = enough.as_values()
    # 10 of 1000 may be accepted: 0.5 accepts half of them, 2.0 none.
    assert values["TPR_1e-2"] == 0.5
    assert values["TPR_1e-3"] is None
    assert verify([2.0], [np.linspace(0, 1, 999)]).as_values()["TPR_1e-2"] is None
    assert verify([2.0], [np.linspace(0, 1, 10_000)]).as_values()["TPR_1e-3"] == 1.0
    assert list(values) == ["EER", "TPR_1e-2", "TPR_1e-3", "AUC", "n_genuine", "n_impostor"]


def test_who_cannot_be_verified_is_said() -> None:
    with pytest.raises(DataError, match="0 pairs of one person and 1 of two; expected at least one of each"):
        verify([], [[0.1]])
    with pytest.raises(DataError, match="1 pairs of one person and 0 of two"):
        verify([0.1], [[]])
    with pytest.raises(DataError, match="missing or infinite"):
        verify([np.nan], [[0.1]])
