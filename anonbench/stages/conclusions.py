"""Write one page of plain words on what the numbers allow one to conclude."""

from __future__ import annotations

from anonbench.core.command import Input, Output, command
from anonbench.core.files import write_text
from anonbench.data.results import read_frame
from anonbench.studies.reid_faces import cells as cells_of
from anonbench.studies.reid_faces import face_groups, noise_table, overall
from anonbench.studies.reid_faces.marks import read_told
from anonbench.studies.reid_faces.statistics_page import statistics_page


@command("study")
def conclusions(
    cells: Input,
    noise: Input,
    faces: Input,
    effects: Input,
    tables: list[Input],
    label: str,
    output: Output,
    alpha: float = 0.05,
    threads: int = 1,
) -> None:
    """Write one page of plain words on what the numbers allow one to conclude.

    cells: of `cells` (CSV).
    noise: of `noise_floor` (CSV).
    faces: of `faces` (CSV).
    effects: of `effects` (CSV).
    tables: those that the networks are shown in (CSV of `table`): which of them are trials, which have barely learnt.
    label: which data the numbers depend on, in words.
    output: the page (Markdown).
    alpha: level of the tests that those tables were made with, 0..1.
    """
    text = statistics_page(
        read_frame(cells, cells_of.COLUMNS), read_frame(noise, noise_table.COLUMNS),
        read_frame(faces, face_groups.COLUMNS), read_frame(effects, overall.COLUMNS),
        label=label, alpha=alpha, told=read_told(tables),
    )  # fmt: skip
    write_text(output, text)
    print(text)
