"""What the metrics allow one to conclude: cells, noise floor, faces, overall effects, published tables, one page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from anonbench.core.errors import DataError
from anonbench.core.files import write_text
from anonbench.data.results import read_frame, read_metrics
from anonbench.data.tables import read_detections
from anonbench.datasets import cuhk03, dukemtmcreid, market1501, viper
from anonbench.stages.evaluate import QUERY_COLUMNS
from anonbench.statistics.bootstrap import RESAMPLES, bootstrap_mean_difference
from anonbench.statistics.multiple import holm
from anonbench.statistics.noise import noise_floor as pooled_noise
from anonbench.studies.reid_faces.cells import COLUMNS as CELL_COLUMNS
from anonbench.studies.reid_faces.cells import cell_table, training_scores
from anonbench.studies.reid_faces.contradictions import Sizes, contradictions
from anonbench.studies.reid_faces.face_groups import BINS_PX, face_height, face_table
from anonbench.studies.reid_faces.face_groups import COLUMNS as FACE_COLUMNS
from anonbench.studies.reid_faces.overall import COLUMNS as EFFECT_COLUMNS
from anonbench.studies.reid_faces.overall import effect_table
from anonbench.studies.reid_faces.paired import COLUMNS as SCORE_COLUMNS
from anonbench.studies.reid_faces.pairing import METRICS, Run, Setting, contrast_settings, pair_runs
from anonbench.studies.reid_faces.statistics_page import published_page, statistics_page

Scores = dict[Setting, dict[Run, pd.DataFrame]]

LABELS = ("dataset", "model", "seed", "train", "query", "gallery", *METRICS)
NOISE_COLUMNS = (
    "dataset", "metric", "n_cells", "n_trainings", "df", "sd", "floor", "n_pairs", "mean_abs", "max_abs",
    "aa_tests", "aa_rejected",
)  # fmt: skip
FACE_KEY = ("dataset", "model", "variant", "contrast", "metric")
ALL = "all"
# The sizes that the adapters check a download against; Airport's split is nobody's protocol.
PROTOCOLS: dict[str, Sizes] = {
    dataset: {name: splits[name].images for name in ("query", "gallery")}
    for dataset, splits in {
        "market1501": market1501.PUBLISHED,
        "dukemtmcreid": dukemtmcreid.PUBLISHED,
        "viper": viper.PUBLISHED,
        "cuhk03": cuhk03.PUBLISHED["detected"],
    }.items()
}


def cells(
    metrics: Sequence[Path], margin: float, output: Path, alpha: float = 0.05, resamples: int = RESAMPLES, seed: int = 0
) -> None:
    """Write every cell's difference with its interval, p-values and verdict (columns: `statistics.cells.COLUMNS`).

    metrics: files of `evaluate`; each one's per-query results lie beside it as `<stem>.queries.csv`. Settings that are
    no contrast (untrained networks, queries and gallery from different variants) are left aside.
    margin: of equivalence in percent points. seed: of the resampling.
    """
    table = cell_table(read_scores(metrics), margin=margin, alpha=alpha, resamples=resamples, seed=seed)
    write_text(output, _csv(table))
    print(f"cells: {len(table)} rows; " + ", ".join(f"{n} {v}" for v, n in table["verdict"].value_counts().items()))


def noise_floor(
    metrics: Sequence[Path], output: Path, alpha: float = 0.05, resamples: int = RESAMPLES, seed: int = 0
) -> None:
    """Write how far trainings differ that differ in the seed alone, by dataset and over all (`NOISE_COLUMNS`).

    aa_tests, aa_rejected: the cells' own test applied to original→original of two seeds, every pair of seeds of every
    model: how many tests, and how many with p < alpha (two-sided, not adjusted). More than alpha of them show what
    the bootstrap over identities does not know: the luck of training.
    """
    scores = read_scores(metrics)
    rows = []
    for metric in METRICS:
        found = {d: _seed_tests(scores, d, metric, alpha, resamples, seed) for d in sorted({s.dataset for s in scores})}
        for dataset in (*found, ALL):
            groups = training_scores(scores, metric, None if dataset == ALL else dataset)
            floor = pooled_noise(groups.values(), 1 - alpha)
            outcomes = [p for d, ps in found.items() if dataset in (d, ALL) for p in ps]
            rows.append([
                dataset, metric, floor.n_cells, floor.n_trainings, floor.df, floor.sd, floor.floor, floor.n_pairs,
                floor.mean_abs, floor.max_abs, len(outcomes), sum(p < alpha for p in outcomes),
            ])  # fmt: skip
    table = pd.DataFrame(rows, columns=list(NOISE_COLUMNS))
    write_text(output, _csv(table))
    print(table.to_string(index=False))


def faces(
    metrics: Sequence[Path],
    spec: Sequence[Mapping[str, str]],
    output: Path,
    bins_px: Sequence[float] = BINS_PX,
    alpha: float = 0.05,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> None:
    """Write every cell's difference by the query's face: with and without, and by its height in pixels.

    spec: `[{dataset, variant, detections}]`: which detections (of the original images) to take for the cells of a
    dataset and variant. Cells without an entry are an error. Columns: `FACE_KEY`, then `statistics.faces.COLUMNS`.
    For each dataset, variant and contrast rows of model `all` follow, over the queries of all its models. `summary`
    marks them, or those of the only model. p_holm: p adjusted over the rows of one group, contrast and metric, the
    summaries among themselves.
    """
    scores = read_scores(metrics)
    files = {(entry["dataset"], entry["variant"]): Path(entry["detections"]) for entry in spec}
    heights = {path: _face_heights(path) for path in sorted(set(files.values()))}
    groups: dict[tuple[str, str, str], dict[str, pd.DataFrame]] = {}
    for setting in sorted(scores):
        found = contrast_settings(setting)
        if found is None:
            continue
        contrast, baseline = found
        if (setting.dataset, setting.test) not in files:
            raise DataError(f"face sizes: {setting}: the spec names no detections for it; name those of its variant.")
        if baseline not in scores:
            raise DataError(f"{setting}: there are no metrics of {baseline} to compare it with. Evaluate that too.")
        pairs = pair_runs(scores[baseline], scores[setting], (baseline, setting)).table
        groups.setdefault((setting.dataset, setting.test, contrast), {})[setting.model] = pairs
    tables = []
    for (dataset, variant, contrast), models in groups.items():
        together = {ALL: pd.concat(models.values())} if len(models) > 1 else {}
        for model, pairs in {**models, **together}.items():
            for metric in METRICS:
                d = pairs[["path", "pid"]].assign(difference=pairs[f"{metric}_after"] - pairs[f"{metric}_before"])
                table = face_table(
                    d,
                    heights[files[dataset, variant]],
                    bins_px=bins_px,
                    level=1 - alpha,
                    resamples=resamples,
                    seed=seed,
                )
                names = dict(zip(FACE_KEY, (dataset, model, variant, contrast, metric), strict=True))
                tables.append(table.assign(**names, summary=model == ALL or len(models) == 1))
    if not tables:
        raise DataError("statistics: none of the metrics is of an anonymized test set; nothing can be compared.")
    result = pd.concat(tables, ignore_index=True)
    family = [result[c] for c in ("group", "contrast", "metric", "summary")]
    result["p_holm"] = result["p"].groupby(family).transform(lambda p: holm(p.to_numpy()))
    result = result[[*FACE_KEY, "summary", *FACE_COLUMNS[:-1], "p_holm", FACE_COLUMNS[-1]]]
    write_text(output, _csv(result))
    print(f"faces: {len(result)} rows of {len(tables)} cells")


def effects(tables: Sequence[Path], margin: float, output: Path, alpha: float = 0.05) -> None:
    """Write the overall effects over the (model, dataset) pairs of tables with a row per model.

    tables: as for `ttest`, with the columns of `statistics.paired.COLUMNS`. Columns: `statistics.overall.COLUMNS`.
    """
    table = effect_table(pd.concat([read_frame(path, SCORE_COLUMNS) for path in tables]), margin, alpha)
    write_text(output, _csv(table))
    print(table[["metric", "after", "unit", "n", "difference", "low", "high", "dz", "tost_p"]].to_string(index=False))


def published(folder: Path, margin: float, output: Path, readable: Path, alpha: float = 0.05) -> None:
    """Write what the paper's own printed numbers say, recomputed, and where they contradict each other.

    folder: with table2.csv to table7.csv and text.csv (`config/published`).
    output: the checks (columns: `statistics.contradictions.COLUMNS`). readable: them in words, with the overall tests.
    """
    scores = pd.concat([read_frame(folder / f"table{n}.csv", SCORE_COLUMNS) for n in range(3, 8)], ignore_index=True)
    checks = contradictions(
        scores,
        read_frame(folder / "text.csv", ("metric", "setting", "mean", "source")),
        read_frame(folder / "table2.csv", ("data", "gallery_images", "query_images")),
        PROTOCOLS,
    )
    outliers = checks[(checks["check"] == "outlier") & checks["flagged"]]
    named = {tuple(subject.split(", ")[:2]) for subject in outliers["subject"]}
    kept = scores[[pair not in named for pair in zip(scores["data"], scores["model"], strict=True)]]
    text = published_page(checks, effect_table(scores, margin, alpha), effect_table(kept, margin, alpha), alpha)
    write_text(output, _csv(checks))
    write_text(readable, text)
    print(text)


def page(cells: Path, noise: Path, faces: Path, effects: Path, label: str, output: Path, alpha: float = 0.05) -> None:
    """Write one page in plain words on what the numbers allow one to conclude.

    cells, noise, faces, effects: what the stages above wrote. label: what the data is, in words. alpha: as there.
    """
    text = statistics_page(
        read_frame(cells, CELL_COLUMNS), read_frame(noise, NOISE_COLUMNS), read_frame(faces, FACE_COLUMNS),
        read_frame(effects, EFFECT_COLUMNS), label=label, alpha=alpha,
    )  # fmt: skip
    write_text(output, text)
    print(text)


def read_scores(metrics: Sequence[Path]) -> Scores:
    """Per-query scores of all settings whose queries and gallery are of one variant, by setting and run.

    Raises `DataError` for files that cannot be read, that contradict their per-query results, or name one run twice.
    """
    scores: Scores = {}
    for path in sorted(metrics):
        labels = read_metrics(path, LABELS)
        if labels["query"] != labels["gallery"]:
            continue
        setting = Setting(labels["dataset"], labels["model"], labels["train"], labels["query"])
        run = (labels.get("split"), labels["seed"])
        if run in scores.setdefault(setting, {}):
            raise DataError(f"{path}: {setting}, seed {run[1]} has been read from another file already. Pass it once.")
        scores[setting][run] = _read_queries(path.with_name(f"{path.stem}.queries.csv"), labels)
    return scores


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, float_format="%.6g")


def _read_queries(path: Path, labels: Mapping[str, Any]) -> pd.DataFrame:
    """Columns path, pid, map, rank1, in percent. Their means must be those of the metrics file."""
    frame = read_frame(path, QUERY_COLUMNS)
    if frame["path"].duplicated().any():
        raise DataError(f"{path}: {frame['path'][frame['path'].duplicated()].iloc[0]} is listed twice.")
    valid = frame["ap"].notna()
    scores = pd.DataFrame({
        "path": frame["path"],
        "pid": frame["pid"],
        "map": 100 * frame["ap"],
        "rank1": np.where(valid, 100.0 * (frame["first_match_rank"] == 1), math.nan),
    })  # fmt: skip
    for metric in METRICS:
        found = float(scores[metric].mean())
        if not abs(found - 100 * labels[metric]) < 1e-3:
            raise DataError(
                f"{path}: its mean {metric} is {found:.4f} %, that of the metrics beside it "
                f"{100 * labels[metric]:.4f} %; they are not of one evaluation. Delete both and evaluate again."
            )
    return scores


def _seed_tests(scores: Scores, dataset: str, metric: str, alpha: float, resamples: int, seed: int) -> list[float]:
    """The A/A test: p of original→original of one seed against another, each pair of seeds of each model and split."""
    p_values = []
    for setting in sorted(scores):
        if setting.dataset != dataset or (setting.train, setting.test) != ("original", "original"):
            continue
        runs = scores[setting]
        for one, other in combinations(sorted(runs, key=str), 2):
            if one[0] != other[0]:
                continue
            # Under one name for both, so that the pairing takes them as the same run.
            pairs = pair_runs({one: runs[one]}, {one: runs[other]}, (setting, setting)).table
            d = (pairs[f"{metric}_after"] - pairs[f"{metric}_before"]).to_numpy()
            bootstrap = bootstrap_mean_difference(d, pairs["pid"].to_numpy(), resamples=resamples, seed=seed)
            p_values.append(bootstrap.p_two_sided())
    return p_values


def _face_heights(path: Path) -> dict[str, float]:
    return {image: face_height(boxes) for image, boxes in read_detections(path).items()}
