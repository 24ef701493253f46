"""One page on the paper's own printed numbers: recomputed, and checked against one another."""

from __future__ import annotations

import math

import pandas as pd

from anonbench.report.words import count
from anonbench.studies.reid_faces.headings import HEADINGS
from anonbench.studies.reid_faces.sentences import CONTRAST_NAMES, METRIC_NAMES, overall_lines


def published_page(checks: pd.DataFrame, effects: pd.DataFrame, without: pd.DataFrame, alpha: float) -> str:
    """The paper's printed numbers against each other, in Markdown.

    checks: of `statistics.contradictions`.
    effects: overall effects on the printed tables.
    without: the same without the pairs that the outlier check flags.
    """
    means = checks[checks["check"] == "mean"]
    lines = [
        "# The paper's printed numbers, recomputed",
        "",
        "## Means over all models and datasets",
        "",
        "| | printed in the text | recomputed from the tables | gap |",
        "| --- | ---: | ---: | ---: |",
    ]
    for row in means.itertuples():
        metric, _, setting = row.subject.partition("_")
        name = f"{METRIC_NAMES[metric]}, {HEADINGS.settings[setting]}"
        lines.append(f"| {name} | {row.printed:.2f} | {row.expected:.2f} | {row.difference:+.2f} |")
    flagged = checks[checks["flagged"]]
    lines += ["", "## Contradictions", ""]
    lines += [f"- {sentence}" for sentence in contradiction_sentences(flagged)] or ["None found."]
    lines += ["", "## The tests on the printed tables", ""]
    lines += overall_lines(effects, alpha)[2:]
    removed = int(effects["n"].max()) - int(without["n"].max())
    if removed:
        lines += [
            f"Without the {count(removed, 'pair', 'pairs')} flagged as outlier:",
            "",
            *overall_lines(without, alpha)[2:],
        ]
    return "\n".join(lines).rstrip() + "\n"


def contradiction_sentences(flagged: pd.DataFrame) -> list[str]:
    """One sentence for each kind of contradiction and subject among the flagged checks."""
    sentences = []
    means = flagged[flagged["check"] == "mean"]
    if len(means):
        notes = "; ".join(dict.fromkeys(means["note"]))
        sentences.append(
            f"Means: {len(means)} printed means are not those of the tables (gaps up to "
            f"{means['difference'].abs().max():.2f}, rounding allows 0.06). {notes}."
        )
    for row in flagged[flagged["check"] == "outlier"].itertuples():
        dataset, model, column = row.subject.split(", ")
        metric, _, setting = column.partition("_")
        sentences.append(
            f"Outlier: {model} on {dataset}, {METRIC_NAMES[metric]} {CONTRAST_NAMES[setting]} is {row.printed:.1f}, "
            f"{row.difference:+.1f} against original → original ({row.expected:.1f}); {row.note}."
        )
    for subject, rows in flagged[flagged["check"] == "size"].groupby(
        flagged["subject"].str.split(",").str[0], sort=False
    ):
        sizes = ", ".join(
            f"{name.split(', ')[1]} {int(printed):,}" + ("" if math.isnan(wanted) else f" (protocol: {int(wanted):,})")
            for name, printed, wanted in zip(rows["subject"], rows["printed"], rows["expected"], strict=True)
        )
        sentences.append(f"Sizes: {subject}: {sizes}: {rows['note'].iloc[0]}.")
    return sentences
