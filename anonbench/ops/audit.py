"""What a detector missed on data without ground truth: draw a sample to look at, then count what the reviewer wrote."""

from __future__ import annotations

import json
import math
import shlex
import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from anonbench.config import read_config
from anonbench.core.errors import AnonbenchError, ConfigError, DataError, nearest
from anonbench.core.files import write_bytes, write_text
from anonbench.core.hashing import file_sha256
from anonbench.data import paths
from anonbench.data.annotations import read_annotations as read_boxes
from anonbench.data.entries import REAL_PEOPLE, images_root
from anonbench.data.images import read_image
from anonbench.data.left_out import COLUMN as LEAVE_OUT
from anonbench.data.pictures import Picture, read_manifest
from anonbench.data.regions import Region, read_regions
from anonbench.data.tables import write_csv
from anonbench.report.layout import DASH, markdown_rows
from anonbench.stages.evaluate_detector import with_intervals
from anonbench.statistics.proportion import CONFIDENCE, Proportion, cases_for, cases_without_miss
from anonbench.tasks.detection.audit.sample import camera_of, draw_sample
from anonbench.tasks.detection.audit.sheet import Cell, are_crops, draw_sheet, encode_sheet, per_sheet
from anonbench.tasks.detection.audit.suspects import Suspect, rank_suspects
from anonbench.tasks.detection.audit.verdicts import (
    BY_HAND,
    ByHand,
    Listed,
    Tally,
    by_hand_of,
    read_annotations,
    read_listed,
    read_verdicts,
    tally,
    write_annotations,
)

RESULTS = "results"
ANNOTATIONS, SETTINGS, INSTRUCTIONS = "annotations.csv", "audit.json", "README.txt"
BEFORE, REVIEW = "annotations.before.csv", "review.csv"
REPORT = "report"
REVIEW_COLUMNS = ("number", "sheet", "camera", "boxes", "reason", "evidence", *BY_HAND, "path")
SHARES = ("recall", "precision", "image_recall", "leaks")
HALF_WIDTHS = (0.1, 0.05, 0.03, 0.02, 0.01)


@dataclass(frozen=True)
class Audited:
    """A dataset and a detector's boxes on it.

    rendered: nobody real is shown.
    """

    dataset: str
    detector: str
    manifest: Path
    root: Path
    detections: Path
    rendered: bool = False

    def read(self) -> tuple[list[Picture], dict[str, list[Region]]]:
        """The images and their boxes; raises `DataError` when one was not detected."""
        images, found = read_manifest(self.manifest), read_regions(self.detections)
        missing = [image.path for image in images if image.path not in found]
        if missing:
            raise DataError(
                f"{self.detections}: does not list {missing[0]} ({len(missing)} of {len(images)} images of "
                f"{self.manifest}). Detect again."
            )
        return images, found


def draw_audit(
    audited: Audited, folder: Path, size: int = 200, seed: int = 0, review: int = 72, others: Sequence[Path] = ()
) -> None:
    """Write contact sheets of a random sample and the file to fill in; and the list and sheets of suspects.

    folder: where to, made when it is not there. Verdicts that are already in its annotation file are kept, if the boxes
        are those that they were given for; boxes by hand and pictures to leave out, there and in the list of suspects,
        are kept too.
    review: number of pictures on the sheets of suspects.
    others: detections of other detectors, or of this one at a lower threshold, which point at what it missed.

    Raises `DataError` where a picture with such marks would no longer be listed: these files may be in use.
    """
    refuse_public_folder(folder, audited.rendered)
    images, found = audited.read()
    sample = draw_sample(images, size, seed)
    suspects = rank_suspects(images, found, [read_regions(path) for path in others])
    before, marked = _verdicts_so_far(folder, audited), _marks_so_far(folder)
    by_hand = {path: row.by_hand for path, row in before.items()}
    _refuse_to_lose(folder / ANNOTATIONS, by_hand, {image.path for image in sample})
    _refuse_to_lose(folder / REVIEW, marked, {suspect.path for suspect in suspects})
    sheets = _draw_sheets(audited, sample, found, folder, "sheet", f"sample of {len(sample)}, seed {seed}")
    rows = [
        Listed(n, sheets[i.path], camera_of(i), _count(found[i.path]), i.path, *_written(before.pop(i.path, None)))
        for n, i in enumerate(sample, 1)
    ]
    lost = sum(bool(row.verdict) for row in before.values())
    if lost:
        shutil.copyfile(folder / ANNOTATIONS, folder / BEFORE)
    write_annotations(folder / ANNOTATIONS, rows)
    settings = {
        **{key: str(value) if isinstance(value, Path) else value for key, value in asdict(audited).items()},
        "detections_sha256": file_sha256(audited.detections),
        "sample": len(sample),
        "seed": seed,
        "images": len(images),
        "cameras": {str(c): sum(camera_of(i) == c for i in images) for c in sorted({camera_of(i) for i in images})},
    }
    write_text(folder / SETTINGS, json.dumps(settings, indent=1) + "\n")
    write_text(folder / INSTRUCTIONS, _instructions(audited, folder))
    _write_review(audited, images, found, suspects, folder, review, marked)
    kept = sum(bool(row.verdict) for row in rows)
    print(
        f"audit: {len(sample)} of {len(images)} images on {len(set(sheets.values()))} sheets in {folder}"
        + (f"; {kept} verdicts kept" if kept else "")
        + (f"; {lost} verdicts on images that are no longer in the sample: {folder / BEFORE}" if lost else "")
        + f"\nFill in the column `verdict` of {folder / ANNOTATIONS} ({INSTRUCTIONS} says how), then run\n"
        f"  {_report_command(audited, folder)}\n"
        f"Where faces were most likely missed: {folder / REVIEW} ({len(suspects)} images)"
    )


def draw_review(audited: Audited, folder: Path, review: int = 72, others: Sequence[Path] = ()) -> int:
    """Write the list and the sheets of suspects alone, which are no random sample; returns how many there are.

    audited: its images may be those of a copy, in which what was found is hidden. What was marked in a list that is
        there is kept.
    """
    refuse_public_folder(folder, audited.rendered)
    images, found = audited.read()
    marked = _marks_so_far(folder)
    suspects = rank_suspects(images, found, [read_regions(path) for path in others])
    _refuse_to_lose(folder / REVIEW, marked, {suspect.path for suspect in suspects})
    _write_review(audited, images, found, suspects, folder, review, marked)
    return len(suspects)


def report_audit(audited: Audited, folder: Path, filled: Path, confidence: float = CONFIDENCE) -> dict[str, Any]:
    """Read the filled file, write report.json, report.csv and report.md to `folder`, print and return the numbers.

    Raises `DataError` when nothing is filled in, or the boxes are no longer those that the reviewer saw.
    """
    settings = _read_settings(folder, audited)
    images, found = audited.read()
    sample = {
        image.path: Listed(0, "", camera_of(image), _count(found[image.path]), image.path)
        for image in draw_sample(images, settings["sample"], settings["seed"])
    }
    verdicts = read_verdicts(filled, sample)
    pairs = [(row, verdicts[path]) for path, row in sample.items()]
    tallies = {"all": tally(pairs)}
    for camera in sorted({row.camera for row, _ in pairs}):
        tallies[str(camera)] = tally([(row, v) for row, v in pairs if row.camera == camera])
    if not tallies["all"].images:
        raise DataError(f"{filled}: no verdict yet. {INSTRUCTIONS} beside it says how to fill it in.")
    report = {
        "dataset": audited.dataset,
        "detector": audited.detector,
        "rendered": audited.rendered,
        "detections_sha256": settings["detections_sha256"],
        "confidence": confidence,
        "images": len(images),
        "cameras": {name: _numbers(t, confidence) for name, t in tallies.items()},
        "sample_sizes": sample_sizes(tallies["all"], confidence),
    }
    text = _page(report, audited, tallies, confidence) + _what_to_do(audited, filled, folder, tallies["all"].missed)
    write_text(folder / f"{REPORT}.json", json.dumps(report, indent=1) + "\n")
    write_csv(folder / f"{REPORT}.csv", _columns(), [_row(name, t, confidence) for name, t in tallies.items()])
    write_text(folder / f"{REPORT}.md", text)
    print(text)
    return report


# --- the sample ---


def _count(boxes: Sequence[Region]) -> int:
    """Finds among the boxes: default ones stand for faces that were not found."""
    return sum(not box.is_default for box in boxes)


def _draw_sheets(
    audited: Audited,
    images: Sequence[Picture],
    found: Mapping[str, Sequence[Region]],
    folder: Path,
    name: str,
    what: str,
) -> dict[str, str]:
    """Write the sheets `name`_01.png, … and return path -> the sheet that shows it; older ones of the name go."""
    for old in folder.glob(f"{name}_[0-9]*.png"):
        old.unlink()
    crops = are_crops([(image.width, image.height) for image in images])
    held = per_sheet(crops)
    shown: dict[str, str] = {}
    for start in range(0, len(images), held):
        part = images[start : start + held]
        cells = [
            Cell(_caption(n, image), read_image(audited.root / image.path), found[image.path])
            for n, image in enumerate(part, start + 1)
        ]
        file = f"{name}_{start // held + 1:02d}.png"
        title = f"{audited.dataset}, {audited.detector}: {what}, {start + 1} to {start + len(part)}"
        sheet = draw_sheet(cells, title, "" if audited.rendered else REAL_PEOPLE, crops)
        write_bytes(folder / file, encode_sheet(sheet))
        shown |= {image.path: file for image in part}
    return shown


def _caption(number: int, image: Picture) -> str:
    """With the picture's size: boxes by hand are in its pixels."""
    return f"{number} · camera {camera_of(image)} · {image.width} x {image.height}"


def _write_review(
    audited: Audited,
    images: Sequence[Picture],
    found: Mapping[str, Sequence[Region]],
    suspects: Sequence[Suspect],
    folder: Path,
    shown: int,
    marked: Mapping[str, ByHand],
) -> None:
    by_path = {image.path: image for image in images}
    first = [by_path[suspect.path] for suspect in suspects[:shown]]
    sheets = _draw_sheets(audited, first, found, folder, "review", "where a face was most likely missed")
    rows = [
        [n, sheets.get(s.path), s.camera, s.boxes, s.reason, s.evidence, *by_hand, s.path]
        for n, s in enumerate(suspects, 1)
        for by_hand in marked.get(s.path, ByHand()).lines
    ]
    write_csv(folder / REVIEW, REVIEW_COLUMNS, rows)


def refuse_public_folder(folder: Path, rendered: bool) -> None:
    """Pictures of real people must not enter git: raise `ConfigError` for a folder of which git takes notice."""
    if rendered:
        return
    place = folder.absolute()
    base = next(parent for parent in (place, *place.parents) if parent.is_dir())
    try:
        inside = subprocess.run(["git", "-C", base, "rev-parse"], capture_output=True, check=False).returncode == 0
        ignored = subprocess.run(
            ["git", "-C", base, "check-ignore", "-q", "--no-index", place / "x.png"], capture_output=True, check=False
        ).returncode == 0  # fmt: skip
    except FileNotFoundError:  # no git here
        return
    if inside and not ignored:
        raise ConfigError(
            f"{folder}: git would take what is written there, and the pictures show real people. Write below "
            f"{RESULTS}/ or outside the repository."
        )


def _verdicts_so_far(folder: Path, audited: Audited) -> dict[str, Listed]:
    """Path -> what has been written into an annotation file that is there already.

    Raises `DataError` when its verdicts were given for other boxes.
    """
    file = folder / ANNOTATIONS
    if not file.is_file():
        return {}
    rows = read_listed(file)
    if any(row.verdict for row in rows.values()):
        _read_settings(folder, audited)
    return rows


def _written(row: Listed | None) -> tuple[str, str, ByHand]:
    return (row.verdict, row.note, row.by_hand) if row else ("", "", ByHand())


def _marks_so_far(folder: Path) -> dict[str, ByHand]:
    """Path -> what has been written into a list of suspects that is there already."""
    found: dict[str, ByHand] = {}
    if (folder / REVIEW).is_file():
        for _, row in read_annotations(folder / REVIEW, ("path",)):
            found[row["path"]] = found.get(row["path"], ByHand()) + by_hand_of(row)
    return found


def _refuse_to_lose(file: Path, by_hand: Mapping[str, ByHand], listed: Collection[str]) -> None:
    lost = [path for path, written in by_hand.items() if written and path not in listed]
    if lost:
        raise DataError(
            f"{file}: has a box by hand, or a mark to leave it out, for {lost[0]} ({len(lost)} pictures), which would "
            f"no longer be listed. Draw into another folder (--output), so that what is written there stays in force."
        )


def _read_settings(folder: Path, audited: Audited) -> dict[str, Any]:
    """What the sample was drawn by; raises `DataError` when the boxes are others now."""
    settings = _load_settings(folder)
    if settings["detections_sha256"] != file_sha256(audited.detections):
        raise DataError(
            f"{audited.detections}: has changed since the sheets in {folder} were drawn; their verdicts are about "
            f"other boxes. Draw a sample into another folder (--output), or restore the detections."
        )
    return settings


def _load_settings(folder: Path) -> dict[str, Any]:
    file = folder / SETTINGS
    try:
        settings: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        missing = {"detections_sha256", "sample", "seed", *(f.name for f in fields(Audited))} - settings.keys()
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{file}: cannot be read ({error}). Draw the sample again with `anonbench audit`.") from error
    if missing:
        raise DataError(f"{file}: {min(missing)} is missing. Draw the sample again with `anonbench audit`.")
    return settings


# --- the report ---


def _counts(t: Tally) -> dict[str, Any]:
    return {key: round(v, 6) if isinstance(v, float) else v for key, v in asdict(t).items()}


def _numbers(t: Tally, confidence: float) -> dict[str, Any]:
    return {**_counts(t), **{name: with_intervals(getattr(t, name), confidence) for name in SHARES}}


def _columns() -> list[str]:
    ends = ("", "_wilson_low", "_wilson_high", "_exact_low", "_exact_high")
    return ["camera", *Tally.__dataclass_fields__, *(f"{name}{end}" for name in SHARES for end in ends)]


def _row(camera: str, t: Tally, confidence: float) -> list[object]:
    values: list[object] = [camera, *_counts(t).values()]
    for name in SHARES:
        share: Proportion = getattr(t, name)
        numbers = (share.value, *share.wilson(confidence), *share.clopper_pearson(confidence))
        values += [None if math.isnan(v) else round(v, 6) for v in numbers]
    return values


def sample_sizes(t: Tally, confidence: float) -> list[dict[str, Any]]:
    """What sample would give which interval of recall: half_width, faces, images (None where no face was seen).

    From the recall, the faces an image and the design effect (faces for one independent case) that were seen; where no
    face was missed, from half a miss.
    """
    share = t.recall
    if not share.n:
        return []
    expected = min(share.value, 1 - 0.5 / share.n)
    per_image = share.n / t.images
    found = []
    for half in HALF_WIDTHS:
        faces = math.ceil(cases_for(expected, half, confidence) * share.n / share.cases)
        found.append({"half_width": half, "faces": faces, "images": math.ceil(faces / per_image)})
    return found


def _page(report: Mapping[str, Any], audited: Audited, tallies: Mapping[str, Tally], confidence: float) -> str:
    """The report in Markdown."""
    t, images = tallies["all"], report["images"]
    low, high = t.leaks.wilson(confidence)
    data = "Rendered people: a check of the procedure. " if audited.rendered else ""
    lines = [
        f"# What {audited.detector} missed on {audited.dataset}",
        "",
        f"{data}{t.images} of {images:,} images were judged, drawn at random, each camera in its proportion"
        + (f"; {t.skipped} skipped" if t.skipped else "")
        + (f"; {t.left} of the sample not looked at yet" if t.left else "")
        + f". Intervals: Wilson, {100 * confidence:g} %; in brackets Clopper and Pearson's. Faces of one image are not "
        f"counted as independent: the intervals are those of {_some(t.recall.cases)} independent faces for recall and "
        f"of {_some(t.precision.cases)} boxes for precision.",
        "",
        f"- Recall per face: {_words(t.recall, confidence)}.",
        f"- Precision, boxes on a face: {_words(t.precision, confidence)}.",
        f"- Images with a face in which every face has a box: {_words(t.image_recall, confidence)}.",
        f"- Images in which a face has no box: {_words(t.leaks, confidence)}: of all {images:,} images about "
        f"{round(t.leaks.value * images):,} ({round(low * images):,} to {round(high * images):,}).",
        "",
        "## By camera",
        "",
        *_camera_rows(tallies, confidence),
        "",
        "## What sample gives which interval of recall",
        "",
    ]
    sizes = [
        [f"± {100 * s['half_width']:g} points", f"{s['faces']:,}", f"{s['images']:,}"] for s in report["sample_sizes"]
    ]
    if sizes:
        lines += _rows(["interval", "faces", "images"], sizes)
    lines += [
        "",
        f"To show a recall of 99 % it takes {cases_without_miss(0.99, confidence):,} images with a face, without a "
        f"single miss.",
    ]
    return "\n".join([*lines, ""])


def _what_to_do(audited: Audited, filled: Path, folder: Path, missed: int) -> str:
    """How what was written by hand, here or beside the suspects, takes effect; "" where nothing was."""
    written_in = {filled: {path: row.by_hand for path, row in read_listed(filled).items()}}
    written_in[folder / REVIEW] = _marks_so_far(folder)
    boxes = {file: sum(len(w.boxes) for w in written.values()) for file, written in written_in.items()}
    out = {file: sum(bool(w.leave_out) for w in written.values()) for file, written in written_in.items()}
    with_boxes, with_marks = ([file for file, count in counts.items() if count] for counts in (boxes, out))
    if not with_boxes and not with_marks:
        return ""
    what = f"{missed} missed faces; boxes by hand: {sum(boxes.values())}; marks to leave out: {sum(out.values())}"
    lines = ["", "## What to do about them", "", f"{what}. In your config:", "", "```yaml"]
    if with_marks:
        lines += ["datasets:", f"  {audited.dataset}: {{leave_out: {_quoted(list(map(str, with_marks)))}}}"]
    if with_boxes:
        name = f"{audited.dataset}_{audited.detector.removeprefix(f'{audited.dataset}_')}"
        members = [f"{name}_missed{number or ''}" for number in range(len(with_boxes))]
        lines += ["detectors:"]
        for member, file in zip(members, with_boxes, strict=True):
            read_boxes(file)  # says what is wrong with a box
            lines += [f"  {member}: {{method: annotated, boxes: {_quoted(str(file))}, partial: true}}"]
        lines += [f"  {name}_all: {{method: union, of: [{', '.join([audited.detector, *members])}]}}"]
    lines += ["```"]
    if with_boxes:
        lines += ["", f"and `detector: {name}_all` in your variants."]
    return "\n".join([*lines, ""])


def _quoted(value: object) -> str:
    """As YAML reads it, whatever letters a path has."""
    return json.dumps(value, ensure_ascii=False)


def _camera_rows(tallies: Mapping[str, Tally], confidence: float) -> list[str]:
    rows = [
        [name, f"{t.images:,}", f"{t.recall.n:,}", f"{t.missed:,}", _short(t.recall, confidence), f"{t.wrong:,}",
         _short(t.precision, confidence)]
        for name, t in tallies.items()
    ]  # fmt: skip
    return _rows(["camera", "images", "faces", "missed", "recall, %", "wrong boxes", "precision, %"], rows)


def _rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return markdown_rows(pd.DataFrame([list(row) for row in rows], dtype=str), headings)


def _some(cases: float) -> str:
    """A number of effective cases: a tenth is enough.

    >>> _some(171.0), _some(170.96)
    ('171', '171')
    """
    return f"{cases:,.1f}".removesuffix(".0")


def _words(share: Proportion, confidence: float) -> str:
    if not share.n:
        return f"{DASH} (none)"
    (a, b), (c, d) = share.wilson(confidence), share.clopper_pearson(confidence)
    return (
        f"**{100 * share.value:.1f} %**, {100 * a:.1f} to {100 * b:.1f} ({100 * c:.1f} to {100 * d:.1f}); "
        f"{share.hits:,} of {share.n:,}"
    )


def _short(share: Proportion, confidence: float) -> str:
    if not share.n:
        return DASH
    low, high = share.wilson(confidence)
    return f"{100 * share.value:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _report_command(audited: Audited, folder: Path) -> str:
    words = ("audit", audited.dataset, "--detector", audited.detector, "--filled", str(folder / ANNOTATIONS))
    return shlex.join(["anonbench", *words])


def _instructions(audited: Audited, folder: Path) -> str:
    people = (
        "The people on these sheets are rendered: nobody is shown.\n"
        if audited.rendered
        else "The sheets show REAL PEOPLE. Do not publish them, do not send them around, do not commit them; delete "
        "them\nwhen the audit is done. Paths in the CSV files may identify people too.\n"
    )
    return f"""Audit of {audited.detector} on {audited.dataset}
{people}
Look at sheet_01.png and write into the column `verdict` of {ANNOTATIONS}, in the row of the picture's number:

  f      fine: every face has a box, every box is on a face (also: no face and no box)
  m      a face was missed; m2: two
  w      a box is not on a face; w2: two
  m w    both; m2 w1
  s      skipped: you cannot tell

Quickest: fill `f` down the column for a whole sheet, then correct the exceptions. Leave empty what you have not looked
at; you may stop early, for the order is random, but decide when to stop before you see the result.

A face counts when you can make out an eye, the nose or the mouth: also in profile, also small, also passers-by. The
back of a head is no face. A box is right when it covers most of eyes, nose and mouth; a second box on the same face is
wrong. A box beside the face is wrong and the face is missed: `m w`. Grey boxes are default boxes, no finds: ignore
them.

Then: {_report_command(audited, folder)}

To have a missed face hidden, write its box into x0, y0, x1, y1 of its row: pixels of the picture, whose size is above
it on the sheet, from its left and upper edge. Rather too large than too small. For a second face copy the row, with the
verdict in one of them. To have a picture left out altogether write x into {LEAVE_OUT}. The report says how both take
effect.

review_01.png and {REVIEW} are no random sample: they show where a missed face is most likely, to look at first when you
want to find misses rather than count them. They have no verdicts, but boxes and x can be written there too.
"""


# --- which files belong to a dataset ---


def choose(
    dataset: str,
    detector: str | None,
    configfiles: Sequence[Path],
    manifest: Path | None,
    root: Path | None,
    detections: Path | None,
    rendered: bool,
) -> Audited:
    """What to audit: files that are named, all three of them, or those of a dataset of the configuration."""
    named = (manifest, root, detections)
    if manifest and root and detections:
        return Audited(dataset, detector or detections.stem, manifest, root, detections, rendered)
    if any(named):
        raise ConfigError("audit: --manifest, --root and --detections belong together; name all three or none.")
    return find_audited(dataset, detector, read_config(configfiles))


def choose_filled(
    dataset: str,
    detector: str | None,
    configfiles: Sequence[Path],
    manifest: Path | None,
    root: Path | None,
    detections: Path | None,
    rendered: bool,
    output: Path | None,
    filled: Path,
) -> tuple[Audited, Path]:
    """What a filled file is about, and the folder that its sample was drawn into.

    The folder is `output`, or that of the file where it holds what the sample was drawn by, which then names the files
    too, unless all three are given. Else both are as `choose` and `default_folder` have them.
    Raises `ConfigError` when the sample is of another dataset or detector.
    """
    folder = output or filled.parent
    if not (folder / SETTINGS).is_file():
        audited = choose(dataset, detector, configfiles, manifest, root, detections, rendered)
        return audited, output or default_folder(audited)
    drawn = _load_settings(folder)
    for what, named in (("dataset", dataset), ("detector", detector)):
        if named not in (None, drawn[what]):
            raise ConfigError(
                f"audit: {folder / SETTINGS}: the sample is of the {what} '{drawn[what]}', not of '{named}'. Name that "
                f"one, or another file with --filled."
            )
    if manifest or root or detections:
        return choose(dataset, drawn["detector"], configfiles, manifest, root, detections, rendered), folder
    manifest, root, detections = (Path(drawn[key]) for key in ("manifest", "root", "detections"))
    return Audited(dataset, drawn["detector"], manifest, root, detections, drawn["rendered"]), folder


def default_folder(audited: Audited) -> Path:
    """Where the sheets and reports of an audit go."""
    return Path(paths.audit(audited.dataset, audited.detector))


def find_audited(dataset: str, detector: str | None, config: Mapping[str, Any], root: Path = Path()) -> Audited:
    """The files of a dataset and a detector of the configuration, below the folder of the workflow.

    detector: its name; None for the only one that has detections. Raises `ConfigError` or `DataError` with what to do.
    """
    entry = config["datasets"].get(dataset)
    if entry is None:
        raise ConfigError(f"audit: unknown dataset '{dataset}': {nearest(dataset, config['datasets'])}")
    boxes = {name: root / paths.detections(dataset, name) for name in config["detectors"]}
    known = [name for name, file in boxes.items() if file.is_file()]
    if detector is None:
        if len(known) != 1:
            have = f"has detections of {', '.join(known)}" if known else "has no detections yet"
            wanted = "Choose one: --detector" if known else f"Run snakemake --cores 2 {boxes[_usual(config)]}"
            raise AnonbenchError(f"audit: {dataset} {have}. {wanted}")
        detector = known[0]
    elif detector not in config["detectors"]:
        raise ConfigError(f"audit: unknown detector '{detector}': {nearest(detector, config['detectors'])}")
    elif detector not in known:
        raise DataError(f"{boxes[detector]}: not there. Run snakemake --cores 2 {boxes[detector]}")
    manifest, images = root / paths.manifest(dataset), root / images_root(config, dataset)
    return Audited(dataset, detector, manifest, images, boxes[detector], "render" in entry)


def _usual(config: Mapping[str, Any]) -> str:
    """The detector that most variants use."""
    used = [variant["detector"] for variant in config["variants"].values() if variant["detector"] is not None]
    return str(max(used, key=used.count, default="centerface"))
