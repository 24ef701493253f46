"""Cells of tables: means, standard errors, metrics by their names."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from anonbench.core.errors import DataError
from anonbench.report.cells import cell_of, describe_results, number, summary


@dataclass(frozen=True)
class Blurred:
    dataset: str = "toy"
    model: str = "net"
    train: str = "blur"
    tested: str = "original"

    @property
    def labels(self) -> dict[str, str]:
        return {"dataset": self.dataset, "model": self.model, "train": self.train, "tested": self.tested}


def result(seed: int, ap: float, **labels: str) -> dict[str, object]:
    return {**Blurred().labels, **labels, "seed": seed, "segm": {"ap": ap}}


def test_a_cell_by_hand() -> None:
    results = [result(2, 0.36), result(0, 0.30), result(1, 0.33), result(0, 0.9, train="original")]
    cell = cell_of(results, "segm.ap", Blurred())
    assert list(cell.runs) == [(None, 0), (None, 1), (None, 2)]
    assert cell.mean == 33.0
    assert cell.standard_error == 1.73, "deviation 3, by the root of 3"
    assert summary({"ap": cell}) == {"ap": 33.0, "runs": 3, "ap_se": 1.73}
    assert describe_results(results) == "seeds 0, 1, 2"


def test_what_is_not_there() -> None:
    with pytest.raises(DataError, match="no metrics for toy, net, trained on zero, tested on original"):
        cell_of([result(0, 0.1)], "segm.ap", Blurred(train="zero"))
    with pytest.raises(DataError, match=r"metrics have no 'segm.ap50': 'ap50' is not among ap$"):
        number(result(0, 0.1), "segm.ap50")
    with pytest.raises(DataError, match=r"no 'segm.ap.person': 'person' is not among nothing"):
        number(result(0, 0.1), "segm.ap.person")
    with pytest.raises(DataError, match="'train' is 'blur'; expected a number"):
        number(result(0, 0.1), "train")
