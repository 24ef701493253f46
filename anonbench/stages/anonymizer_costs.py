"""Put the costs of several anonymizers side by side."""

from __future__ import annotations

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.files import write_text
from anonbench.data.results import write_frame
from anonbench.studies.scenes.costs import cost_page, cost_table


@command("study", beside={"output": (".md",)})
def anonymizer_costs(
    costs: list[Input], variants: list[str], gpu: Spec, label: str, output: Output, threads: int = 1
) -> None:
    """Put the costs of several anonymizers side by side, and what all of COCO would take.

    costs: of `anonymizer_cost`, one a variant (CSV).
    variants: their names, in the same order.
    gpu: pictures a second of one H200 by variant, where known: `{body_realistic: 30}`.
    label: which pictures were measured, in words.
    output: a row a variant (CSV). Beside it: the same for readers.
    """
    table = cost_table(costs, variants, gpu)
    text = cost_page(table, label)
    write_frame(output, table)
    write_text(output.with_suffix(".md"), text)
    print(text)
