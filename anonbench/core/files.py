"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from anonbench.core.errors import DataError

# What the user can do when a file cannot be written.
UNWRITABLE = {
    errno.EACCES: "Check who owns its folder",
    errno.EPERM: "Check who owns its folder",
    errno.EROFS: "Choose an output on a disk that can be written to",
    errno.ENOSPC: "Make room on that disk",
    errno.EDQUOT: "Make room within your quota",
    errno.ENOTDIR: "There is a file where a folder is needed: move it away",
    errno.EEXIST: "There is a file where a folder is needed: move it away",
    errno.ENAMETOOLONG: "Choose a shorter name",
    errno.EISDIR: "There is a folder where a file is needed: move it away",
}


@contextlib.contextmanager
def described(path: Path) -> Iterator[None]:
    """Turn what the system refuses when `path` is written into a `DataError` that says what to do about it."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise _unwritable(path, error) from error


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to `path` on success, remove it on failure.

    Raises `DataError` when the folder cannot be written to or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with described(path):
            _make_parent(path)
            yield temporary
            _to_disk(temporary)
            temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _make_parent(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:  # below /proc, or a dangling link
        raise DataError(f"{path}: cannot be written: its folder cannot be made. Choose another.") from error


def _to_disk(file: Path) -> None:
    """Wait until the bytes are on the disk: some file systems keep the new name over a power cut, but not the bytes."""
    number = os.open(file, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _all_to_disk(folder: Path) -> None:
    """The same for all that is in a folder, by one call for its file system: one for every image would take minutes."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):  # not Linux
        os.sync()
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        if libc.syncfs(number):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(number)


@contextlib.contextmanager
def atomic_folder(path: Path, kept: Path | None = None) -> Iterator[Path]:
    """Yield a temporary folder, empty and beside `path`; rename it to `path` on success, remove it on failure.

    kept: yield this folder instead, with what it holds from earlier tries, and leave it there on failure.
    An existing empty `path` is replaced. One with content raises `DataError`, so that nothing is lost.
    """
    if path.exists() and not path.is_dir():
        raise DataError(f"{path}: is a file, but the output is a folder. Move it away or choose another output.")
    if path.exists() and any(path.iterdir()):
        raise DataError(f"{path}: already there and not empty. Move it away or choose another output folder.")
    temporary = kept or path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with described(path):
            _make_parent(temporary)
            temporary.mkdir(exist_ok=kept is not None)
            yield temporary
            _make_parent(path)
            _all_to_disk(temporary)
            _move(temporary, path)
    finally:
        if kept is None:
            shutil.rmtree(temporary, ignore_errors=True)


def _move(folder: Path, path: Path) -> None:
    """Rename a folder to `path`, in place of an empty one; by way of a copy where `path` is on another disk."""
    try:
        if path.exists():
            path.rmdir()
        folder.rename(path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with atomic_folder(path) as beside:
            shutil.copytree(folder, beside, dirs_exist_ok=True)


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
    room = f"; {_room(path)}" if error.errno == errno.ENOSPC else ""
    return DataError(f"{path}: cannot be written ({error.strerror}{where}{room}). {UNWRITABLE[error.errno or 0]}.")


def _room(path: Path) -> str:
    """What is left on the disk of a path, in words."""
    disk = path.absolute()
    while not os.path.ismount(disk):
        disk = disk.parent
    found = os.statvfs(disk)
    left, total = (blocks * found.f_frsize / 1e6 for blocks in (found.f_bavail, found.f_blocks))
    files = f" and room for {found.f_favail} more files" if found.f_files else ""
    return f"{disk} has {left:,.1f} of {total:,.1f} MB{files} left"
