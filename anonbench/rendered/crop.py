"""One crop: a person in a pose before a camera, with whatever stands around them.

`Studio` keeps what many crops share (cameras, backdrops, figures). `Studio.draw` turns a `CropPlan` into pixels and
ground truth. Every random choice of a crop comes from (seed, path), so crops can be drawn in any order.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anonbench.core.errors import ConfigError, nearest
from anonbench.data.seeding import generator
from anonbench.rendered.body import Figure, PosedPoints, build_figure
from anonbench.rendered.brush import Brush
from anonbench.rendered.camera import VIEWS, YAW_RANGES_DEG, Camera, make_cameras, view_of
from anonbench.rendered.geometry import Array, F, Mask, rotation_x, rotation_y
from anonbench.rendered.identity import Identity, sample_identity
from anonbench.rendered.parts import Part
from anonbench.rendered.raster import Projection, splat
from anonbench.rendered.scene import PLACES, Backdrop, draw_backdrop
from anonbench.rendered.shading import Light, Surface, shade
from anonbench.rendered.skeleton import STANDING, Pose, sample_pose
from anonbench.rendered.spec import EMPTY, HEIGHTS_PX, POOR, CropPlan, RenderSpec
from anonbench.rendered.truth import (
    COCO_KEYPOINTS,
    FACE_THRESHOLD,
    Keypoint,
    Truth,
    face_extent,
    project_keypoints,
)

BYSTANDERS = 12  # other people come from a small cast, whose figures stay in memory
FIGURES_KEPT = BYSTANDERS + 4
POINT_DENSITY = 1.2  # surface points per raster pixel along each axis
MEAN_PERSON_M = 1.80  # height of a person with shoes and hair
FILL = 0.92  # share of a crop's height that the person takes
NARROWEST_FILL = 0.8  # a narrow frame lets a person shrink by at most this factor
Shape = tuple[int, int]  # height and width of a raster: the crop's size times the supersampling


@dataclass(frozen=True)
class Crop:
    """A drawn crop: (height, width, 3) uint8 RGB before compression, the camera's JPEG quality, and the truth."""

    image: NDArray[np.uint8]
    jpeg_quality: int
    truth: Truth


@dataclass(frozen=True)
class Layer:
    """A person on the raster: where, in which colours, which body parts, how near, and where nothing hides them."""

    covered: Mask
    part: NDArray[np.uint8]
    depth: Array
    colours: Array  # (covered pixels, 3)


class Studio:
    """Draws the crops of one `RenderSpec`."""

    def __init__(self, spec: RenderSpec) -> None:
        self.spec = spec
        cameras = make_cameras(spec.seed, spec.cameras, spec.setting, spec.view_shares)
        self.cameras = {camera.number: camera for camera in cameras}
        self.place = PLACES[spec.setting]
        highest = min(HEIGHTS_PX[1], spec.height_px * math.exp(spec.size_spread))
        self.crop_scale = (
            FILL * highest / MEAN_PERSON_M
        )  # pixels per metre of an average crop, the highest if they vary
        self._figures: OrderedDict[tuple[int, int], tuple[Figure, float]] = OrderedDict()
        self._backdrops: dict[tuple[int, int], Backdrop] = {}

    def draw(self, plan: CropPlan, view: str | None = None) -> Crop:
        """Draw one crop.

        view: draw this view instead of one that the camera chooses.
        """
        rng = generator(self.spec.seed, "crop", plan.path)
        height_px, width_px = self.spec.size_px(plan.path)
        shape = (height_px * self.spec.supersampling, width_px * self.spec.supersampling)
        camera = self.cameras[plan.camid]
        light = camera.draw_light(rng)
        if plan.person is None or plan.kind == EMPTY:
            return self._draw_empty(shape, camera, light, rng)
        figure, face_area_m2 = self.figure(plan.person, plan.outfit)
        pose = sample_pose(rng)
        yaw = draw_yaw(view or plan.view or camera.draw_view(rng), rng)
        turn = rotation_x(camera.pitch + rng.normal(0, 0.02)) @ rotation_y(yaw)
        posed = figure.pose(pose, turn)
        projection = self._frame(shape, posed, camera, plan.kind == POOR, rng)
        layer = paint_figure(shape, figure, posed, projection, light)

        image = self._backdrop(camera, rng).cut(rng, shape, projection.scale, projection.foot_y)
        image *= F(light.level)
        visible = layer.covered.copy()
        crowd = rng.random() < self.spec.bystander_share
        other = self._bystander(shape, camera, projection, light, rng) if crowd else None
        contact_shadow(image, projection)
        if other and not other[1]:
            image[other[0].covered] = other[0].colours
        self._put_luggage(image, figure.identity, yaw, camera, projection, light, nearer=False)
        image[layer.covered] = layer.colours
        visible &= ~self._put_luggage(image, figure.identity, yaw, camera, projection, light, nearer=True)
        if other and other[1]:
            image[other[0].covered] = other[0].colours
            visible &= ~other[0].covered
        crowded = self.spec.occluder_share if plan.kind != POOR else 0.7
        if rng.random() < crowded:
            visible &= ~self._occlude(image, camera, projection, light, rng)
        developed = self._develop(image, camera, rng)
        truth = self._truth(figure, face_area_m2, pose, yaw, posed, projection, layer, visible)
        return Crop(developed, camera.jpeg_quality, truth)

    # ------------------------------------------------------------------------------------------ shared things
    def figure(self, number: int, outfit: int = 0) -> tuple[Figure, float]:
        """The figure of person `number` and the area of their face seen from the front, in square metres."""
        key = (number, outfit)
        if key in self._figures:
            self._figures.move_to_end(key)
            return self._figures[key]
        identity = sample_identity(self.spec.seed, number, self.spec.clothes_group, outfit)
        raster_scale = self.crop_scale * self.spec.supersampling
        figure = build_figure(identity, raster_scale * POINT_DENSITY)
        self._figures[key] = (figure, frontal_face_area(figure, raster_scale))
        if len(self._figures) > FIGURES_KEPT:
            self._figures.popitem(last=False)
        return self._figures[key]

    def _backdrop(self, camera: Camera, rng: np.random.Generator) -> Backdrop:
        key = (camera.number, int(rng.integers(self.spec.backdrops_per_camera)))
        if key not in self._backdrops:
            own = generator(self.spec.seed, "backdrop", *key)
            self._backdrops[key] = draw_backdrop(own, camera, self.crop_scale)
        return self._backdrops[key]

    # ------------------------------------------------------------------------------------------ people
    @staticmethod
    def _frame(shape: Shape, posed: PosedPoints, camera: Camera, poor: bool, rng: np.random.Generator) -> Projection:
        """Cut the frame as a pedestrian detector would: around the person, a little off in size and place."""
        height, width = shape
        distance = camera.distance_m * float(rng.uniform(0.85, 1.2))
        columns, rows = Projection(1.0, 0.0, 0.0, distance)(posed.points)
        fill = float(np.clip(rng.normal(0.915, 0.035), 0.80, 1.03))
        centre, margin = 0.5 + float(rng.normal(0, 0.05)), float(rng.uniform(0.25, 0.75))
        if poor:
            fill, centre, margin = float(rng.uniform(1.2, 2.2)), float(rng.uniform(0.2, 0.8)), float(rng.uniform(0, 1))
        left, right = float(columns.min()), float(columns.max())
        narrow = not poor and 2 * width < height
        scale = fill * height / float(rows.max() - rows.min())
        if narrow:  # a detector draws its frame around outstretched arms and long strides too
            fill *= float(np.clip(width / (scale * (right - left)), NARROWEST_FILL, 1))
            scale = fill * height / float(rows.max() - rows.min())
        foot_x = centre * width - (float(np.median(columns)) * 0.5 + (right + left) * 0.25) * scale
        if narrow:
            least, most = sorted((-left * scale, width - right * scale))
            foot_x = min(max(foot_x, least), most)
        top = (1 - fill) * height * margin
        return Projection(scale, foot_x, top - float(rows.min()) * scale, distance)

    def _bystander(
        self, shape: Shape, camera: Camera, person: Projection, light: Light, rng: np.random.Generator
    ) -> tuple[Layer, bool]:
        """Another person, partly in the frame; and whether they are nearer to the camera."""
        figure, _ = self.figure(-1 - int(rng.integers(BYSTANDERS)))
        behind = float(rng.uniform(-0.7, 2.5))
        aside = float(rng.choice([-1, 1]) * rng.uniform(0.42, 0.72))
        away = float(rng.choice([0.3, 1.0, 1.6, 2.4, 3.0], p=[0.1, 0.1, 0.2, 0.3, 0.3]) * rng.choice([-1, 1]))
        posed = figure.pose(sample_pose(rng), rotation_x(camera.pitch) @ rotation_y(away + float(rng.normal(0, 0.2))))
        scale = person.scale / (1 + behind / person.distance_m)
        placed = Projection(
            scale,
            person.foot_x + aside * person.scale,
            person.foot_y - behind * math.sin(camera.pitch) * person.scale,
            person.distance_m + behind,
        )
        return paint_figure(shape, figure, posed, placed, light), behind < 0

    # ------------------------------------------------------------------------------------------ surroundings
    def _occlude(
        self, image: Array, camera: Camera, person: Projection, light: Light, rng: np.random.Generator
    ) -> Mask:
        """Put a thing in front of the person, in place; returns where it hides what is behind."""
        name = str(rng.choice(camera.occluders if rng.random() < 0.8 else self.place.occluders))
        before = float(rng.uniform(0.2, 1.2))
        cover = np.zeros(image.shape[:2], np.uint8)
        brush = Brush(
            image,
            cover,
            column=person.foot_x + float(rng.uniform(-0.5, 0.5)) * person.scale,
            row=person.foot_y + (before * math.sin(camera.pitch) + 0.04) * person.scale,
            scale=person.scale / max(0.5, 1 - before / person.distance_m),
            light=light.level * float(rng.uniform(0.7, 1.0)),
        )
        self.place.things[name](brush, rng)
        return cover > 0

    def _put_luggage(
        self, image: Array, identity: Identity, yaw: float, camera: Camera, person: Projection, light: Light,
        nearer: bool,
    ) -> Mask:  # fmt: skip
        """Draw what a person pulls along, if they do and it is on that side of them; returns what it covers."""
        own, cover = identity.rng("luggage"), np.zeros(image.shape[:2], np.uint8)
        if own.random() < self.place.luggage_share:
            beside, behind = float(own.choice([-1, 1]) * own.uniform(0.3, 0.42)), float(own.uniform(0.1, 0.35))
            aside, _, towards = (float(v) for v in rotation_y(yaw) @ np.array([beside, 0, -behind], F))
            if (towards > 0) == nearer:
                brush = Brush(
                    image,
                    cover,
                    column=person.foot_x + aside * person.scale,
                    row=person.foot_y + towards * math.sin(camera.pitch) * person.scale,
                    scale=person.scale / (1 - towards / person.distance_m),
                    light=light.level,
                )
                self.place.things[self.place.luggage](brush, own)
        return cover > 0

    def _draw_empty(self, shape: Shape, camera: Camera, light: Light, rng: np.random.Generator) -> Crop:
        """A false alarm of the pedestrian detector: a place without a person, often with a thing in it."""
        height, width = shape
        ss = self.spec.supersampling
        scale = FILL * (height // ss) / MEAN_PERSON_M * ss * float(rng.uniform(0.7, 1.6))
        projection = Projection(scale, width / 2, height * float(rng.uniform(0.8, 1.2)), camera.distance_m)
        image = self._backdrop(camera, rng).cut(rng, shape, scale, projection.foot_y) * F(light.level)
        if rng.random() < 0.6:
            self._occlude(image, camera, projection, light, rng)
        nowhere = tuple(Keypoint(0.0, 0.0, 0) for _ in COCO_KEYPOINTS)
        mask = np.zeros((height // ss, width // ss), bool)
        truth = Truth(None, None, None, 0.0, None, False, False, mask, nowhere)
        return Crop(self._develop(image, camera, rng), camera.jpeg_quality, truth)

    def _develop(self, image: Array, camera: Camera, rng: np.random.Generator) -> NDArray[np.uint8]:
        ss = self.spec.supersampling
        size = (image.shape[1] // ss, image.shape[0] // ss)
        small = image if ss == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return camera.develop(np.asarray(small, F), rng)

    # ------------------------------------------------------------------------------------------ truth
    def _truth(
        self, figure: Figure, face_area_m2: float, pose: Pose, yaw: float, posed: PosedPoints, projection: Projection,
        layer: Layer, visible: Mask,
    ) -> Truth:  # fmt: skip
        ss = self.spec.supersampling
        face, face_seen = layer.part == Part.FACE, (layer.part == Part.FACE) & visible
        at_head = projection.scale / (1 - float(posed.joints["nose"][2]) / projection.distance_m)
        fraction = float(face_seen.sum()) / max(1e-9, face_area_m2 * at_head**2)
        head_yaw = math.remainder(yaw + pose.head_yaw, 2 * math.pi)
        size = (visible.shape[1] // ss, visible.shape[0] // ss)
        shown = cv2.resize(visible.astype(F), size, interpolation=cv2.INTER_AREA)
        return Truth(
            view=view_of(head_yaw),
            yaw_deg=math.degrees(head_yaw),
            face_box=face_extent(face_seen, ss) if fraction >= FACE_THRESHOLD else None,
            face_fraction=fraction,
            skin_tone=figure.identity.skin_tone,
            occluded=bool(visible.sum() < 0.95 * layer.covered.sum()),
            face_occluded=bool(face_seen.sum() < 0.95 * face.sum()),
            mask=shown > 0.5,
            keypoints=project_keypoints(posed.joints, projection, layer.depth, visible, ss),
        )


def render_portrait(seed: int, person: int, view: str = "front", height_px: int = 512, camera: int = 1) -> Crop:
    """One large picture of person `person` of the population `seed`, alone and in full view.

    view: one of `camera.VIEWS`.
    height_px: 64..1024, the width is half of it.
    camera: 1..6.

    >>> render_portrait(seed=1, person=3, height_px=64).image.shape
    (64, 32, 3)
    """
    if view not in VIEWS:
        raise ConfigError(f"render: unknown view '{view}': {nearest(view, VIEWS)}")
    spec = RenderSpec(seed=seed, height_px=height_px, width_px=height_px // 2, occluder_share=0.0, bystander_share=0.0)
    plan = CropPlan(path=f"portrait/{person}_{view}", pid=person, camid=camera, person=person)
    return Studio(spec).draw(plan, view)


def frontal_face_area(figure: Figure, scale: float) -> float:
    """The area of a face seen from the front in square metres.

    scale: pixels per metre at which it is counted.
    """
    posed = figure.pose(STANDING, np.eye(3, dtype=F))
    size = round(0.5 * scale)
    nose = posed.joints["nose"]
    projection = Projection(scale, size / 2, size / 2 + float(nose[1]) * scale, 1e6)
    columns, rows = projection(posed.points)
    index = splat(columns, rows, posed.points[:, 2], size, size)
    parts = figure.cloud.part[posed.chosen[index[index >= 0]]]
    return float((parts == Part.FACE).sum()) / scale**2


def paint_figure(shape: Shape, figure: Figure, posed: PosedPoints, projection: Projection, light: Light) -> Layer:
    """A posed figure on a raster of a shape (height, width), lit."""
    height, width = shape
    columns, rows = projection(posed.points)
    index = splat(columns, rows, posed.points[:, 2], width, height)
    covered = index >= 0
    nearest = index[covered]
    source = posed.chosen[nearest]
    cloud = figure.cloud
    surface = Surface(
        covered=covered,
        points=posed.points[nearest],
        normals=posed.normals[nearest],
        albedo=cloud.albedo[source],
        gloss=cloud.gloss[source],
        part=cloud.part[source],
        scale=projection.scale,
    )
    part, depth = np.zeros(covered.shape, np.uint8), np.zeros(covered.shape, F)
    part[covered], depth[covered] = surface.part, surface.points[:, 2]
    colours = shade(surface, posed.blockers, light) if len(nearest) else np.zeros((0, 3), F)
    return Layer(covered, part, depth, colours)


def draw_yaw(view: str, rng: np.random.Generator) -> float:
    """How far a body is turned away from the camera in a view, radians."""
    low, high = YAW_RANGES_DEG[VIEWS.index(view)]
    return math.radians(float(rng.uniform(low, high))) * float(rng.choice([-1, 1]))


def contact_shadow(image: Array, person: Projection) -> None:
    """Darken the ground around a person's feet, in place."""
    height, width = image.shape[:2]
    top = max(0, int(person.foot_y - 0.25 * person.scale))
    bottom = min(height, int(person.foot_y + 0.25 * person.scale))
    if top >= bottom:
        return
    dx = (np.arange(width, dtype=F)[None] - F(person.foot_x)) / F(0.30 * person.scale)
    dy = (np.arange(top, bottom, dtype=F)[:, None] - F(person.foot_y)) / F(0.09 * person.scale)
    image[top:bottom] *= (1 - 0.55 * np.exp(-(dx * dx + dy * dy)))[..., None]
