"""What to render: the settings of a dataset, and the plan of one crop."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from anonbench.core.errors import ConfigError, nearest
from anonbench.data.seeding import generator

PERSON, POOR, EMPTY = "person", "poor", "empty"
SETTINGS = ("street", "indoor")
HEIGHTS_PX = (64, 1024)
Shares = tuple[float, float, float, float]


@dataclass(frozen=True)
class CropPlan:
    """One crop to draw.

    path: below the dataset folder, with forward slashes.
    pid: as the layout numbers it (-1 junk, 0 distractor).
    camid: 1..cameras.
    person: number of the identity to draw, in the population of the seed; None for an empty scene.
    kind: "person" (an ordinary crop), "poor" (a badly framed one) or "empty" (a false alarm: no person).
    split: train, query or gallery; None where a layout leaves the division to its reader.
    view: the view to draw, where the file name says it. None: as the camera sees people.
    outfit: which of their outfits the person wears, from 0 on.
    """

    path: str
    pid: int
    camid: int
    person: int | None
    kind: str = PERSON
    split: str | None = None
    view: str | None = None
    outfit: int = 0


@dataclass(frozen=True)
class RenderSpec:
    """What to render. Every crop depends on these fields and its path alone.

    layout: native layout of the files, a key of `plan.LAYOUTS`.
    seed: names the population of people, the cameras and every crop.
    height_px, width_px: size of the crops; 64..1024 high, a third to two thirds of that wide.
    size_spread: every crop's height and width are multiplied by two separate factors, drawn log-uniformly between
        exp(-size_spread) and exp(size_spread), 0..0.6. They are then brought back into the limits of height and shape.
    setting: what the cameras look at. "street": daylight, house fronts, bicycles. "indoor": a hall under ceiling
        lights, watched from higher up: tiles, glass, counters, seats, luggage.
    train_identities, test_identities: people in each half; nobody is in both.
    cameras: number of cameras, 2..15.
    view_shares: how often people are seen (front, three_quarter, profile, back), as weights. One list for all cameras
        or one for each. None: a mix that favours another view at each camera.
    images_per_camera: crops of one person by one camera that sees them. In the test half one of them is the query.
    camera_coverage: probability that a camera sees a person, 0..1. Everybody is seen by at least two.
    junk: images "-1" in the gallery, of test people, framed badly. No metric counts them.
    distractors: images "0000" in the gallery: strangers (two of three) and false alarms without a person.
    clothes_group: this many people wear the same colours, so that colour alone does not say who is who.
    other_clothes: share of people who have two outfits, 0..1. Queries of such a test person show one of them, the
        gallery the other. Of such a training person every second image shows the other.
    backdrops_per_camera: different views of a camera's surroundings.
    occluder_share, bystander_share: probability that a thing, or another person, is near or before the person, 0..1.
    supersampling: raster pixels per crop pixel along each axis; 2 to 4.
    """

    layout: str = "market1501"
    seed: int = 0
    height_px: int = 128
    width_px: int = 64
    size_spread: float = 0.0
    setting: str = "street"
    train_identities: int = 60
    test_identities: int = 60
    cameras: int = 6
    view_shares: tuple[Shares, ...] | None = None
    images_per_camera: int = 2
    camera_coverage: float = 1.0
    junk: int = 30
    distractors: int = 60
    clothes_group: int = 4
    other_clothes: float = 0.0
    backdrops_per_camera: int = 4
    occluder_share: float = 0.22
    bystander_share: float = 0.2
    supersampling: int = 2

    def __post_init__(self) -> None:
        from anonbench.rendered.plan import LAYOUTS

        if self.layout not in LAYOUTS:
            raise ConfigError(f"render: unknown layout '{self.layout}': {nearest(self.layout, LAYOUTS)}")
        if self.setting not in SETTINGS:
            raise ConfigError(f"render: unknown setting {self.setting!r}: {nearest(str(self.setting), SETTINGS)}")
        limits: dict[str, tuple[float, float]] = {
            "seed": (0, 2**63), "height_px": HEIGHTS_PX, "width_px": (22, 682), "size_spread": (0, 0.6),
            "train_identities": (1, 4000), "test_identities": (1, 4000), "cameras": (2, 15),
            "images_per_camera": (1, 50), "camera_coverage": (0, 1), "junk": (0, 9999), "distractors": (0, 9999),
            "clothes_group": (1, 1000), "other_clothes": (0, 1), "backdrops_per_camera": (1, 20),
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
        if not self.height_px <= 3 * self.width_px <= 2 * self.height_px:
            low, high = math.ceil(self.height_px / 3), self.height_px * 2 // 3
            raise ConfigError(
                f"render: width_px must be between a third and two thirds of height_px, {low} to {high} for "
                f"{self.height_px}, got {self.width_px} x {self.height_px} (width x height)"
            )
        object.__setattr__(self, "view_shares", _freeze_shares(self.view_shares, self.cameras))
        LAYOUTS[self.layout].check(self)

    def size_px(self, path: str) -> tuple[int, int]:
        """(height, width) of the crop at `path`."""
        if not self.size_spread:
            return self.height_px, self.width_px
        factors = np.exp(generator(self.seed, "size", path).uniform(-self.size_spread, self.size_spread, 2))
        height = round(float(np.clip(self.height_px * factors[0], *HEIGHTS_PX)))
        return height, min(max(round(self.width_px * factors[1]), math.ceil(height / 3)), height * 2 // 3)


def _freeze_shares(given: Any, cameras: int) -> tuple[Shares, ...] | None:
    """One row of weights for all cameras, or a row for each, from lists as a configuration file gives them."""
    if given is None:
        return None
    wrong = ConfigError(
        f"render: view_shares must be four weights (front, three_quarter, profile, back), or {cameras} such lists, one "
        f"for each camera; each weight at least 0 and one of the four above; got {given!r}"
    )
    if not isinstance(given, list | tuple):
        raise wrong
    rows = list(given) if any(isinstance(row, list | tuple) for row in given) else [given]
    if len(rows) not in (1, cameras):
        raise wrong
    return tuple(_freeze_row(row, wrong) for row in rows)


def _freeze_row(row: Any, wrong: ConfigError) -> Shares:
    numbers = isinstance(row, list | tuple) and len(row) == 4 and all(type(v) in (int, float) for v in row)
    if not numbers or not all(0 <= v < math.inf for v in row) or sum(row) <= 0:
        raise wrong
    front, three_quarter, profile, back = (float(v) for v in row)
    return front, three_quarter, profile, back
