"""Tables for reading: Markdown and LaTeX, settings spelt out, means with their standard errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from anonbench.studies.reid_faces.setting_tables import STANDARD_ERROR
from anonbench.studies.reid_faces.settings import METRICS, SETTINGS

METRIC_HEADINGS = {"map": "mAP", "rank1": "Rank-1"}
SETTING_HEADINGS = {
    "orig_orig": "original → original",
    "orig_anon": "original → anonymized",
    "anon_anon": "anonymized → anonymized",
}
LATEX_SETTINGS = {
    "orig_orig": "Trained and tested on original",
    "orig_anon": "Trained on original, tested on anonymized",
    "anon_anon": "Trained and tested on anonymized",
}
DASH = "–"
NUMBER = re.compile(r"-?[\d,]+(\.\d+)?( |$)")  # perhaps with a standard error or a published count behind it


def markdown(table: pd.DataFrame, title: str, notes: Sequence[str]) -> str:
    """A titled Markdown table with one decimal, standard errors behind `±`, and notes on what the numbers stand on."""
    shown = displayed(table)
    lines = [f"# {title}", "", *markdown_rows(shown, [_heading(column) for column in shown.columns])]
    for note in notes:
        lines += ["", note]
    return "\n".join([*lines, ""])


def markdown_rows(shown: pd.DataFrame, headings: Sequence[str]) -> list[str]:
    """The lines of a Markdown table of strings; columns that hold numbers are aligned right."""
    numeric = [_is_numeric(shown[column]) for column in shown.columns]
    lines = ["| " + " | ".join(headings) + " |"]
    lines.append("|" + "|".join(" ---: " if right else " --- " for right in numeric) + "|")
    return lines + ["| " + " | ".join(row) + " |" for row in shown.itertuples(index=False, name=None)]


def latex(table: pd.DataFrame, caption: str, label: str) -> str:
    """A LaTeX table (package booktabs); settings are headings over their metrics, as Study 1 prints them."""
    shown = displayed(table).map(_escape)
    columns = [_latex_heading(column) for column in shown.columns]
    if any(group for group, _ in columns):
        shown.columns = pd.MultiIndex.from_tuples(columns)
    else:
        shown.columns = pd.Index([name for _, name in columns])
    alignment = "".join("r" if _is_numeric(shown.iloc[:, k]) else "l" for k in range(shown.shape[1]))
    text = shown.to_latex(
        index=False,
        escape=False,
        column_format=alignment,
        multicolumn_format="c",
        caption=_escape(caption),
        label=label,
    )
    return str(text)


def displayed(table: pd.DataFrame) -> pd.DataFrame:
    """A table as strings: one decimal, `mean ± standard error`; columns of errors are folded into their means'."""
    shown = {}
    for column in table.columns:
        if column.endswith(STANDARD_ERROR):
            continue
        errors = table.get(f"{column}{STANDARD_ERROR}")
        texts = [_show(value) for value in table[column]]
        if errors is not None:
            texts = [t if pd.isna(e) else f"{t} ± {e:.1f}" for t, e in zip(texts, errors, strict=True)]
        shown[column] = texts
    return pd.DataFrame(shown, dtype=str)


def _show(value: object) -> str:
    if value is None or pd.isna(value):
        return DASH
    if isinstance(value, float):
        return f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _heading(column: str) -> str:
    metric, _, setting = column.partition("_")
    if metric in METRIC_HEADINGS:
        return f"{METRIC_HEADINGS[metric]} {SETTING_HEADINGS.get(setting, setting)}"
    return column.replace("_", " ")


def _latex_heading(column: str) -> tuple[str, str]:
    metric, _, setting = column.partition("_")
    if metric in METRICS and setting in SETTINGS:
        return LATEX_SETTINGS[setting], METRIC_HEADINGS[metric]
    return "", _escape(_heading(column))


def _is_numeric(texts: Iterable[str]) -> bool:
    """Whether a column shows numbers (or dashes for missing ones) and nothing else."""
    shown = [text for text in texts if text not in (DASH, "--")]
    return bool(shown) and all(NUMBER.match(text) for text in shown)


def _escape(text: str) -> str:
    for plain, special in (
        ("&", r"\&"),
        ("%", r"\%"),
        ("_", r"\_"),
        ("#", r"\#"),
        (" ± ", r" $\pm$ "),
        ("→", r"$\to$"),
        (DASH, "--"),
    ):
        text = text.replace(plain, special)
    return text
