"""Write one page of plain words on what the statistics of Study 3 allow one to conclude. Rules choose the sentences.

No sentence says more than its rule: "shown" needs a p-value below alpha after Holm's correction
(`statistics.decision`), and while the luck of training is unknown no difference is put down to anonymizing.
"""

from __future__ import annotations

import pandas as pd

from anonbench.report.words import AND_TRAINING, VERDICT_NAMES, count, decided, percent, points, spread
from anonbench.studies.scenes import headings
from anonbench.studies.scenes.settings import LEARNT

PARTS = {"Face": "Hiding faces", "Body": "Hiding whole bodies", "": "Others"}


def statistics_page(effects: pd.DataFrame, label: str, alpha: float) -> str:
    """The page, in Markdown, from the table of `scene_effects`.

    label: what the data is, in words.
    alpha: level of the tests that the table was made with.
    """
    parts = effects["variant"].map(lambda variant: headings.variant(variant)[0])
    effects = effects.assign(part=parts)
    lines = ["# What anonymizing costs networks that find people and things", ""]
    for (dataset, model), rows in effects.groupby(["dataset", "model"], sort=False):
        lines += [f"**{dataset}, {model}.** {_answer(rows)}", ""]
    lines += _data(effects, label, alpha)
    for (dataset, model), rows in effects.groupby(["dataset", "model"], sort=False):
        lines += [f"## {dataset}, {model}", "", *_verdicts(rows), *_noise(rows)]
    lines += _caveats(effects, label)
    return "\n".join(lines).rstrip() + "\n"


def _answer(rows: pd.DataFrame) -> str:
    """What the first metric of people says, or the first of all, faces and bodies by themselves."""
    metrics = list(dict.fromkeys(rows["metric"]))
    metric = next((name for name in metrics if name.endswith("person")), metrics[0])
    named = headings.metric(metric)
    shown = rows[rows["metric"] == metric]
    before = shown["before"].iloc[0]
    if before < LEARNT:
        return (
            f"The network that was trained on original pictures reaches {before:.1f} % {named}: it has learnt "
            f"nothing, and nothing follows from the others."
        )
    text = f"Trained on original pictures: {before:.1f} % {named}."
    if not shown["basis"].str.endswith(AND_TRAINING).any():
        text += " One seed: the luck of training is unknown, and may be what a drop shows."
    for part, group in shown.groupby("part", sort=False):
        text += f" {PARTS[str(part)]}: {_group(group)}"
    return text


def _group(rows: pd.DataFrame) -> str:
    drops = int(rows["verdict"].str.startswith("lower").sum())
    if len(rows) == 1:
        row = next(rows.itertuples())
        return f"{_method(row.variant)} {decided(row)}, {row.verdict}."
    worst, best = (
        next(rows.sort_values("difference", ascending=ascending).itertuples()) for ascending in (True, False)
    )
    return (
        f"a drop is shown for {drops} of {len(rows)} methods. The best is {_method(best.variant)}, {decided(best)}, "
        f"the worst {_method(worst.variant)}, {decided(worst)}."
    )


def _method(variant: str) -> str:
    """A method in the middle of a sentence: its name, unless that is capitals."""
    name = headings.variant(variant)[1]
    return name[:1].lower() + name[1:]


def _data(effects: pd.DataFrame, label: str, alpha: float) -> list[str]:
    return [
        f"Data: {label}. {spread(effects['n_pictures'], 'validation picture', 'validation pictures')}, "
        f"{spread(effects['n_runs'], 'seed', 'seeds')}. Every network was tested on original pictures.",
        "",
        f"Differences are in percent points of average precision, to the network trained on original pictures, with "
        f"intervals at {percent(1 - alpha)} over pictures and, from two seeds on, trainings; for equivalence at "
        f"{percent(1 - 2 * alpha)}. *Shown* means p < {alpha:g} after Holm's correction over a network's variants.",
        "",
    ]


def _verdicts(rows: pd.DataFrame) -> list[str]:
    lines = []
    for metric, of_metric in rows.groupby("metric", sort=False):
        lines += [f"### {headings.metric(str(metric))}", ""]
        if of_metric["before"].iloc[0] < LEARNT:
            lines += ["No verdict: a network that has learnt nothing can lose nothing.", ""]
            continue
        for verdict, heading in VERDICT_NAMES.items():
            found = of_metric[of_metric["verdict"] == verdict]
            if len(found):
                listed = ", ".join(f"{row.variant} {decided(row)}" for row in found.itertuples())
                lines.append(f"- {heading.format(m=points(of_metric['margin'].iloc[0]))}: {listed}")
        lines.append("")
    return lines


def _noise(rows: pd.DataFrame) -> list[str]:
    if not rows["basis"].str.endswith(AND_TRAINING).any():
        return [
            "The luck of training is unknown: one seed only. Two trainings on the same pictures differ too, so no "
            "difference above can be put down to anonymizing. Set `seeds: [0, 1, 2]` and run again.",
            "",
        ]
    told = [
        f"{headings.metric(str(metric))} {group['noise_floor'].iloc[0]:.2f}"
        for metric, group in rows.groupby("metric", sort=False)
    ]
    return [
        f"By the luck of training alone, two means over {int(rows['n_runs'].iloc[0])} seeds differ by more than this "
        f"in 5 % of cases (percent points): {', '.join(told)}.",
        "",
    ]


def _caveats(effects: pd.DataFrame, label: str) -> list[str]:
    notes = sorted({str(note) for note in effects["note"].dropna() if note})
    lines = ["## What could not be decided, and what the numbers do not say", ""]
    undecided = int((effects["verdict"] == "undecided").sum())
    lines.append(
        f"- {count(undecided, 'difference', 'differences')} of {len(effects)}: neither a difference nor equivalence is "
        f"shown. More validation pictures or more seeds would tell."
    )
    lines += [f"- {note[:1].upper()}{note[1:]}: the bootstrap says little there." for note in notes]
    lines += [
        "- The margin is a decision, taken in the config before looking. Another reader may allow another loss.",
        "- Pictures are resampled as if they were drawn one by one. Frames of one drive are alike, so that intervals "
        "are too short there.",
        "- Crowds and ignored people stay visible in every variant, and a network may learn people from them "
        "(docs/scenes.md).",
    ]
    if "not evidence" in label:
        lines.append("- Drawn scenes check the pipeline. They are no evidence about real pictures.")
    return [*lines, ""]
