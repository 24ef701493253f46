"""Write one page of plain words on what the statistics of Study 3 allow one to conclude."""

from __future__ import annotations

from anonbench.core.command import Input, Output, command
from anonbench.core.files import write_text
from anonbench.data.results import read_frame
from anonbench.studies.scenes.effects import COLUMNS
from anonbench.studies.scenes.statistics_page import statistics_page


@command("study")
def scene_conclusions(effects: Input, label: str, output: Output, alpha: float = 0.05, threads: int = 1) -> None:
    """Write one page of plain words on what the statistics of Study 3 allow one to conclude.

    effects: of `scene_effects` (CSV).
    label: which data the numbers depend on, in words.
    output: the page (Markdown).
    alpha: level of the tests that the table was made with, 0..1.
    """
    text = statistics_page(read_frame(effects, COLUMNS), label, alpha)
    write_text(output, text)
    print(text)
