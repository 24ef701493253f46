"""`rows: datasets`: what the datasets consist of, counted from the manifests (Table II)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from anonbench.core.structure import check_known
from anonbench.data import paths
from anonbench.data.entries import published_names
from anonbench.data.pictures import Picture
from anonbench.data.results import read_frame
from anonbench.data.tables import read_csv
from anonbench.datasets import DISTRACTOR_PID, JUNK_PID
from anonbench.report.compare import compare_number, comparison, known
from anonbench.report.tables import Table
from anonbench.studies.kinds import Entry, Files, Source
from anonbench.studies.reid_faces.headings import HEADINGS
from anonbench.studies.reid_faces.kinds import KINDS
from anonbench.studies.reid_faces.kinds._common import refuse_scenes
from anonbench.studies.tables import NAME, NAMES, check_keys, published_inputs
from anonbench.tasks.reid.people import read_people

COUNTS = ("cameras", "identities", "train_images", "gallery_images", "query_images")


@KINDS.register("datasets")
class Datasets:
    key, whole = ("data",), "counts images"

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        check_keys(entry, where, {"datasets": NAMES, "published": NAME}, {})
        check_known(f"{where}.datasets", entry["datasets"], config["datasets"])
        refuse_scenes(config, entry["datasets"], f"{where}.datasets")

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        return list(entry["datasets"])

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        return {
            "manifests": [paths.manifest(dataset) for dataset in entry["datasets"]],
            "dropped": [paths.dropped(dataset) for dataset in entry["datasets"]],
            **published_inputs(entry, "published"),
        }

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        return {**entry, "names": published_names(config, entry["datasets"])}

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        counts = {
            dataset: count_dataset(read_people(manifest), len(read_csv(dropped, ("path", "reason"))))
            for dataset, manifest, dropped in zip(spec["datasets"], files["manifests"], files["dropped"], strict=True)
        }
        frame = dataset_table(counts, read_frame(files["published"][0]), spec["names"])
        return Table(
            frame,
            f"{name}: the datasets",
            ["Counted from the manifests; in brackets: published.", f"Data: {label}."],
            self.key,
            HEADINGS,
            shown=readable(frame),
            compared=compare_counts(frame),
        )

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        return {}


def count_dataset(images: Sequence[Picture], dropped: int) -> dict[str, int]:
    """Counts of one manifest. identities: people alone, in training and test; the gallery's images include its junk
    and distractors, which are counted beside it."""
    gallery = [i.labels["pid"] for i in images if i.split == "gallery"]
    return {
        "cameras": len({i.labels["camid"] for i in images}),
        "identities": len({i.labels["pid"] for i in images} - {JUNK_PID, DISTRACTOR_PID}),
        "train_images": sum(i.split == "train" for i in images),
        "gallery_images": len(gallery),
        "query_images": sum(i.split == "query" for i in images),
        "junk_images": gallery.count(JUNK_PID),
        "distractor_images": gallery.count(DISTRACTOR_PID),
        "dropped_files": dropped,
    }


def dataset_table(
    counts: Mapping[str, Mapping[str, int]], published: pd.DataFrame, names: Mapping[str, str]
) -> pd.DataFrame:
    """One row a dataset: the counts, the published ones beside them (`published_…`), and a note.

    names: dataset -> its name in the published table. A dataset that the paper does not have keeps empty fields.
    """
    printed = published.set_index("data")
    rows = []
    for dataset, found in counts.items():
        row: dict[str, Any] = {"data": dataset, **found}
        known = printed.loc[names[dataset]] if names.get(dataset) in printed.index else None
        for column in COUNTS:
            row[f"published_{column}"] = None if known is None else int(known[column])
        row["note"] = "" if known is None else note(known)
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.astype({f"published_{column}": "Int64" for column in COUNTS})


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table for readers: each count with the published one behind it in brackets."""
    shown = table.drop(columns=[f"published_{column}" for column in COUNTS])
    for column in COUNTS:
        printed = table[f"published_{column}"]
        shown[column] = [
            f"{found:,}" if pd.isna(known) else f"{found:,} ({known:,})"
            for found, known in zip(table[column], printed, strict=True)
        ]
    return shown


def note(printed: Mapping[str, Any]) -> str:
    """What is odd about a printed row: a gallery smaller than the set of queries that are looked up in it."""
    if printed["query_images"] > printed["gallery_images"]:
        return (
            f"as printed, {printed['query_images']:,} queries outnumber a gallery of {printed['gallery_images']:,}: "
            f"the two are swapped"
        )
    return ""


def compare_counts(table: pd.DataFrame) -> pd.DataFrame:
    """Compare Table II, count by count."""
    return comparison([
        compare_number(row["data"], "", column, (known(row[f"published_{column}"]), known(row[column])))
        for row in table.to_dict("records")
        for column in COUNTS
    ])  # fmt: skip
