"""A copy of a dataset's folder, written by several processes and resumed after a kill: what both anonymizing stages do.

They differ in what they make of a picture. Names, protocol files, the manifest and what a reader is told are here.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from anonbench.anonymizers._apply import is_learned
from anonbench.core.errors import ConfigError, DataError
from anonbench.core.files import atomic_folder
from anonbench.core.parallel import parallel_map
from anonbench.core.shards import open_shards
from anonbench.data.images import read_bytes, sha256
from anonbench.data.pictures import Picture, write_manifest
from anonbench.data.regions import Region
from anonbench.data.tables import read_user_csv

Job = tuple[Picture, list[Region]]
"""A picture of the manifest that is read, and the regions to hide, in whole pixels inside what they are hidden in."""
Writer = Callable[[Sequence[Job]], list[str]]
"""Writes the copies of some pictures and returns the SHA-256 of each file."""


@dataclass(frozen=True)
class Sidecars:
    """What a copy has beside its pictures.

    root: the folder that is copied; only read.
    files: the text and protocol files, relative to it, each with the columns that are kept; () for all its bytes.
    gone: pictures that were left out on request. Rows about them are left out of the files with named columns.
    """

    root: Path
    files: Mapping[str, Sequence[str]]
    gone: Sequence[str]

    def write(self, folder: Path) -> None:
        for name, columns in self.files.items():
            file = self.root / name
            kept = keep_columns(file, columns, self.gone).encode() if columns else read_bytes(file)
            (folder / name).write_bytes(kept)

    def say(self, label: str) -> None:
        names = [f"{name} ({', '.join(columns)})" if columns else name for name, columns in self.files.items()]
        print(f"{label}: beside the images: {', '.join(names[:5]) or 'nothing'}{', …' if names[5:] else ''}")

    def say_named(self, label: str) -> None:
        """Files that are copied as they are may name images that are left out: no reader finds them then."""
        for name in (name for name, columns in self.files.items() if self.gone and not columns):
            text = read_bytes(self.root / name)
            named = [path for path in self.gone if PurePosixPath(path).name.encode() in text]
            if named:
                print(f"{label}: {name} still names {len(named)} images that are left out, the first: {named[0]}")


def write_copies(
    label: str,
    batches: Sequence[Sequence[Job]],
    copies: Sequence[Picture],
    sidecars: Sidecars,
    open_writer: Callable[..., Writer],
    settings: tuple[Any, ...],
    output: Path,
    output_manifest: Path,
    threads: int,
    resume_dir: Path | None,
    key: str,
) -> dict[str, str]:
    """Write a copy's folder and its manifest: both are there when it is complete, or neither. path -> SHA-256.

    label: the stage, for messages and the progress bar.
    batches: all pictures, as they are handed to the writer.
    copies: the rows of the new manifest, whose SHA-256 is filled in here.
    open_writer: `open_writer(root, folder, *settings)` makes the writer, once in each process.
    resume_dir, key: where the pictures written so far are kept (`core.shards`).
    """
    with open_shards(resume_dir, key, label) as shards, atomic_folder(output, shards.scratch) as folder:
        for parent in sorted({Path(path).parent for path in (*(copy.path for copy in copies), *sidecars.files)}):
            (folder / parent).mkdir(parents=True, exist_ok=True)
        sidecars.write(folder)
        written = {path: digest for path, digest in shards.finished.items() if _is_intact(folder / path, digest)}

        def keep(batch: Sequence[Job], digests: Sequence[str]) -> None:
            for (image, _), digest in zip(batch, digests, strict=True):
                written[image.path] = digest
                shards.add(image.path, digest)

        # A batch of which a part is missing is done again as a whole: alone, an image may get other last digits.
        left = [batch for batch in batches if not written.keys() >= {image.path for image, _ in batch}]
        parallel_map(open_writer, (sidecars.root, folder, *settings), left, threads, label, receive=keep, size=len)
        # Before the folder appears: were it the last step, a full disk would leave a variant without a manifest.
        write_manifest(output_manifest, [dataclasses.replace(copy, sha256=written[copy.path]) for copy in copies])
    return written


def demand_weights(plugin: Any, method: str) -> None:
    """Raise `ConfigError` for a learned anonymizer without weights, `DataError` when their file is missing."""
    if not is_learned(plugin) or not hasattr(plugin, "weights"):
        return
    if not plugin.weights:
        raise ConfigError(
            f"anonymizer '{method}' is learned and needs its weights; write `weights: <file>` into the variant's entry "
            f"(on the command line: --weights <file>)"
        )
    if not Path(plugin.weights).is_file():
        raise DataError(
            f"{plugin.weights}: no such file; expected the weights of anonymizer '{method}'. Train them, or fetch them "
            f"from where they are kept."
        )


def _is_intact(file: Path, digest: str) -> bool:
    """Whether a file has been written to the end: after a power cut it may be there and be empty."""
    return file.is_file() and sha256(file.read_bytes()) == digest


def keep_columns(table: Path, columns: Sequence[str], gone: Collection[str] = ()) -> str:
    """A user's CSV with these of its columns alone, in the order of `columns`: names or places beside them would undo
    what is hidden. Rows whose path is in `gone` are left out. Raises `DataError` where a column is missing."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    left = set(gone)
    rows = (row for _, row in read_user_csv(table, columns))
    writer.writerows(row for row in rows if PurePosixPath(row.get("path", "")).as_posix() not in left)
    return buffer.getvalue()


def read_indexed(root: Path, image: Picture) -> bytes:
    """The file's bytes; raises `DataError` when they are not those that were indexed."""
    data = read_bytes(root / image.path)
    if sha256(data) != image.sha256:
        raise DataError(f"{root / image.path}: has changed since it was indexed. Index the dataset again.")
    return data
