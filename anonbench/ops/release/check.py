"""Whether a received folder is the one that was released: no file missing, further or changed, the signature right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anonbench.core.errors import DataError, MissingDependencyError
from anonbench.core.hashing import file_sha256
from anonbench.data.containers import format_of
from anonbench.data.pictures import read_manifest
from anonbench.ops.leaks import walk
from anonbench.ops.release.layout import IMAGES, MANIFEST, OWN, SIGNATURE, SUMS, read_sums
from anonbench.ops.release.signature import fault_of

MISSING, CHANGED, FURTHER, LINK, UNLISTED, UNSIGNED = (
    "missing", "changed", "further", "link", "not as in the manifest", "signature",
)  # fmt: skip
SHOWN = 20  # files named of each kind


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as it was released."""

    kind: str
    path: str
    what: str = ""


def check_release(folder: Path, signers: Path | None = None) -> tuple[list[Fault], list[str]]:
    """What is not as it was released, and what else there is to say.

    signers: the file of allowed signers that the signature must be of; None takes any, or none.
    Raises `DataError` for a folder that is no release.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder. Name the one that you received.")
    hashes = read_sums(folder)
    there = set(walk(folder)) - {SUMS, SIGNATURE}
    links = {path for path in there if (folder / path).is_symlink()}
    faults = [Fault(LINK, path, "a release has none") for path in links]
    faults += [Fault(MISSING, path) for path in {*hashes, *OWN} - there]
    faults += [Fault(FURTHER, path) for path in there - links - hashes.keys()]
    whole = sorted(hashes.keys() & there - links)
    faults += [Fault(CHANGED, path) for path in whole if file_sha256(folder / path) != hashes[path]]
    faults += _beside_manifest(folder, hashes)
    said = [f"{len(whole)} files compared with {SUMS}"]
    try:
        wrong, about = fault_of(folder, signers)
        faults += [Fault(UNSIGNED, SIGNATURE, wrong)] if wrong else []
        said += [f"signature: {about}"] if about else []
    except MissingDependencyError as error:
        faults.append(Fault(UNSIGNED, SIGNATURE, f"not checked: {error}"))
    return sorted(faults, key=lambda fault: (fault.kind, fault.path)), said


def _beside_manifest(folder: Path, hashes: dict[str, str]) -> list[Fault]:
    """Pictures of which manifest and sums say different things."""
    if not (folder / MANIFEST).is_file():
        return []
    try:
        listed = {f"{IMAGES}/{picture.path}": picture.sha256 for picture in read_manifest(folder / MANIFEST)}
    except DataError as error:
        return [Fault(UNLISTED, MANIFEST, str(error))]
    different = [path for path, digest in listed.items() if hashes.get(path) != digest]
    further = [path for path in hashes.keys() - listed.keys() if path.startswith(f"{IMAGES}/")]
    pictures = [path for path in further if (folder / path).is_file() and _is_picture(folder / path)]
    return [Fault(UNLISTED, path) for path in {*different, *pictures}]


def _is_picture(file: Path) -> bool:
    with file.open("rb") as stream:
        return format_of(stream.read(16)) is not None


def as_text(faults: list[Fault], said: list[str]) -> str:
    """What was checked, then each kind of fault with its files."""
    lines = list(said)
    for kind in dict.fromkeys(fault.kind for fault in faults):
        own = [fault for fault in faults if fault.kind == kind]
        lines.append(f"{kind}: {len(own)}")
        lines += [f"  {fault.path}{f': {fault.what}' if fault.what else ''}" for fault in own[:SHOWN]]
        lines += [f"  and {len(own) - SHOWN} more"] if own[SHOWN:] else []
    lines.append("This is not the folder that was released." if faults else "As it was released.")
    return "\n".join(lines)
