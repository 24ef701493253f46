"""Files of two runs that ought to be the same."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def comparable(root: Path, files: Iterable[Path]) -> dict[str, bytes]:
    """The bytes of files by their path below `root`."""
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in sorted(files) if file.is_file()}
