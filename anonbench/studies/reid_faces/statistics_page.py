"""Write one page of plain words on what the statistics allow one to conclude. Rules choose the sentences.

No sentence says more than its rule:

- "shown" needs a p-value below alpha after Holm's correction (`statistics.decision.verdict`);
- a difference between two trainings is never attributed to anonymizing while the luck of training is unknown;
- where nothing is shown the page says so, and not "no difference".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from scipy import stats

from anonbench.report.words import VERDICT_NAMES, count, decided, estimate, percent, points, spread
from anonbench.studies.reid_faces.marks import BARELY, COLUMNS, RERANKED, TRIAL, criterion, marked
from anonbench.studies.reid_faces.sentences import CONTRAST_NAMES, METRIC_NAMES, overall_lines
from anonbench.studies.reid_faces.settings import RETRAINED, TESTED

CONTRAST_TITLES = {
    TESTED: "Testing the same networks on anonymized images",
    RETRAINED: "Training on anonymized images too",
}
WITH_TRAINING = "queries and training"
ALL = "all"


def statistics_page(
    cells: pd.DataFrame,
    noise: pd.DataFrame,
    faces: pd.DataFrame,
    effects: pd.DataFrame,
    *,
    label: str,
    alpha: float,
    told: pd.DataFrame | None = None,
) -> str:
    """The page, in Markdown, from the tables of the stages `cells`, `noise_floor`, `faces` and `effects`.

    label: what the data is.
    alpha: of the tests that the tables were made with.
    told: what the tables say of the networks (`marks.read_told`): trials and those that have barely learnt are marked.
    """
    told = pd.DataFrame(columns=["data", "model", *COLUMNS]) if told is None else told
    names = {(row["data"], row["model"]): marked(row["model"], row) for row in told.to_dict("records")}
    keys = zip(cells["dataset"], cells["model"], strict=True)
    cells = cells.assign(model=[names.get(key, key[1]) for key in keys])
    lines = [
        "# What the numbers allow one to conclude",
        "",
        *_data(cells, label, alpha),
        *told_lines(told),
        *_cells(cells, alpha),
        *_noise(cells, noise, alpha),
        *_faces(faces, alpha),
        *overall_lines(effects, alpha),
        *_overall_told(effects, told),
        *_caveats(cells, noise, label),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _data(cells: pd.DataFrame, label: str, alpha: float) -> list[str]:
    contrasts = cells[["dataset", "model", "variant", "contrast"]].drop_duplicates()
    runs = spread(cells["n_runs"], "run", "runs")
    return [
        f"Data: {label}.",
        "",
        f"{count(len(contrasts), 'comparison', 'comparisons')} of networks on anonymized with networks on original "
        f"images ({count(cells['model'].nunique(), 'model', 'models')}, "
        f"{count(cells['dataset'].nunique(), 'dataset', 'datasets')}, "
        f"{count(cells['variant'].nunique(), 'way', 'ways')} of hiding faces), each over {runs} "
        f"(a run: one seed and split), {spread(cells['n_queries'], 'query', 'queries')} and "
        f"{spread(cells['n_identities'], 'identity', 'identities')}.",
        "",
        f"Differences are in percent points (after - before); "
        f"in brackets intervals at {percent(1 - alpha)}, for equivalence at {percent(1 - 2 * alpha)}, each for its "
        f"comparison alone. *Shown* means p < {alpha:g} after Holm's correction for all comparisons of that section "
        f"and metric, so an interval can leave out 0 where nothing is shown.",
        "",
    ]


def told_lines(told: pd.DataFrame) -> list[str]:
    """Which networks are no published ones, and which recognize hardly anybody: before any verdict about them."""
    lines = []
    trials, barely = told[told["trial"] != ""], told[told["learnt"].str.startswith("barely")]
    if len(trials):
        lines += [
            f"**{TRIAL} A trial, no result.** {len(trials)} of {count(len(told), 'network', 'networks')} are smaller, "
            f"see smaller images, or were trained for less than the published recipe. What is shown of them is "
            f"shown of them alone, not of the published network:",
            "",
            *_by_network(trials, "trial"),
            "",
        ]
    if len(barely):
        lines += [f"**{BARELY} Barely learnt:** {criterion(told['learnt'])}", "", *_by_network(barely, "learnt"), ""]
    reranked = sorted(set(told["model"][told["ranking"].str.endswith(RERANKED)]))
    if reranked:
        lines += [f"Re-ranked, as the tables' rows of that name: {', '.join(reranked)}.", ""]
    return lines


def _by_network(rows: pd.DataFrame, column: str) -> list[str]:
    """A line for all networks of which the same is said."""
    groups = rows.groupby(column, sort=False)
    named = {text: [f"{r.model} ({r.data})" for r in group.itertuples()] for text, group in groups}
    return [f"- {', '.join(names)}: {str(text).removeprefix('barely: ')}" for text, names in named.items()]


def _overall_told(effects: pd.DataFrame, told: pd.DataFrame) -> list[str]:
    barely = told[told["learnt"].str.startswith("barely")]
    if effects.empty or barely.empty:
        return []
    return [
        f"{count(len(barely), 'network has', 'networks have')} barely learnt ({BARELY}): that draws the means towards "
        f"no difference, and with it the tests towards equivalence.",
        "",
    ]


def _cells(cells: pd.DataFrame, alpha: float) -> list[str]:
    lines = []
    for contrast, title in CONTRAST_TITLES.items():
        part = cells[cells["contrast"] == contrast]
        if part.empty:
            continue
        lines += [f"## {title} ({CONTRAST_NAMES[contrast]})", "", scope_sentence(contrast, part["basis"]), ""]
        for metric, name in METRIC_NAMES.items():
            rows = part[part["metric"] == metric]
            if rows.empty:
                continue
            lines += [count_sentence(name, rows), ""]
            margin = points(rows["margin"].iloc[0])
            for verdict, heading in VERDICT_NAMES.items():
                chosen = rows[rows["verdict"] == verdict]
                if len(chosen):
                    lines += [f"{heading.format(m=margin)}:", "", *_listed(chosen), ""]
    return lines


def scope_sentence(contrast: str, basis: Sequence[str] | pd.Series) -> str:
    """About which networks the verdicts of a contrast speak."""
    if contrast == TESTED:
        return (
            "Before and after are the same networks, so these sentences are about the networks trained here and other "
            "people like those in the queries."
        )
    with_training = [b == WITH_TRAINING for b in basis]
    if all(with_training):
        return (
            "Before and after are different trainings; these sentences allow for the luck of training, as measured "
            "between seeds."
        )
    where = "for some of the datasets below" if any(with_training) else "here"
    return (
        f"Before and after are different trainings, and {where} the luck of training is unknown (one seed). Then a "
        f"difference that is shown is one between the networks trained here; that anonymizing caused it is *not* "
        f"shown, and neither is that a new training would stay within the margin."
    )


def count_sentence(name: str, rows: pd.DataFrame) -> str:
    """How many cells show what.

    >>> count_sentence("mAP", pd.DataFrame({"verdict": ["lower", "undecided", "undecided"]}))
    '**mAP**: of 3 comparisons 1 shows a drop, 0 a rise, 0 equivalence without a difference; 2 cannot tell.'
    """
    kinds = rows["verdict"].str.split(",").str[0].value_counts()
    drop, rise, same, open_ = (int(kinds.get(k, 0)) for k in ("lower", "higher", "within the margin", "undecided"))
    if len(rows) == 1:
        outcome = "shows a drop" if drop else "shows a rise" if rise else "shows equivalence" if same else "cannot tell"
        return f"**{name}**: the one comparison {outcome}."
    return (
        f"**{name}**: of {len(rows)} comparisons {drop} {'shows' if drop == 1 else 'show'} a drop, {rise} a rise, "
        f"{same} equivalence without a difference; {open_} cannot tell."
    )


def _listed(rows: pd.DataFrame) -> list[str]:
    lines = []
    for (dataset, variant), group in rows.groupby(["dataset", "variant"], sort=True):
        cells = ", ".join(f"{row.model} {decided(row)}" for row in group.itertuples())
        lines.append(f"- {dataset}, {variant}: {cells}")
    return lines


def _noise(cells: pd.DataFrame, noise: pd.DataFrame, alpha: float) -> list[str]:
    lines = ["## The noise floor", ""]
    together = noise[noise["dataset"] == ALL]
    if not (together["df"] > 0).any():
        return [
            *lines,
            "Unknown: no network was trained twice on the same images with different seeds. How much two trainings "
            "differ by chance is not measured, so no difference between two trainings can be put down to anonymizing. "
            "Set at least two seeds, better five (`seeds: [0, 1, 2, 3, 4]` in the config), and run again.",
            "",
        ]
    for row in noise[noise["dataset"] != ALL].itertuples():
        name = METRIC_NAMES[row.metric]
        if not row.df > 0:
            lines.append(f"- {row.dataset}, {name}: unknown, one seed only.")
            continue
        if row.max_abs == 0:
            lines.append(
                f"- {row.dataset}, {name}: {count(row.n_pairs, 'pair', 'pairs')} of trainings that differ in the seed "
                f"alone scored exactly the same, so the floor is 0. Scores at their limit (0 or 100 %), networks that "
                f"learnt nothing or a seed without effect look like this too. "
                f"{above_floor_sentence(cells, row.dataset, row.metric, row.floor)}"
            )
            continue
        lines.append(
            f"- {row.dataset}, {name}: two trainings that differ in the seed alone differ by {row.mean_abs:.2f} points "
            f"on average, at most by {row.max_abs:.2f} ({count(row.n_pairs, 'pair', 'pairs')}, {row.df} degrees of "
            f"freedom). Two single trainings must differ by more than {row.floor:.2f} points for that to be more than "
            f"chance. {above_floor_sentence(cells, row.dataset, row.metric, row.floor)}"
        )
    lines.append("")
    for row in together.itertuples():
        lines += [aa_sentence(METRIC_NAMES[row.metric], int(row.aa_tests), int(row.aa_rejected), alpha), ""]
    return lines


def above_floor_sentence(cells: pd.DataFrame, dataset: str, metric: str, floor: float) -> str:
    """How the differences between trainings compare with the floor, which shrinks by sqrt(n) over n runs."""
    retrained = (cells["contrast"] == RETRAINED) & (cells["dataset"] == dataset) & (cells["metric"] == metric)
    rows = cells[retrained]
    if rows.empty:
        return "No network was trained on anonymized images to compare with it."
    floors = floor / rows["n_runs"] ** 0.5
    above = int((rows["difference"].abs() > floors).sum())
    runs = (
        f" (means over {spread(rows['n_runs'], 'run', 'runs')}: floor {floors.max():.2f})"
        if (rows["n_runs"] > 1).any()
        else ""
    )
    return (
        f"Of {count(len(rows), 'difference', 'differences')} between networks trained on anonymized and on original "
        f"images {above} {'is' if above == 1 else 'are'} above it{runs}."
    )


def aa_sentence(name: str, tests: int, rejected: int, alpha: float) -> str:
    """What the A/A test says about the bootstrap over identities."""
    if tests == 0:
        return f"{name}: no two seeds trained on original images, so there is no A/A test."
    start = (
        f"{name}, A/A test: the bootstrap over identities alone calls {rejected} of "
        f"{count(tests, 'comparison', 'comparisons')} of original with original, other seed, different at "
        f"p < {alpha:g}; about {percent(alpha)} are expected by chance."
    )
    too_many = float(stats.binom.sf(rejected - 1, tests, alpha))
    if rejected and too_many < 0.05:
        return f"{start} That is too many: it takes the luck of training for an effect."
    return (
        f"{start} That is not too many, which so few comparisons could hide." if tests < 60 else f"{start} That fits."
    )


def _faces(faces: pd.DataFrame, alpha: float) -> list[str]:
    if faces.empty:
        return []
    lines = [
        "## Who pays: visible faces",
        "",
        "A face counts as visible where the detector found one in the original query. All models together; mAP.",
        "",
    ]
    rows = faces[faces["summary"] & (faces["metric"] == "map")]
    if (rows["contrast"] == RETRAINED).any():
        lines += [
            f"The intervals are over queries. In {CONTRAST_NAMES[RETRAINED]} they leave out the luck of training, "
            f"so what is shown there is so for the networks trained here.",
            "",
        ]
    for (contrast, dataset, variant), group in rows.groupby(["contrast", "dataset", "variant"], sort=False):
        sentences = face_sentences(group.set_index("group"), alpha)
        lines.append(f"- {dataset}, {variant}, {CONTRAST_NAMES[str(contrast)]}: {sentences}")
    return [*lines, ""]


def face_sentences(rows: pd.DataFrame, alpha: float) -> str:
    """What the rows of one cell, indexed by `group`, say about faces."""
    parts = []
    for group, words in (("face", "with a face"), ("no face", "without")):
        row = rows.loc[group]
        size = count(int(row["n_queries"]), "query", "queries")
        value = "no estimate" if math.isnan(row["estimate"]) else _row_estimate(row)
        parts.append(f"{size} {words}: {value}")
    text = "; ".join(parts) + ". "
    text += _shown(
        rows.loc["face minus no face"], alpha,
        "Those with a face lose more (or gain less): shown",
        "Those with a face lose less (or gain more): shown",
        "That the two groups differ is not shown",
        "The two groups cannot be compared",
    )  # fmt: skip
    text += " " + _shown(
        rows.loc["slope per 10 px"], alpha,
        "Larger faces lose more: shown, points per 10 px of height",
        "Larger faces lose less: shown, points per 10 px of height",
        "A trend over the face's height is not shown",
        "A trend over the face's height cannot be computed",
    )  # fmt: skip
    return text


def _shown(row: pd.Series, alpha: float, below: str, above: str, neither: str, unknown: str) -> str:
    if math.isnan(row["p_holm"]):
        return f"{unknown}."
    words = neither if row["p_holm"] >= alpha else below if row["estimate"] < 0 else above
    return f"{words} ({_row_estimate(row)})."


def _caveats(cells: pd.DataFrame, noise: pd.DataFrame, label: str) -> list[str]:
    lines = ["## What to keep in mind", ""]
    if "rendered" in label:
        lines.append("- Rendered people are no evidence about real ones: these numbers check the pipeline.")
    seeds_known = (noise[noise["dataset"] == ALL]["df"] > 0).any()
    if not seeds_known:
        lines.append("- One seed: all of it is about the networks that happened to be trained.")
    if (cells["n_identities"] < 30).any():
        least = int(cells["n_identities"].min())
        lines.append(f"- Few people: {least} identities in the smallest comparison; intervals from so few are rough.")
    excluded = int(cells[cells["metric"] == cells["metric"].iloc[0]]["n_excluded"].sum())
    if excluded:
        lines.append(f"- {excluded} scores of queries without a match in the gallery are left out.")
    lines += [
        "- Comparisons share queries, networks and baselines. Holm's correction allows for that; the test over pairs "
        "of model and dataset does not, which is why datasets and models are tried as observations too.",
        "- Equivalence is shown for the mean over queries. Single people can lose far more.",
        "- The margin is a choice of the config, not a fact: set it before looking at the numbers.",
        "- Nothing here measures privacy.",
    ]
    return [*lines, ""]


def _row_estimate(row: pd.Series) -> str:
    return estimate(row["estimate"], row["low"], row["high"])
