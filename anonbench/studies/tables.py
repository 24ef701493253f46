"""What tables of any study do alike: keys of an entry, files of metrics and printed numbers, the note on the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from anonbench.core.structure import check_known, check_structure
from anonbench.data import paths
from anonbench.data.entries import runs_of
from anonbench.data.results import Metrics, read_frame, read_metrics
from anonbench.report.cells import Condition, describe_results
from anonbench.studies.kinds import Entry, Files, study_of

NAME, NAMES = {"type": "string"}, {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}}
PUBLISHED = {"type": ["string", "null"]}
BOTH = {"rows": NAME, "study": NAME}
NOTE = "Values in percent, means over {runs}. Data: {label}."


def check_keys(entry: Entry, where: str, needed: Mapping[str, Any], optional: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for a missing, unknown or malformed key.

    needed, optional: key -> JSON schema.
    """
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": list(needed),
        "properties": {**BOTH, **needed, **optional},
    }
    check_structure(entry, schema, where, paths.study_config(study_of(entry)))
    _check_published(entry, where, [key for key, of in {**needed, **optional}.items() if of is PUBLISHED])


def _check_published(entry: Entry, where: str, keys: Sequence[str]) -> None:
    """Raise `ConfigError` for a file of printed numbers that the study does not have."""
    known = sorted(file.stem for file in Path(paths.published(study_of(entry), "_")).parent.glob("*.csv"))
    if known:  # none where only a part of the repository is at hand
        for key in keys:
            check_known(f"{where}.{key}", [entry[key]] if entry.get(key) is not None else [], known)


def metrics_of(config: Mapping[str, Any], condition: Condition, place: Callable[..., str] = paths.metrics) -> list[str]:
    """The metrics files of every run of a condition.

    place: of `data.paths`, where the metrics of such conditions are.
    """
    return [place(run=run, **condition.labels) for run in runs_of(config, condition.dataset, condition.model)]


def published_inputs(entry: Entry, *keys: str) -> dict[str, list[str]]:
    """The files with printed numbers that an entry names, by its key."""
    return {key: [paths.published(study_of(entry), entry[key])] for key in keys if entry.get(key)}


def read_results(files: Files) -> list[dict[str, Any]]:
    return [read_metrics(path) for path in files.get("metrics", ())]


def read_published(files: Files, key: str = "published", columns: Sequence[str] = ()) -> pd.DataFrame | None:
    """The printed numbers under a key; None where an entry names none.

    columns: those that must be there.
    """
    found: Sequence[Path] = files.get(key, ())
    return read_frame(found[0], columns) if found else None


def note_on(results: Sequence[Metrics], label: str) -> str:
    return NOTE.format(runs=describe_results(results), label=label)
