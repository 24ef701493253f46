"""`rows: recovered`: people recognized in recovered images by a raw-trained network and by the joint one (Table 4).

    reversible_table4:
      study: reversible
      rows: recovered
      dataset: market1501-rendered
      model: agw
      trainings: [{training: upgraded_blurred, variant: blurred_recovered}]
      variants: [blurred_restored]   # further ones for the network trained on raw images; may be left out
      published: table4

Queries and gallery are both recovered. Beside the printed numbers, the effect is recovered - raw of the same network.

Source: Zhang et al. 2022, Table 4, which does not say how its images were protected. Its values of "Ours" on raw
images are those of Table 5's noise on Market-1501 and of its pixelation on MSMT17 and CUHK03.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonbench.core.structure import check_known
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
from anonbench.studies.reversible.settings import FEW_METRICS, FOUR, RAW, UNPROTECTED
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

RAW_RAW, *_, BOTH = FOUR
UNSAID = (
    "The paper does not say how the images of its Table 4 were protected: its values of Ours on raw images are those "
    "of noise in its Table 5 on Market-1501, and of pixelation on MSMT17 and CUHK03."
)


@KINDS.register("recovered")
class Recovered:
    key, whole = ("training", "variant"), ""

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        check_keys(
            entry,
            where,
            {"dataset": NAME, "model": NAME, "trainings": TRAINED, "published": PUBLISHED},
            {"variants": NAMES},
        )
        check_evaluated(config, entry, where)
        check_trained(config, entry, where)
        check_known(f"{where}.variants", entry.get("variants", ()), config["variants"])

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        return [entry["dataset"]]

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        return {"metrics": row_metrics(config, rows_of(entry)), **published_inputs(entry, "published")}

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        variants = [*(row["variant"] for row in entry["trainings"]), *entry.get("variants", ())]
        named = [row["training"] for row in entry["trainings"]]
        made_by = trainings.describe(config, entry["dataset"], variants)["made_by"].values()
        return {
            **entry,
            "described": trainings.describe(config, entry["dataset"], variants, named),
            "budget": trial.budget(config, entry["model"], dict.fromkeys([*named, *made_by])),
        }

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        results, described = read_results(files), spec["described"]
        rows = rows_of(spec, described)
        printed = read_published(files, columns=("data", "model", "images", *FEW_METRICS))
        frame = row_frame(results, rows, FEW_METRICS)
        compared = compare_rows(frame, rows, of_data(printed, described["data"]), self.key, FEW_METRICS)
        shown = frame.assign(
            training=[headings.images(training) for training in frame["training"]],
            variant=[headings.images(variant) for variant in frame["variant"]],
        )
        notes = [note_on(results, label), *direction_note(compared, "Recovered - raw")]
        notes += [UNSAID] if printed is not None else []
        return Table(
            frame,
            f"{name}: {spec['model']} on recovered images",
            [*notes, *budget_notes(spec)],
            self.key,
            shown=shown_rows(shown, {"training": "trained on", "variant": "tested on"}),
            compared=compared,
            runs=row_runs(results, rows, FEW_METRICS),
        )

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        return row_sources(rows_of(entry), self.key, FEW_METRICS)


def rows_of(entry: Entry, described: Mapping[str, Any] | None = None) -> list[Row]:
    """The network trained on raw images, then those of the joint trainings; on raw images, then on recovered ones.

    described: of `trainings.describe`; without it, rows say neither their method nor what is printed of them.
    """
    told: Mapping[str, Any] = described or {}
    dataset, model = entry["dataset"], entry["model"]
    recovered = [*(row["variant"] for row in entry["trainings"]), *entry.get("variants", ())]
    rows = [Row(_labels("", ORIGINAL, ORIGINAL), RAW.of(dataset, model), {"model": "agw", "images": "raw"})]
    for variant in dict.fromkeys(recovered):
        printed = {"model": "agw", "images": "recovered"} if variant in told.get("recovered", ()) else None
        labels = _labels(told.get("methods", {}).get(variant, ""), ORIGINAL, variant)
        condition = UNPROTECTED.of(dataset, model, variant=variant)
        rows.append(Row(labels, condition, printed, f"{ORIGINAL}, {ORIGINAL}"))
    for named in entry["trainings"]:
        training, variant = named["training"], named["variant"]
        method = told.get("methods", {}).get(variant, "")
        ours = told.get("roles", {}).get(training) == "with_u" and training in told.get("plain", ())
        is_recovered = ours and variant in told.get("recovered", ()) and told["made_by"][variant] == training
        rows.append(
            Row(
                _labels(method, training, ORIGINAL),
                RAW_RAW.of(dataset, model, training=training),
                {"model": "ours", "images": "raw"} if ours else None,
            )
        )
        rows.append(
            Row(
                _labels(method, training, variant),
                BOTH.of(dataset, model, training=training, variant=variant),
                {"model": "ours", "images": "recovered"} if is_recovered else None,
                f"{training}, {ORIGINAL}",
            )
        )
    return rows


def _labels(method: str, training: str, variant: str) -> dict[str, str]:
    return {"method": method, "training": training, "variant": variant}
