"""Tables for reading: Markdown and LaTeX, columns by their headings, means with their standard errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

STANDARD_ERROR = "_se"  # the column `map_orig_anon_se` holds the standard errors of `map_orig_anon`
CHANGE = "_change"  # `ap_change` holds the differences of `ap` to what it is compared with
DASH = "–"
NUMBER = re.compile(r"-?[\d,]+(\.\d+)?( |$)")  # perhaps with a standard error or a published count behind it


@dataclass(frozen=True)
class Headings:
    """What a study calls its columns `<metric>_<setting>`. Other columns show their name.

    metrics: metric -> its name, such as {"map": "mAP"}.
    settings: setting -> its name beside the metric's. Left out: the setting's own.
    groups: setting -> a heading over all its metrics, where a table has room for two lines of headings.
    """

    metrics: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)

    def of(self, column: str) -> str:
        """
        >>> Headings({"map": "mAP"}, {"orig_anon": "original → anonymized"}).of("map_orig_anon")
        'mAP original → anonymized'
        """
        metric, _, setting = column.partition("_")
        if metric in self.metrics:
            return f"{self.metrics[metric]} {self.settings.get(setting, setting)}"
        return column.replace("_", " ")

    def in_group(self, column: str) -> tuple[str, str]:
        """The heading over a column's group ("" for none), and its own below that."""
        metric, _, setting = column.partition("_")
        if metric in self.metrics and setting in self.groups:
            return self.groups[setting], self.metrics[metric]
        return "", self.of(column)


PLAIN = Headings()


def markdown(table: pd.DataFrame, title: str, notes: Sequence[str], headings: Headings = PLAIN) -> str:
    """A titled Markdown table with one decimal, standard errors behind `±`, and notes on what the numbers depend on."""
    shown = displayed(table)
    lines = [f"# {title}", "", *markdown_rows(shown, [headings.of(column) for column in shown.columns])]
    for note in notes:
        lines += ["", note]
    return "\n".join([*lines, ""])


def markdown_rows(shown: pd.DataFrame, headings: Sequence[str]) -> list[str]:
    """The lines of a Markdown table of strings; columns that hold numbers are aligned right."""
    numeric = [_is_numeric(shown[column]) for column in shown.columns]
    lines = ["| " + " | ".join(headings) + " |"]
    lines.append("|" + "|".join(" ---: " if right else " --- " for right in numeric) + "|")
    return lines + ["| " + " | ".join(row) + " |" for row in shown.itertuples(index=False, name=None)]


def latex(table: pd.DataFrame, caption: str, label: str, headings: Headings = PLAIN) -> str:
    """A LaTeX table (package booktabs); settings are headings over their metrics."""
    shown = displayed(table).map(_escape)
    columns = [(group, name if group else _escape(name)) for group, name in map(headings.in_group, shown.columns)]
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
    """A table as strings: one decimal, `mean ± standard error (change)`; these two have no column of their own."""
    shown = {}
    for column in table.columns:
        if column.endswith((STANDARD_ERROR, CHANGE)):
            continue
        errors = table.get(f"{column}{STANDARD_ERROR}")
        texts = [_show(value) for value in table[column]]
        if errors is not None:
            texts = [t if pd.isna(e) else f"{t} ± {e:.1f}" for t, e in zip(texts, errors, strict=True)]
        changes = table.get(f"{column}{CHANGE}")
        if changes is not None:
            texts = [t if pd.isna(c) else f"{t} ({signed(c)})" for t, c in zip(texts, changes, strict=True)]
        shown[column] = texts
    return pd.DataFrame(shown, dtype=str)


def signed(change: float) -> str:
    """
    >>> signed(-2.14), signed(0.3), signed(-0.04)
    ('-2.1', '+0.3', '0.0')
    """
    text = f"{change:+.1f}"
    return text[1:] if float(text) == 0 else text


def _show(value: object) -> str:
    if value is None or pd.isna(value):
        return DASH
    if isinstance(value, float):
        return f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


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
