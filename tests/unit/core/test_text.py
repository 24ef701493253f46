"""Text as editors and spreadsheets save it."""

from __future__ import annotations

from pathlib import Path

import pytest

from anonbench.core.errors import DataError
from anonbench.core.text import read_user_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_marks(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("path\r\nJosé.jpg\r\n".encode(encoding))
    assert read_user_text(tmp_path / "a.csv") == "path\nJosé.jpg\n"


@pytest.mark.parametrize(("encoding", "line"), [("latin-1", 2), ("utf-16-le", 1)])
def test_other_encodings_are_not_guessed(encoding: str, line: int, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("path\nJosé.jpg\n".encode(encoding))
    with pytest.raises(DataError, match=rf"a\.csv:{line}: not a .*text file: .* in UTF-8\."):
        read_user_text(tmp_path / "a.csv")
