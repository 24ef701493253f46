"""Text as editors and spreadsheets save it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from anonbench.core.errors import DataError
from anonbench.data.text import read_user_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_marks(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("path\r\nJosé.jpg\r\n".encode(encoding))
    assert read_user_text(tmp_path / "a.csv") == "path\nJosé.jpg\n"


@pytest.mark.parametrize(("encoding", "line"), [("latin-1", 2), ("utf-16-le", 2)])
def test_other_encodings_are_not_guessed(encoding: str, line: int, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("path\nJosé.jpg\n".encode(encoding))
    with pytest.raises(DataError, match=rf"a\.csv:{line}: not a .*text file: .* in UTF-8\."):
        read_user_text(tmp_path / "a.csv")


def test_a_zero_byte_and_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("path\na.jpg\n".encode("utf-16-le"))  # without a mark
    with pytest.raises(DataError, match=r"a\.csv:1: not a text file: it holds a zero byte"):
        read_user_text(tmp_path / "a.csv")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"pipe: cannot be read \(not a file\)"):
        read_user_text(tmp_path / "pipe")
