"""Recognition: who is on an anonymized picture, by a gallery of pictures of known people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anonbench.attacks import ATTACKS
from anonbench.attacks._search import Enrolment, Findings, Pictures, Sought, people_of, search
from anonbench.core import checks
from anonbench.datasets import DISTRACTOR_PID


@ATTACKS.register("recognition")
@dataclass(frozen=True)
class Recognition:
    """For each probe, the most similar pictures of a gallery of enrolled people.

    A hit is a picture of the probe's person from another camera: what one camera sees of a person in one moment tells
    its place too. Distractors stay in the gallery.

    enrolled: share of the people who are in the gallery, 0..1. The others are the control.
    seed: of who is, >= 0.
    """

    enrolled: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        checks.number("enrolled", self.enrolled, 0, 1, above=True)
        checks.integer("seed", self.seed, 0)

    def __call__(self, probes: Pictures, gallery: Pictures) -> Findings:
        """Raises `DataError` where nobody can be enrolled, or nobody is left."""
        people = people_of(probes, gallery)
        enrolment = Enrolment.draw(people, self.enrolled, self.seed)
        probes = probes.of(np.isin(probes.pids, people))
        gallery = gallery.of(np.isin(gallery.pids, [DISTRACTOR_PID, *enrolment.known]))

        def sought(number: int) -> Sought:
            pid = int(probes.pids[number])
            target = gallery.pids == enrolment.stand_in.get(pid, pid)
            own_camera = target & (gallery.camids == probes.camids[number])
            return Sought(target & ~own_camera, ~own_camera)

        return search(probes, gallery, sought, np.isin(probes.pids, list(enrolment.stand_in)), self.seed)
