"""One stage for the tables of every study: the kind that an entry names (`rows:`) arranges what it shows."""

from __future__ import annotations

from collections.abc import Sequence

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.fields import Given
from anonbench.core.registry import load_plugins
from anonbench.report.tables import write_table
from anonbench.studies.kinds import by_role, kind_of


@command("report", beside={"output": (".md", ".tex", ".json", ".runs.csv", ".compare.csv")}, needs={"spec": ("rows",)})
def table(
    files: list[Input],
    roles: list[str],
    name: str,
    spec: Spec,
    label: str,
    output: Output,
    plugins: Sequence[str] = (),
    threads: int = 1,
) -> None:
    """Arrange metrics, manifests and published numbers in a table of a study.

    files: what the table is made of, such as metrics files, one a setting and run.
    roles: what each file is, in the same order: metrics, published, published_baseline, manifests, dropped.
    name: the table's name.
    spec: the table's config entry, `{rows: models, dataset, models, variants, published}`.
    label: which data the numbers depend on, in words, printed below the table.
    output: the table (CSV). Beside it: the same for readers and for DVC, run by run, and with the published numbers.
    """
    load_plugins(plugins)
    built = kind_of(spec).build(name, by_role(files, roles), Given(spec), label)
    print(write_table(built, output))
