"""Recognition: who is on an anonymized picture, by a gallery of pictures of known people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from anonbench.attacks import ATTACKS
from anonbench.attacks._search import Findings, Pictures, Search, Sought, search
from anonbench.datasets import DISTRACTOR_PID


@ATTACKS.register("recognition")
@dataclass(frozen=True)
class Recognition(Search):
    """For each probe, the most similar pictures of a gallery of enrolled people.

    A hit is a picture of the probe's person from another camera: what one camera sees of a person in one moment tells
    its place too. Distractors stay in the gallery.
    """

    probe_splits: ClassVar[Sequence[str]] = ("query",)
    gallery_splits: ClassVar[Sequence[str]] = ("gallery",)

    def __call__(self, probes: Pictures, gallery: Pictures) -> Findings:
        """Raises `DataError` where nobody can be enrolled, or nobody is left."""
        enrolment, probes = self.enrol(probes, gallery)
        gallery = gallery.of(np.isin(gallery.pids, [DISTRACTOR_PID, *enrolment.known]))

        def sought(number: int) -> Sought:
            pid = int(probes.pids[number])
            target = gallery.pids == enrolment.stand_in.get(pid, pid)
            own_camera = target & (gallery.camids == probes.camids[number])
            return Sought(target & ~own_camera, ~own_camera)

        return search(probes, gallery, sought, enrolment, self.seed)
