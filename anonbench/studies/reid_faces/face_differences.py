"""Every cell's difference by the face of the query: with and without one, and by its height in pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from anonbench.core.errors import DataError
from anonbench.statistics.bootstrap import RESAMPLES
from anonbench.statistics.multiple import holm
from anonbench.studies.reid_faces.cells import baseline_of
from anonbench.studies.reid_faces.face_groups import BINS_PX, face_table
from anonbench.studies.reid_faces.face_groups import COLUMNS as GROUP_COLUMNS
from anonbench.studies.reid_faces.settings import DESIGN, METRICS
from anonbench.tasks.reid.scores import Runs, pair_runs
from anonbench.tasks.reid.settings import Condition

KEY = ("dataset", "model", "variant", "contrast", "metric")
COLUMNS = (*KEY, "summary", *GROUP_COLUMNS[:-1], "p_holm", GROUP_COLUMNS[-1])
ALL = "all"

Heights = Mapping[str, float]
"""Height in pixels of the face of an image, by the image's path; NaN for none (`face_groups.face_height`)."""


def face_differences(
    scores: Mapping[Condition, Runs],
    heights: Mapping[tuple[str, str], Heights],
    bins_px: Sequence[float] = BINS_PX,
    alpha: float = 0.05,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """The differences (`COLUMNS`), in percent points.

    heights: faces of the original images, by (dataset, variant): those that the variant's detector found.

    For each dataset, variant and contrast rows of model `all` follow, over the queries of all its models. `summary`
    marks them, or those of the only model. p_holm: p adjusted over the rows of one group, contrast and metric, the
    summaries among themselves.
    Raises `DataError` for a cell without heights or without a baseline, or when there is no cell.
    """
    groups: dict[tuple[str, str, str], dict[str, pd.DataFrame]] = {}
    for condition in sorted(scores):
        found = DESIGN.contrast_of(condition)
        if found is None:
            continue
        variant = found.names["variant"]
        if (condition.dataset, variant) not in heights:
            raise DataError(f"face sizes: {condition}: the spec names no detections for it; name those of its variant.")
        before = baseline_of(found, condition, scores)
        pairs = pair_runs(before, scores[condition], (found.baseline, condition)).table
        groups.setdefault((condition.dataset, variant, found.setting), {})[condition.model] = pairs
    tables = []
    for (dataset, variant, contrast), models in groups.items():
        together = {ALL: pd.concat(models.values())} if len(models) > 1 else {}
        for model, pairs in {**models, **together}.items():
            for metric in METRICS:
                d = pairs[["path", "pid"]].assign(difference=pairs[f"{metric}_after"] - pairs[f"{metric}_before"])
                table = face_table(
                    d, heights[dataset, variant], bins_px=bins_px, level=1 - alpha, resamples=resamples, seed=seed
                )
                names = dict(zip(KEY, (dataset, model, variant, contrast, metric), strict=True))
                tables.append(table.assign(**names, summary=model == ALL or len(models) == 1))
    if not tables:
        raise DataError("statistics: none of the metrics is of an anonymized test set; nothing can be compared.")
    result = pd.concat(tables, ignore_index=True)
    family = [result[c] for c in ("group", "contrast", "metric", "summary")]
    result["p_holm"] = result["p"].groupby(family).transform(lambda p: holm(p.to_numpy()))
    return result[list(COLUMNS)]
