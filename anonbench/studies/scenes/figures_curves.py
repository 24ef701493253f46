"""How large people are (Figure 7), and what realistic anonymization costs networks of several depths (Figure 8).

Source: Hukkelås and Lindseth 2023, Figures 7 and 8. Deviation: the paper's "average bounding box length normalized to
image size" is taken as the mean of width / picture's width and height / picture's height.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from anonbench.core.errors import DataError
from anonbench.core.fields import build
from anonbench.data.instances import PERSON, InstanceFile
from anonbench.data.pictures import read_manifest
from anonbench.data.results import Metrics
from anonbench.data.variants import ORIGINAL
from anonbench.report.cells import Runs, cell_of
from anonbench.report.style import FAINT, MARGIN, OKABE_ITO, Series, house_style, open_page
from anonbench.studies.scenes import headings
from anonbench.studies.scenes.settings import Metric, SceneCondition

WIDTH, HEIGHT = 5.2, 2.8  # inches of a page and of its axes
LOOKS = (("blue", "o", "-"), ("vermillion", "s", "--"), ("bluish green", "^", ":"), ("reddish purple", "D", "-."))
SIZES = ("data", "people", "median_side", "below_1_percent_of_area")
TRAIN = "train"


@dataclass(frozen=True, slots=True)
class Depths:
    """A line of Figure 8.

    title: what stands in the key.
    models: depth of a network's backbone, in layers -> name of the network.
    variant: that it was trained on; its score is compared with that of original pictures.
    metric: a column of tables, such as ap_person.
    """

    title: str
    dataset: str
    models: Mapping[str, str]
    variant: str
    metric: str

    @classmethod
    def read(cls, entry: Mapping[str, Any], where: str) -> Depths:
        return build(cls, entry, where)


def sides(instances: Path, manifest: Path, split: str = TRAIN) -> tuple[np.ndarray, np.ndarray]:
    """(N,) mean side and (N,) area of every person's box, as shares of the picture. Crowds do not count."""
    file = InstanceFile(instances)
    lengths, areas = [], []
    for picture in read_manifest(manifest):
        if picture.split != split:
            continue
        for instance in file.of(picture.path):
            if instance.category == PERSON and not instance.crowd:
                x0, y0, x1, y1 = instance.box
                width, height = (x1 - x0) / picture.width, (y1 - y0) / picture.height
                lengths.append((width + height) / 2)
                areas.append(width * height)
    if not lengths:
        raise DataError(f"{instances}: no person in the split '{split}'; there is nothing to draw.")
    return np.sort(lengths), np.sort(areas)


def size_table(found: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """A row a dataset (`SIZES`): people, median mean side, percent of boxes below 1 % of the area."""
    rows = [
        (name, len(lengths), round(float(np.median(lengths)), 4), round(100 * float((areas < 0.01).mean()), 1))
        for name, (lengths, areas) in found.items()
    ]
    return pd.DataFrame(rows, columns=list(SIZES))


@house_style()
def draw_sizes(found: Mapping[str, tuple[np.ndarray, np.ndarray]], label: str) -> Figure:
    """The share of people whose box is no longer than that, a line a dataset.

    found: name -> `sides`.
    """
    table = size_table(found)
    told = ", ".join(f"{row.data} {row.below_1_percent_of_area:g} %" for row in table.itertuples())
    notes = f"Boxes that cover less than 1 % of the picture: {told}.\nData: {label}."
    page, top = open_page("How large are people?", notes, WIDTH, 0.35 + HEIGHT + 0.75)
    looks = [Series(name, OKABE_ITO[c], "", line) for name, (c, _, line) in zip(found, _looks(found), strict=True)]
    page.key(looks, MARGIN, top)
    axes = page.axes(MARGIN + 0.5, top + 0.35, WIDTH - 2 * MARGIN - 0.6, HEIGHT)
    for look, (lengths, _) in zip(looks, found.values(), strict=True):
        shares = np.arange(1, len(lengths) + 1) / len(lengths)
        axes.step([0, *lengths, 1], [0, *shares, 1], where="post", color=look.colour, ls=look.line, gid=look.label)
    axes.set(xlim=(0, 1), ylim=(0, 1.01))
    axes.grid()
    axes.set_xlabel("mean side of a person's box, as a share of the picture's", color=FAINT)
    axes.set_ylabel("share of people", color=FAINT)
    return page.figure


def relative_drops(results: Sequence[Metrics], lines: Sequence[Depths]) -> pd.DataFrame:
    """A row a line and depth: `title`, `depth`, `drop` in percent of the score on original pictures, `drop_se`, `runs`.

    The drop is that of the means; its standard error is that of the drops of single seeds.
    Raises `DataError` where a network was not trained with the same seeds on both.
    """
    rows = []
    for line in lines:
        for depth, model in line.models.items():
            place = Metric.of(line.metric).place
            before, after = (
                cell_of(results, place, SceneCondition(line.dataset, model, variant))
                for variant in (ORIGINAL, line.variant)
            )
            if set(before.runs) != set(after.runs):
                raise DataError(f"{model}: trained on {line.variant} and {ORIGINAL} with other seeds. Evaluate all.")
            if not all(before.runs.values()):
                raise DataError(f"{model}: scores 0 on original pictures; nothing can be lost of it.")
            drops = Runs(tuple(100 * (1 - after.runs[run] / before.runs[run]) for run in before.runs))
            drop = 100 * (1 - sum(after.runs.values()) / sum(before.runs.values()))
            rows.append((line.title, int(depth), round(drop, 2), round(drops.standard_error, 2), len(drops.values)))
    frame = pd.DataFrame(rows, columns=["title", "depth", "drop", "drop_se", "runs"])
    return frame.sort_values(["title", "depth"], ignore_index=True, kind="stable")


@house_style()
def draw_depths(drops: pd.DataFrame, lines: Sequence[Depths], label: str) -> Figure:
    """The relative drop over the depth of the backbone, a line an experiment, bars of one standard error.

    drops: of `relative_drops`.
    """
    told = "; ".join(
        f"{line.title}: {headings.metric(line.metric)} of networks trained on {line.variant}" for line in lines
    )
    notes = f"What is lost of the score on original pictures, in percent of it. {told}.\nData: {label}."
    page, top = open_page("Do deeper networks lose less?", notes, WIDTH, 0.35 + HEIGHT + 0.75)
    titles = [line.title for line in lines]
    looks = [Series(title, OKABE_ITO[c], m, s) for title, (c, m, s) in zip(titles, _looks(titles), strict=True)]
    page.key(looks, MARGIN, top)
    axes = page.axes(MARGIN + 0.5, top + 0.35, WIDTH - 2 * MARGIN - 0.6, HEIGHT)
    for look in looks:
        rows = drops[drops["title"] == look.label]
        axes.errorbar(
            rows["depth"], rows["drop"], yerr=rows["drop_se"].fillna(0), color=look.colour, marker=look.marker,
            ls=look.line, capsize=2, gid=look.label,
        )  # fmt: skip
    axes.set_xticks(sorted(set(drops["depth"])))
    axes.grid()
    axes.set_xlabel("layers of the ResNet", color=FAINT)
    axes.set_ylabel("relative drop (%)", color=FAINT)
    return page.figure


def _looks(names: Sequence[str] | Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [LOOKS[number % len(LOOKS)] for number in range(len(names))]
