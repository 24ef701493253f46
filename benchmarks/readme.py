"""Put the Table 3 that `make demo` has made into the README: `make demo && python -m benchmarks.readme`.

The columns that say the same in every row (dataset, runs) are left out.
"""

from __future__ import annotations

from pathlib import Path

from anonbench.core.files import write_text

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- demo: begin -->", "<!-- demo: end -->"
LEFT_OUT = ("data", "runs")


def shortened(page: str) -> str:
    """The table of a page, without the columns `LEFT_OUT`.

    >>> print(shortened("# T\\n\\n| data | model | runs |\\n| --- | --- | ---: |\\n| d | pcb | 1 |\\n"))
    | model |
    | --- |
    | pcb |
    """
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]
    kept = [k for k, name in enumerate(rows[0]) if name not in LEFT_OUT]
    return "\n".join(f"| {' | '.join(row[k] for k in kept)} |" for row in rows)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    head, rest = readme.read_text(encoding="utf-8").split(BEGIN, 1)
    table = shortened((ROOT / "results/tables/table3.md").read_text(encoding="utf-8"))
    write_text(readme, f"{head}{BEGIN}\n{table}\n{END}{rest.split(END, 1)[1]}")
