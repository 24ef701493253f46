"""Linkage: which original was an anonymized picture made of? What a recipient with other footage can find out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anonbench.attacks import ATTACKS
from anonbench.attacks._search import Findings, Pictures, Search, Sought, search


@ATTACKS.register("linkage")
@dataclass(frozen=True)
class Linkage(Search):
    """For each probe, the most similar originals of a gallery that holds the probe's own.

    A hit is that very picture: same clothes, same place, same moment. Other pictures of the person count as wrong; who
    finds those does a recognition. For the control the own original is missing, and one of a person of the gallery
    stands in for it.
    """

    def __call__(self, probes: Pictures, gallery: Pictures) -> Findings:
        """Raises `DataError` where nobody can be enrolled, or nobody is left."""
        enrolment, probes = self.enrol(probes, gallery)
        gallery = gallery.of(np.isin(gallery.pids, list(enrolment.known)))
        numbers = {path: number for number, path in enumerate(gallery.paths.tolist())}
        rng = np.random.default_rng(self.seed)
        by_person = {pid: np.flatnonzero(gallery.pids == pid) for pid in enrolment.known}
        targets = [
            int(rng.choice(by_person[enrolment.stand_in[pid]])) if pid in enrolment.stand_in else numbers.get(path)
            for pid, path in zip(probes.pids.tolist(), probes.paths.tolist(), strict=True)
        ]
        everything = np.ones(len(gallery), bool)

        def sought(number: int) -> Sought:
            right = np.zeros(len(gallery), bool)
            if targets[number] is not None:
                right[targets[number]] = True
            return Sought(right, everything)

        return search(probes, gallery, sought, enrolment, self.seed)
