"""SHA-256 of files and folders, as stamps and the journal name them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path


def content_sha256(path: Path) -> str | None:
    """Hexadecimal SHA-256 of a file's bytes or of a folder's content; None for what is not there."""
    return folder_sha256(path) if path.is_dir() else file_sha256(path)


def file_sha256(path: Path) -> str | None:
    """Hexadecimal SHA-256 of a file's bytes; None for a folder or what is not there."""
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_sha256(folder: Path) -> str:
    """Hexadecimal SHA-256 of the sorted list of a folder's files, relative path and SHA-256 of the bytes of each.

    Hidden files and folders (`.snakemake_timestamp`, `.DS_Store`) do not count, nor do empty folders and file times.
    """
    listed = []
    for base, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = [Path(base, name) for name in files if not name.startswith(".")]
        listed += [(path.relative_to(folder).as_posix(), file_sha256(path)) for path in paths]
    return hashlib.sha256(json.dumps(sorted(listed)).encode()).hexdigest()
