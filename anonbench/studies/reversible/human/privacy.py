"""The privacy value of every group of pairs: how often people say rightly whether two pictures show the same person.

    table = privacy_table(sheets, key, careless_below=0.8, published=None)

50 % is guessing: nobody sees who it is. Source: Zhang et al. 2022, Table 2, where a lower value is better privacy.
Deviations:

- An interval (95 %) that counts on people differing in how well they see, and pairs in how easy they are: answers are
  clustered by participant and by pair (`statistics.crossed`).
- The values without participants who missed control pairs stand beside those of all.
- How often pairs of the same person, and pairs of different people, are judged rightly: who always says "different"
  has 50 %, too.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.structure import check_known
from anonbench.data.results import read_frame
from anonbench.data.tables import write_csv
from anonbench.report.compare import compare_number, comparison
from anonbench.report.layout import DASH
from anonbench.report.tables import Table, write_table
from anonbench.statistics.crossed import crossed_proportion
from anonbench.studies.reversible.human.answers import File, Key, Sheet, gather, read_key
from anonbench.studies.reversible.human.pairs import CONTROL, GROUP, SAME

CARELESS_BELOW = 0.8
PUBLISHED_VALUE = "privacy"
FILE_COLUMNS = ("file", "participant", "form", "answers", "what")
PARTICIPANT_COLUMNS = (
    "participant", "form", "answers", "of", "controls_right", "controls", "repeats_alike", "repeats", "median_ms",
    "said_same", "careful",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """How often a group's pairs are judged rightly.

    value, low, high: in percent; NaN without an answer.
    right_same, right_different: in percent, of the pairs of either kind.
    """

    n: int
    participants: int
    correct: int
    value: float
    low: float
    high: float
    right_same: float
    right_different: float


def collect(
    answers: Sequence[Path],
    key: Path,
    output: Path,
    published: Path | None = None,
    without: Collection[str] = (),
    careless_below: float = CARELESS_BELOW,
) -> str:
    """Merge what participants sent and write the table, its twins, `.participants.csv` and `.files.csv`.

    Returns what to print. Arguments: as those of `anonbench human-eval`.
    Raises `DataError` when no file can be used.
    """
    if not 0 <= careless_below <= 1:
        raise ConfigError(f"--careless-below is {careless_below}; expected a share of control pairs from 0 to 1")
    known = read_key(key)
    sheets, files = gather(answers, known, without)
    if not sheets:
        reasons = "".join(f"\n  {file.path}: {file.text}" for file in files[:10])
        raise DataError(f"none of {len(files)} files can be used:{reasons or ' no *.json there'}")
    table = privacy_table(sheets, known, careless_below, None if published is None else read_frame(published))
    text = write_table(table, output)
    write_csv(
        output.with_suffix(".participants.csv"), PARTICIPANT_COLUMNS, _participants(sheets, known, careless_below)
    )
    rows = [[f.path, f.participant, f.form, f.answers, f.text] for f in files]
    write_csv(output.with_suffix(".files.csv"), FILE_COLUMNS, rows)
    return "\n".join([text, *_said(files, without)])


def _said(files: Sequence[File], without: Collection[str]) -> list[str]:
    out = [file for file in files if file.is_left_out]
    lines = [f"{len(files) - len(out)} files counted, {len(out)} left out"]
    lines += [f"  {file.path}: {file.text}" for file in out]
    codes = {file.participant.upper() for file in files}
    lines += [f"  --without {code}: no file has this code" for code in without if code.upper() not in codes]
    return lines


def is_careful(sheet: Sheet, key: Key, careless_below: float) -> bool:
    """Whether enough control pairs are judged rightly; without one that was judged nobody can tell, so not."""
    right = sheet.right(key, CONTROL)
    return bool(right) and sum(right) / len(right) >= careless_below


def group_value(sheets: Sequence[Sheet], key: Key, group: str) -> Value:
    """How often a group's pairs are judged rightly; repeats and controls do not count."""
    rows = [
        (sheet.who, key.pairs[name], answer.said)
        for sheet in sheets
        for name, answer in sheet.answers.items()
        if key.pairs[name].kind == GROUP and key.pairs[name].group == group
    ]
    right = [said == pair.truth for _, pair, said in rows]
    share = crossed_proportion(right, [who for who, _, _ in rows], [pair.pictures for _, pair, _ in rows])
    low, high = share.wilson() if rows else (math.nan, math.nan)
    same = [good for good, (_, pair, _) in zip(right, rows, strict=True) if pair.truth == SAME]
    different = [good for good, (_, pair, _) in zip(right, rows, strict=True) if pair.truth != SAME]
    return Value(
        n=len(rows), participants=len({who for who, _, _ in rows}), correct=sum(right), value=100 * share.value,
        low=100 * low, high=100 * high, right_same=_percent(same), right_different=_percent(different),
    )  # fmt: skip


def privacy_table(
    sheets: Sequence[Sheet], key: Key, careless_below: float = CARELESS_BELOW, published: pd.DataFrame | None = None
) -> Table:
    """Every group's privacy value, of all participants and of the careful ones, beside the published value."""
    careful = [sheet for sheet in sheets if is_careful(sheet, key, careless_below)]
    everybody = {group.name: group_value(sheets, key, group.name) for group in key.groups}
    trusted = {group.name: group_value(careful, key, group.name) for group in key.groups}
    printed = _published(key, published)
    rows, lines = [], []
    for group in key.groups:
        value, of_careful = everybody[group.name], trusted[group.name]
        rows.append(
            {
                "group": group.name, "left": group.left, "right": group.right, "n": value.n,
                "participants": value.participants, "correct": value.correct, "privacy_value": _rounded(value.value),
                "low": _rounded(value.low), "high": _rounded(value.high), "right_same": _rounded(value.right_same),
                "right_different": _rounded(value.right_different), "careful_n": of_careful.n,
                "careful_participants": of_careful.participants, "careful_value": _rounded(of_careful.value),
                "careful_low": _rounded(of_careful.low), "careful_high": _rounded(of_careful.high),
                "published": printed.get(group.name, math.nan),
            }
        )  # fmt: skip
        if group.name in printed:
            upper = key.upper if group.name != key.upper else ""
            before = (printed.get(upper), _known(everybody[upper].value) if upper else None)
            pair = (printed[group.name], _known(value.value))
            lines.append(compare_number(key.label, group.name, "privacy value", pair, before))
    frame = pd.DataFrame(rows)
    return Table(
        frame=frame,
        title="Human evaluation: how often people tell whether it is the same person",
        notes=_notes(sheets, careful, key, careless_below),
        key=["group"],
        shown=_shown(frame, bool(printed)),
        compared=comparison(lines) if lines else None,
        runs=_by_participant(sheets, key),
    )


def _shown(frame: pd.DataFrame, with_published: bool) -> pd.DataFrame:
    def interval(low: float, high: float) -> str:
        return DASH if math.isnan(low) else f"{low:.1f} to {high:.1f}"

    shown = {
        "group": frame["group"],
        "privacy value %": frame["privacy_value"],
        "95 % interval": [interval(*ends) for ends in zip(frame["low"], frame["high"], strict=True)],
        "answers": frame["n"].astype(str),
        "participants": frame["participants"].astype(str),
        "same right %": frame["right_same"],
        "different right %": frame["right_different"],
        "careful ones only %": frame["careful_value"],
        "their interval": [interval(*ends) for ends in zip(frame["careful_low"], frame["careful_high"], strict=True)],
    }
    if with_published:
        shown |= {"published %": frame["published"], "difference": frame["privacy_value"] - frame["published"]}
    return pd.DataFrame(shown)


def _notes(sheets: Sequence[Sheet], careful: Sequence[Sheet], key: Key, careless_below: float) -> list[str]:
    forms = sorted({sheet.form for sheet in sheets})
    missing = [str(form) for form in key.forms if form not in forms]
    unfinished = sum(len(sheet.answers) < key.of_form(sheet.form) for sheet in sheets)
    flagged = [sheet.participant for sheet in sheets if sheet not in careful]
    notes = [
        "Privacy value: share of pairs judged rightly; 50 % is guessing, lower is better privacy. The interval counts "
        "answers of one participant, and answers to one pair, as alike.",
        f"{len(sheets)} participants, {unfinished} of them unfinished; forms without an answer: "
        f"{', '.join(missing) or 'none'}.",
        f"Careful: at least {100 * careless_below:.0f} % of the control pairs judged rightly. Not careful, or without "
        f"an answer to one: {', '.join(flagged) or 'nobody'}.",
    ]
    return notes + ([f"Data: {key.label}."] if key.label else [])


def _published(key: Key, frame: pd.DataFrame | None) -> dict[str, float]:
    """group -> published value. Raises `DataError` where a group's row is not to be found, or not only one."""
    if frame is None:
        return {}
    found = {}
    for group in key.groups:
        if not group.published:
            continue
        check_known(f"published of group '{group.name}'", group.published, frame.columns)
        rows = frame
        for column, wanted in group.published.items():
            rows = rows[rows[column].astype(str) == str(wanted)]
        if len(rows) != 1 or PUBLISHED_VALUE not in rows:
            raise DataError(
                f"published values: {len(rows)} rows for group '{group.name}' ({dict(group.published)}); expected one, "
                f"with a column {PUBLISHED_VALUE}."
            )
        found[group.name] = float(rows[PUBLISHED_VALUE].iloc[0])
    return found


def _participants(sheets: Sequence[Sheet], key: Key, careless_below: float) -> list[list[object]]:
    rows: list[list[object]] = []
    for sheet in sheets:
        controls, alike = sheet.right(key, CONTROL), sheet.consistent(key)
        said_same = [answer.said == SAME for answer in sheet.answers.values()]
        rows.append(
            [
                sheet.participant, sheet.form, len(sheet.answers), key.of_form(sheet.form), sum(controls),
                len(controls), sum(alike), len(alike), round(statistics.median(a.ms for a in sheet.answers.values())),
                round(_percent(said_same), 1), "yes" if is_careful(sheet, key, careless_below) else "no",
            ]
        )  # fmt: skip
    return rows


def _by_participant(sheets: Sequence[Sheet], key: Key) -> pd.DataFrame:
    rows: list[Mapping[str, Any]] = []
    for group in key.groups:
        for sheet in sheets:
            value = group_value([sheet], key, group.name)
            if value.n:
                rows.append(
                    {
                        "group": group.name, "participant": sheet.participant, "form": sheet.form, "n": value.n,
                        "correct": value.correct, "privacy_value": _rounded(value.value),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows, columns=["group", "participant", "form", "n", "correct", "privacy_value"])


def _percent(values: Sequence[bool]) -> float:
    return 100 * sum(values) / len(values) if values else math.nan


def _rounded(value: float) -> float:
    return round(value, 2)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 2)
