"""Measure how far trainings differ that differ in the seed alone."""

from __future__ import annotations

from anonbench.core.command import Count, Input, Output, command
from anonbench.data.results import write_frame
from anonbench.studies.reid_faces.noise_table import noise_table
from anonbench.tasks.reid.scores import read_scores


@command("study", beside={"metrics": (".queries.csv",)})
def noise_floor(
    metrics: list[Input], output: Output, alpha: float = 0.05, resamples: Count = 10_000, threads: int = 1
) -> None:
    """Measure how far trainings differ that differ in the seed alone, by dataset and over all.

    metrics: files of `evaluate`; the results of every query are beside them.
    output: the noise floor (CSV).
    alpha: level of the tests, 0..1.
    resamples: bootstrap draws of query identities.
    """
    table = noise_table(read_scores(metrics), alpha, resamples)
    write_frame(output, table)
    print(table.to_string(index=False))
