"""What trainings that were finished on this machine took."""

from __future__ import annotations

import csv
import statistics
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finished:
    """Trainings of a cell that this machine has finished: how many, and the median seconds of an epoch."""

    trainings: int
    seconds_per_epoch: float


def finished_trainings(results: Path) -> dict[tuple[str, str], Finished]:
    """(dataset, model) -> its finished trainings, from Snakemake's benchmark files and the histories beside the models.

    The median, since a training that was killed and went on shows only the seconds of its last part.
    """
    seconds: dict[tuple[str, str], list[float]] = {}
    for file in sorted((results / "benchmarks" / "train").glob("*/*/*/*.tsv")):
        dataset, model, variant, run = file.relative_to(results / "benchmarks" / "train").with_suffix("").parts
        history = results / "models" / dataset / model / variant / run / "history.csv"
        if not history.is_file():
            continue
        epochs = len(history.read_text(encoding="utf-8").splitlines()) - 1
        if epochs < 1:  # an untrained network
            continue
        with file.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
        seconds.setdefault((dataset, model), []).append(statistics.fmean(float(r["s"]) for r in rows) / epochs)
    return {cell: Finished(len(values), statistics.median(values)) for cell, values in seconds.items()}
