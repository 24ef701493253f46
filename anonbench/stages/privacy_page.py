"""Write the page for a privacy officer (Study 4)."""

from __future__ import annotations

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.files import write_text
from anonbench.data.results import read_frame
from anonbench.studies.privacy import page
from anonbench.studies.privacy.results import LONG


@command("study")
def privacy_page(risks: Input, runs: Input, attacks: Spec, label: str, output: Output, threads: int = 1) -> None:
    """Write the page for a privacy officer: who could find out what, what was tried and what was not.

    risks: a table of the kind `risks` (CSV).
    runs: the file of its runs (CSV).
    attacks: the entries of `attacks`, name -> entry.
    label: which data the numbers depend on, in words.
    output: the page (Markdown).
    """
    text = page.privacy_page(read_frame(risks, page.RISK_COLUMNS), read_frame(runs, LONG), attacks, label)
    write_text(output, text)
    print(text)
