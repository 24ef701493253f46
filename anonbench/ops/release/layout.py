"""What lies where in a released folder.

images/          the pictures, in the dataset's own tree, and the lists that its readers need
manifest.csv     a row for each picture, with its SHA-256
METHOD.md        the method card: what was done, what it found, what remains
README.md        for the recipient
TERMS.txt        what the owner asks of the recipient, in the owner's words
croissant.json   the same for machines (Croissant 1.1 and its vocabulary for responsible AI)
SHA256SUMS       the SHA-256 of every other file, as `sha256sum -c` reads it
SHA256SUMS.sig   the owner's signature of that, where there is one
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from anonbench.core.errors import DataError
from anonbench.core.hashing import file_sha256
from anonbench.data.tables import checked_path
from anonbench.data.text import read_user_text

IMAGES, MANIFEST, CARD, README, TERMS = "images", "manifest.csv", "METHOD.md", "README.md", "TERMS.txt"
CROISSANT, SUMS, SIGNATURE = "croissant.json", "SHA256SUMS", "SHA256SUMS.sig"
OWN = (MANIFEST, CARD, README, TERMS, CROISSANT)
LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def sums_text(hashes: Mapping[str, str]) -> str:
    """The text of `SUMS`. hashes: path -> SHA-256. Raises `DataError` for a path that a line cannot hold."""
    for path in hashes:
        checked_path(path, SUMS)
        if "\n" in path or "\r" in path:
            raise DataError(f"{SUMS}: {path!r} has a line break in its name. Rename the picture.")
    return "".join(f"{hashes[path]}  {path}\n" for path in sorted(hashes))


def read_sums(folder: Path) -> dict[str, str]:
    """path -> SHA-256, as `SUMS` of a folder says. Raises `DataError` for a folder without one, and a damaged one."""
    file = folder / SUMS
    text = read_user_text(file, f"Expected the folder of a release, which has a file {SUMS}.")
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = LINE.fullmatch(line)
        if match is None:
            raise DataError(f"{file}:{number}: '{line[:80]}'; expected a SHA-256, two spaces and a path.")
        found[checked_path(match[2], f"{file}:{number}")] = match[1]
    return found


def hashes_of(folder: Path) -> dict[str, str]:
    """path -> SHA-256 of every file below a folder but `SUMS` and its signature."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    names = {file.relative_to(folder).as_posix(): file for file in files}
    return {name: str(file_sha256(file)) for name, file in names.items() if name not in (SUMS, SIGNATURE)}
