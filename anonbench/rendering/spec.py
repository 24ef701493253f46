"""What to render: the settings of a dataset, and the plan of one crop."""

from __future__ import annotations

from dataclasses import dataclass, fields

from anonbench.errors import ConfigError, nearest

PERSON, POOR, EMPTY = "person", "poor", "empty"


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
        from anonbench.rendering.plan import LAYOUTS

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
