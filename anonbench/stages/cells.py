"""Test every cell of the tables."""

from __future__ import annotations

from anonbench.core.command import Count, Input, Output, command
from anonbench.data.results import write_frame
from anonbench.studies.reid_faces.cells import cell_table, no_contrast
from anonbench.tasks.reid.scores import read_scores


@command("study", beside={"metrics": (".queries.csv",)})
def cells(
    metrics: list[Input],
    margin: float,
    output: Output,
    alpha: float = 0.05,
    resamples: Count = 10_000,
    threads: int = 1,
) -> None:
    """Compute every cell's difference to original → original with its interval, p-values and verdict.

    Conditions that are no contrast of the study (untrained networks, queries and gallery of different variants) are
    left out, and listed in the log.

    metrics: files of `evaluate`; the results of every query are beside them.
    margin: a loss of fewer percent points counts as none.
    output: the cells (CSV).
    alpha: level of the tests, 0..1.
    resamples: bootstrap draws of query identities.
    """
    scores = read_scores(metrics)
    table = cell_table(scores, margin=margin, alpha=alpha, resamples=resamples)
    write_frame(output, table)
    for condition in no_contrast(scores):
        print(f"cells: left aside, no contrast of the study: {condition}")
    print(f"cells: {len(table)} rows; " + ", ".join(f"{n} {v}" for v, n in table["verdict"].value_counts().items()))
