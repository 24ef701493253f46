"""Ask a published network whom it was trained on (Study 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from anonbench.attacks import ATTACKS
from anonbench.attacks._outcome import Trial, write_outcome, write_trials
from anonbench.attacks._search import Pictures
from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import DataError
from anonbench.core.registry import load_plugins
from anonbench.data.pictures import Picture
from anonbench.datasets import DISTRACTOR_PID
from anonbench.statistics.risk import separation_risk
from anonbench.statistics.verification import verify
from anonbench.tasks.reid.embedding import embed_files
from anonbench.tasks.reid.people import read_people
from anonbench.training.device import select_device

NOT_RANKED = ("identification", "baseline", "control", "worst")


@command("evaluate", gpu=True, plugin="anonbench.attacks:ATTACKS")
def infer_members(
    checkpoint: Input,
    manifest: Input,
    root: Input,
    spec: Spec,
    labels: Spec,
    output: Output,
    trials: Output,
    device: str = "auto",
    threads: int = 1,
    batch_size: int = 128,
    resamples: int = 2000,
    seed: int = 0,
    plugins: Sequence[str] = (),
) -> None:
    """Find out how well a network tells the people it was trained on from people it has never seen.

    Members are the people of the split 'train', the others those of query and gallery: the same cameras, the same
    moments. A hit rate has no meaning here; the risk is how far scores tell both apart (`separation_risk`).

    checkpoint: the published network (.pt of `train`).
    manifest: clear pictures of all these people (CSV of `index`).
    root: folder that their paths are relative to.
    spec: the attack's config entry, `{method, **parameters}`.
    labels: what the outcome belongs to: dataset, attack, variant, run, split, seed, probes, gallery, recognizer.
    output: the outcome (JSON).
    trials: a row a person (CSV); control: not a member, right: the score.
    batch_size: images at a time.
    resamples: bootstrap draws of people for the interval.
    seed: of the draws.
    """
    load_plugins(plugins)
    plugin = ATTACKS.create(spec)
    people = [p for p in read_people(manifest) if p.labels["pid"] > DISTRACTOR_PID]
    members = {p.labels["pid"] for p in people if p.split == "train"}
    if not members or members >= {p.labels["pid"] for p in people}:
        raise DataError(f"{manifest}: expected people of the split 'train' and others; one of both is missing.")
    scores = plugin(_seen(checkpoint, root, people, device, threads, batch_size))
    known = [score for pid, score in scores.items() if pid in members]
    unknown = [score for pid, score in scores.items() if pid not in members]
    found = separation_risk(known, unknown, resamples=resamples, seed=seed)
    first = {p.labels["pid"]: p for p in reversed(people)}
    write_trials(trials, [_trial(first[pid], pid not in members, score) for pid, score in scores.items()])
    counts = {"n_probes": len(scores), "n_people": len(known), "n_gallery_images": 0, "without": 0, "unranked": 0}
    told = {"verification": verify(known, [unknown]).as_values(), "risk": asdict(found), "groups": {}}
    write_outcome(output, {**labels, "method": spec["method"], **counts, **dict.fromkeys(NOT_RANKED), **told})
    print(
        f"infer_members: {len(known)} members and {len(unknown)} others, risk {found.value:.3f} [{found.low:.3f}, "
        f"{found.high:.3f}]" + (f"; void: {found.why}" if found.void else "")
    )


def _seen(
    checkpoint: Path, root: Path, people: Sequence[Picture], device: str, threads: int, batch_size: int
) -> Pictures:
    """All pictures as the network sees them."""
    paths = [picture.path for picture in people]
    features = embed_files(checkpoint, root, paths, select_device(device, threads), threads, batch_size)
    pids, camids = (np.array([p.labels[name] for p in people], np.int64) for name in ("pid", "camid"))
    return Pictures(features, np.array(paths), pids, camids)


def _trial(picture: Picture, control: bool, score: float) -> Trial:
    labels = picture.labels
    return Trial(picture.path, labels["pid"], labels["camid"], control, None, None, score, float("nan"), 0, 0)
