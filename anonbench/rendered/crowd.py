"""Pictures of several people, near and far, with every face's box: what face detectors are trained and tested on.

A picture is a place seen by one of a population's cameras, with people standing on its floor. Each person's size is
drawn so that faces are as often 8 to 16 pixels high as 80 to 160. Nearer people hide farther ones.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from anonbench.core.errors import ConfigError
from anonbench.data.seeding import generator
from anonbench.rendered.body import Figure, build_figure
from anonbench.rendered.camera import VIEWS, Camera, make_cameras, view_of
from anonbench.rendered.crop import Layer, contact_shadow, draw_yaw, frontal_face_area, paint_figure
from anonbench.rendered.geometry import F, Mask, rotation_x, rotation_y
from anonbench.rendered.identity import sample_identity
from anonbench.rendered.parts import Part
from anonbench.rendered.raster import Projection
from anonbench.rendered.scene import Backdrop, draw_backdrop
from anonbench.rendered.shading import Light
from anonbench.rendered.skeleton import sample_pose
from anonbench.rendered.spec import SETTINGS
from anonbench.rendered.truth import FACE_THRESHOLD, face_extent

FACE_M = 0.20  # height of a face from chin to hair, which turns a wanted height into a scale
POINT_DENSITY = 1.2  # surface points per pixel along each axis
DENSITY_STEP = 1.5  # figures are built for scales that differ by this factor, and kept
FIGURES_KEPT = 2  # up to 100 MB each, and rarely wanted again
EYES_ABOVE_M = (-0.15, 0.5)  # of the camera over people's eyes: heads line up along a horizon, near ones lower
HORIZON = (0.15, 0.5)  # of the picture's height
HEADS = (0.10, 0.78)  # where noses may be, of the picture's height
EYES_M = 1.6
FOCAL_M = 2200.0  # pixels x metres: people at scale s stand FOCAL_M / s metres away
BACKDROP_SCALE = 130.0  # pixels per metre at which places are drawn
SEEN_M = 2.9  # a picture shows at most so much of a place from top to bottom
PLACES_TRIED = 6  # of which the one with the least overlap of heads is taken
LEAST_FACE = 0.02  # share of the frontal face area below which nothing of a face shows


@dataclass(frozen=True)
class CrowdSpec:
    """Which pictures to draw. Each depends on these fields and its number alone.

    seed: names people, cameras and pictures.
    images: how many.
    height_px, width_px: of each, 64..2048.
    people: least and most people in a picture.
    face_px: least and greatest height of a face, log-uniform.
    population: different people.
    cameras: different cameras.
    setting: "street" or "indoor".
    """

    seed: int = 0
    images: int = 100
    height_px: int = 384
    width_px: int = 384
    people: tuple[int, int] = (1, 6)
    face_px: tuple[float, float] = (8.0, 160.0)
    population: int = 60
    cameras: int = 6
    setting: str = "street"
    view_shares: tuple[float, float, float, float] = (0.40, 0.25, 0.20, 0.15)

    def __post_init__(self) -> None:
        if self.setting not in SETTINGS:
            raise ConfigError(f"crowd: setting is {self.setting!r}; expected one of {', '.join(SETTINGS)}")
        limits = {
            "seed": (0, 2**63), "images": (1, 100_000), "height_px": (64, 2048), "width_px": (64, 2048),
            "population": (1, 4000), "cameras": (2, 15),
        }  # fmt: skip
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in limits:
                low, high = limits[field.name]
                if type(value) is not int or not low <= value <= high:
                    raise ConfigError(f"crowd: {field.name} is {value!r}; expected a whole number from {low} to {high}")
        for name in ("people", "face_px", "view_shares"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        low, high = self.people
        if not 0 <= low <= high <= 40:
            raise ConfigError(f"crowd: people is {self.people}; expected [least, most] within 0..40")
        least, most = self.face_px
        if not 4 <= least <= most <= 400:
            raise ConfigError(f"crowd: face_px is {self.face_px}; expected [least, greatest] within 4..400 pixels")


@dataclass(frozen=True)
class CrowdFace:
    """A face in a picture.

    box: x0, y0, x1, y1 of its visible part, in pixels, half-open.
    view: of the head.
    fraction: share of the frontal face area at that size that shows, 0..1.
    visible: at least `truth.FACE_THRESHOLD` of it shows. Other faces need not be found, and finding them is not wrong.
    occluded: somebody hides more than 5 % of it, or the picture's edge does.
    """

    box: tuple[float, float, float, float]
    view: str
    fraction: float
    visible: bool
    skin_tone: int
    occluded: bool


@dataclass(frozen=True)
class CrowdPicture:
    """(height, width, 3) uint8 RGB before compression, the camera's JPEG quality, and every face."""

    image: NDArray[np.uint8]
    jpeg_quality: int
    faces: tuple[CrowdFace, ...]


@dataclass(frozen=True)
class _Standing:
    """A person in a picture before anything nearer is painted."""

    layer: Layer
    view: str
    face_area_px: float
    skin_tone: int


class CrowdStudio:
    """Draws the pictures of one `CrowdSpec`."""

    def __init__(self, spec: CrowdSpec) -> None:
        self.spec = spec
        self.cameras = make_cameras(spec.seed, spec.cameras, spec.setting)
        self._figures: OrderedDict[tuple[int, int], tuple[Figure, float]] = OrderedDict()
        self._backdrops: dict[int, Backdrop] = {}

    def draw(self, number: int) -> CrowdPicture:
        """Draw picture `number`, 0..images - 1."""
        spec = self.spec
        rng = generator(spec.seed, "crowd", number)
        camera = self.cameras[int(rng.integers(spec.cameras))]
        light = camera.draw_light(rng)
        shape = (spec.height_px, spec.width_px)
        count = int(rng.integers(spec.people[0], spec.people[1] + 1))
        least, most = np.log(spec.face_px).tolist()
        scales = np.sort(np.exp(rng.uniform(least, most, count))) / FACE_M  # pixels per metre, far people first
        horizon = float(rng.uniform(*HORIZON)) * spec.height_px
        above = float(rng.uniform(*EYES_ABOVE_M))
        median = float(np.median(scales)) if count else 0.0
        ground = float(np.clip(median, spec.height_px / SEEN_M, 4 * BACKDROP_SCALE))
        image = self._backdrop(camera).cut(rng, shape, ground, horizon + (above + EYES_M) * ground) * F(light.level)
        columns = _spread(scales, spec.width_px, rng)
        people = [
            self._place(image, scale, column, horizon + above * scale, camera, rng, light)
            for scale, column in zip(scales.tolist(), columns, strict=True)
        ]
        faces = _visible_faces(people)
        return CrowdPicture(camera.develop(np.asarray(image, F), rng), camera.jpeg_quality, faces)

    def _backdrop(self, camera: Camera) -> Backdrop:
        if camera.number not in self._backdrops:
            own = generator(self.spec.seed, "crowd backdrop", camera.number)
            self._backdrops[camera.number] = draw_backdrop(own, camera, BACKDROP_SCALE)
        return self._backdrops[camera.number]

    def _figure(self, person: int, scale: float) -> tuple[Figure, float]:
        """A person's surfaces, dense enough for a scale, and the area of the face from the front in square metres."""
        step = math.ceil(math.log(max(scale, 1.0), DENSITY_STEP))
        key = (person, step)
        if key not in self._figures:
            dense = DENSITY_STEP**step
            figure = build_figure(sample_identity(self.spec.seed, person), dense * POINT_DENSITY)
            self._figures[key] = (figure, frontal_face_area(figure, dense))
            if len(self._figures) > FIGURES_KEPT:
                self._figures.popitem(last=False)
        self._figures.move_to_end(key)
        return self._figures[key]

    def _place(
        self, image: NDArray[np.float32], scale: float, column: float, eye_row: float, camera: Camera,
        rng: np.random.Generator, light: Light,
    ) -> _Standing:  # fmt: skip
        """Paint a person over what is there, in place."""
        figure, face_area_m2 = self._figure(int(rng.integers(self.spec.population)), scale)
        shares = np.array(self.spec.view_shares) / sum(self.spec.view_shares)
        yaw = draw_yaw(str(rng.choice(VIEWS, p=shares)), rng)
        pose = sample_pose(rng)
        posed = figure.pose(pose, rotation_x(camera.pitch * 0.5 + rng.normal(0, 0.04)) @ rotation_y(yaw))
        distance = FOCAL_M / scale
        low, high = (share * self.spec.height_px for share in HEADS)
        row = min(max(eye_row + float(rng.normal(0, 0.03)) * self.spec.height_px, low), high)
        nose_column, nose_row = (float(v) for v in Projection(scale, 0.0, 0.0, distance)(posed.joints["nose"]))
        projection = Projection(scale, column - nose_column, row - nose_row, distance)
        contact_shadow(image, projection)
        layer = paint_figure(image.shape[:2], figure, posed, projection, light)
        image[layer.covered] = layer.colours
        at_head = scale / (1 - float(posed.joints["nose"][2]) / distance)
        return _Standing(
            layer, view_of(math.remainder(yaw + pose.head_yaw, 2 * math.pi)), face_area_m2 * at_head**2,
            figure.identity.skin_tone,
        )  # fmt: skip


def _spread(scales: NDArray[np.float64], width: int, rng: np.random.Generator) -> list[float]:
    """A column for each person's head; the nearest are placed first, and heads overlap little where there is room."""
    columns: list[float] = []
    taken: list[tuple[float, float]] = []
    for scale in scales[::-1].tolist():
        tried = rng.uniform(0.03, 0.97, PLACES_TRIED) * width
        reach = 0.75 * FACE_M * scale

        def overlap(column: float, reach: float = reach) -> float:
            return sum(max(0.0, min(column + reach, right) - max(column - reach, left)) for left, right in taken)

        column = float(min(tried, key=overlap))
        taken.append((column - reach, column + reach))
        columns.append(column)
    return columns[::-1]


def _visible_faces(people: list[_Standing]) -> tuple[CrowdFace, ...]:
    """The faces of people painted one over the other, the last one nearest; those of which nothing shows left out."""
    faces = []
    hidden: Mask | None = None
    for person in reversed(people):
        face: Mask = person.layer.part == Part.FACE
        seen = face if hidden is None else face & ~hidden
        hidden = person.layer.covered if hidden is None else hidden | person.layer.covered
        found = visible_face(face, seen, person.view, person.face_area_px, person.skin_tone)
        if found is not None:
            faces.append(found)
    return tuple(reversed(faces))


def visible_face(face: Mask, seen: Mask, view: str, face_area_px: float, skin_tone: int) -> CrowdFace | None:
    """A face of which only the pixels `seen` show; None where that is nothing.

    face, seen: (height, width) bool of the whole picture.
    view: of the head.
    face_area_px: what it would cover from the front.
    """
    fraction = float(seen.sum()) / max(1e-9, face_area_px)
    box = face_extent(seen, 1)
    if box is None or fraction < LEAST_FACE:
        return None
    height, width = face.shape
    cut = box[0] <= 0 or box[1] <= 0 or box[2] >= width or box[3] >= height
    occluded = bool(cut or seen.sum() < 0.95 * face.sum())
    return CrowdFace(box, view, fraction, fraction >= FACE_THRESHOLD, skin_tone, occluded)
