"""Kinds of tables as data: a study has a folder `kinds/` with a small module for each value of `rows:`.

`rows: models` in a table's config entry is `studies/reid_faces/kinds/models.py`; `study:` names the study whose kinds
it uses. A kind says what the entry may hold, which files the table needs, how it is built from them, and which
evaluations a cell is the mean of. Rules, the check of the config and `anonbench explain` ask it, and know no kind.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from anonbench.core.errors import ConfigError
from anonbench.core.registry import Registry
from anonbench.core.structure import check_known
from anonbench.data import paths
from anonbench.report.cells import Condition
from anonbench.report.tables import Table
from anonbench.studies import DEFAULT_STUDY, STUDIES

Entry = Mapping[str, Any]
"""A table's config entry."""
Files = Mapping[str, Sequence[Path]]
"""What a table is made of, by role: `metrics`, `published`, …; a role without files is not there."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a cell is: one metric of every run of a condition.

    words: what the metric is called, "" where its name says it.
    place: of `data.paths`, where the metrics of such conditions are; called with their labels and the run.
    """

    condition: Condition
    metric: str
    words: str = ""
    place: Callable[..., str] = paths.metrics

    def file(self, run: str) -> str:
        """The metrics of one run."""
        return self.place(run=run, **self.condition.labels)


class TableKind(Protocol):
    """A kind of table.

    key: the columns that name a row.
    whole: why its cells have no chain, such as "counts images". "" where they have one.
    """

    key: Sequence[str]
    whole: str

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        """Raise `ConfigError` for an entry that cannot be used.

        where: its dotted name.
        """

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        """The datasets that its numbers depend on."""

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        """The files that it is built from, by role."""

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        """The entry with what `build` must know from elsewhere in the config."""

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        """The table.

        name: of the entry.
        label: which data, in words.
        """

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        """row -> column -> what the cell is the mean of."""


def kinds_of(study: str) -> Registry:
    """The kinds of tables of a study. Raises `ConfigError` for an unknown study."""
    check_known("study", [study], STUDIES)
    return cast(Registry, importlib.import_module(f"anonbench.studies.{study}.kinds").KINDS)


def study_of(entry: Entry) -> str:
    return str(entry.get("study", DEFAULT_STUDY))


def kind_of(entry: Entry) -> TableKind:
    """The kind of a table. Raises `ConfigError` for an unknown study or kind."""
    return cast(TableKind, kinds_of(study_of(entry)).get(entry["rows"])())


def check_table(config: Mapping[str, Any], name: str) -> None:
    """Raise `ConfigError` for a table's entry that cannot be used."""
    entry, where = config["tables"][name], f"tables.{name}"
    check_known(f"{where}.study", [study_of(entry)], STUDIES)
    check_known(f"{where}.rows", [entry["rows"]], kinds_of(study_of(entry)).names())
    kind_of(entry).check(config, entry, where)


def by_role(files: Sequence[Path], roles: Sequence[str]) -> dict[str, list[Path]]:
    """Files by what they are, in the order given. `roles` names it for each.

    >>> by_role([Path("a.json"), Path("b.json")], ["metrics", "metrics"])
    {'metrics': [PosixPath('a.json'), PosixPath('b.json')]}
    """
    if len(files) != len(roles):
        raise ConfigError(f"table: {len(files)} files and {len(roles)} roles; expected a role for each file.")
    found: dict[str, list[Path]] = {}
    for file, role in zip(files, roles, strict=True):
        found.setdefault(role, []).append(file)
    return found
