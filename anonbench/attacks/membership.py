"""Membership: was a person among those on whom a published network was trained?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anonbench.attacks import ATTACKS
from anonbench.attacks._search import Pictures
from anonbench.core import checks
from anonbench.core.errors import DataError
from anonbench.tasks.reid.distance import normalized

LEAST = 2  # people with pictures of two cameras


@ATTACKS.register("membership")
@dataclass(frozen=True)
class Membership:
    """A network brings pictures of the people it was trained on closer together than those of others.

    A person's score: the mean similarity (cosine) of their pictures across cameras, less the mean similarity of these
    pictures to anchors, which are pictures of other people. The attacker needs the network, pictures of the person,
    and pictures of anybody.

    anchors: pictures that scores are set against, drawn from all people.
    seed: of the draw, >= 0.

    Source: Gao et al., "Similarity Distribution based Membership Inference Attack on Person Re-identification", AAAI
    2023, whose attacker also compares distributions of similarities to anchors. Deviation: no network is trained on
    them; the two means are compared.
    """

    anchors: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        checks.integer("anchors", self.anchors, 1)
        checks.integer("seed", self.seed, 0)

    def __call__(self, pictures: Pictures) -> dict[int, float]:
        """Person -> score, for everybody seen by two cameras. Raises `DataError` where that are fewer than two."""
        features = normalized(pictures.features)
        rng = np.random.default_rng(self.seed)
        chosen = rng.permutation(len(pictures))[: self.anchors]
        scores: dict[int, float] = {}
        for pid in sorted(set(pictures.pids.tolist())):
            own = np.flatnonzero(pictures.pids == pid)
            others = chosen[pictures.pids[chosen] != pid]
            across = pictures.camids[own][:, None] != pictures.camids[own][None]
            if not across.any() or not len(others):
                continue
            together = (features[own] @ features[own].T)[across].mean()
            scores[pid] = float(together - (features[own] @ features[others].T).mean())
        if len(scores) < LEAST:
            raise DataError(f"{len(scores)} people are seen by two cameras; expected {LEAST} at least.")
        return scores
