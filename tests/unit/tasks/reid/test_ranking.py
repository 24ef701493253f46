"""CMC, mAP and mINP: by hand, against a naive second implementation, and against torchreid."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonbench.core.errors import ConfigError, DataError
from anonbench.tasks.reid.ranking import (
    NOT_IN_GALLERY,
    OWN_CAMERA_ONLY,
    RankingResult,
    evaluate_distances,
    evaluate_ranking,
)
from anonbench.tasks.reid.reranking import Reranking, reranked_distance_blocks


def naive(distances, q_pids, q_camids, g_pids, g_camids):
    """The definitions, a query and a match at a time: lists of (AP, INP, ranks), None for a query without a match."""
    results = []
    for q, row in enumerate(np.asarray(distances).tolist()):
        ranking = sorted(
            (distance, g)
            for g, distance in enumerate(row)
            if g_pids[g] != -1 and not (g_pids[g] == q_pids[q] and g_camids[g] == q_camids[q])
        )
        ranks = [place for place, (_, g) in enumerate(ranking, 1) if g_pids[g] == q_pids[q]]
        ap = sum(i / r for i, r in enumerate(ranks, 1)) / len(ranks) if ranks else None
        results.append((ap, len(ranks) / ranks[-1], ranks) if ranks else None)
    return results


def assert_as_naive(result: RankingResult, expected) -> None:
    scored = [e for e in expected if e]
    assert (result.n_queries, result.n_valid) == (len(expected), len(scored))
    assert result.mean_ap == pytest.approx(np.mean([ap for ap, _, _ in scored]), abs=1e-12)
    assert result.mean_inp == pytest.approx(np.mean([inp for _, inp, _ in scored]), abs=1e-12)
    for k, value in enumerate(result.cmc, 1):
        assert value == pytest.approx(np.mean([ranks[0] <= k for _, _, ranks in scored]), abs=1e-12)
    for query, one in zip(result.queries, expected, strict=True):
        assert query.valid == (one is not None)
        if one is None:
            assert (query.n_matches, query.first_match_rank) == (0, None)
            assert math.isnan(query.average_precision)
        else:
            assert (query.n_matches, query.first_match_rank) == (len(one[2]), one[2][0])
            assert query.average_precision == pytest.approx(one[0], abs=1e-12)
            assert query.inverse_negative_penalty == pytest.approx(one[1], abs=1e-12)


def labelled(
    rng: np.random.Generator, n_query: int, n_gallery: int, pids: int = 6, cameras: int = 3, junk: bool = True
):
    return (
        rng.integers(1, pids + 1, n_query),
        rng.integers(0, 3, n_query),
        rng.integers(-1 if junk else 0, pids + 1, n_gallery),
        rng.integers(0, 3, n_gallery),
    )


def test_worked_by_hand():
    """One query (pid 5, camera 1), eight gallery images at distances 1..8.

    distance   1    2    3    4    5    6    7    8
    pid        5   -1    9    5    0    5    5    9
    camera     1    2    2    2    3    1    3    4
              own  junk wrong OK distr own  OK   wrong
    rank       -    -    1    2    3    -    4    5

    Matches at ranks 2 and 4: AP = (1/2 + 2/4) / 2 = 1/2; INP = 2/4; CMC 0 at rank 1, 1 from rank 2 on.
    """
    result = evaluate_distances(
        np.arange(1.0, 9.0)[None], [5], [1], [5, -1, 9, 5, 0, 5, 5, 9], [1, 2, 2, 2, 3, 1, 3, 4], ranks=(1, 2, 5)
    )
    assert result.mean_ap == 0.5
    assert result.mean_inp == 0.5
    assert result.cmc_at_ranks == {1: 0.0, 2: 1.0, 5: 1.0}
    assert result.cmc.shape == (50,)
    assert result.cmc[-1] == 1.0  # also beyond the gallery's size
    assert (result.n_gallery, result.n_junk) == (7, 1)
    (query,) = result.queries
    assert (query.query, query.pid, query.camid) == (0, 5, 1)
    assert (query.n_matches, query.first_match_rank, query.valid, query.reason) == (2, 2, True, "")


def test_worked_by_hand_two_queries():
    """Query A (pid 1): wrong, match, match: AP = (1/2 + 2/3) / 2 = 7/12, INP = 2/3, first match at 2.

    Query B (pid 2): match first, the only one: AP = 1, INP = 1. Means 19/24 and 5/6, rank-1 1/2.
    """
    distances = [[1.0, 2.0, 3.0], [0.5, 2.0, 3.0]]
    result = evaluate_distances(np.array(distances), [1, 2], [0, 0], [2, 1, 1], [1, 1, 2])
    assert result.mean_ap == pytest.approx(19 / 24)
    assert result.mean_inp == pytest.approx(5 / 6)
    assert result.rank(1) == 0.5


def test_equal_distances_rank_by_gallery_index():
    """All four images at distance 1, the matches at index 1 and 3: ranks 2 and 4. Index 0 is the query's own camera

    in the second case, and takes no place: ranks 1 and 3.
    """
    ones = np.ones((1, 4))
    first = evaluate_distances(ones, [1], [0], [2, 1, 2, 1], [1, 1, 1, 2])
    assert first.mean_ap == pytest.approx((1 / 2 + 2 / 4) / 2)
    second = evaluate_distances(ones, [1], [0], [1, 1, 2, 1], [0, 1, 1, 2])
    assert second.mean_ap == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_queries_without_a_match_are_listed_and_left_out_of_the_means():
    distances = np.array([[1.0, 2.0, 3.0]] * 3)
    result = evaluate_distances(distances, [7, 8, 9], [0, 0, 0], [7, 9, 9], [1, 0, 0])
    assert (result.n_queries, result.n_valid) == (3, 1)
    assert [q.reason for q in result.queries] == ["", NOT_IN_GALLERY, OWN_CAMERA_ONLY]
    assert [q.valid for q in result.queries] == [True, False, False]
    assert result.mean_ap == 1.0


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), levels=st.sampled_from([1, 2, 5, 40, 10**6]), step=st.integers(1, 9))
def test_against_the_naive_implementation(seed, levels, step):
    rng = np.random.default_rng(seed)
    labels = labelled(rng, int(rng.integers(1, 9)), int(rng.integers(1, 40)))
    distances = rng.integers(0, levels, (len(labels[0]), len(labels[2]))).astype(rng.choice([np.float32, np.float64]))
    expected = naive(distances, *labels)
    if not any(expected):
        with pytest.raises(DataError):
            evaluate_distances(distances, *labels)
        return
    untouched = distances.copy()
    assert_as_naive(evaluate_distances(distances, *labels), expected)
    blocks = (distances[s : s + step] for s in range(0, len(distances), step))
    assert_as_naive(evaluate_distances(blocks, *labels), expected)
    assert np.array_equal(distances, untouched)


def test_many_ties_at_once():
    rng = np.random.default_rng(3)
    labels = labelled(rng, 40, 700)
    distances = rng.integers(0, 3, (40, 700)).astype(np.float32)
    assert_as_naive(evaluate_distances(distances, *labels), naive(distances, *labels))


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_features_against_the_naive_implementation(metric):
    rng = np.random.default_rng(8)
    labels = labelled(rng, 25, 120)
    q, g = rng.normal(size=(25, 16)), rng.normal(size=(120, 16))
    if metric == "cosine":
        unit = [f / np.linalg.norm(f, axis=1, keepdims=True) for f in (q, g)]
        distances = 1 - unit[0] @ unit[1].T
    else:
        distances = ((q[:, None] - g[None]) ** 2).sum(2)
    for block_rows in (None, 1, 7):
        result = evaluate_ranking(q, g, *labels, metric=metric, block_rows=block_rows)
        assert_as_naive(result, naive(distances, *labels))


def test_the_same_whatever_the_order_of_images():
    rng = np.random.default_rng(2)
    q_pids, q_camids, g_pids, g_camids = labelled(rng, 30, 200)
    q, g = rng.normal(size=(30, 8)), rng.normal(size=(200, 8))
    a, b = rng.permutation(30), rng.permutation(200)
    for rerank in (None, Reranking(k1=8, k2=3)):
        one = evaluate_ranking(q, g, q_pids, q_camids, g_pids, g_camids, rerank=rerank)
        two = evaluate_ranking(q[a], g[b], q_pids[a], q_camids[a], g_pids[b], g_camids[b], rerank=rerank)
        assert two.mean_ap == pytest.approx(one.mean_ap, abs=1e-6)
        assert two.mean_inp == pytest.approx(one.mean_inp, abs=1e-6)
        np.testing.assert_allclose(two.cmc, one.cmc)
        for new, old in enumerate(a):
            assert two.queries[new].first_match_rank == one.queries[old].first_match_rank


@pytest.mark.parametrize("seed", range(8))
def test_against_torchreid_without_ties(seed, torchreid_rank):
    rng = np.random.default_rng(seed)
    q_pids, q_camids, g_pids, g_camids = labelled(rng, 40, 300, pids=30, junk=False)
    distances = rng.normal(size=(40, 300)).astype(np.float32) ** 2
    cmc, mean_ap = torchreid_rank.evaluate_rank(distances, q_pids, g_pids, q_camids, g_camids, max_rank=50)
    result = evaluate_distances(distances, q_pids, q_camids, g_pids, g_camids)
    assert result.mean_ap == pytest.approx(mean_ap, abs=1e-5)
    np.testing.assert_allclose(result.cmc, cmc, atol=1e-5)


@pytest.mark.parametrize("levels", [1, 2, 10, 100])
def test_against_torchreid_with_ties(levels, torchreid_rank, stable_numpy, monkeypatch):
    """On ties torchreid's own answer is arbitrary (see `StableNumpy`), so it is asked under our rule in two ways:

    with a stable sort put into it, and untouched, on distances replaced by their place in the stable order.
    """
    rng = np.random.default_rng(levels)
    q_pids, q_camids, g_pids, g_camids = labelled(rng, 40, 300, pids=30, junk=False)
    distances = rng.integers(0, levels, (40, 300)).astype(np.float32)
    result = evaluate_distances(distances, q_pids, q_camids, g_pids, g_camids)
    places = distances.argsort(axis=1, kind="stable").argsort(axis=1).astype(np.float32)
    answers = [torchreid_rank.evaluate_rank(places, q_pids, g_pids, q_camids, g_camids)]
    monkeypatch.setattr(torchreid_rank, "np", stable_numpy)
    answers.append(torchreid_rank.evaluate_rank(distances, q_pids, g_pids, q_camids, g_camids))
    for cmc, mean_ap in answers:
        assert result.mean_ap == pytest.approx(mean_ap, abs=1e-5)
        np.testing.assert_allclose(result.cmc, cmc, atol=1e-5)


def test_reranking_goes_through_the_same_scoring():
    rng = np.random.default_rng(6)
    labels = labelled(rng, 20, 90, junk=False)
    q, g = rng.normal(size=(20, 8)), rng.normal(size=(90, 8))
    rerank = Reranking(k1=7, k2=3, lambda_value=0.2)
    distances = np.concatenate(list(reranked_distance_blocks(q, g, "cosine", rerank)))
    result = evaluate_ranking(q, g, *labels, metric="cosine", rerank=rerank, block_rows=6)
    assert_as_naive(result, naive(distances, *labels))


def test_junk_takes_no_part_in_reranking():
    rng = np.random.default_rng(7)
    labels = labelled(rng, 10, 60)
    q, g = rng.normal(size=(10, 8)), rng.normal(size=(60, 8))
    kept = labels[2] != -1
    assert not kept.all()
    with_junk = evaluate_ranking(q, g, *labels, rerank=Reranking(k1=5, k2=2))
    without = evaluate_ranking(
        q, g[kept], labels[0], labels[1], labels[2][kept], labels[3][kept], rerank=Reranking(k1=5, k2=2)
    )
    assert with_junk.queries == without.queries
    assert (with_junk.n_junk, without.n_junk) == ((~kept).sum(), 0)


ROW = np.array([[1.0, 2.0]])


@pytest.mark.parametrize(
    ("distances", "labels", "message"),
    [
        (ROW, ([-1], [0], [1, 1], [1, 1]), r"query 0 has pid -1 \(1 such queries\): junk \(-1\) and distractors \(0\)"),
        (ROW, ([0], [0], [1, 1], [1, 1]), "query 0 has pid 0"),
        (ROW, ([1], [0, 0], [1, 1], [1, 1]), "query: 1 pids and 2 camids"),
        (ROW, ([1], [0], [1, 1], [1]), "gallery: 2 pids and 1 camids"),
        (ROW, ([], [], [1, 1], [1, 1]), "the query set is empty"),
        (ROW, ([1], [0], [], []), "the gallery set is empty"),
        (ROW, ([1], [0], [-1, -1], [0, 0]), "all 2 gallery images are junk"),
        (ROW, ([1.5], [0], [1, 1], [1, 1]), r"query pids have shape \(1,\) and type float64"),
        (ROW, ([1], [0], [2, 1], [0, 0]), "none of the 1 queries .*0: identity is not in .*; 1: identity is in the"),
        (ROW, ([1], [0], [1, 1, 1], [1, 1, 1]), r"block from query 0 on has shape \(1, 2\); expected at most 1 rows"),
        (ROW, ([1, 1], [0, 0], [1, 1], [1, 1]), "distances have 1 rows; expected 2"),
        ([ROW, ROW], ([1], [0], [1, 1], [1, 1]), r"from query 1 on has shape \(1, 2\); expected at most 0 rows"),
        ([ROW, ROW * np.nan], ([1, 1], [0, 0], [1, 1], [1, 1]), "distances of query 1 are NaN or infinite"),
        (ROW[0], ([1], [0], [1, 1], [1, 1]), r"distances have shape \(2,\)"),
    ],
)
def test_input_that_cannot_be_scored(distances, labels, message):
    with pytest.raises(DataError, match=message):
        evaluate_distances(distances, *labels)


def test_feature_and_label_counts_must_agree():
    q, g = np.ones((2, 3)), np.ones((4, 3))
    with pytest.raises(DataError, match="query: 2 rows of features and 1 pids"):
        evaluate_ranking(q, g, [1], [0], [1] * 4, [1] * 4)
    with pytest.raises(DataError, match="gallery: 4 rows of features and 3 pids"):
        evaluate_ranking(q, g, [1, 1], [0, 0], [1] * 3, [1] * 3)
    with pytest.raises(DataError, match="gallery features: 1 of 4 rows are NaN"):
        evaluate_ranking(q, g * [[1], [1], [np.nan], [1]], [1, 1], [0, 0], [1] * 4, [1] * 4)


def test_ranks_beyond_the_curve():
    with pytest.raises(ConfigError, match="ranks: 60 was asked for; expected ranks from 1 to max_rank = 50"):
        evaluate_distances(ROW, [1], [0], [1, 1], [1, 1], ranks=(1, 60))
    result = evaluate_distances(ROW, [1], [0], [1, 1], [1, 1], ranks=(1, 60), max_rank=60)
    assert result.cmc_at_ranks == {1: 1.0, 60: 1.0}
    with pytest.raises(ConfigError, match="rank 0 was asked for; expected a rank from 1 to 60"):
        result.rank(0)
