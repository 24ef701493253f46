"""`rows: ranking`: does an anonymized test set put models in the same order as the original does?

    model_ranking:
      study: privacy
      rows: ranking
      dataset: market1501-rendered
      models: [pcb, mlfn, bot]       # three or more
      variants: [blur, zero]

A row a way of hiding, below the original: Kendall's tau-b between the two rankings of the models by mAP, and the pairs
of models that change places. All networks were trained on originals; queries and gallery are hidden in the same way.

The interval is of a bootstrap over people: the same resampled people rank the models on the original and on the copy.
It is the plain percentile interval, since tau takes few values. Resampling adds noise to both rankings, so that its
lower end is rather too low. Row `original` has what to compare it with: tau between the ranking by all people and that
by resampled ones, both on originals.

Beside it lies `.runs.csv`: every pair of models, how far apart they are, and how often resampled people let them
change places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anonbench.core.errors import ConfigError, DataError
from anonbench.data import paths
from anonbench.data.results import Metrics, read_frame
from anonbench.data.variants import ORIGINAL
from anonbench.report.cells import cell_of
from anonbench.report.layout import DASH
from anonbench.report.tables import Table
from anonbench.statistics.bootstrap import cluster_sums, resampled_totals
from anonbench.statistics.ranks import pair_signs, tau_b
from anonbench.studies.kinds import Entry, Files, Source
from anonbench.studies.privacy.kinds import KINDS
from anonbench.studies.privacy.kinds._common import rows_of
from anonbench.studies.privacy.kinds._networks import HEADINGS, TESTED, check_networks
from anonbench.studies.tables import NAMES, metrics_of, note_on, read_results

Floats = NDArray[np.float64]

QUERY = ("path", "pid", "ap")
LEAST = 3  # models: an order of two is one comparison
STEPS = (
    "tau is Kendall's tau-b between the orders of {models} models by mAP: 1 the same order, -1 the opposite one. There "
    "are {pairs} pairs, and each that changes places takes 2/{pairs} = {step:.2f} from tau: it moves in such steps "
    "and says nothing finer."
)
INTERVAL = (
    "Intervals at {level:.0%} by a bootstrap over people. In the row of the original it is between all people and "
    "resampled ones: what another choice of people alone does to the order."
)


@KINDS.register("ranking")
class Ranking:
    key, whole = ("variant",), ""

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        check_networks(config, entry, where, {"models": NAMES})
        if len(entry["models"]) < LEAST:
            raise ConfigError(f"{where}.models: {len(entry['models'])} of them; expected {LEAST} or more to be ranked")

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        return [entry["dataset"]]

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {"metrics": []}
        for variant in rows_of(entry):
            for model in entry["models"]:
                files = metrics_of(config, TESTED.of(entry["dataset"], model, variant=variant))
                found["metrics"] += files
                found[f"queries {variant} {model}"] = [paths.queries(file) for file in files]
        return found

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        return {**entry, "statistics": config["privacy_statistics"]}

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        results, models, chosen = read_results(files), spec["models"], spec["statistics"]
        queries = {
            (variant, model): [_queries(file) for file in files[f"queries {variant} {model}"]]
            for variant in rows_of(spec)
            for model in models
        }
        _demand_same_queries(queries)
        scores = resampled_scores(queries, models, chosen["resamples"])
        people = {pid for runs in queries.values() for run in runs for pid in run["pid"]}
        rows = [_row(v, models, scores, chosen["confidence"], len(people)) for v in scores]
        conditions = [{m: TESTED.of(spec["dataset"], m, variant=v) for m in models} for v in scores]
        maps = pd.DataFrame(
            [{f"map_{m}": cell_of(results, "map", c).mean for m, c in row.items()} for row in conditions]
        )
        frame = pd.concat([pd.DataFrame(rows), maps], axis=1)
        pairs = len(models) * (len(models) - 1) // 2
        return Table(
            frame,
            f"{name}: are models of {spec['dataset']} ranked alike where people are hidden?",
            [
                STEPS.format(models=len(models), pairs=pairs, step=2 / pairs),
                INTERVAL.format(level=chosen["confidence"]),
                *_reranked(results),
                note_on(results, label),
            ],
            self.key,
            HEADINGS,
            shown=pd.concat([_shown(frame), maps], axis=1),
            runs=_pairs(models, scores),
        )

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        return {
            variant: {
                f"map_{model}": Source(TESTED.of(entry["dataset"], model, variant=variant), "map")
                for model in entry["models"]
            }
            for variant in rows_of(entry)
        }


def _reranked(results: Sequence[Metrics]) -> list[str]:
    """Which models are re-ranked and which are not, where both are compared."""
    models = {str(m["model"]): "reranking" in m for m in results}
    named = [model for model, reranked in models.items() if reranked]
    return [f"Re-ranked, while the others are not: {', '.join(named)}."] if 0 < len(named) < len(models) else []


def resampled_scores(
    queries: Mapping[tuple[str, str], Sequence[pd.DataFrame]], models: Sequence[str], resamples: int
) -> dict[str, Floats]:
    """mAP of every model by variant: (1 + resamples, models) in 0..1; the first row is of all people.

    queries: (variant, model) -> the queries of each run, with `pid` and `ap`.
    A score is the mean over the runs. NaN where no query of a run is drawn.
    """
    every = [(pair, run) for pair, runs in queries.items() for run in runs]
    people = np.unique(np.concatenate([run["pid"].to_numpy() for _, run in every]))
    sums = np.concatenate([_sums(run, people) for _, run in every], axis=1)  # (people, 2 per run)
    totals = np.concatenate([sums.sum(axis=0)[None], resampled_totals(sums, resamples=resamples)])
    with np.errstate(invalid="ignore"):
        of_runs = totals[:, ::2] / totals[:, 1::2]  # (1 + resamples, runs of all pairs)
    scores = {pair: of_runs[:, [n for n, (of, _) in enumerate(every) if of == pair]].mean(axis=1) for pair in queries}
    variants = dict.fromkeys(variant for variant, _ in queries)
    return {variant: np.stack([scores[variant, model] for model in models], axis=1) for variant in variants}


def _sums(run: pd.DataFrame, people: NDArray[Any]) -> Floats:
    """Sum of average precisions and number of queries of each person, (people, 2)."""
    ap = run["ap"].to_numpy(np.float64)
    return cluster_sums(np.stack([ap, np.ones_like(ap)], axis=1), np.searchsorted(people, run["pid"]), len(people))


def _queries(path: Path) -> pd.DataFrame:
    return read_frame(path, QUERY).dropna(subset=["ap"]).sort_values("path", ignore_index=True)


def _demand_same_queries(queries: Mapping[tuple[str, str], Sequence[pd.DataFrame]]) -> None:
    """Raise `DataError` where a copy was tested with other queries than the original."""
    for (variant, model), runs in queries.items():
        for before, after in zip(queries[ORIGINAL, model], runs, strict=True):
            if list(before["path"]) != list(after["path"]):
                raise DataError(
                    f"{model}: {len(after)} queries of '{variant}' and {len(before)} of '{ORIGINAL}' are not the same; "
                    f"expected the same in all runs. Evaluate both again."
                )


def _row(
    variant: str, models: Sequence[str], scores: Mapping[str, Floats], level: float, people: int
) -> dict[str, Any]:
    before, after = scores[ORIGINAL], scores[variant]
    taus = tau_b(before[:1] if variant == ORIGINAL else before, after)
    low, high = np.nanquantile(taus[1:], [(1 - level) / 2, (1 + level) / 2])
    swapped = _swapped(before, after)[0]
    named = [pair for pair, changed in zip(_ordered_pairs(models, before[0]), swapped, strict=True) if changed]
    return {
        "variant": variant,
        "tau": round(float(taus[0]), 3),
        "tau_low": round(float(low), 3),
        "tau_high": round(float(high), 3),
        "pairs": len(swapped),
        "swapped": len(named),
        "swaps": ", ".join(f"{worse} above {better}" for better, worse in named),
        "people": people,
    }


def _swapped(before: Floats, after: Floats) -> NDArray[np.bool_]:
    """Which pairs change places: (m, models) twice -> (m, pairs). A tie on either side is no change."""
    return pair_signs(before) * pair_signs(after) < 0


def _ordered_pairs(models: Sequence[str], scores: Floats) -> list[tuple[str, str]]:
    """The pairs of `pair_signs`, the better one on the original first."""
    return [
        (models[i], models[j]) if scores[i] >= scores[j] else (models[j], models[i])
        for i, j in combinations(range(len(models)), 2)
    ]


def _pairs(models: Sequence[str], scores: Mapping[str, Floats]) -> pd.DataFrame:
    """Every pair of models on every copy; points of mAP by which the one that is better on the original is ahead."""
    before, rows = scores[ORIGINAL], []
    for variant in (v for v in scores if v != ORIGINAL):
        swapped = _swapped(before, scores[variant])
        for n, (better, worse) in enumerate(_ordered_pairs(models, before[0])):
            a, b = models.index(better), models.index(worse)
            rows.append(
                {
                    "variant": variant,
                    "better": better,
                    "worse": worse,
                    "ahead_original": round(100 * float(before[0, a] - before[0, b]), 2),
                    "ahead_variant": round(100 * float(scores[variant][0, a] - scores[variant][0, b]), 2),
                    "swapped": bool(swapped[0, n]),
                    "swapped_resampled": round(float(swapped[1:, n].mean()), 3),
                }
            )
    return pd.DataFrame(rows)


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    lines = []
    for row in frame.to_dict("records"):
        tau = f"{row['tau']:.2f} [{row['tau_low']:.2f}, {row['tau_high']:.2f}]"
        lines.append({"variant": row["variant"], "tau": tau, "change places": row["swaps"] or DASH})
    return pd.DataFrame(lines)
