"""Which crops a dataset consists of: a list of small plans, made before anything is drawn.

A plan says who is seen by which camera under which file name. How a crop is drawn is `crop.py`'s business, how it is
written `dataset.py`'s. A new native layout is a new function here, entered in `LAYOUTS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from anonbench.records import DISTRACTOR_PID, JUNK_PID
from anonbench.rendering.seeding import generator
from anonbench.rendering.spec import EMPTY, POOR, CropPlan, RenderSpec

SEQUENCES = 6


def plan_crops(spec: RenderSpec) -> list[CropPlan]:
    """All crops of a dataset, sorted by path."""
    return sorted(LAYOUTS[spec.layout](spec), key=lambda plan: plan.path)


def plan_market1501(spec: RenderSpec) -> list[CropPlan]:
    """Market-1501: `bounding_box_train`, `query` (one image a test person and camera), `bounding_box_test`.

    Names are `PPPP_cCsS_FFFFFF_BB.jpg`: person, camera, sequence, frame, number of the box; `-1` junk, `0000`
    distractors. Query images have twins by the same camera in the gallery, which the metric ignores.
    Source: Zheng et al. 2015, "Scalable Person Re-identification: A Benchmark". Deviation: with one image per camera
    half of each person's cameras give queries and the other half the gallery.
    """
    rng = generator(spec.seed, "plan", "market1501")
    people = spec.train_identities + spec.test_identities
    pids = rng.permutation(np.arange(1, people + 1))
    groups = math.ceil(spec.train_identities / spec.clothes_group)
    first_test = groups * spec.clothes_group  # so that no group of clothes spans both halves
    names = _Names(rng)
    plans: list[CropPlan] = []
    for i, pid in enumerate(sorted(pids[: spec.train_identities].tolist())):
        for camera in _seen_by(spec, rng):
            for _ in range(spec.images_per_camera):
                plans.append(CropPlan(f"bounding_box_train/{names.draw(pid, camera)}", pid, camera, i))
    test_people = range(first_test, first_test + spec.test_identities)
    for person, pid in zip(test_people, sorted(pids[spec.train_identities :].tolist()), strict=True):
        seen_by = _seen_by(spec, rng)
        for k, camera in enumerate(seen_by):
            for image in range(spec.images_per_camera):
                query = image == 0 and (spec.images_per_camera > 1 or k < len(seen_by) // 2)
                folder = "query" if query else "bounding_box_test"
                plans.append(CropPlan(f"{folder}/{names.draw(pid, camera)}", pid, camera, person))
    for _ in range(spec.junk):
        camera = int(rng.integers(1, spec.cameras + 1))
        person = int(rng.choice(np.array(test_people)))
        path = f"bounding_box_test/{names.draw(JUNK_PID, camera)}"
        plans.append(CropPlan(path, JUNK_PID, camera, person, POOR))
    strangers = first_test + spec.test_identities
    for k in range(spec.distractors):
        camera = int(rng.integers(1, spec.cameras + 1))
        path = f"bounding_box_test/{names.draw(DISTRACTOR_PID, camera)}"
        if k % 3 == 2:
            plans.append(CropPlan(path, DISTRACTOR_PID, camera, None, EMPTY))
        else:
            plans.append(CropPlan(path, DISTRACTOR_PID, camera, strangers + k))
    return plans


def _seen_by(spec: RenderSpec, rng: np.random.Generator) -> list[int]:
    """The cameras (1..) that see one person: at least two."""
    order, luck = rng.permutation(spec.cameras), rng.random(spec.cameras)
    return sorted(int(c) + 1 for k, c in enumerate(order) if k < 2 or luck[k] < spec.camera_coverage)


class _Names:
    """File names in Market-1501's style, none twice."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.used: set[str] = set()

    def draw(self, pid: int, camera: int) -> str:
        label = str(pid) if pid < 0 else f"{pid:04d}"
        while True:
            sequence, frame, box = (
                self.rng.integers(1, SEQUENCES + 1),
                self.rng.integers(1, 120000),
                self.rng.integers(1, 7),
            )
            name = f"{label}_c{camera}s{sequence}_{frame:06d}_{box:02d}.jpg"
            if name not in self.used:
                self.used.add(name)
                return name


LAYOUTS: dict[str, Callable[[RenderSpec], list[CropPlan]]] = {"market1501": plan_market1501}
