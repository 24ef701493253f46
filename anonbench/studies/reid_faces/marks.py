"""What a reader must know of a network before its numbers: whether it is the published one, and whether it learnt.

Marks in tables and on the page of statistics:

- *trial* (†): fewer epochs, a smaller network, a smaller input or no ImageNet weights, where the published recipe of
  the architecture has more (config/published/reid_faces/networks.csv). Its numbers try the pipeline.
- *barely learnt* (‡): rank-1 on original images is not shown to be a tenth of the way from that of the same network
  untrained to 100 %. Nothing can be lost by anonymizing where nothing is recognized: "equivalence" says little there.
  Where no untrained network was evaluated, a random order of the gallery stands for it, which is easier to beat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from anonbench.data.results import Metrics, read_frame, read_metrics
from anonbench.data.variants import ORIGINAL, UNTRAINED
from anonbench.tasks.reid.columns import QUERY_COLUMNS
from anonbench.tasks.reid.scores import pair_runs, read_scores
from anonbench.tasks.reid.settings import Condition, Setting

TRIAL, BARELY = "†", "‡"
GAIN = 10.0  # percent of what the untrained network leaves to 100 %
LEVEL = 0.95  # of the interval over people
COLUMNS = ("ranking", "trial", "learnt")
"""What tables say of a network beside its scores: texts, "" where there is nothing to say."""
TRAINED = Setting("trained", train=ORIGINAL, query=ORIGINAL, gallery=ORIGINAL)
WITHOUT = Setting("untrained", train=UNTRAINED, query=ORIGINAL, gallery=ORIGINAL)
DEFAULT_EPOCHS = 100
RERANKED, PLAIN = "re-ranked", "not re-ranked"


@dataclass(frozen=True, slots=True)
class Learning:
    """How far a network has come.

    rank1, before: rank-1 trained and untrained (or by chance), percent, means over the runs.
    against: `untrained` or `chance`.
    low: lower end of the interval of the gain beyond a tenth of the way, percent points.
    """

    rank1: float
    before: float
    against: str
    low: float

    @property
    def barely(self) -> bool:
        return not self.low > 0

    def __str__(self) -> str:
        """
        >>> str(Learning(8.75, 2.5, "untrained", -7.2))
        'barely: rank-1 8.8 %, untrained 2.5 %'
        """
        return f"{'barely' if self.barely else 'yes'}: rank-1 {self.rank1:.1f} %, {self.against} {self.before:.1f} %"


def networks(config: Mapping[str, Any], models: Sequence[str]) -> dict[str, dict[str, Any]]:
    """model -> what its config entry says of size, budget and ranking, for a table's `spec`."""
    found = {}
    for model in models:
        entry = config["models"][model]
        kept = {key: value for key, value in entry.items() if key not in ("recipe", "seeds", "gpus")}
        found[model] = {**kept, "epochs": config["recipes"][entry["recipe"]].get("epochs", DEFAULT_EPOCHS)}
    return found


def trial(network: Mapping[str, Any], published: pd.DataFrame) -> str:
    """In what a network falls short of the published one of its architecture; "" where in nothing, or none is known.

    network: of `networks`.
    published: the file of published recipes.
    """
    known = published[published["method"] == network["method"]]
    if known.empty:
        return ""
    row = known.iloc[0]
    parts = [f"{network['epochs']} of {row['epochs']} epochs"] if network["epochs"] < int(row["epochs"]) else []
    size = _numbers(row["value"])
    for key, wanted, join in ((row["size"], size, "-"), ("input", _numbers(row["input"]), " x ")):
        if key in network and _smaller(_list(network[key]), wanted):
            parts.append(f"{key} {_joined(network[key], join)}, not {_joined(wanted, join)}")
    if int(row["pretrained"]) and not network.get("pretrained", True):
        parts.append("no ImageNet weights")
    return "; ".join(parts)


def learning(metrics: Sequence[Path], untrained: Sequence[Path], dataset: str, model: str) -> Learning:
    """How far a model has come on a dataset, over all runs.

    metrics: files that hold those of the trained network on original images.
    untrained: of untrained networks; none of this model: chance takes their place.
    """
    from anonbench.statistics.bootstrap import bootstrap_mean_difference

    trained = TRAINED.of(dataset, model)
    files = _of(metrics, trained)
    after = read_scores(files)[trained]
    start = WITHOUT.of(dataset, model)
    if found := _of(untrained, start):
        before, against = read_scores(found)[start], "untrained"
    else:
        before, against = {run: _by_chance(path) for path in files for run in read_scores([path])[trained]}, "chance"
    pairs = pair_runs(before, after, (start, trained)).table
    gain = pairs["rank1_after"] - pairs["rank1_before"] - GAIN * (100 - pairs["rank1_before"]) / 100
    low = bootstrap_mean_difference(gain, pairs["pid"]).interval(LEVEL)[0]
    return Learning(float(pairs["rank1_after"].mean()), float(pairs["rank1_before"].mean()), against, low)


def read_told(tables: Sequence[Path]) -> pd.DataFrame:
    """What tables say of their networks: columns data, model and `COLUMNS`, a row a network."""
    columns = ["data", "model", *COLUMNS]
    frames = [read_frame(path, columns)[columns].fillna("") for path in tables]
    told = pd.concat([pd.DataFrame(columns=columns), *frames], ignore_index=True)
    return told.drop_duplicates(["data", "model"], ignore_index=True)


def marked(name: str, row: Mapping[str, Any]) -> str:
    """A row's name with its marks.

    row: a table's row, perhaps with the fields `COLUMNS`.
    """
    told = [TRIAL] if row.get("trial") else []
    return " ".join([name, *told, *([BARELY] if str(row.get("learnt")).startswith("barely") else [])])


def ranking(evaluation: Mapping[str, Any]) -> str:
    """How features are compared, in words: `euclidean`, `cosine, re-ranked`."""
    metric = str(evaluation.get("metric", "euclidean"))
    return f"{metric}, {RERANKED}" if evaluation.get("rerank") else metric


def without_reranking(results: Sequence[Metrics]) -> list[dict[str, Any]]:
    """The metrics of those that are re-ranked, as the same features give them in plain order."""
    return [{**m, **m["reranking"]["without"]} for m in results if "reranking" in m]


def reranking_notes(results: Sequence[Metrics]) -> list[str]:
    """What must be said below a table of which rows are re-ranked: how, of whom, and whether it can do harm."""
    notes = []
    for model in sorted({str(m["model"]) for m in results if "reranking" in m}):
        of_model = [m for m in results if m["model"] == model and "reranking" in m]
        how, fewest = of_model[0]["evaluation"]["rerank"], min(m["reranking"]["matches"] for m in of_model)
        k1, published = how.get("k1", 20), " The published BoT is re-ranked." if model == "bot" else ""
        notes.append(
            f"{model} is re-ranked (k-reciprocal, {', '.join(f'{key} {value}' for key, value in how.items())}); "
            f"'{PLAIN}': the same features in plain order.{published}"
        )
        if fewest < k1 / 2:
            notes.append(
                f"**Re-ranking may do harm here.** A query has {fewest:g} matches in the gallery (median), fewer than "
                f"half of k1 = {k1}: most of the neighbours that it takes for the same person are others."
            )
    return notes


def mark_notes(rows: pd.DataFrame) -> list[str]:
    """What the marks in a table mean, of those that are there."""
    notes = []
    if (rows["trial"] != "").any():
        notes.append(
            f"{TRIAL} A trial, no result: fewer epochs, a smaller network or input, or no ImageNet weights where the "
            f"published recipe has them. The column `trial` of the CSV says which."
        )
    if rows["learnt"].str.startswith("barely").any():
        notes.append(f"{BARELY} Barely learnt: {criterion(rows['learnt'])}")
    return notes


def criterion(learnt: pd.Series) -> str:
    """What "barely learnt" means for rows of which some are."""
    chance = learnt[learnt.str.startswith("barely")].str.contains("chance").any()
    other = " (of a random order, where no untrained network was evaluated)" if chance else ""
    return (
        f"rank-1 on original images is not shown to be a tenth of the way from that of the untrained network{other} "
        f"to 100 % ({100 * LEVEL:g} % interval over people). Where nobody is recognized nothing can be lost."
    )


def _of(files: Sequence[Path], condition: Condition) -> list[Path]:
    wanted = condition.labels
    found = []
    for path in files:
        metrics = read_metrics(path)
        if all(metrics.get(key) == value for key, value in wanted.items()):
            found.append(path)
    return found


def _by_chance(path: Path) -> pd.DataFrame:
    """What a random order of the gallery would score in an evaluation, query by query, as `read_scores` gives it.

    Images that a query ignores are counted with the rest, which makes it a little easier to beat.
    """
    queries = read_frame(path.with_name(f"{path.stem}.queries.csv"), QUERY_COLUMNS)
    share = 100 * queries["matches"] / read_metrics(path, ("n_gallery",))["n_gallery"]
    share = share.where(queries["ap"].notna(), np.nan)
    return pd.DataFrame({"path": queries["path"], "pid": queries["pid"], "map": share, "rank1": share})


def _numbers(text: object) -> list[int]:
    return [int(word) for word in str(text).split()]


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _smaller(found: Sequence[float], wanted: Sequence[float]) -> bool:
    """Whether a size, a list of numbers, is less than another in sum, or in number."""
    if len(found) != len(wanted):
        return len(found) < len(wanted)
    return sum(found) < sum(wanted)


def _joined(value: Any, join: str) -> str:
    return join.join(map(str, _list(value)))
