"""Reading text that users bring along, as their editors and spreadsheets save it."""

from __future__ import annotations

import codecs
from pathlib import Path

from anonbench.core.errors import DataError

MARKS = (  # UTF-32's begins as UTF-16's does
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_user_text(path: Path, missing: str = "") -> str:
    r"""The text of a file in UTF-8, or in UTF-16 or UTF-32 with a byte-order mark; lines end in \n.

    missing: what to do when there is no such file, for the message.

    Raises `DataError`, with the line where there is one, for a file that cannot be read or is in another encoding. None
    is guessed: a wrong guess would change names without a word.
    """
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: cannot be read (not a file). {missing}".rstrip())
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). {missing}".rstrip()) from error
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        found = f"byte 0x{data[error.start]:02x} is not {encoding.removesuffix('-sig').upper()}"
        raise DataError(f"{path}:{line}: not a UTF-8 text file: {found}. Save it as text (CSV) in UTF-8.") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{path}:{line}: not a text file: it holds a zero byte. Save it as text (CSV) in UTF-8.")
    return text.replace("\r\n", "\n").replace("\r", "\n")
