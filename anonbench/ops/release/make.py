"""Make the folder of a variant that can be handed over, whole or not at all.

anonbench release mine blur --to /data/handed-over/mine --licence CC-BY-NC-4.0 --terms terms.txt
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.files import atomic_folder, write_text
from anonbench.core.hashing import file_sha256
from anonbench.core.parallel import parallel_map
from anonbench.data import paths
from anonbench.data.containers import format_of, released
from anonbench.data.images import read_bytes, sha256
from anonbench.data.pictures import Picture, read_manifest, read_sidecars, write_manifest
from anonbench.data.text import read_user_text
from anonbench.ops.audit import Audited, draw_review, refuse_public_folder
from anonbench.ops.leaks import ARCHIVES, WEIGHTS, Against, Finding, find_leaks
from anonbench.ops.release import card, layout
from anonbench.ops.release.card import Facts, Written
from anonbench.ops.release.check import check_release
from anonbench.ops.release.croissant import croissant
from anonbench.ops.release.known import Known
from anonbench.ops.release.signature import sign

LABEL = "release"
PROTOCOLS = (".mat",)  # of the archives, those that datasets keep their splits in
# Findings about pixels are told in the card, for its reader to judge. Others would be faults of this module.
TOLD = ("not hidden", "like the original", "like a dropped picture")
VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True)
class Wanted:
    """What the owner says.

    licence: its name or address.
    terms: file of text: what is asked of a recipient.
    without_audit: why there is no audit that fits; "" to demand one.
    sign_key: key of ssh.
    owner, url: for the description.
    version: of the release, MAJOR.MINOR.PATCH.
    """

    licence: str
    terms: Path
    without_audit: str = ""
    sign_key: Path | None = None
    owner: str | None = None
    url: str | None = None
    version: str = "1.0.0"


def demand(known: Known, wanted: Wanted, folder: Path) -> str:
    """The text of the terms; raises `ConfigError` or `DataError` for all that stands against a release."""
    if folder.exists() or folder.is_symlink():
        raise DataError(f"{folder}: is there already. Name another folder with --to; nothing is ever written over.")
    refuse_public_folder(folder, known.rendered)
    if not wanted.licence.strip():
        raise ConfigError("--licence is empty; expected the licence's name or address, such as CC-BY-NC-4.0.")
    if not VERSION.fullmatch(wanted.version):
        raise ConfigError(f"--version is '{wanted.version}'; expected MAJOR.MINOR.PATCH, such as 1.0.0.")
    terms = read_user_text(wanted.terms, "Write down what you ask of a recipient, and name the file with --terms.")
    if not terms.strip():
        raise DataError(f"{wanted.terms}: is empty. Write down what you ask of a recipient.")
    if known.needs_audit and known.recall is None and not wanted.without_audit.strip():
        raise DataError(
            f"{known.stored} of {known.dataset}: {known.why}, so nobody knows how many faces are still visible. Run\n"
            f"  anonbench audit {known.dataset}{f' --detector {known.detector_name}' if known.detector_name else ''}\n"
            f"and fill it in, or say why not: --without-audit 'REASON'. The reason is written into {layout.CARD}."
        )
    return terms


def review(known: Known, shown: int) -> str:
    """Draw the sheets of the likeliest misses in the copy, for the owner to look at; what was drawn, in words."""
    if known.detections is None:
        return "no sheets of likely misses: no detector was asked"
    folder = Path(paths.audit(known.dataset, known.detector_name)) / f"release-{known.stored}"
    audited = Audited(known.dataset, known.detector_name, known.manifest, known.root, known.detections, known.rendered)
    number = draw_review(audited, folder, shown)
    return (
        f"where a face was most likely missed: {folder} ({number} pictures). Look at the sheets before you hand it over"
    )


def release(known: Known, wanted: Wanted, terms: str, folder: Path, threads: int = 1) -> list[str]:
    """Write the folder; returns what is to be said about it. All or nothing: a failure leaves nothing behind.

    terms: the text that `demand` gave.
    Raises `DataError` for a picture that is not as its manifest says, a file that is never handed over, and where the
    audit of leaks finds something in a file.
    """
    pictures = read_manifest(known.manifest)
    sidecars = _sidecars(known)
    with atomic_folder(folder) as temporary:
        written = _write_pictures(known, pictures, temporary / layout.IMAGES, threads)
        kept = [dataclasses.replace(picture, sha256=written[picture.path].sha256) for picture in pictures]
        for name, data in sidecars.items():
            (temporary / layout.IMAGES / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / layout.IMAGES / name).write_bytes(data)
        write_manifest(temporary / layout.MANIFEST, kept)
        leaks, compared = _audit(known, temporary, threads)
        addresses = [name for name, data in sidecars.items() if b"http://" in data or b"https://" in data]
        facts = Facts(
            wanted.licence, kept, written, list(sidecars), addresses, leaks, compared, wanted.without_audit,
            wanted.sign_key is not None,
        )  # fmt: skip
        _write_pages(known, facts, wanted, terms, temporary)
        write_text(temporary / layout.SUMS, layout.sums_text(layout.hashes_of(temporary)))
        if wanted.sign_key is not None:
            sign(temporary, wanted.sign_key)
        faults, _ = check_release(temporary)
        if faults:
            raise DataError(f"{folder}: {faults[0].path} is {faults[0].kind} {faults[0].what}. Nothing was released.")
    return _in_words(known, facts, folder)


# --- pictures ---


def _write_pictures(known: Known, pictures: Sequence[Picture], folder: Path, threads: int) -> dict[str, Written]:
    for parent in sorted({(folder / picture.path).parent for picture in pictures}):
        parent.mkdir(parents=True, exist_ok=True)
    arguments = (known.root, folder, known.original.resolve())
    written = parallel_map(open_writer, arguments, pictures, threads, LABEL)
    return {picture.path: one for picture, one in zip(pictures, written, strict=True)}


def open_writer(root: Path, folder: Path, original: Path) -> Callable[[Picture], Written]:
    """A function that writes one picture to a release, with nothing in its file but the picture."""

    def write(picture: Picture) -> Written:
        file = root / picture.path
        _refuse_original(file, original)
        data = read_bytes(file)
        if sha256(data) != picture.sha256:
            raise DataError(f"{file}: is not the file of the copy's manifest. Make the copy again.")
        clean, encoded = released(data, file)
        (folder / picture.path).write_bytes(clean)
        return Written(sha256(clean), clean != data, encoded)

    return write


def _refuse_original(file: Path, original: Path) -> None:
    """A link is followed, for its bytes are checked; but not to an original."""
    if file.is_symlink() and file.resolve().is_relative_to(original):
        raise DataError(f"{file}: is a link to an original ({file.resolve()}). Originals are never released.")


def _sidecars(known: Known) -> dict[str, bytes]:
    """The files beside the pictures that readers of the dataset need, by path."""
    names = list(read_sidecars(known.sidecars)) if known.sidecars.is_file() else []
    found = {}
    for name in names:
        file = known.root / name
        if not file.is_file():  # pictures that were cut from others have none
            continue
        _refuse_original(file, known.original.resolve())
        data = read_bytes(file)
        suffix = file.suffix.lower()
        if suffix in WEIGHTS or (suffix in ARCHIVES and suffix not in PROTOCOLS) or format_of(data):
            raise DataError(
                f"{file}: weights, archives and pictures that no manifest lists are never released. Take it out of the "
                f"dataset's folder, index the dataset and make the copy again."
            )
        found[name] = data
    return found


# --- what is said about them ---


def _audit(known: Known, folder: Path, threads: int) -> tuple[list[Finding], int]:
    """What the audit finds in the finished pictures, and how many it could compare.

    Raises `DataError` for a leak in a file.
    """
    images = folder / layout.IMAGES
    scale = float(known.entry.get("box_scale", 1.0))
    against = (
        Against(known.original, folder / layout.MANIFEST, known.detections, scale, _if_there(known.dropped))
        if known.original.is_dir()
        else Against(manifest=folder / layout.MANIFEST)
    )
    found, counts = find_leaks(images, against, threads)
    leaks = [finding for finding in found if not _is_protocol(finding)]
    for finding in leaks:
        if finding.is_leak and finding.kind not in TOLD:
            raise DataError(f"{images / finding.path}: {finding.kind} ({finding.what}). Nothing was released.")
    return leaks, counts["compared"]


def _is_protocol(finding: Finding) -> bool:
    return finding.kind == "archive" and Path(finding.path).suffix.lower() in PROTOCOLS


def _if_there(file: Path) -> Path | None:
    return file if file.is_file() else None


def _write_pages(known: Known, facts: Facts, wanted: Wanted, terms: str, folder: Path) -> None:
    digest = str(file_sha256(folder / layout.MANIFEST))
    write_text(folder / layout.TERMS, terms)
    write_text(folder / layout.CARD, card.card(known, facts))
    write_text(folder / layout.README, card.readme(known, facts))
    described = croissant(known, facts, digest, wanted.version, wanted.owner, wanted.url)
    write_text(folder / layout.CROISSANT, described)


def _in_words(known: Known, facts: Facts, folder: Path) -> list[str]:
    found: Mapping[str, Any] = {kind: sum(f.kind == kind for f in facts.leaks) for kind in TOLD}
    lines = [
        f"{len(facts.pictures):,} pictures in {folder}; metadata taken out of "
        f"{sum(one.changed for one in facts.written.values()):,}, encoded anew "
        f"{sum(bool(one.encoded) for one in facts.written.values()):,}",
        *(f"{number:,} x {kind}: see {layout.CARD}" for kind, number in found.items() if number),
    ]
    lines += [] if facts.compared else ["no originals of the same size are here: pixels were not compared with them"]
    lines += [f"web addresses stand in {', '.join(facts.addresses[:3])}"] if facts.addresses else []
    listed = {picture.path for picture in facts.pictures} | set(facts.sidecars)
    left = [file for file in known.root.rglob("*") if file.is_file() and file.name != ".snakemake_timestamp"]
    further = sorted(name for file in left if (name := file.relative_to(known.root).as_posix()) not in listed)
    lines += (
        [f"left out, since no list of the copy has them: {len(further)} files, such as {further[0]}"] if further else []
    )
    return [*lines, f"Read {folder / layout.CARD} before you hand it over."]
