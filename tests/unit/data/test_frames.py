"""Tables as data frames and metrics files as maps: names stay names, what cannot be read is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from anonbench.core.errors import DataError
from anonbench.data.results import read_frame, read_metrics


def test_a_name_of_digits_stays_a_name(tmp_path: Path) -> None:
    """A variant called 06 must not become the number 6."""
    (tmp_path / "t.csv").write_text("dataset,variant,low\n1,06,2.5\n")
    assert read_frame(tmp_path / "t.csv").iloc[0].tolist() == ["1", "06", 2.5]


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00"])
def test_a_table_that_cannot_be_read_is_named(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"t\.csv: not a readable table \(.*Make it again"):
        read_frame(tmp_path / "t.csv")


def test_a_missing_column_is_named_with_those_expected(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    assert list(read_frame(tmp_path / "t.csv", ("b",)).columns) == ["a", "b"]
    with pytest.raises(DataError, match=r"t\.csv: column c is missing; expected a, c\."):
        read_frame(tmp_path / "t.csv", ("a", "c"))


def test_metrics_are_a_map_with_the_keys_that_are_needed(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"map": 0.5}')
    assert read_metrics(tmp_path / "m.json", ("map",)) == {"map": 0.5}
    with pytest.raises(DataError, match=r"m\.json: has no 'rank1'; expected map, rank1\. Evaluate again"):
        read_metrics(tmp_path / "m.json", ("map", "rank1"))


@pytest.mark.parametrize("content", [b"", b'{"map": 0.', b"\xff\xfe"])
def test_a_metrics_file_that_was_cut_off_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(content)
    with pytest.raises(DataError, match=r"m\.json: not a metrics file .*Delete it and evaluate again"):
        read_metrics(tmp_path / "m.json")
