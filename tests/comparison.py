"""Results of two runs side by side: everything but the speed, which no two runs share."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

SPEED = {"images_per_s", "images per s", "threads"}  # columns of results/tables/detection.*


def comparable(root: Path, files: Iterable[Path]) -> dict[str, bytes]:
    """The bytes of files below `root` by their names; of the table of detectors without the columns that tell speed."""
    return {file.relative_to(root).as_posix(): _content(file) for file in sorted(files) if file.is_file()}


def _content(file: Path) -> bytes:
    if file.stem != "detection":
        return file.read_bytes()
    text = file.read_text(encoding="utf-8")
    table, lead = ("|", 1) if file.suffix == ".md" else (",", 0)
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=table)]
    header = next(row for row in rows if SPEED & set(row))
    kept = [number for number, name in enumerate(header) if number >= lead and name not in SPEED]
    return "\n".join(",".join(row[n] for n in kept) if len(row) == len(header) else str(row) for row in rows).encode()
