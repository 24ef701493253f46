"""Who is left visible in a dataset of scenes: the people without a region, by their size and the reason."""

from __future__ import annotations

import bisect
import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from anonbench.core.command import Input, Output, Spec, command
from anonbench.data.instances import InstanceFile
from anonbench.data.people import FATES, HIDDEN, Fate, fates, people_of
from anonbench.data.pictures import read_manifest
from anonbench.data.regions import read_regions_of
from anonbench.data.tables import write_csv
from anonbench.statistics.proportion import Proportion

ALL = "all"
COLUMNS = (
    "dataset", "detector", "split", "category", "area", "people", "hidden", *(f.replace(" ", "_") for f in FATES[1:]),
    "visible", "share", "wilson_low", "wilson_high",
)  # fmt: skip
Group = tuple[str, str, str]
"""Split, category, class of area."""


@command("detect", needs={"labels": ("dataset", "detector")})
def left_visible(
    manifest: Input,
    instances: Input,
    detections: Input,
    output: Output,
    labels: Spec,
    categories: Sequence[str] = ("person", "rider"),
    areas: Sequence[float] = (0.001, 0.01, 0.1),
    confidence: float = 0.95,
) -> None:
    """Count the people of a dataset of scenes who have no region, by their size and the reason.

    A group counts as one. Riders have no region in the study, and are people all the same: they have their own rows.

    manifest: the images (CSV of `index`).
    instances: who and what stands where (file of `index_instances`).
    detections: the regions that are hidden (CSV of `bodies`, `match_faces` or `detect`).
    output: of each split, category and class of area: people, what became of them, the share left visible, 0..1, with
        Wilson's interval over pictures (CSV).
    labels: {dataset, detector}.
    categories: of people; those that the dataset does not have are left out.
    areas: bounds of the classes of area, as shares of the picture, 0..1.
    confidence: of the intervals, 0..1.
    """
    images, scenes = read_manifest(manifest), InstanceFile(instances)
    found = read_regions_of(detections, manifest, [image.path for image in images])
    known = [category for category in categories if category in scenes.categories]
    counts: dict[Group, Counter[Fate]] = defaultdict(Counter)
    clusters: dict[Group, list[tuple[int, int]]] = defaultdict(list)
    for image in images:
        there = people_of(scenes.of(image.path), known)
        here: dict[Group, Counter[Fate]] = defaultdict(Counter)
        for person, fate in zip(there, fates(there, found[image.path]), strict=True):
            size = area_class(person.area / (image.width * image.height), areas)
            for area in (size, ALL):
                here[image.split, person.category, area][fate] += 1
        for group, fate_counts in here.items():
            counts[group] += fate_counts
            people = fate_counts.total()
            clusters[group].append((people - fate_counts[HIDDEN], people))
    classes = [ALL, *(area_class(bound, areas) for bound in (0.0, *areas))]
    groups = sorted(counts, key=lambda group: (group[0], known.index(group[1]), classes.index(group[2])))
    rows = []
    for group in groups:
        share = Proportion.of_clusters(clusters[group])
        numbers = [counts[group][fate] for fate in FATES]
        interval = [round(value, 6) for value in (share.value, *share.wilson(confidence)) if not math.isnan(value)]
        rows.append([labels["dataset"], labels["detector"], *group, share.n, *numbers, share.hits, *interval])
    write_csv(output, COLUMNS, rows)
    for split, category, _ in (group for group in groups if group[2] == ALL):
        share = Proportion.of_clusters(clusters[split, category, ALL])
        reasons = ", ".join(f"{n} {why}" for why in FATES[1:] if (n := counts[split, category, ALL][why]))
        print(
            f"left-visible: {split}: {share.hits} of {share.n} {category} instances" + (f" ({reasons})" * bool(reasons))
        )


def area_class(share: float, bounds: Sequence[float]) -> str:
    """The class of an area, a share of the picture, in words; a bound belongs to the class above it.

    >>> [area_class(share, (0.001, 0.01)) for share in (0.0004, 0.001, 0.2)]
    ['below 0.1 %', '0.1 to 1 %', '1 % and more']
    """
    number = bisect.bisect_right(bounds, share)
    low, high = (f"{100 * bounds[n]:g}" if 0 <= n < len(bounds) else "" for n in (number - 1, number))
    if not low:
        return f"below {high} %" if high else ALL
    return f"{low} to {high} %" if high else f"{low} % and more"
