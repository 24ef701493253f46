"""Score one setting by every distance that features can be compared with."""

from __future__ import annotations

import json
from typing import Any

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.files import write_text
from anonbench.tasks.reid.distance import METRICS
from anonbench.tasks.reid.features import read_features
from anonbench.tasks.reid.ranking import evaluate_ranking


@command("evaluate")
def compare_distances(query: Input, gallery: Input, labels: Spec, output: Output) -> None:
    """Score one setting by the cosine and by the Euclidean distance of the same features, without re-ranking.

    query: features to take the queries from (.npz of `embed`).
    gallery: features to take the gallery from. They may be of another variant.
    labels: what the numbers belong to (dataset, model, seed, variants). Copied into the scores.
    output: scores by distance, 0..1: {metric: {map, minp, rank1, …}} and how many queries they are of (JSON).
    """
    q, g = read_features(query, "query"), read_features(gallery, "gallery")
    arrays = (q["features"], g["features"], q["pids"], q["camids"], g["pids"], g["camids"])
    values: dict[str, Any] = dict(labels)
    for metric in sorted(METRICS):
        found = evaluate_ranking(*arrays, metric=metric)
        ranks = {f"rank{k}": value for k, value in found.cmc_at_ranks.items()}
        values[metric] = {"map": found.mean_ap, "minp": found.mean_inp, **ranks}
        values |= {"n_queries": found.n_queries, "n_valid": found.n_valid, "n_gallery": found.n_gallery}
        print(f"compare_distances: {metric}: mAP {100 * found.mean_ap:.1f} %, rank-1 {100 * found.rank(1):.1f} %")
    write_text(output, json.dumps(values, indent=1) + "\n")
