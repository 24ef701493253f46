"""What anonymizing costs, side by side: the measured line of each method, and what all of COCO would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from anonbench.anonymizers._cost import Line, Timing, fit_line
from anonbench.core.errors import ConfigError
from anonbench.data.results import read_frame
from anonbench.report.layout import markdown

COCO_PICTURES, COCO_PIXELS = 118_287, 640 * 480  # of train2017; most of its pictures have that size
CORES = 2
TIMING = ("pixels", "regions", "seconds", "memory_mb")
COLUMNS = (
    "variant", "regions", "start_s", "s_per_megapixel", "gap_percent", "memory_mb", "coco_hours_2_cores",
    "coco_hours_h200",
)  # fmt: skip
SHOWN = ("variant", "regions a picture", "s a picture", "s a megapixel more", "memory (MB)", "COCO, 2 cores (h)",
         "COCO, H200 (h)")  # fmt: skip


def cost_table(files: Sequence[Path], variants: Sequence[str], gpu_pictures_per_s: Mapping[str, float]) -> pd.DataFrame:
    """A row a variant (`COLUMNS`).

    files: of `anonymizer_cost`, in the order of the variants.
    gpu_pictures_per_s: of one H200, by variant, where somebody has measured or assumed it.
    """
    if len(files) != len(variants):
        raise ConfigError(f"anonymizer costs: {len(files)} files and {len(variants)} variants; expected as many.")
    rows = []
    for file, variant in zip(files, variants, strict=True):
        frame = read_frame(file, TIMING)
        timings = [Timing(*values) for values in frame[list(TIMING)].itertuples(index=False, name=None)]
        line: Line = fit_line(timings)
        rate = gpu_pictures_per_s.get(variant)
        rows.append(
            {
                "variant": variant, "regions": frame["regions"].mean(), "start_s": line.start,
                "s_per_megapixel": line.per_megapixel, "gap_percent": 100 * line.gap,
                "memory_mb": frame["memory_mb"].max(),
                "coco_hours_2_cores": COCO_PICTURES * line.seconds(COCO_PIXELS) / CORES / 3600,
                "coco_hours_h200": COCO_PICTURES / rate / 3600 if rate else None,
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def cost_page(table: pd.DataFrame, label: str) -> str:
    """The table for readers, in Markdown."""
    shown = pd.DataFrame(
        {
            "variant": table["variant"],
            "regions": [f"{value:.1f}" for value in table["regions"]],
            "start": [f"{value:.3f}" for value in table["start_s"]],
            "slope": [f"{value:.3f}" for value in table["s_per_megapixel"]],
            "memory": [f"{value:.0f}" for value in table["memory_mb"]],
            "cpu": [f"{value:.1f}" for value in table["coco_hours_2_cores"]],
            "gpu": [f"{v:.1f}" if pd.notna(v) else None for v in table["coco_hours_h200"]],
        }
    )
    shown.columns = pd.Index(SHOWN)
    notes = [
        "Processor seconds of one thread to hide people in a picture, without decoding and writing: a line of least "
        f"squares over three sizes of the same pictures, at most {table['gap_percent'].max():.0f} % from what was "
        f"measured. Memory is the most that the process has had, with all of them in it.",
        f"COCO: {COCO_PICTURES:,} pictures of 640 x 480 with as many people as in these. H200: from the rates of "
        f"benchmarks/rates.csv, which are assumed where nobody has measured; – where there is none.",
        f"Data: {label}.",
    ]
    return markdown(shown, "What anonymizing costs", notes)
