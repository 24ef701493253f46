"""`rows: unprotected`: a network trained on raw images, tested on protected ones (Table 1).

    reversible_table1:
      study: reversible
      rows: unprotected
      dataset: market1501-rendered
      model: agw
      desensitized: [blurred, pixelated, noised]   # "Base": rows without a training
      protected: [blurred_upgraded]                # "Ours": made by a joint training
      published: table1

Queries and gallery are both protected. Beside the printed numbers, the effect is Ours - Base: whether somebody with a
common network finds more people in learned images than in those that guided the learning.

Source: Zhang et al. 2022, Table 1. The paper does not say whether its "Ours" is with supervision upgradation; Table 5
calls the one with it so, and here as well a protected variant is compared with it only if its training upgrades.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonbench.core.errors import ConfigError
from anonbench.core.structure import check_known
from anonbench.data.entries import training_of
from anonbench.data.variants import ORIGINAL
from anonbench.report.tables import Table
from anonbench.studies.kinds import Entry, Files, Source
from anonbench.studies.reversible import trainings, trial
from anonbench.studies.reversible.kinds import KINDS
from anonbench.studies.reversible.kinds._rows import (
    Row,
    budget_notes,
    check_evaluated,
    compare_rows,
    direction_note,
    of_data,
    row_frame,
    row_metrics,
    row_runs,
    row_sources,
    shown_rows,
)
from anonbench.studies.reversible.settings import FEW_METRICS, RAW, UNPROTECTED
from anonbench.studies.tables import (
    NAME,
    NAMES,
    PUBLISHED,
    check_keys,
    note_on,
    published_inputs,
    read_published,
    read_results,
)

IMAGES = {"base": "Base", "ours": "Ours", "raw": "Raw"}


@KINDS.register("unprotected")
class Unprotected:
    key, whole = ("variant",), ""

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        check_keys(
            entry,
            where,
            {"dataset": NAME, "model": NAME, "desensitized": NAMES, "protected": NAMES, "published": PUBLISHED},
            {},
        )
        check_evaluated(config, entry, where)
        for key, learned in (("desensitized", False), ("protected", True)):
            check_known(f"{where}.{key}", entry[key], config["variants"])
            for variant in entry[key]:
                if (training_of(config, variant) is not None) != learned:
                    found, other = ("no training", "desensitized") if learned else ("a training", "protected")
                    raise ConfigError(f"{where}.{key} names '{variant}', which has {found}; list it under {other}")

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        return [entry["dataset"]]

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        return {"metrics": row_metrics(config, rows_of(entry)), **published_inputs(entry, "published")}

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        variants = [*entry["desensitized"], *entry["protected"]]
        made_by = [training for v in entry["protected"] if (training := training_of(config, v))]
        return {
            **entry,
            "described": trainings.describe(config, entry["dataset"], variants),
            "budget": trial.budget(config, entry["model"], dict.fromkeys(made_by)),
        }

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        results, described = read_results(files), spec["described"]
        rows = rows_of(spec, described)
        printed = read_published(files, columns=("data", "method", "images", *FEW_METRICS))
        frame = row_frame(results, rows, FEW_METRICS)
        compared = compare_rows(frame, rows, of_data(printed, described["data"]), self.key, FEW_METRICS)
        shown = frame.assign(images=[IMAGES[found] for found in frame["images"]])
        notes = [
            note_on(results, label),
            f"{spec['model']}, trained on raw images; queries and gallery of the variant. Less found is more hidden.",
        ]
        return Table(
            frame,
            f"{name}: what {spec['model']} trained on raw images finds in protected ones",
            [*notes, *direction_note(compared, "Ours - Base"), *budget_notes(spec)],
            self.key,
            shown=shown_rows(shown, {}),
            compared=compared,
            runs=row_runs(results, rows, FEW_METRICS),
        )

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        return row_sources(rows_of(entry), self.key, FEW_METRICS)


def rows_of(entry: Entry, described: Mapping[str, Any] | None = None) -> list[Row]:
    """Base, Ours and Raw, methods together.

    described: of `trainings.describe`; without it, rows say neither their method nor what is printed of them.
    """
    told: Mapping[str, Any] = described or {}
    methods, guides = told.get("methods", {}), told.get("desensitized", {})
    dataset, model = entry["dataset"], entry["model"]
    rows = []
    for variant in entry["desensitized"]:
        method = methods.get(variant, "")
        labels = {"method": method, "images": "base", "variant": variant}
        printed = {"method": method, "images": "base"} if method else None
        rows.append(Row(labels, UNPROTECTED.of(dataset, model, variant=variant), printed))
    for variant in entry["protected"]:
        method, role = methods.get(variant, ""), told.get("roles", {}).get(told.get("made_by", {}).get(variant), "")
        labels = {"method": method, "images": "ours", "variant": variant}
        is_printed = variant in told.get("protected", ()) and role == "with_u"
        printed = {"method": method, "images": "ours"} if is_printed else None
        before = guides.get(variant, "") if guides.get(variant) in entry["desensitized"] else ""
        rows.append(Row(labels, UNPROTECTED.of(dataset, model, variant=variant), printed, before))
    order = list(dict.fromkeys(row.labels["method"] for row in rows))
    rows.sort(key=lambda row: order.index(row.labels["method"]))
    raw = Row({"method": "", "images": "raw", "variant": ORIGINAL}, RAW.of(dataset, model), {"images": "raw"})
    return [*rows, raw]
