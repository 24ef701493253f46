"""Score one setting: rank the gallery features for every query feature."""

from __future__ import annotations

import json
from statistics import median
from typing import Any

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.files import write_text
from anonbench.data.tables import write_csv
from anonbench.tasks.reid.columns import CMC_COLUMNS, QUERY_COLUMNS
from anonbench.tasks.reid.features import read_features, read_settings
from anonbench.tasks.reid.ranking import RankingResult, evaluate_ranking


@command("evaluate")
def evaluate(
    query: Input,
    gallery: Input,
    spec: Spec,
    labels: Spec,
    output: Output,
    queries: Output,
    threads: int = 1,
    cmc: Output | None = None,
) -> None:
    """Score one setting: rank the gallery features for every query feature.

    Where the ranking is re-ranked, the metrics hold the scores of the plain order too (`reranking`).

    query: features to take the queries from (.npz of `embed`).
    gallery: features to take the gallery from. They may be of another variant.
    spec: `evaluation:` of the model, `{metric: euclidean | cosine, rerank: null | {k1, k2, lambda_value}}`.
    labels: what the numbers belong to (dataset, model, seed, variants). Copied into the metrics.
    output: metrics, 0..1 (JSON).
    queries: results of every query (CSV).
    cmc: the CMC curve once more, a row a rank (CSV), as `dvc plots` wants it.
    """
    metric, rerank = read_settings(spec)
    q, g = read_features(query, "query"), read_features(gallery, "gallery")
    arrays = (q["features"], g["features"], q["pids"], q["camids"], g["pids"], g["camids"])
    result = evaluate_ranking(*arrays, metric=metric, rerank=rerank)
    values: dict[str, Any] = {
        **labels,
        **_scores(result),
        "n_queries": result.n_queries,
        "n_valid": result.n_valid,
        "n_gallery": result.n_gallery,
        "n_junk": result.n_junk,
        "evaluation": dict(spec),
        "cmc": [round(float(v), 6) for v in result.cmc],
    }
    if rerank is not None:
        total = result.n_queries + result.n_gallery
        if rerank.neighbours > total:
            asked = f"k1 {rerank.k1}, k2 {rerank.k2}"
            print(f"evaluate: re-ranking asks for more neighbours ({asked}) than images ({total}): all are taken")
        # How many of the k1 neighbours can be the query's person at all, and what the same features give without it.
        values["reranking"] = {
            "matches": median(r.n_matches for r in result.queries if r.valid),
            "without": _scores(evaluate_ranking(*arrays, metric=metric)),
        }
    rows = [
        [
            q["paths"][r.query], r.pid, r.camid, r.n_matches, r.first_match_rank,
            f"{r.average_precision:.6f}" if r.valid else None,
            f"{r.inverse_negative_penalty:.6f}" if r.valid else None, r.reason,
        ]
        for r in result.queries
    ]  # fmt: skip
    write_csv(queries, QUERY_COLUMNS, rows)
    if cmc is not None:
        write_csv(cmc, CMC_COLUMNS, ([rank, f"{value:.6f}"] for rank, value in enumerate(result.cmc, start=1)))
    write_text(output, json.dumps(values, indent=1) + "\n")
    print(f"evaluate: mAP {100 * result.mean_ap:.1f} %, rank-1 {100 * result.rank(1):.1f} %, {result.n_valid} queries")


def _scores(result: RankingResult) -> dict[str, float]:
    """Means over the queries, 0..1."""
    return {
        "map": result.mean_ap,
        "minp": result.mean_inp,
        **{f"rank{k}": value for k, value in result.cmc_at_ranks.items()},
    }
