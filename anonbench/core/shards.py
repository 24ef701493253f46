"""What a long stage has finished so far, on disk, so that a killed one goes on from there."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anonbench.core.errors import DataError
from anonbench.core.files import described, write_text
from anonbench.core.locks import lock

logger = logging.getLogger(__name__)
# A shard is what was finished within so many seconds, not so many images: 1,000 images are a second of blurring and,
# in large photographs, an hour of detection.
SECONDS = 15.0
PACKAGES = ("numpy", "opencv-python-headless", "onnxruntime", "pillow", "torch")  # other versions may give other bytes


def shard_key(plugin: Any, root: Path, *settings: Any) -> str:
    """SHA-256 of what a kept state must have in common with the run that goes on from it.

    plugin: its fields, and the bytes of the files that they name (annotations, weights), below `root` or anywhere.
    settings: whatever JSON can hold. The versions of the packages that compute pixels count too.
    """
    fields = dataclasses.asdict(plugin) if dataclasses.is_dataclass(plugin) and not isinstance(plugin, type) else {}
    named = [file for value in fields.values() if isinstance(value, str) for file in (root / value, Path(value))]
    files = [hashlib.sha256(file.read_bytes()).hexdigest() for file in named if file.is_file()]
    versions = [_version(package) for package in PACKAGES]
    parts = [type(plugin).__qualname__, fields, files, str(root.resolve()), versions, settings]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


class Shards:
    """Results by name that are kept below a folder, a file of them (a shard) every `seconds`.

    finished: what earlier runs with the same key left, by name. Without a folder nothing is kept.
    """

    def __init__(self, folder: Path | None, label: str, finished: dict[str, Any], seconds: float) -> None:
        self.folder, self.label, self.finished, self.seconds = folder, label, finished, seconds
        self._pending: dict[str, Any] = {}
        self._kept = len(finished)
        self._saved_at = time.monotonic()

    @property
    def scratch(self) -> Path | None:
        """A folder for the files that belong to the results; it is kept with them."""
        return self.folder / "files" if self.folder else None

    def add(self, name: str, result: Any) -> None:
        """Keep one more result, which JSON must be able to hold (numbers of NumPy too)."""
        if self.folder is None:
            return
        self._pending[name] = result
        if time.monotonic() - self._saved_at >= self.seconds:
            self.save()

    def save(self) -> None:
        """Write what was added since the last shard. Raises `DataError` when that cannot be written."""
        if self.folder is None or not self._pending:
            return
        text = json.dumps(self._pending, default=float)
        number = max((int(file.stem) for file in _shard_files(self.folder)), default=0) + 1
        write_text(self.folder / f"{number:06d}.json", f"{_digest(text)}\n{text}\n")
        self._kept += len(self._pending)
        self._pending = {}
        self._saved_at = time.monotonic()

    def keep(self) -> None:
        """After a failure: save what can be saved and say so. Where nothing was finished, nothing is left."""
        if self.folder is None:
            return
        with contextlib.suppress(DataError, OSError):  # the first failure, such as a full disk, is the one to be told
            self.save()
        if self._kept:
            logger.warning("%s: %d finished images are kept; the next run does the others.", self.label, self._kept)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def open_shards(folder: Path | None, key: str, label: str, seconds: float | None = None) -> Iterator[Shards]:
    """The state of a stage: read from `folder` and added to it inside the block, removed when the block succeeds.

    folder: for this job alone; None keeps nothing.
    key: `shard_key`; a state with another key is removed, with a message.
    label: the stage, for messages.
    seconds: between shards, `SECONDS` when left out.
    Raises `DataError` when another process works in the folder, or it cannot be written to.
    """
    if folder is None:
        yield Shards(None, label, {}, 0)
        return
    with _locked(folder):
        shards = Shards(folder, label, _finished(folder, key, label), SECONDS if seconds is None else seconds)
        if shards.finished:
            logger.info("%s: %d images were finished before; going on with the others.", label, len(shards.finished))
        try:
            yield shards
        except BaseException:
            shards.keep()
            raise
    # With its lock closed: NFS keeps a file that is open under another name, and then the folder is not empty. What
    # stays behind all the same is of no use and does no harm.
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two processes that fill the same folder would spoil it for each other. The lock ends with its process."""
    file = folder / "lock"
    with described(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file.touch()
    try:
        descriptor = lock(file, wait=False)
    except OSError:
        logger.warning("%s: this disk has no locks; make sure that no job runs twice.", folder)
        yield
        return
    if descriptor is None:
        raise DataError(
            f"{folder}: another run of the same job is at work ({file.read_text() or 'it does not say where'}). "
            f"Wait for its end or stop it, then start this one again; it goes on from there."
        )
    try:
        with described(folder):
            os.truncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())
        yield
    finally:
        os.close(descriptor)


def _finished(folder: Path, key: str, label: str) -> dict[str, Any]:
    """The results of all shards with this key; whatever else is in the folder is removed."""
    file = folder / "key"
    if not file.is_file() or file.read_text(encoding="utf-8", errors="replace") != key:
        if _shard_files(folder):
            logger.warning(
                "%s: belongs to other settings, images or another version of the code; %s starts afresh.", folder, label
            )
        with described(folder):
            _empty(folder)
        write_text(file, key)
    found: dict[str, Any] = {}
    for shard in _shard_files(folder):
        digest, _, text = shard.read_text(encoding="utf-8", errors="replace").partition("\n")
        if digest == _digest(text.removesuffix("\n")):
            found |= json.loads(text)
        else:
            logger.warning("%s: damaged; what it held is done again.", shard)
            shard.unlink()
    return found


def _shard_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*.json") if file.stem.isdecimal())


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != "lock":
            entry.unlink()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
