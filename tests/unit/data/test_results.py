"""Tables as data frames."""

from __future__ import annotations

from pathlib import Path

from anonbench.data.results import read_frame


def test_names_are_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("dataset,variant,value\nNA,None,1.5\n0001,nan,\n")
    frame = read_frame(tmp_path / "t.csv")
    assert frame["dataset"].tolist() == ["NA", "0001"]
    assert frame["variant"].tolist() == ["None", "nan"]
    assert frame["value"].isna().tolist() == [False, True]
