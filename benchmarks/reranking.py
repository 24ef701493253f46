"""CMC/mAP and k-reciprocal re-ranking at Market-1501's size, ours beside torchreid's.

    python -m benchmarks.reranking [--threads 2] [--runs 3] [--scale 1.0] [--write]

Every measurement runs in a process of its own. Its time is the wall time of the call, inputs ready; its memory is the
peak resident set of the process minus that before the call (and, for torchreid, before the distance matrices that its
functions take as input are made: they are part of what the method needs). Ours runs `--runs` times, the best counts;
torchreid runs once. The Markdown goes to standard output and, with `--write`, into benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import machine, versions, write_block

PACKAGES = ("numpy", "scipy", "torch", "torchreid")
TASKS = ("ranking", "re-ranking")
PEERS = ("anonbench", "torchreid")
N_QUERY, N_GALLERY, N_DISTRACTORS, N_PIDS, N_CAMERAS, DIMENSIONS = 3368, 15_913, 2798, 750, 6, 512


def market_like(scale: float) -> tuple[np.ndarray, ...]:
    """Random features with Market-1501's counts: a centre an identity, noise an image; pids and camids.

    Returns query features, gallery features (n, 512) float32, query pids, query camids, gallery pids, gallery camids.
    """
    rng = np.random.default_rng(0)
    n_query, n_gallery, n_distractors = (int(n * scale) for n in (N_QUERY, N_GALLERY, N_DISTRACTORS))
    centres = rng.normal(size=(N_PIDS + 1, DIMENSIONS))
    q_pids = np.sort(rng.integers(1, N_PIDS + 1, n_query))
    g_pids = np.sort(np.append(np.zeros(n_distractors, int), rng.integers(1, N_PIDS + 1, n_gallery - n_distractors)))
    q, g = (centres[p] + 2.6 * rng.normal(size=(len(p), DIMENSIONS)) for p in (q_pids, g_pids))
    g[g_pids == 0] += 2 * rng.normal(size=(n_distractors, DIMENSIONS))  # distractors share no centre
    q_camids, g_camids = rng.integers(0, N_CAMERAS, n_query), rng.integers(0, N_CAMERAS, n_gallery)
    return q.astype(np.float32), g.astype(np.float32), q_pids, q_camids, g_pids, g_camids


def measure(peer: str, task: str, scale: float, runs: int, distances_file: Path) -> dict[str, Any]:
    """Run one task of one peer in this process. Re-ranked distances go to `distances_file` for comparison."""
    q, g, *labels = market_like(scale)
    run, finish = (_ours if peer == "anonbench" else _torchreid)(task, q, g, labels, distances_file)
    before = _peak_mib()
    seconds = []
    for _ in range(runs):
        took, outcome = run()
        seconds.append(took)
    peak = _peak_mib() - before
    return {"seconds": min(seconds), "all_seconds": seconds, "peak_mib": peak, **finish(outcome)}


Run = tuple[Callable[[], tuple[float, Any]], Callable[[Any], dict[str, float]]]


def _ours(task: str, q: np.ndarray, g: np.ndarray, labels: list[np.ndarray], distances_file: Path) -> Run:
    from anonbench.tasks.reid.ranking import evaluate_ranking
    from anonbench.tasks.reid.reranking import Reranking, reranked_distance_blocks

    rerank = Reranking() if task == "re-ranking" else None
    few = (q[:200], g[:200], np.ones(200, int), np.zeros(200, int), np.ones(200, int), np.ones(200, int))
    evaluate_ranking(*few, rerank=rerank)  # loads what is loaded on first use

    def run() -> tuple[float, Any]:
        start = time.perf_counter()
        outcome = evaluate_ranking(q, g, *labels, rerank=rerank)
        return time.perf_counter() - start, outcome

    def finish(outcome: Any) -> dict[str, float]:
        if rerank:
            np.save(distances_file, np.concatenate(list(reranked_distance_blocks(q, g))))
        return {"mAP": outcome.mean_ap, "mINP": outcome.mean_inp, "rank1": outcome.rank(1)}

    return run, finish


def _torchreid(task: str, q: np.ndarray, g: np.ndarray, labels: list[np.ndarray], distances_file: Path) -> Run:
    from anonbench.tasks.reid.distance import distance_matrix
    from benchmarks.peers import load_torchreid_file

    evaluate = load_torchreid_file("metrics/rank.py").evaluate_rank
    re_ranking = load_torchreid_file("utils/rerank.py").re_ranking
    q_pids, q_camids, g_pids, g_camids = labels

    def run() -> tuple[float, Any]:
        if task == "ranking":
            distances = distance_matrix(q, g)
            start = time.perf_counter()
            outcome = evaluate(distances, q_pids, g_pids, q_camids, g_camids)
        else:  # plain distances, which it squares
            plain = [np.sqrt(distance_matrix(a, b)) for a, b in ((q, g), (q, q), (g, g))]
            np.fill_diagonal(plain[1], 0)
            np.fill_diagonal(plain[2], 0)
            start = time.perf_counter()
            outcome = re_ranking(*plain)
        return time.perf_counter() - start, outcome

    def finish(outcome: Any) -> dict[str, float]:
        if task == "re-ranking":
            np.save(distances_file, outcome)
            outcome = evaluate(outcome, q_pids, g_pids, q_camids, g_camids)
        return {"mAP": float(outcome[1]), "rank1": float(outcome[0][0])}

    return run, finish


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux


def run_all(scale: float, runs: int, threads: int) -> str:
    """Measure everything, each in its own process, and return the Markdown block."""
    environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))}
    environment["OPENBLAS_NUM_THREADS"] = str(threads)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = {peer: Path(folder) / f"{peer}.npy" for peer in PEERS}
        for task in TASKS:
            for peer in PEERS:
                times = runs if peer == "anonbench" else 1
                command = [sys.executable, "-m", "benchmarks.reranking", "--child", peer, task]
                command += ["--scale", str(scale), "--runs", str(times), "--distances", str(files[peer])]
                print(f"{task}: {peer} …", file=sys.stderr, flush=True)
                done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
                found[task, peer] = json.loads(done.stdout)
                print(f"  {found[task, peer]}", file=sys.stderr, flush=True)
        ours, theirs = (np.load(files[peer], mmap_mode="r") for peer in PEERS)
        difference = np.abs(ours - theirs)
    n_query, n_gallery = int(N_QUERY * scale), int(N_GALLERY * scale)
    lines = [
        f"{n_query:,} queries, {n_gallery:,} gallery images, {DIMENSIONS}-D random features around {N_PIDS} centres, "
        f"{N_CAMERAS} cameras; {threads} threads; {date.today()}.",
        f"{machine()}; {versions(*PACKAGES)}.",
        "",
        "| task | | seconds | added peak memory, MiB | mAP | rank-1 |",
        "|---|---|---|---|---|---|",
    ]
    for (task, peer), row in found.items():
        what = "distances, CMC, mAP, mINP" if task == "ranking" else "the same after re-ranking"
        if peer == "torchreid":
            what = "CMC, mAP alone" if task == "ranking" else "re-ranking alone"
        lines.append(
            f"| {what} | {peer} | {row['seconds']:.2f} | {row['peak_mib']:,.0f} "
            f"| {row['mAP']:.6f} | {row['rank1']:.6f} |"
        )
    lines += [
        "",
        f"Re-ranked distances, anonbench against torchreid: largest difference {difference.max():.1e}, "
        f"{(difference > 1e-5).mean():.1e} of them above 1e-5. "
        f"anonbench: best of {runs} ("
        + "; ".join(
            f"{task} {', '.join(f'{s:.2f}' for s in found[task, 'anonbench']['all_seconds'])} s" for task in TASKS
        )
        + "); torchreid: one run.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Ranking and re-ranking beside torchreid's, at Market-1501's size.")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads of BLAS and torch")
    parser.add_argument("--runs", type=int, default=3, help="runs of ours, the best counts")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of Market-1501's image counts")
    parser.add_argument("--write", action="store_true", help="put the result into benchmarks/RESULTS.md")
    parser.add_argument("--child", nargs=2, metavar=("PEER", "TASK"), help=argparse.SUPPRESS)
    parser.add_argument("--distances", type=Path, default=None, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        peer, task = arguments.child
        print(json.dumps(measure(peer, task, arguments.scale, arguments.runs, arguments.distances)))
        return
    block = run_all(arguments.scale, arguments.runs, arguments.threads)
    print(block)
    if arguments.write:
        write_block(block)


if __name__ == "__main__":
    main()
