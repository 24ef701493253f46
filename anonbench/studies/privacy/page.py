"""The page for a privacy officer: who could find out what, what was tried, and what nobody has tried.

Every sentence with a number comes from a table; the others say what no number of ours covers. No way of hiding is given
a verdict: whether a copy may be released is a decision about its recipient, his means, and what he may gain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from anonbench.data.variants import ORIGINAL
from anonbench.report.layout import markdown_rows
from anonbench.studies.privacy.settings import LINKABILITY, RISKS, SINGLING_OUT

RISK_COLUMNS = (
    "variant",
    *(f"{risk}{end}" for risk in RISKS for end in ("", "_low", "_high", "_by", "_void")),
    "words",
)
TITLES = {
    SINGLING_OUT: "Singling out: is a person recognized by the hidden face?",
    LINKABILITY: "Linkability: are pictures of one person brought together?",
    "inference": "Inference: does a published network tell whom it was trained on?",
}
MEANS = {
    "recognition": "searches a gallery of known people for the person on a hidden picture",
    "linkage": "has other footage, and searches it for the very original of a hidden picture",
    "membership": "has a published network and clear pictures, and asks whom the network was trained on",
}
NOT_TRIED = (
    "Not tried: an attacker with more than one picture of the same moment, with video, with far more training "
    "pictures than the data set has, with a generative model of faces, or with what he knows of place and time."
)
REMAINS = (
    "What hiding a face leaves: clothes, hair, build, gait, bags, company, place, time. A person is often recognized "
    "by these (the attacks on whole pictures say how often here), and no way of hiding faces changes that."
)
RECIPIENT = (
    "The recipient assumed here is a researcher who knows the method, its parameters and the detector, has the "
    "training pictures of this data set, and clear pictures of some of the people shown from another camera. One with "
    "less finds out less; one with more, such as a platform with pictures of half a country, finds out more."
)


def privacy_page(risks: pd.DataFrame, runs: pd.DataFrame, attacks: Mapping[str, Any], label: str) -> str:
    """The page, in Markdown.

    risks: a table of the kind `risks`, in percent.
    runs: what is beside it, a row an attack, variant and run.
    attacks: the entries of `attacks`.
    label: which data, in words.
    """
    hidden = risks[risks["variant"] != ORIGINAL]
    lines = ["# Who could still recognize these people?", "", f"Data: {label}.", "", RECIPIENT, ""]
    for risk in RISKS:
        lines += [f"## {TITLES[risk]}", "", *_of_risk(hidden, risks, risk), ""]
    lines += ["## Each way of hiding in one line", ""]
    lines += markdown_rows(risks[["variant", "words"]].astype(str), ["way of hiding", "what attackers found out"])
    lines += [
        "",
        "## What was tried",
        "",
        *_tried(runs, attacks),
        "",
        NOT_TRIED,
        "",
        "## What remains",
        "",
        REMAINS,
        "",
    ]
    lines += _missing(runs)
    lines += [
        "A low number is what these attackers found, on these pictures. It is no proof that nobody finds more.",
    ]
    return "\n".join(lines) + "\n"


def _of_risk(hidden: pd.DataFrame, every: pd.DataFrame, risk: str) -> list[str]:
    told = hidden[hidden[risk].notna()]
    if told.empty:
        return ["Not tried."]
    lines = []
    clear = every[(every["variant"] == ORIGINAL) & every[risk].notna()]
    if not clear.empty and not clear[f"{risk}_void"].iloc[0]:
        row = clear.iloc[0]
        lines.append(f"On clear pictures: {_interval(row, risk)} by {row[f'{risk}_by']}.")
    for _, row in told.sort_values(risk, ascending=False, kind="stable").iterrows():
        if row[f"{risk}_void"]:
            lines.append(f"- {row['variant']}: our attacks were too weak to say; this is no sign of safety.")
        else:
            lines.append(f"- {row['variant']}: {_interval(row, risk)}, by {row[f'{risk}_by']}.")
    return lines


def _interval(row: pd.Series[Any], risk: str) -> str:
    return f"{row[risk]:.0f} % ({row[f'{risk}_low']:.0f} to {row[f'{risk}_high']:.0f})"


def _tried(runs: pd.DataFrame, attacks: Mapping[str, Any]) -> list[str]:
    lines = []
    for name in dict.fromkeys(runs["attack"]):
        entry = attacks[name]
        rows = runs[runs["attack"] == name]
        of_whom = f"{int(rows['n_people'].max())} people, {int(rows['n_probes'].max())} pictures"
        lines.append(f"- **{name}** {MEANS.get(entry['method'], entry['method'])}{_how(entry)} ({of_whom}).")
    return lines


def _how(entry: Mapping[str, Any]) -> str:
    """What the attacker knows beside the method."""
    said: Sequence[str] = [
        text
        for key, value, text in (
            ("gallery", "anonymized", "his gallery is hidden in the same way"),
            ("trained", "anonymized", "he has trained on pictures hidden in the same way"),
            ("restored", None, "he undoes the hiding first, by a network trained for that"),
        )
        if key in entry and (value is None or entry[key] == value)
    ]
    seen = "looks at what was hidden alone" if entry.get("sees") == "faces" else ""
    parts = [part for part in (seen, *said) if part]
    return f"; {', '.join(parts)}" if parts else ""


def _missing(runs: pd.DataFrame) -> list[str]:
    """How many pictures no attack on faces saw, since no face was found in them."""
    without = int(runs["without"].max()) if len(runs) else 0
    if not without:
        return []
    return [
        f"In {without} of the tested pictures no face was found. Nothing is hidden there either: what a detector "
        f"misses stays visible to everybody. `anonbench audit` finds out how many faces that are.",
        "",
    ]
