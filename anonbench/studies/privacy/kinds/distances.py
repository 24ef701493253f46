"""`rows: distances`: the same features under the cosine and the Euclidean distance, beside what hiding does.

    distances:
      study: privacy
      rows: distances
      dataset: market1501-rendered
      models: [pcb, bot]
      variants: [blur, zero]         # below the original

A row a model and a way of hiding: mAP and rank-1 by either distance, how much the choice of the distance changes, and
how much hiding changes by either. All networks were trained on originals; queries and gallery are hidden in the same
way. Nothing is re-ranked, whatever a model's own `evaluation:` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from anonbench.data import paths
from anonbench.data.results import Metrics
from anonbench.data.variants import ORIGINAL
from anonbench.report.cells import Cell, cell_of
from anonbench.report.layout import DASH, signed
from anonbench.report.tables import Table
from anonbench.studies.kinds import Entry, Files, Source
from anonbench.studies.privacy.kinds import KINDS
from anonbench.studies.privacy.kinds._common import rows_of
from anonbench.studies.privacy.kinds._networks import HEADINGS, TESTED, check_networks
from anonbench.studies.tables import NAMES, metrics_of, note_on, read_results

SCORES = {"map": "mAP", "rank1": "rank-1"}
COSINE, EUCLIDEAN = "cosine", "euclidean"
BY_DISTANCE, BY_HIDING = "by_distance", "by_hiding"
READING = (
    "Without re-ranking. By the distance: Euclidean less cosine, of the same features. By hiding: less the original, "
    "by the same distance (cosine; Euclidean). Points of percent."
)
LARGEST = "Largest change in mAP: {distance:.1f} points by the distance, {hiding:.1f} points by hiding."


@KINDS.register("distances")
class Distances:
    key, whole = ("model", "variant"), ""

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        check_networks(config, entry, where, {"models": NAMES})

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        return [entry["dataset"]]

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        conditions = [TESTED.of(entry["dataset"], m, variant=v) for m in entry["models"] for v in rows_of(entry)]
        return {"metrics": [path for found in conditions for path in metrics_of(config, found, paths.distances)]}

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        own = {model: config["models"][model]["evaluation"].get("metric", EUCLIDEAN) for model in entry["models"]}
        return {**entry, "own": own}

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        results = read_results(files)
        frame = distance_table(results, spec["dataset"], spec["models"], rows_of(spec), spec["own"])
        largest = LARGEST.format(distance=_largest(frame, BY_DISTANCE), hiding=_largest(frame, BY_HIDING))
        return Table(
            frame,
            f"{name}: what the distance changes, and what hiding changes, on {spec['dataset']}",
            [READING, largest, note_on(results, label)],
            self.key,
            HEADINGS,
            shown=_shown(frame),
        )

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        found: dict[str, dict[str, Source]] = {}
        for model in entry["models"]:
            for variant in rows_of(entry):
                condition = TESTED.of(entry["dataset"], model, variant=variant)
                found[f"{model}, {variant}"] = {
                    f"{score}_{distance}": Source(
                        condition, f"{distance}.{score}", f"{SCORES[score]} ({distance} distance)", paths.distances
                    )
                    for score in SCORES
                    for distance in (COSINE, EUCLIDEAN)
                }
        return found


def distance_table(
    results: Sequence[Metrics], dataset: str, models: Sequence[str], variants: Sequence[str], own: Mapping[str, str]
) -> pd.DataFrame:
    """A row a model and variant, in percent.

    results: of the stage `compare_distances`.
    variants: the original first.
    own: model -> the distance that its `evaluation:` names.
    """
    rows = []
    for model in models:
        for variant in variants:
            row: dict[str, Any] = {"model": model, "variant": variant, "own": own[model]}
            for score in SCORES:
                after = _by_distance(results, score, dataset, model, variant)
                before = _by_distance(results, score, dataset, model, ORIGINAL)
                row |= {f"{score}_{distance}": cell.mean for distance, cell in after.items()}
                row[f"{score}_{BY_DISTANCE}"] = round(after[EUCLIDEAN].mean - after[COSINE].mean, 2)
                for distance, cell in after.items():
                    change = None if variant == ORIGINAL else round(cell.mean - before[distance].mean, 2)
                    row[f"{score}_{BY_HIDING}_{distance}"] = change
            rows.append(row | {"runs": len(after[COSINE].runs)})
    return pd.DataFrame(rows)


def _by_distance(results: Sequence[Metrics], score: str, dataset: str, model: str, variant: str) -> dict[str, Cell]:
    condition = TESTED.of(dataset, model, variant=variant)
    return {distance: cell_of(results, f"{distance}.{score}", condition) for distance in (COSINE, EUCLIDEAN)}


def _largest(frame: pd.DataFrame, change: str) -> float:
    """The largest change in mAP, whatever its sign."""
    columns = [column for column in frame.columns if column.startswith(f"map_{change}")]
    return float(frame[columns].abs().max(axis=None))


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    lines = []
    for row in frame.to_dict("records"):
        line = {"model": f"{row['model']} ({row['own']})", "variant": row["variant"]}
        for score, title in SCORES.items():
            line |= {f"{title} {distance}": row[f"{score}_{distance}"] for distance in (COSINE, EUCLIDEAN)}
            line[f"{title} by the distance"] = signed(row[f"{score}_{BY_DISTANCE}"])
            changes = [row[f"{score}_{BY_HIDING}_{distance}"] for distance in (COSINE, EUCLIDEAN)]
            line[f"{title} by hiding"] = DASH if row["variant"] == ORIGINAL else "; ".join(map(signed, changes))
        lines.append(line)
    return pd.DataFrame(lines)
