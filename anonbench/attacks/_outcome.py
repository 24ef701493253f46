"""The two files that an attack on one variant leaves: its outcome (JSON), and a row for every probe (CSV).

    outcome = read_outcome(Path(paths.attack("market1501", "faces_naive", "blur", "seed0")))
    outcome["risk"]["value"]

The outcome is a map with `KEYS`. Rates are in 0..1, and what an attack does not have is null:

- dataset, attack, variant, run, split, seed, method: what was attacked, with which entry of `attacks`.
- probes, gallery: the variants whose pictures are compared.
- recognizer: what turns pictures into features, and what it was trained on, in words.
- n_probes, n_people: probes that were ranked, and their people, without those of the control.
- n_gallery_images: without junk and without the people who are not enrolled.
- without: pictures from which nothing could be cut out, such as those without a face.
- unranked: probes without a right answer in the gallery.
- identification: rank1, rank5, mAP of the probes; baseline: the same expected of a random order of the gallery.
- verification: EER, TPR_1e-2, TPR_1e-3, AUC, n_genuine, n_impostor.
- control: rank1, n_probes of people who are not in the gallery (`_trials`).
- risk: value, low, high, interval (its method), void, why (a sentence where it is void, else "").
- worst: pid, rank1, n_probes of the person who is found most often, of those with enough probes.
- groups: grouping -> group -> rank1, low, high, n_probes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anonbench.core.errors import DataError
from anonbench.core.files import write_text
from anonbench.data.results import read_metrics
from anonbench.data.tables import checked_number, read_csv, write_csv

LABELS = ("dataset", "attack", "variant", "run", "split", "seed", "method", "probes", "gallery", "recognizer")
COUNTS = ("n_probes", "n_people", "n_gallery_images", "without", "unranked")
PARTS = ("identification", "verification", "baseline", "control", "risk", "worst", "groups")
KEYS = (*LABELS, *COUNTS, *PARTS)
RATES = ("rank1", "rank5", "mAP")
TRIAL_COLUMNS = ("path", "pid", "camid", "control", "rank", "ap", "right", "wrong", "matches", "ranked")


@dataclass(frozen=True, slots=True)
class Trial:
    """One probe.

    path: of the picture.
    pid, camid: its person and camera.
    control: whether the person is not in the gallery, and another stands for them.
    rank: of the first right answer, from 1 on. None where the attack ranks nothing.
    ap: average precision, 0..1. None where it ranks nothing.
    right: the best similarity to a right answer.
    wrong: the best similarity to another picture; NaN where there is none.
    matches: right answers.
    ranked: pictures that were ranked.
    groups: grouping -> the group of the probe, "" where it is not known.
    """

    path: str
    pid: int
    camid: int
    control: bool
    rank: int | None
    ap: float | None
    right: float
    wrong: float
    matches: int
    ranked: int
    groups: Mapping[str, str] = field(default_factory=dict)


def write_outcome(path: Path, outcome: Mapping[str, Any]) -> None:
    """Write an outcome. Raises `DataError` unless it has exactly `KEYS`."""
    _check_keys(path, outcome)
    write_text(path, json.dumps({key: outcome[key] for key in KEYS}, indent=1, allow_nan=False) + "\n")


def read_outcome(path: Path) -> dict[str, Any]:
    """The outcome of an attack. Raises `DataError` for a file that is not one."""
    outcome = read_metrics(path)
    _check_keys(path, outcome)
    return outcome


def write_trials(path: Path, trials: Sequence[Trial]) -> None:
    """Write a row for every probe, with a column for every grouping of the first one."""
    groupings = tuple(trials[0].groups) if trials else ()
    rows = (
        [
            t.path, t.pid, t.camid, int(t.control), t.rank, _number(t.ap), _number(t.right), _number(t.wrong),
            t.matches, t.ranked, *(t.groups[grouping] for grouping in groupings),
        ]
        for t in trials
    )  # fmt: skip
    write_csv(path, (*TRIAL_COLUMNS, *groupings), rows)


def read_trials(path: Path) -> list[Trial]:
    """The probes of an attack. Raises `DataError` for a file that `write_trials` has not written."""
    return [_trial(row, f"{path}:{line}") for line, row in read_csv(path, TRIAL_COLUMNS, further=True)]


def _trial(row: Mapping[str, str], where: str) -> Trial:
    whole = {name: checked_number(int, row, name, where) for name in ("pid", "camid", "control", "matches", "ranked")}
    return Trial(
        path=row["path"],
        pid=whole["pid"],
        camid=whole["camid"],
        control=bool(whole["control"]),
        rank=checked_number(int, row, "rank", where, 1) if row["rank"] else None,
        ap=checked_number(float, row, "ap", where) if row["ap"] else None,
        right=checked_number(float, row, "right", where),
        wrong=checked_number(float, row, "wrong", where) if row["wrong"] else math.nan,
        matches=whole["matches"],
        ranked=whole["ranked"],
        groups={name: value for name, value in row.items() if name not in TRIAL_COLUMNS},
    )


def _number(value: float | None) -> str | None:
    return None if value is None or math.isnan(value) else f"{value:.8g}"


def _check_keys(path: Path, outcome: Mapping[str, Any]) -> None:
    missing = [key for key in KEYS if key not in outcome]
    further = [key for key in outcome if key not in KEYS]
    if missing or further:
        found = f"has no '{missing[0]}'" if missing else f"has a key '{further[0]}'"
        raise DataError(f"{path}: {found}; an outcome of an attack has {', '.join(KEYS)}. Attack again.")
