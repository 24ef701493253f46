"""Test every cell of the tables of Study 3."""

from __future__ import annotations

from anonbench.core.command import Count, Input, Output, Rows, command
from anonbench.data.results import write_frame
from anonbench.studies.scenes.effects import cases_of, effect_table, read_runs


@command(
    "study",
    beside={"scores": (".matches.npz",)},
    needs={"tables": ("dataset", "model", "metrics", "variants")},
)
def scene_effects(
    scores: list[Input],
    tables: Rows,
    margin: float,
    output: Output,
    alpha: float = 0.05,
    resamples: Count = 2000,
    threads: int = 1,
) -> None:
    """Compute every cell's difference to training on original pictures, with its interval, p-values and verdict.

    scores: files of `evaluate-instances`; the matches of their predictions are beside them.
    tables: config entries of the tables, `[{dataset, model, metrics, variants}]`.
    margin: a loss of fewer percent points counts as none.
    output: the differences (CSV).
    alpha: level of the tests, 0..1.
    resamples: bootstrap draws of validation pictures.
    """
    cases = cases_of(tables)
    table = effect_table(cases, read_runs(cases, scores), margin=margin, alpha=alpha, resamples=resamples)
    write_frame(output, table)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in table["verdict"].value_counts().items())
    print(f"scene_effects: {len(table)} differences; {counts}")
