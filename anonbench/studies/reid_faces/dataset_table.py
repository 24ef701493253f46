"""Study 1's Table II: what the datasets consist of, counted from the manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from anonbench.data.records import DISTRACTOR_PID, JUNK_PID, IndexedImage

COUNTS = ("cameras", "identities", "train_images", "gallery_images", "query_images")


def count_dataset(images: Sequence[IndexedImage], dropped: int) -> dict[str, int]:
    """Counts of one manifest. identities: people alone, in training and test; the gallery's images include its junk
    and distractors, which are counted beside it."""
    gallery = [i.pid for i in images if i.split == "gallery"]
    return {
        "cameras": len({i.camid for i in images}),
        "identities": len({i.pid for i in images if i.pid not in (JUNK_PID, DISTRACTOR_PID)}),
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
