"""Recompute what the paper's own printed numbers say."""

from __future__ import annotations

import pandas as pd

from anonbench.core.command import Input, Output, command
from anonbench.core.files import write_text
from anonbench.data.results import read_frame, write_frame
from anonbench.studies.reid_faces.contradictions import SIZE_COLUMNS, TEXT_COLUMNS, contradictions, protocol_sizes
from anonbench.studies.reid_faces.overall import effect_table
from anonbench.studies.reid_faces.paired import COLUMNS
from anonbench.studies.reid_faces.published_page import published_page


@command("study")
def published(
    tables: list[Input],
    text: Input,
    sizes: Input,
    protocols: Input,
    margin: float,
    output: Output,
    readable: Output,
    alpha: float = 0.05,
    threads: int = 1,
) -> None:
    """Recompute what the paper's own printed numbers say, and where they contradict each other.

    tables: the printed tables with a row a model (CSV).
    text: the means that the paper's text prints (CSV).
    sizes: the printed sizes of the datasets (CSV).
    protocols: the sizes of the datasets' protocols, where they are known (CSV).
    margin: a loss of fewer percent points counts as none.
    output: the checks (CSV).
    readable: them in words, with the overall tests (Markdown).
    alpha: level of the tests, 0..1.
    """
    scores = pd.concat([read_frame(path, COLUMNS) for path in tables], ignore_index=True)
    checks = contradictions(
        scores,
        read_frame(text, TEXT_COLUMNS),
        read_frame(sizes, SIZE_COLUMNS),
        protocol_sizes(read_frame(protocols, SIZE_COLUMNS)),
    )
    outliers = checks[(checks["check"] == "outlier") & checks["flagged"]]
    named = {tuple(subject.split(", ")[:2]) for subject in outliers["subject"]}
    kept = scores[[pair not in named for pair in zip(scores["data"], scores["model"], strict=True)]]
    page = published_page(checks, effect_table(scores, margin, alpha), effect_table(kept, margin, alpha), alpha)
    write_frame(output, checks)
    write_text(readable, page)
    print(page)
