"""Read the key of a kit and what participants sent back.

    key = read_key(path)
    sheets, files = gather(paths, key)

What cannot be used is left out, and `files` says why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonbench.core.errors import DataError
from anonbench.studies.reversible.human.kit import KEY_FORMAT, KEY_VERSION
from anonbench.studies.reversible.human.pairs import DIFFERENT, REPEAT, SAME, Group

ANSWERS_FORMAT, ANSWERS_VERSION = "anonbench human evaluation answers", 1
CODE = re.compile(r"[A-Za-z0-9-]{1,40}")
LARGEST = 5_000_000  # bytes; a form of 1000 pairs takes 100 kB
LEFT_OUT = "left out: "


@dataclass(frozen=True, slots=True)
class KeyPair:
    """What a pair is.

    form, kind, group, truth, of: as in `pairs.Pair`.
    pictures: what it shows, whichever is left: the same for a pair that was drawn a second time.
    """

    form: int
    kind: str
    group: str
    truth: str
    of: str
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class Key:
    """The key of a kit.

    kit: its id.
    label: which data, in words.
    groups: in the order of the table.
    pairs: pair id -> what it is.
    upper: the group whose people are not protected, "" for none.
    """

    kit: str
    label: str
    groups: Sequence[Group]
    pairs: Mapping[str, KeyPair]
    upper: str = ""

    @property
    def forms(self) -> list[int]:
        return sorted({pair.form for pair in self.pairs.values()})

    def of_form(self, form: int) -> int:
        """How many pairs a form has."""
        return sum(pair.form == form for pair in self.pairs.values())


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of a pair: `SAME` or `DIFFERENT`, and after how many milliseconds."""

    said: str
    ms: float


@dataclass(frozen=True)
class Sheet:
    """The answers of a participant on a form.

    revision: grows with every answer and every undo: of several files of a participant the highest is the newest.
    answers: pair id -> answer.
    """

    participant: str
    form: int
    revision: int
    answers: Mapping[str, Answer]

    @property
    def who(self) -> str:
        return f"{self.form}/{self.participant}"

    def right(self, key: Key, kind: str) -> list[bool]:
        """Whether each answer to pairs of a kind is right."""
        return [
            answer.said == key.pairs[name].truth
            for name, answer in self.answers.items()
            if key.pairs[name].kind == kind
        ]

    def consistent(self, key: Key) -> list[bool]:
        """For each pair that came twice and was judged twice: whether the same was said."""
        twice = [(name, key.pairs[name].of) for name in self.answers if key.pairs[name].kind == REPEAT]
        return [self.answers[again].said == self.answers[first].said for again, first in twice if first in self.answers]


@dataclass(frozen=True, slots=True)
class File:
    """What became of a file that was given: `text` says what is counted, or why nothing is."""

    path: Path
    participant: str
    form: int | None
    answers: int
    text: str

    @property
    def is_left_out(self) -> bool:
        return self.text.startswith(LEFT_OUT)


# --- the key ---


def read_key(path: Path) -> Key:
    """The key that `human_eval_kit` wrote. Raises `DataError` for another file."""
    advice = "Give the file that human-eval-kit wrote as --key."
    found = _load(path, advice)
    if found.get("format") != KEY_FORMAT or found.get("version") != KEY_VERSION:
        raise DataError(f"{path}: is no key of a human evaluation (version {KEY_VERSION}). {advice}")
    try:
        groups = [Group(**group) for group in found["study"]["groups"]]
        pairs = {
            name: KeyPair(
                pair["form"], pair["kind"], pair["group"], pair["truth"], pair["of"],
                tuple(sorted(f"{pair[side]['variant']}/{pair[side]['path']}" for side in ("left", "right"))),
            )
            for name, pair in found["pairs"].items()
        }  # fmt: skip
        return Key(found["kit"], found["label"], groups, pairs, found["study"]["upper"])
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: the key is damaged ({error!r}). {advice}") from error


# --- what came back ---


def gather(paths: Sequence[Path], key: Key, withdrawn: Collection[str] = ()) -> tuple[list[Sheet], list[File]]:
    """The newest answers of every participant, and what became of every file.

    paths: files, or folders with files *.json.
    withdrawn: codes of participants whose answers are not to be used.
    Raises `DataError` for a path that is not there.
    """
    sheets: dict[str, tuple[Sheet, Path]] = {}
    files: list[File] = []
    read: list[tuple[Sheet, Path]] = []
    for path in _files(paths):
        try:
            read.append((read_sheet(path, key), path))
        except DataError as error:
            files.append(File(path, "", None, 0, LEFT_OUT + str(error)))
    for sheet, path in sorted(read, key=lambda r: (-r[0].revision, -len(r[0].answers), str(r[1]))):
        note = _judge(sheet, sheets, withdrawn, key)
        if not note.startswith(LEFT_OUT):
            sheets[sheet.who] = sheet, path
        files.append(
            File(path, sheet.participant, sheet.form, 0 if note.startswith(LEFT_OUT) else len(sheet.answers), note)
        )
    ordered = sorted((sheet for sheet, _ in sheets.values()), key=lambda s: (s.form, s.participant))
    return ordered, sorted(files, key=lambda f: str(f.path))


def _judge(sheet: Sheet, sheets: Mapping[str, tuple[Sheet, Path]], withdrawn: Collection[str], key: Key) -> str:
    """What becomes of a sheet when the newer ones are known."""
    if sheet.participant.upper() in {code.upper() for code in withdrawn}:
        return f"{LEFT_OUT}withdrawn"
    if sheet.who in sheets:
        newest, path = sheets[sheet.who]
        differ = sum(newest.answers.get(name, answer).said != answer.said for name, answer in sheet.answers.items())
        if newest.answers == sheet.answers:
            return f"{LEFT_OUT}the same answers as {path.name}"
        if newest.revision == sheet.revision:
            return f"{LEFT_OUT}contradicts {path.name}, of the same participant and as new, in {differ} answers"
        return f"{LEFT_OUT}older than {path.name} of the same participant ({differ} answers were changed)"
    if not sheet.answers:
        return f"{LEFT_OUT}no answer in it"
    total = key.of_form(sheet.form)
    return "all pairs judged" if len(sheet.answers) == total else f"{len(sheet.answers)} of {total} pairs judged"


def read_sheet(path: Path, key: Key) -> Sheet:
    """A participant's file. Raises `DataError`, with the reason alone, for one that does not belong to the kit."""
    found = _load(path, "")
    if found.get("format") != ANSWERS_FORMAT:
        raise DataError("not a file of answers")
    if found.get("version") != ANSWERS_VERSION:
        raise DataError(f"answers of version {found.get('version')!r}; expected {ANSWERS_VERSION}")
    if found.get("kit") != key.kit:
        raise DataError(f"answers to another kit ({found.get('kit')!r}; the key is of {key.kit!r})")
    if found.get("consent") is not True:
        raise DataError("no consent in it")
    form, code, revision, given = (found.get(name) for name in ("form", "participant", "revision", "answers"))
    if type(form) is not int or form not in key.forms:
        raise DataError(f"form is {form!r}; expected a number from 1 to {len(key.forms)}")
    if not isinstance(code, str) or not CODE.fullmatch(code):
        raise DataError("the participant's code is missing or has letters that the page does not use")
    if type(revision) is not int or revision < 0 or not isinstance(given, list):
        raise DataError("revision or answers are missing")
    return Sheet(code, form, revision, _answers(given, form, key))


def _answers(given: Iterable[Any], form: int, key: Key) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for number, entry in enumerate(given, 1):
        fields = entry if isinstance(entry, dict) else {}
        name, said, ms = fields.get("pair"), fields.get("said"), fields.get("ms")
        known = key.pairs.get(name) if isinstance(name, str) else None
        if not isinstance(name, str) or known is None or known.form != form:
            raise DataError(f"answer {number} is of pair {name!r}, which form {form} does not have")
        if name in answers:
            raise DataError(f"answer {number} is a second one to pair {name!r}")
        if said not in (SAME, DIFFERENT):
            raise DataError(f"answer {number} is {said!r}; expected {SAME} or {DIFFERENT}")
        if not isinstance(ms, int | float) or isinstance(ms, bool) or not 0 <= ms < float("inf"):
            raise DataError(f"answer {number} took {ms!r} ms; expected a number >= 0")
        answers[name] = Answer(said, float(ms))
    return answers


def _files(paths: Sequence[Path]) -> list[Path]:
    """The files given, each once, and those in the folders given."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(path.glob("*.json"))
        elif path.is_file():
            found.append(path)
        else:
            raise DataError(f"{path}: is not there. Give files of answers, or folders with such files (*.json).")
    return list(dict.fromkeys(found))


def _load(path: Path, advice: str) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST and not advice:
            raise DataError(f"too large to be a file of answers ({path.stat().st_size:,} bytes)")
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        text = f"not JSON ({error})" if isinstance(error, ValueError) else f"cannot be read ({error})"
        raise DataError(f"{path}: {text}. {advice}" if advice else text) from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: not a JSON object. {advice}" if advice else "not a file of answers")
    return found
