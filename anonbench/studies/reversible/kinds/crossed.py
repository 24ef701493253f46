"""`rows: crossed`: four query/gallery settings of networks trained on raw and protected images (Table 5).

    reversible_table5:
      study: reversible
      rows: crossed
      dataset: market1501-rendered
      model: agw
      trainings:      # a training and the variant that it is tested on; groups of four rows, in this order
        - {training: base_blurred, variant: blurred}
        - {training: joint_blurred, variant: blurred_protected}
        - {training: upgraded_blurred, variant: blurred_upgraded}
      upper: true     # a last row: the network trained on raw images, tested on them
      published: table5

A row a training, its query's and its gallery's variant. Beside the printed numbers, the effect of Ours is its
difference to Base in the same setting; lines "… against w/o U" hold that of supervision upgradation.

Source: Zhang et al. 2022, Table 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from anonbench.data.variants import ORIGINAL
from anonbench.report.tables import Table
from anonbench.studies.kinds import Entry, Files, Source
from anonbench.studies.reversible import headings, trainings, trial
from anonbench.studies.reversible.kinds import KINDS
from anonbench.studies.reversible.kinds._rows import (
    TRAINED,
    Row,
    budget_notes,
    check_evaluated,
    check_trained,
    compare_rows,
    direction_note,
    of_data,
    row_frame,
    row_metrics,
    row_runs,
    row_sources,
    shown_rows,
)
from anonbench.studies.reversible.settings import FOUR, METRICS, RAW
from anonbench.studies.tables import (
    NAME,
    PUBLISHED,
    check_keys,
    note_on,
    published_inputs,
    read_published,
    read_results,
)

UPPER = {"method": "none", "training": "upper"}
AGAINST = "against w/o U"


@KINDS.register("crossed")
class Crossed:
    key, whole = ("training", "query", "gallery"), ""

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        check_keys(
            entry,
            where,
            {
                "dataset": NAME,
                "model": NAME,
                "trainings": TRAINED,
                "upper": {"type": "boolean"},
                "published": PUBLISHED,
            },
            {},
        )
        check_evaluated(config, entry, where)
        check_trained(config, entry, where)

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        return [entry["dataset"]]

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        return {"metrics": row_metrics(config, rows_of(entry)), **published_inputs(entry, "published")}

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        named = [row["training"] for row in entry["trainings"]]
        variants = [row["variant"] for row in entry["trainings"]]
        return {
            **entry,
            "described": trainings.describe(config, entry["dataset"], variants, named),
            "budget": trial.budget(config, entry["model"], named, raw=entry["upper"]),
        }

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        results, described = read_results(files), spec["described"]
        rows = rows_of(spec, described)
        printed = of_data(
            read_published(files, columns=("data", "method", "training", "query", "gallery", *METRICS)),
            described["data"],
        )
        frame = row_frame(results, rows, METRICS)
        ours = compare_rows(frame, rows, printed, self.key, METRICS)
        upgraded = self._against_without(frame, rows, printed)
        notes = [*direction_note(ours, "Ours - Base"), *direction_note(upgraded, "The gain by supervision upgradation")]
        return Table(
            frame,
            f"{name}: {spec['model']} in four query/gallery settings",
            [note_on(results, label), *notes, *budget_notes(spec)],
            self.key,
            shown=shown_crossed(frame),
            compared=pd.concat([ours, upgraded], ignore_index=True) if len(upgraded) else ours,
            runs=row_runs(results, rows, METRICS),
        )

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        return row_sources(rows_of(entry), self.key, METRICS)

    def _against_without(self, frame: pd.DataFrame, rows: Sequence[Row], printed: pd.DataFrame | None) -> pd.DataFrame:
        """The same comparison for rows with supervision upgradation, whose effect is that of the upgradation."""
        plain = {_place(row): row.name(self.key) for row in rows if row.labels["role"] == "without_u"}
        changed = [replace(row, before=plain.get(_place(row), "")) for row in rows]
        compared = compare_rows(frame, changed, printed, self.key, METRICS)
        wanted = [row.name(self.key) for row in changed if row.labels["role"] == "with_u" and row.before]
        kept = compared[compared["row"].isin(wanted)].reset_index(drop=True)
        return kept.assign(quantity=[f"{quantity} {AGAINST}" for quantity in kept["quantity"]])


def rows_of(entry: Entry, described: Mapping[str, Any] | None = None) -> list[Row]:
    """Four rows a training, then the upper bound where it is asked for.

    described: of `trainings.describe`; without it, rows say neither method and role nor what is printed of them.
    """
    told: Mapping[str, Any] = described or {}
    dataset, model = entry["dataset"], entry["model"]
    rows = []
    for named in entry["trainings"]:
        training, variant = named["training"], named["variant"]
        method, role = told.get("methods", {}).get(variant, ""), told.get("roles", {}).get(training, "")
        made_by = told.get("made_by", {}).get(variant)
        guide = told.get("guided", {}).get(training)
        protected = variant == guide if role == trainings.BASE else made_by == training
        own = protected and training in told.get("plain", ()) and (made_by is None or variant in told["protected"])
        for setting in FOUR:
            condition = setting.of(dataset, model, training=training, variant=variant)
            query, gallery = setting.name.split("_")
            printed = {"method": method, "training": role, "query": query, "gallery": gallery}
            labels = {
                "method": method, "role": role, "training": training, "variant": variant, "query": condition.query,
                "gallery": condition.gallery,
            }  # fmt: skip
            rows.append(Row(labels, condition, printed if own and method and role else None))
    base = {_place(row): row.name(Crossed.key) for row in rows if row.labels["role"] == trainings.BASE}
    rows = [
        replace(row, before=base.get(_place(row), "")) if row.labels["role"] not in (trainings.BASE, "") else row
        for row in rows
    ]
    if entry["upper"]:
        labels = {
            "method": "", "role": "upper", "training": ORIGINAL, "variant": ORIGINAL, "query": ORIGINAL,
            "gallery": ORIGINAL,
        }  # fmt: skip
        rows.append(Row(labels, RAW.of(dataset, model), UPPER))
    return rows


def shown_crossed(frame: pd.DataFrame) -> pd.DataFrame:
    """The table for readers: what the paper calls a training, its own name where several are called so."""
    groups = frame[["method", "role", "training"]].drop_duplicates()
    several = groups.duplicated(["method", "role"], keep=False)
    names = {
        row.training: row.training if many or not row.role else headings.TRAININGS[row.role]
        for row, many in zip(groups.itertuples(), several, strict=True)
    }
    shown = frame.assign(
        training=[names[training] for training in frame["training"]],
        query=[_kind(variant) for variant in frame["query"]],
        gallery=[_kind(variant) for variant in frame["gallery"]],
    )
    return shown_rows(shown, {"role": "", "variant": ""})


def _kind(variant: str) -> str:
    return "raw" if variant == ORIGINAL else "protected"


def _place(row: Row) -> tuple[str, str, str]:
    """Method and setting of a row: rows of different trainings with the same place are compared."""
    return row.labels["method"], _kind(row.labels["query"]), _kind(row.labels["gallery"])
