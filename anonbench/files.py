"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from anonbench.errors import DataError

# What the user can mend when a file cannot be written, and how.
UNWRITABLE = {
    errno.EACCES: "Check who owns its folder",
    errno.EPERM: "Check who owns its folder",
    errno.EROFS: "Choose an output on a disk that can be written to",
    errno.ENOSPC: "Make room on that disk",
    errno.EDQUOT: "Make room within your quota",
    errno.ENOTDIR: "There is a file where a folder is needed: move it away",
    errno.EEXIST: "There is a file where a folder is needed: move it away",
    errno.EISDIR: "There is a folder where a file is needed: move it away",
}


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to `path` on success, remove it on failure.

    Raises `DataError` when the folder cannot be written to or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise _unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; rename it to `path` on success, remove it on failure.

    An existing empty `path` is replaced; one with content raises `DataError`, so that nothing is lost.
    """
    if path.exists() and not path.is_dir():
        raise DataError(f"{path}: is a file; a folder is to be written there. Move it away or choose another output.")
    if path.exists() and any(path.iterdir()):
        raise DataError(f"{path}: already there and not empty. Move it away or choose another output folder.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if path.exists():
            path.rmdir()
        temporary.rename(path)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(data)


def _unwritable(path: Path, error: OSError) -> DataError:
    where = f": {error.filename}" if error.filename else ""
    return DataError(f"{path}: cannot be written ({error.strerror}{where}). {UNWRITABLE[error.errno or 0]}.")
