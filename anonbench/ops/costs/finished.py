"""What trainings that were finished on this machine took."""

from __future__ import annotations

import csv
import statistics
from dataclasses import dataclass
from pathlib import Path

HISTORY = "history.csv"  # beside a model


@dataclass(frozen=True)
class Finished:
    """Trainings of a cell that this machine has finished: how many, and the median seconds of an epoch."""

    trainings: int
    seconds_per_epoch: float


def finished_trainings(results: Path) -> dict[tuple[str, str], Finished]:
    """(dataset, model) -> its finished trainings, from Snakemake's benchmark files and the histories beside the models.

    A training that was killed and went on has a benchmark of its last part, but every epoch's seconds in its history.
    """
    seconds: dict[tuple[str, str], list[float]] = {}
    for file in sorted((results / "benchmarks" / "train").glob("*/*/*/*.tsv")):
        dataset, model, variant, run = file.relative_to(results / "benchmarks" / "train").with_suffix("").parts
        history = results / "models" / dataset / model / variant / run / HISTORY
        epochs = epoch_seconds(history)
        if not epochs:  # an untrained network, or none any more
            continue
        with file.open(encoding="utf-8", newline="") as stream:
            taken = statistics.fmean(float(row["s"]) for row in csv.DictReader(stream, delimiter="\t"))
        seconds.setdefault((dataset, model), []).append(max(taken, sum(epochs)) / len(epochs))
    return {cell: Finished(len(values), statistics.median(values)) for cell, values in seconds.items()}


def epoch_seconds(history: Path) -> list[float]:
    """The seconds of each epoch of a training, whichever process trained it; [] for what is no training's history."""
    if history.name != HISTORY or not history.is_file():
        return []
    with history.open(encoding="utf-8", newline="") as stream:
        return [float(row["seconds"]) for row in csv.DictReader(stream)]
