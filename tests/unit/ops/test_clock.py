"""Inputs from the future: a short wait, or a refusal before anything is made."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from anonbench.core.errors import DataError
from anonbench.ops.clock import wait_for_inputs


def dated(path: Path, ahead: float, folder: bool = False) -> Path:
    path.mkdir() if folder else path.touch()
    os.utime(path, (time.time() + ahead,) * 2)
    return path


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr("time.sleep", seconds.append)
    return seconds


def test_inputs_of_the_past_and_those_that_are_not_there_do_not_matter(tmp_path: Path, slept: list[float]) -> None:
    wait_for_inputs([])
    wait_for_inputs([dated(tmp_path / "a", -1), tmp_path / "missing"])
    assert slept == []


def test_seconds_are_waited_for(tmp_path: Path, slept: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    wait_for_inputs([dated(tmp_path / "a", 5), dated(tmp_path / "b", 9), dated(tmp_path / "c", -9)])
    assert slept == [pytest.approx(9, abs=0.5)]
    assert f"{tmp_path / 'b'}: is dated" in capsys.readouterr().err


def test_an_hour_is_refused_with_what_to_do(tmp_path: Path, slept: list[float]) -> None:
    file = dated(tmp_path / "a.csv", 3600)
    with pytest.raises(DataError, match=r"a\.csv: is dated .*, but the clock .* says .*touch -h .*a\.csv`"):
        wait_for_inputs([file, dated(tmp_path / "b", 5)])
    assert slept == []


def test_a_folder_is_dated_by_snakemakes_timestamp_and_a_link_by_itself(tmp_path: Path, slept: list[float]) -> None:
    folder = dated(tmp_path / "images", 3600, folder=True)
    (tmp_path / "link").symlink_to(folder)
    wait_for_inputs([tmp_path / "link"])
    with pytest.raises(DataError, match="images: is dated"):
        wait_for_inputs([folder])
    dated(folder / ".snakemake_timestamp", -5)
    wait_for_inputs([folder])
    assert slept == []
