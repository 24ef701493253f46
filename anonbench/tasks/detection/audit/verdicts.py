"""The annotation file: a row an image with an empty verdict, and what a reviewer has written there.

A verdict is `f` (fine), or what is not: `m` (a face was missed), `m2` (two), `w` (a box is wrong), `w2`, `m w` both, or
`s` (skipped: the reviewer cannot tell). Words do as well: `fine`, `missed=2`, `wrong=1`, `skip`. An empty field is an
image that nobody has looked at.

Beside it a reviewer may write what is to be done: the box of a missed face in x0, y0, x1, y1 (that of a further face in
a further row), and an x in `leave_out`. The detector `annotated` and a dataset's `leave_out` read the file then.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from anonbench.core.errors import DataError
from anonbench.data.annotations import CORNERS
from anonbench.data.left_out import COLUMN, is_marked
from anonbench.data.tables import raise_all, write_csv
from anonbench.data.text import read_user_text
from anonbench.statistics.proportion import Proportion

BY_HAND = (*CORNERS, COLUMN)
COLUMNS = ("number", "sheet", "camera", "boxes", "verdict", "note", *BY_HAND, "path")
NEEDED = ("boxes", "verdict", "path")
WORDS = {
    "f": "fine", "fine": "fine", "ok": "fine", "m": "missed", "miss": "missed", "missed": "missed", "w": "wrong",
    "wrong": "wrong", "s": "skip", "skip": "skip", "skipped": "skip", "?": "skip",
}  # fmt: skip
WORD = re.compile(r"([a-z?]+)\s*[=:]?\s*(\d+)?[\s,;+]*")
GRAMMAR = "f (fine), m or m2 (faces missed), w or w2 (wrong boxes), both as 'm1 w2', s (skip), or nothing yet"


@dataclass(frozen=True, slots=True)
class ByHand:
    """What a reviewer has written beside a verdict, as it stands there.

    boxes: x0, y0, x1, y1 of each missed face.
    leave_out: the mark of a picture that is not to be used.
    """

    boxes: tuple[tuple[str, ...], ...] = ()
    leave_out: str = ""

    def __bool__(self) -> bool:
        return bool(self.boxes or self.leave_out)

    def __add__(self, other: ByHand) -> ByHand:
        return ByHand(self.boxes + other.boxes, self.leave_out or other.leave_out)

    @property
    def lines(self) -> list[tuple[str, ...]]:
        """The fields of `BY_HAND`, for one row or more."""
        first, *more = self.boxes or (("",) * len(CORNERS),)
        return [(*first, self.leave_out), *((*box, "") for box in more)]


@dataclass(frozen=True, slots=True)
class Listed:
    """An image to be judged.

    number: in the order of the sheets, from 1.
    boxes: drawn in the image.
    """

    number: int
    sheet: str
    camera: int
    boxes: int
    path: str
    verdict: str = ""
    note: str = ""
    by_hand: ByHand = ByHand()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reviewer saw: faces without a box, boxes without a face.

    skipped: the reviewer could not tell.
    """

    missed: int = 0
    wrong: int = 0
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """What verdicts add up to.

    images: looked at and judged.
    right, wrong: boxes.
    missed: faces without a box.
    with_face, complete: images that show a face, and those of them in which none was missed.
    with_missed: images with a missed face.
    skipped, left: images that the reviewer skipped, or has not looked at.
    recall_effective, precision_effective: how many independent faces, or boxes, say as much as these, which share
        images.
    """

    images: int
    right: int
    wrong: int
    missed: int
    with_face: int
    complete: int
    skipped: int
    left: int
    recall_effective: float
    precision_effective: float

    @property
    def with_missed(self) -> int:
        return self.with_face - self.complete

    @property
    def recall(self) -> Proportion:
        """Per face: of the faces that are there, those with a box."""
        return Proportion(self.right, self.right + self.missed, self.recall_effective)

    @property
    def precision(self) -> Proportion:
        """Of the boxes, those on a face."""
        return Proportion(self.right, self.right + self.wrong, self.precision_effective)

    @property
    def image_recall(self) -> Proportion:
        """Per image: of the images that show a face, those in which every face has a box."""
        return Proportion(self.complete, self.with_face)

    @property
    def leaks(self) -> Proportion:
        """Of all images, those in which a face has no box."""
        return Proportion(self.with_missed, self.images)


def write_annotations(path: Path, rows: Iterable[Listed]) -> None:
    """Write the file to be filled in; a row an image, or one a box by hand."""
    lines = []
    for row in rows:
        judged: tuple[str, str] = (row.verdict, row.note)
        for by_hand in row.by_hand.lines:
            lines.append([row.number, row.sheet, row.camera, row.boxes, *judged, *by_hand, row.path])
            judged = ("", "")
    write_csv(path, COLUMNS, lines)


def read_listed(path: Path) -> dict[str, Listed]:
    """What stands in a filled file, by path, unchecked: verdict, note and what was written beside them."""
    found: dict[str, Listed] = {}
    for _, row in read_annotations(path):
        before = found.get(row["path"], Listed(0, "", 0, 0, row["path"]))
        verdict, note = before.verdict or row["verdict"], before.note or row.get("note", "")
        by_hand = before.by_hand + by_hand_of(row)
        found[row["path"]] = replace(before, verdict=verdict, note=note, by_hand=by_hand)
    return found


def by_hand_of(row: Mapping[str, str]) -> ByHand:
    """What a row says beside its verdict."""
    box = tuple(row.get(column, "") for column in CORNERS)
    return ByHand((box,) if any(box) else (), row.get(COLUMN, ""))


def read_annotations(path: Path, needed: Sequence[str] = NEEDED) -> list[tuple[int, dict[str, str]]]:
    """(line, row) of a filled file as spreadsheets save it: commas, semicolons or tabs, with or without a byte mark.

    Rows may be in any order, columns too. Raises `DataError` when it cannot be read or lacks a column.
    """
    text = read_user_text(path, "Draw the sample with `anonbench audit`.")
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    missing = [column for column in needed if column not in (reader.fieldnames or ())]
    if missing:
        raise DataError(f"{path}:1: column {missing[0]} is missing; expected {', '.join(COLUMNS)}. Keep the header.")
    return [(reader.line_num, {key: (row[key] or "").strip() for key in row if key}) for row in reader]


def parse_verdict(text: str, boxes: int, where: str) -> Verdict | None:
    """What a verdict says, None for an empty one.

    boxes: number of boxes in the image.
    Raises `DataError` for a word that means nothing here, contradictions, or more wrong boxes than there are.

    >>> parse_verdict("m2 w", 1, "a.csv:2")
    Verdict(missed=2, wrong=1, skipped=False)
    """
    words = text.strip().lower()
    if not words:
        return None
    if not re.fullmatch(f"({WORD.pattern})+", words):
        raise _strange(text, where)
    said: dict[str, int] = {}
    for word, number in WORD.findall(words):
        meaning = WORDS.get(word)
        if meaning is None or meaning in said or (number and meaning in ("fine", "skip")):
            raise _strange(text, where)
        said[meaning] = int(number or 1)
    if len(said) > 1 and not said.keys() <= {"missed", "wrong"}:
        raise _strange(text, where)
    if said.get("wrong", 0) > boxes:
        raise DataError(f"{where}: verdict '{text}' speaks of {said['wrong']} wrong boxes; the image has {boxes}.")
    return Verdict(said.get("missed", 0), said.get("wrong", 0), "skip" in said)


def _strange(text: str, where: str) -> DataError:
    return DataError(f"{where}: verdict '{text}' is not understood; expected {GRAMMAR}.")


def read_verdicts(path: Path, sample: Mapping[str, Listed]) -> dict[str, Verdict | None]:
    """Path -> verdict of every image of the sample, None where there is none yet.

    sample: what was drawn, by path.
    Raises `DataError` for rows that were not drawn, twice, or with other boxes; and for a verdict of fewer missed faces
    than have a box by hand.
    """
    found: dict[str, Verdict | None] = {}
    by_hand: dict[str, ByHand] = {}
    faults = []
    for line, row in read_annotations(path):
        if any(row.values()):
            try:
                _take(found, by_hand, row, sample, f"{path}:{line}")
            except DataError as error:
                faults.append(str(error))
    for image, written in by_hand.items():
        verdict = found.get(image)
        if verdict is not None and not verdict.skipped and verdict.missed < len(written.boxes):
            faults.append(
                f"{path}: {image} has {len(written.boxes)} boxes by hand, and its verdict says that {verdict.missed} "
                f"faces were missed. Correct the one or the other."
            )
    raise_all(faults)
    return {path: found.get(path) for path in sample}


def _take(
    found: dict[str, Verdict | None],
    by_hand: dict[str, ByHand],
    row: Mapping[str, str],
    sample: Mapping[str, Listed],
    where: str,
) -> None:
    """Put the verdict of a row into `found`, and the rest into `by_hand`."""
    image = sample.get(row["path"])
    if image is None:
        raise DataError(f"{where}: {row['path'] or '(no path)'} is not in the sample. Leave the column path alone.")
    written, before = by_hand_of(row), by_hand.get(row["path"])
    again = before is not None and not (written.boxes or before.boxes)
    if again or (found.get(row["path"]) is not None and row["verdict"]):
        raise DataError(
            f"{where}: {row['path']} is listed twice; expected one row an image, or one for each box by hand, of which "
            f"one has the verdict."
        )
    if row["boxes"] != str(image.boxes) and not (written.boxes and not row["boxes"]):
        raise DataError(f"{where}: boxes is '{row['boxes']}', {image.boxes} were drawn. Leave the column alone.")
    is_marked(written.leave_out, where)
    by_hand[row["path"]] = (before or ByHand()) + written
    found[row["path"]] = parse_verdict(row["verdict"], image.boxes, where) or found.get(row["path"])


def tally(pairs: Sequence[tuple[Listed, Verdict | None]]) -> Tally:
    """Add up verdicts. Images that were skipped or not looked at are only counted."""
    judged = [(row.boxes, v) for row, v in pairs if v is not None and not v.skipped]
    with_face = [(boxes, v) for boxes, v in judged if boxes - v.wrong + v.missed]
    recall = Proportion.of_clusters((boxes - v.wrong, boxes - v.wrong + v.missed) for boxes, v in judged)
    precision = Proportion.of_clusters((boxes - v.wrong, boxes) for boxes, v in judged)
    return Tally(
        images=len(judged),
        right=sum(boxes - v.wrong for boxes, v in judged),
        wrong=sum(v.wrong for _, v in judged),
        missed=sum(v.missed for _, v in judged),
        with_face=len(with_face),
        complete=sum(not v.missed for _, v in with_face),
        skipped=sum(v is not None and v.skipped for _, v in pairs),
        left=sum(v is None for _, v in pairs),
        recall_effective=recall.cases,
        precision_effective=precision.cases,
    )
