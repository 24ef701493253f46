"""What a folder of pictures gives away besides the pictures that are meant to be seen: a list of findings.

    anonbench leaks results/images/mine/release --originals /data/mine --detections results/detections/mine/faces.csv

Each finding has a kind. Kinds of `LEAKS` must not be in a folder that is handed over. Those of `NOTES` are for a reader
to judge: a dataset's lists of people belong to a copy, a letter does not.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anonbench.attacks._remains import (
    LIKENESS_BOUND,
    LOSSLESS,
    LOSSY,
    OTHERS,
    Remains,
    are_told_apart,
    hidden_parts,
    likenesses,
    remains,
)
from anonbench.core.errors import DataError
from anonbench.core.files import write_text
from anonbench.core.hashing import file_sha256
from anonbench.core.parallel import parallel_map
from anonbench.data.containers import BMP, JPEG, PNG, PROFILE, format_of, parts_of, private_parts
from anonbench.data.fingerprints import ALIKE, Fingerprints, distances, fingerprint, tells
from anonbench.data.images import decode_image, read_bytes
from anonbench.data.masks import Bits
from anonbench.data.pictures import read_manifest
from anonbench.data.regions import Region, clip_region, covered, read_regions
from anonbench.data.seeding import image_generator
from anonbench.data.tables import read_user_csv, write_csv

LABEL = "leaks"
LEAKS = {
    "metadata": "what was written about a picture: who, where, when, by which device",
    "another picture inside": "a preview, a further picture or hidden colours, in which nobody has looked for faces",
    "picture that is not listed": "the manifest does not have it, or it is of a format that no stage reads",
    "file of weights": "a network: a key that undoes what is hidden may be one, and trained ones remember people",
    "archive": "a file that may hold pictures",
    "hidden file": "a name with a dot before it, and thumbnails of file managers",
    "link": "it leads to what is not in the folder",
    "not as listed": "its bytes are not those of the manifest",
    "not hidden": f"{LOSSLESS.equal:.0%} or more of a hidden part's pixels ({LOSSY.equal:.0%} in a JPEG) are the "
    "original's, beyond chance",
    "like the original": f"a hidden part correlates with the original by {LIKENESS_BOUND} or more, beyond what its "
    f"surroundings and {OTHERS} other originals tell, and more than with any of these",
    "like a dropped picture": f"its fingerprint differs in at most {ALIKE} bits from that of a picture left out",
}
NOTES = {
    "colour profile": "it may name a device",
    "another file": "look at it: does it name people?",
    "no original": "there is no original of that name and size, so nothing was compared",
    "not compared": "only detections tell what was hidden: a JPEG with small parts, or encoded anew coarsely",
    "unchanged": "nothing differs from the original: nobody was found on it",
}
UNTOLD = ("no original", "not compared")
COLUMNS = ("path", "kind", "leak", "what", "value", "x0", "y0", "x1", "y1")
READ = (JPEG, PNG, BMP)
WEIGHTS = (".pt", ".pth", ".onnx", ".npz", ".npy", ".ckpt", ".safetensors", ".h5", ".hdf5", ".pkl", ".pickle",
           ".joblib", ".data", ".tflite", ".pb")  # fmt: skip
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".mat", ".lmdb", ".mdb", ".db", ".sqlite")
MAGIC = ((b"PK\3\4", "archive"), (b"\x1f\x8b", "archive"), (b"\x89HDF", "file of weights"), (b"7z\xbc\xaf", "archive"))
OF_SYSTEMS = ("thumbs.db", "desktop.ini", "ehthumbs.db")
SHOWN = 5  # paths named of each kind


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    path: relative to the folder.
    kind: a key of `LEAKS` or `NOTES`.
    what: in words.
    value: share, likeness or bits; None for what has no number.
    box: where, in pixels of the picture.
    """

    path: str
    kind: str
    what: str = ""
    value: float | None = None
    box: tuple[int, int, int, int] | None = None

    @property
    def is_leak(self) -> bool:
        return self.kind in LEAKS

    def row(self) -> list[object]:
        place = self.box or (None,) * 4
        value = None if self.value is None else round(self.value, 4)
        return [self.path, self.kind, int(self.is_leak), self.what, value, *place]


@dataclass(frozen=True)
class Against:
    """What a folder is compared with; None for what is not known.

    originals: folder with the same paths.
    manifest: the pictures that belong (CSV of `index` or of a variant).
    detections: regions that are hidden (CSV of `detect`); without it, what differs from the originals.
    box_scale: by which they were enlarged.
    dropped: pictures below `originals` that were left out (a CSV with a column path); without it, all that are not in
        the folder.
    """

    originals: Path | None = None
    manifest: Path | None = None
    detections: Path | None = None
    box_scale: float = 1.0
    dropped: Path | None = None


@dataclass(frozen=True)
class Looked:
    """What one picture gave.

    parts: of it that are hidden, compared with the original.
    mark: its fingerprint; None where it tells nothing, or nothing was left out.
    """

    findings: list[Finding]
    parts: list[Remains]
    mark: Fingerprints | None


def find_leaks(folder: Path, against: Against, threads: int = 1) -> tuple[list[Finding], dict[str, int]]:
    """All findings, by path, and how much was looked at: pictures, files, compared, parts, dropped.

    Raises `DataError` for a folder without a picture, and for what the files of `against` are not.
    """
    files = sorted(walk(folder))
    pictures = [path for path in files if _format(folder / path) in READ]
    if not pictures:
        raise DataError(f"{folder}: there is no JPEG, PNG or BMP picture below it. Name the folder of the copy.")
    if against.originals is not None and not against.originals.is_dir():
        raise DataError(f"{against.originals}: no such folder. Name the one with the originals of {folder}.")
    gone = _dropped(against, set(pictures))
    regions = read_regions(against.detections) if against.detections else None
    jobs = [(path, None if regions is None else regions.get(path, [])) for path in pictures]
    arguments = (folder, against.originals, against.box_scale, bool(gone))
    looked = parallel_map(open_look, arguments, jobs, threads, LABEL)
    found = [*_of_files(folder, files, set(pictures), against.manifest), *(f for look in looked for f in look.findings)]
    owners = [(path, part) for path, look in zip(pictures, looked, strict=True) for part in look.parts]
    found += _of_parts(owners)
    if gone and against.originals is not None:
        marks = {path: look.mark for path, look in zip(pictures, looked, strict=True) if look.mark is not None}
        found += _like_dropped(marks, against.originals, gone, threads)
    counts = {
        "pictures": len(pictures),
        "files": len(files),
        "compared": len(pictures) - sum(f.kind in UNTOLD for f in found) if against.originals else 0,
        "hidden parts": len(owners),
        "dropped": len(gone),
    }
    return sorted(found, key=lambda f: (f.path, f.kind, f.box or ())), counts


def walk(folder: Path) -> Iterable[str]:
    """Every file and link below a folder, hidden ones too, by relative path; links to folders are not followed."""
    for base, folders, files in os.walk(folder):
        links = [name for name in folders if Path(base, name).is_symlink()]
        for name in (*files, *links):
            yield Path(base, name).relative_to(folder).as_posix()


def write_report(path: Path, found: Sequence[Finding], counts: Mapping[str, int]) -> None:
    """Write the findings (CSV beside it) and how many of each kind there are (JSON)."""
    kinds = Counter(finding.kind for finding in found)
    report = {
        "leaks": sum(finding.is_leak for finding in found),
        "looked_at": dict(counts),
        "kinds": {kind: {"leak": kind in LEAKS, "count": kinds[kind], "means": says} for kind, says in KINDS.items()},
    }
    write_text(path, json.dumps(report, indent=1) + "\n")
    write_csv(path.with_suffix(".csv"), COLUMNS, [finding.row() for finding in found])


KINDS = {**LEAKS, **NOTES}


def as_text(found: Sequence[Finding], counts: Mapping[str, int]) -> str:
    """What was looked at, then each kind with its first paths."""
    lines = ["looked at: " + ", ".join(f"{number:,} {what}" for what, number in counts.items())]
    for kind, says in KINDS.items():
        own = [finding for finding in found if finding.kind == kind]
        if own:
            word = "LEAK" if kind in LEAKS else "note"
            files = len({finding.path for finding in own})
            lines.append(f"{word}  {kind}: {len(own):,} in {files:,} files ({says})")
            lines += [f"      {_in_words(finding)}" for finding in own[:SHOWN]]
            lines += ["      …"] if own[SHOWN:] else []
    if not any(finding.is_leak for finding in found):
        part = " in what could be compared" if any(finding.kind in UNTOLD for finding in found) else ""
        lines.append(f"no leak found{part}. That is no proof that nobody can be recognized.")
    return "\n".join(lines)


def _in_words(finding: Finding) -> str:
    value = "" if finding.value is None else f" {finding.value:.3g}"
    place = "" if finding.box is None else f" at {', '.join(map(str, finding.box))}"
    return f"{finding.path}{': ' if finding.what or value or place else ''}{finding.what}{value}{place}"


# --- files ---


def _format(file: Path) -> str | None:
    if file.is_symlink():
        return None
    with file.open("rb") as stream:
        return format_of(stream.read(16))


def _of_files(folder: Path, files: Sequence[str], pictures: set[str], manifest: Path | None) -> list[Finding]:
    """What is beside the pictures, and pictures that do not belong."""
    listed = {p.path: p.sha256 for p in read_manifest(manifest)} if manifest else None
    found = []
    for path in files:
        file, name = folder / path, Path(path).name
        if file.is_symlink():
            found.append(Finding(path, "link", f"to {file.readlink()}"))
        elif (name.startswith(".") and name != ".snakemake_timestamp") or name.lower() in OF_SYSTEMS:
            found.append(Finding(path, "hidden file", f"{file.stat().st_size:,} bytes"))
        elif path in pictures:
            if listed is not None and path not in listed:
                found.append(Finding(path, "picture that is not listed"))
            elif listed is not None and listed[path] != file_sha256(file):
                found.append(Finding(path, "not as listed"))
        elif path_kind := _format(file):
            found.append(Finding(path, "picture that is not listed", path_kind))
        elif name != ".snakemake_timestamp":
            found.append(Finding(path, _kind_of(file)))
    return found


def _kind_of(file: Path) -> str:
    with file.open("rb") as stream:
        start = stream.read(8)
    suffix = file.suffix.lower()
    if suffix in WEIGHTS:
        return "file of weights"
    if suffix in ARCHIVES:
        return "archive"
    return next((kind for mark, kind in MAGIC if start.startswith(mark)), "another file")


# --- pictures ---


def open_look(
    folder: Path, originals: Path | None, box_scale: float, marked: bool
) -> Callable[[tuple[str, list[Region] | None]], Looked]:
    """A function that takes one picture apart and compares it with its original."""

    def look(job: tuple[str, list[Region] | None]) -> Looked:
        path, regions = job
        data, name = read_bytes(folder / path), folder / path
        found = [_of_part(path, part.name, part.embedded) for part in private_parts(data, name)]
        found += [Finding(path, "colour profile") for part in parts_of(data, name) if part.use == PROFILE][:1]
        if originals is None:
            return Looked(found, [], None)
        after = decode_image(data, name)
        mark = fingerprint(after) if marked and tells(after) else None
        original = originals / path
        before = decode_image(read_bytes(original), original) if original.is_file() else None
        if before is None or before.shape != after.shape:
            why = "no such file" if before is None else f"{before.shape[1]} x {before.shape[0]} pixels"
            return Looked([*found, Finding(path, "no original", why)], [], mark)
        encoding = LOSSY if format_of(data) == JPEG else LOSSLESS
        if regions is not None:
            hidden = _covered(regions, after.shape, box_scale)
        else:
            hidden = hidden_parts(before, after, encoding) if are_told_apart(before, after) else []
        if not hidden and np.array_equal(before, after):
            found.append(Finding(path, "unchanged"))
        elif not hidden and regions is None:
            found.append(Finding(path, "not compared"))
        rng = image_generator(path)
        return Looked(found, [remains(before, after, part, rng, encoding) for part in hidden], mark)

    return look


def _of_part(path: str, name: str, embedded: Sequence[str]) -> Finding:
    inside = embedded or name in ("further pictures", "transparent pixels", "data after the picture's end")
    what = f"{name} ({', '.join(embedded)})" if embedded else name
    return Finding(path, "another picture inside" if inside else "metadata", what)


def _covered(regions: Sequence[Region], shape: tuple[int, ...], scale: float) -> list[Bits]:
    height, width = shape[:2]
    clipped = (clip_region(region, width, height, scale) for region in regions)
    return [covered([region], height, width) for region in clipped if region is not None]


def _of_parts(owners: Sequence[tuple[str, Remains]]) -> list[Finding]:
    found = []
    for (path, part), like in zip(owners, likenesses([part for _, part in owners]), strict=True):
        if part.is_shown:
            found.append(Finding(path, "not hidden", "share of equal pixels", part.equal, part.box))
        if like.shows:
            what = f"at most {like.to_others:.2f} to others, here"
            found.append(Finding(path, "like the original", what, like.value, part.box))
    return found


# --- pictures that were left out ---


def _dropped(against: Against, there: set[str]) -> list[str]:
    """The pictures below the originals' folder that were left out."""
    if against.originals is None:
        if against.dropped:
            raise DataError(f"{against.dropped}: to compare with pictures left out, name --originals too.")
        return []
    if against.dropped:
        named = [row["path"] for _, row in read_user_csv(against.dropped, ("path",))]
    else:
        named = [path for path in walk(against.originals) if path not in there]
    return sorted({path for path in named if _is_readable(against.originals / path)})


def _is_readable(file: Path) -> bool:
    return file.is_file() and format_of(file.read_bytes()[:16]) in READ


def _like_dropped(
    marks: Mapping[str, Fingerprints], originals: Path, gone: Sequence[str], threads: int
) -> list[Finding]:
    made = parallel_map(open_marks, (originals,), gone, threads, f"{LABEL}: dropped")
    known = [(path, mark) for path, mark in zip(gone, made, strict=True) if mark is not None]
    if not marks or not known:
        return []
    theirs = np.stack([mark for _, mark in known])
    found = []
    for path, mark in marks.items():
        bits = distances(mark[None], theirs)[0]
        nearest = int(bits.argmin())
        if bits[nearest] <= ALIKE:
            found.append(Finding(path, "like a dropped picture", f"{known[nearest][0]}: bits", float(bits[nearest])))
    return found


def open_marks(root: Path) -> Callable[[str], Fingerprints | None]:
    """A function that gives the fingerprint of a picture, None for one that tells nothing or is no picture."""

    def mark(path: str) -> Fingerprints | None:
        try:
            image = decode_image(read_bytes(root / path), root / path)
        except DataError:
            return None  # left out because it cannot be read
        return fingerprint(image) if tells(image) else None

    return mark
