"""The files that an attack leaves are read as they were written, and others are refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from anonbench.attacks._outcome import KEYS, TRIAL_COLUMNS, read_outcome, read_trials, write_outcome, write_trials
from anonbench.core.errors import DataError
from tests.attack_outcomes import outcome, trial


def test_an_outcome_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "seed0.json"
    write_outcome(file, outcome())
    assert read_outcome(file) == outcome()
    assert tuple(read_outcome(file)) == KEYS


def test_an_outcome_has_all_keys_and_no_others(tmp_path: Path) -> None:
    file = tmp_path / "seed0.json"
    with pytest.raises(DataError, match=r"seed0\.json: has a key 'risks'; an outcome of an attack has dataset"):
        write_outcome(file, outcome(risks={}))
    file.write_text("{}")
    with pytest.raises(DataError, match=r"seed0\.json: has no 'dataset'.*Attack again"):
        read_outcome(file)


def test_trials_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "seed0.trials.csv"
    found = trial(groups={"size": "12-24 px", "view": ""})
    lost = trial(path="query/b.jpg", control=True, rank=8, ap=0.125, groups={"size": "", "view": "front"})
    write_trials(file, [found, lost])
    assert file.read_text().splitlines()[0] == ",".join((*TRIAL_COLUMNS, "size", "view"))
    assert read_trials(file) == [found, lost]


def test_what_an_attack_does_not_have_is_empty(tmp_path: Path) -> None:
    file = tmp_path / "seed0.trials.csv"
    write_trials(file, [trial(rank=None, ap=None, wrong=math.nan)])
    (read,) = read_trials(file)
    assert read.rank is None
    assert read.ap is None
    assert math.isnan(read.wrong)


def test_a_wrong_number_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "seed0.trials.csv"
    write_trials(file, [trial(), trial()])
    file.write_text(file.read_text().replace("0.9,0.5", "much,0.5", 1))
    with pytest.raises(DataError, match=r"trials\.csv:2: column right is 'much'; expected a number"):
        read_trials(file)
