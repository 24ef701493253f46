"""Which crops a dataset consists of: a list of small plans, made before anything is drawn.

A plan says who is seen by which camera under which file name. How a crop is drawn is `crop.py`'s business, how it is
written `dataset.py`'s. A new native layout is a new function here, entered in `LAYOUTS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from anonbench.errors import ConfigError, nearest
from anonbench.records import DISTRACTOR_PID, JUNK_PID
from anonbench.rendering.seeding import generator

PERSON, POOR, EMPTY = "person", "poor", "empty"
SEQUENCES = 6


@dataclass(frozen=True)
class CropPlan:
    """One crop to draw.

    path: below the dataset folder, with forward slashes. pid: as the layout numbers it (-1 junk, 0 distractor).
    camid: 1..cameras. person: number of the identity to draw, in the population of the seed; None for an empty scene.
    kind: "person" (an ordinary crop), "poor" (a badly framed one) or "empty" (a false alarm: no person).
    """

    path: str
    pid: int
    camid: int
    person: int | None
    kind: str = PERSON


@dataclass(frozen=True)
class RenderSpec:
    """What to render. Every crop depends on these fields and its path alone.

    layout: native layout of the files; "market1501".
    seed: names the population of people, the cameras and every crop.
    height_px, width_px: size of the crops; twice as high as wide, 64..1024 high.
    train_identities, test_identities: people in each half; nobody is in both.
    cameras: number of cameras, 2..6.
    images_per_camera: crops of one person by one camera that sees them; in the test half one of them is the query.
    camera_coverage: probability that a camera sees a person, 0..1; everybody is seen by at least two.
    junk: images "-1" in the gallery, of test people, framed badly; no metric counts them.
    distractors: images "0000" in the gallery: strangers (two of three) and false alarms without a person.
    clothes_group: this many people wear the same colours, so that colour alone does not tell who is who.
    backdrops_per_camera: different views of a camera's surroundings.
    occluder_share, bystander_share: probability that a thing, or another person, stands near or before the person.
    supersampling: raster pixels per crop pixel along each axis; 2 to 4.
    """

    layout: str = "market1501"
    seed: int = 0
    height_px: int = 128
    width_px: int = 64
    train_identities: int = 60
    test_identities: int = 60
    cameras: int = 6
    images_per_camera: int = 2
    camera_coverage: float = 1.0
    junk: int = 30
    distractors: int = 60
    clothes_group: int = 4
    backdrops_per_camera: int = 4
    occluder_share: float = 0.22
    bystander_share: float = 0.2
    supersampling: int = 2

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ConfigError(f"render: unknown layout '{self.layout}': {nearest(self.layout, LAYOUTS)}")
        limits: dict[str, tuple[float, float]] = {
            "seed": (0, 2**63), "height_px": (64, 1024), "train_identities": (1, 4000), "test_identities": (1, 4000),
            "cameras": (2, 6), "images_per_camera": (1, 50), "camera_coverage": (0, 1), "junk": (0, 9999),
            "distractors": (0, 9999), "clothes_group": (1, 1000), "backdrops_per_camera": (1, 20),
            "occluder_share": (0, 1), "bystander_share": (0, 1), "supersampling": (1, 4),
        }  # fmt: skip
        for field in fields(self):
            if field.name not in limits:
                continue
            value, (low, high) = getattr(self, field.name), limits[field.name]
            wanted = float if isinstance(field.default, float) else int
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or (wanted is int and not isinstance(value, int)) or not low <= value <= high:
                kind = "a whole number" if wanted is int else "a number"
                raise ConfigError(f"render: {field.name} must be {kind} from {low} to {high}, got {value!r}")
        if self.width_px * 2 != self.height_px:
            raise ConfigError(
                f"render: width_px must be half of height_px, got {self.width_px} x {self.height_px} (width x height). "
                f"Use for example 64 x 128, 128 x 256 or 256 x 512."
            )


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
