"""Pictures of streets: people, riders and vehicles on one floor, with the mask of each.

    studio = SceneStudio(SceneSpec(layout="coco", train=8, val=4), "val")
    picture = studio.draw(0)
    picture.image                    # (320, 320, 3) uint8
    picture.instances[0].category    # "person"

Size follows distance, so nearer people stand lower in the picture. Nearer things hide farther ones. Nothing that could
be labelled is in a picture without its label: what would hardly show is not painted at all.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from anonbench.core.errors import ConfigError, nearest
from anonbench.data.seeding import generator
from anonbench.rendered import street
from anonbench.rendered.body import Figure, PosedPoints, build_figure
from anonbench.rendered.brush import Brush
from anonbench.rendered.camera import VIEWS, make_cameras, view_of
from anonbench.rendered.crop import Layer, draw_yaw, frontal_face_area, paint_figure
from anonbench.rendered.crowd import CrowdFace, visible_face
from anonbench.rendered.geometry import Array, F, Mask, rotation_y
from anonbench.rendered.identity import sample_identity
from anonbench.rendered.parts import Part
from anonbench.rendered.raster import Projection
from anonbench.rendered.scene import darken
from anonbench.rendered.shading import Light
from anonbench.rendered.skeleton import Pose, sample_pose
from anonbench.rendered.street_view import STUFF, View, draw_place
from anonbench.rendered.truth import Keypoint, project_keypoints
from anonbench.rendered.vehicles import END, SIDE, VEHICLES, Vehicle
from anonbench.rendered.wider import validation_seed

PERSON, RIDER = "person", "rider"
CATEGORIES = (PERSON, RIDER, "car", "truck", "bus", "motorcycle", "bicycle")
SPLITS = ("train", "val")
PERSON_M = 1.75
POINT_DENSITY = 1.2  # surface points per pixel along each axis
DENSITY_STEP = 1.5  # figures are built for scales that differ by this factor, and kept
POINTS_KEPT = 2_000_000  # of all figures kept: about 100 MB
LEAST_PIXELS, LEAST_SHARE = 16, 0.12  # of which less shows is not painted
PLACES_TRIED = 5  # of which the one that hides least is taken
CROWD_SIZE = (5, 10)  # people of a group that nobody takes apart
CROWD_SPACE_M = 0.42
CROWD_DISTANCE = (1.1, 1.8)  # its scale as a multiple of that of the farthest people
NEAREST_M = 2.2  # perspective of what is nearer would be grotesque
MARGIN_PX = 2


@dataclass(frozen=True)
class Look:
    """What the pictures of a layout are like.

    person_height: least and greatest height of people as a share of the picture's, log-uniform; Figure 7 of the paper
        says how large people are in the real ones.
    horizon: its place as a share of the picture's height.
    camera_m: height of the camera.
    lens: focal length as a share of the picture's width.
    road: whether the camera looks along a road between houses; across a square otherwise.
    vehicles: names in `VEHICLES` and how often they come.
    """

    person_height: tuple[float, float]
    horizon: tuple[float, float]
    camera_m: tuple[float, float]
    lens: float
    road: bool
    vehicles: dict[tuple[str, str], float]


LOOKS = {
    "coco": Look(
        (0.20, 0.95), (0.16, 0.46), (1.2, 2.1), 1.2, False,
        {("car", SIDE): 0.3, ("bicycle", SIDE): 0.25, ("motorcycle", SIDE): 0.12, ("bus", SIDE): 0.08,
         ("truck", SIDE): 0.08, ("car", END): 0.12, ("motorcycle", END): 0.05},
    ),
    "cityscapes": Look(
        (0.07, 0.42), (0.36, 0.46), (1.2, 1.6), 1.1, True,
        {("car", END): 0.45, ("car", SIDE): 0.15, ("bus", END): 0.08, ("truck", END): 0.08, ("bicycle", SIDE): 0.08,
         ("bicycle", END): 0.06, ("motorcycle", END): 0.05, ("bus", SIDE): 0.025, ("truck", SIDE): 0.025},
    ),
    "bdd100k": Look(
        (0.06, 0.45), (0.38, 0.52), (1.2, 1.8), 0.95, True,
        {("car", END): 0.5, ("car", SIDE): 0.16, ("bus", END): 0.07, ("truck", END): 0.11, ("bicycle", SIDE): 0.05,
         ("bicycle", END): 0.04, ("motorcycle", END): 0.04, ("bus", SIDE): 0.015, ("truck", SIDE): 0.015},
    ),
}  # fmt: skip
LAYOUTS = tuple(LOOKS)


@dataclass(frozen=True)
class SceneSpec:
    """Which pictures to draw. Each depends on these fields, its split and its number alone.

    layout: coco, cityscapes or bdd100k: of the folder, and what the streets look like (`LOOKS`).
    seed: names people, cameras and pictures.
    train, val: how many pictures, 1..100000; nobody and no place is in both.
    height_px, width_px: of each, 64..2048.
    people: least and most people who walk, stand or ride, 0..40.
    person_height: least and greatest height as a share of the picture's; null for the layout's own.
    rider_share: how many of them sit on a bicycle or a motorcycle, 0..1.
    vehicles: least and most vehicles that nobody sits on, 0..20.
    occluders: least and most things such as poles and bins that hide what is behind them, 0..20.
    crowd_share: how many pictures have a group of distant people whom nobody takes apart, 0..1.
    population: different people, 1..4000.
    cameras: different cameras, 2..15.
    view_shares: of people from the front, three-quarter, profile, back.
    """

    layout: str = "coco"
    seed: int = 0
    train: int = 100
    val: int = 20
    height_px: int = 320
    width_px: int = 320
    people: tuple[int, int] = (1, 5)
    person_height: tuple[float, float] | None = None
    rider_share: float = 0.15
    vehicles: tuple[int, int] = (0, 3)
    occluders: tuple[int, int] = (0, 2)
    crowd_share: float = 0.2
    population: int = 80
    cameras: int = 12
    view_shares: tuple[float, float, float, float] = (0.40, 0.25, 0.20, 0.15)

    def __post_init__(self) -> None:
        if self.layout not in LOOKS:
            raise ConfigError(f"scenes: unknown layout '{self.layout}': {nearest(self.layout, LOOKS)}")
        if self.person_height is None:
            object.__setattr__(self, "person_height", LOOKS[self.layout].person_height)
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, (list, tuple)):
                object.__setattr__(self, entry.name, tuple(value))
        limits = {
            "seed": (0, 2**63), "train": (1, 100_000), "val": (1, 100_000), "height_px": (64, 2048),
            "width_px": (64, 2048), "population": (1, 4000), "cameras": (2, 15),
        }  # fmt: skip
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ConfigError(f"scenes: {name} is {value!r}; expected a whole number from {low} to {high}")
        for name, most in (("people", 40), ("vehicles", 20), ("occluders", 20)):
            pair = getattr(self, name)
            if len(pair) != 2 or not all(type(v) is int for v in pair) or not 0 <= pair[0] <= pair[1] <= most:
                raise ConfigError(f"scenes: {name} is {list(pair)}; expected [least, most] within 0..{most}")
        for name in ("rider_share", "crowd_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"scenes: {name} is {getattr(self, name)}; expected a share within 0..1")
        sizes = self.heights
        if len(sizes) != 2 or not 0.02 <= sizes[0] <= sizes[1] <= 1.5:
            raise ConfigError(f"scenes: person_height is {list(sizes)}; expected [least, greatest] within 0.02..1.5")
        shares = self.view_shares
        if len(shares) != len(VIEWS) or min(shares) < 0 or sum(shares) <= 0:
            raise ConfigError(f"scenes: view_shares is {list(shares)}; expected {len(VIEWS)} weights, not all 0")

    @property
    def heights(self) -> tuple[float, float]:
        """`person_height`, which is the layout's own where none was given."""
        assert self.person_height is not None
        return self.person_height

    def images(self, split: str) -> int:
        """How many pictures a split has."""
        return self.train if split == "train" else self.val


@dataclass(frozen=True)
class SceneInstance:
    """Somebody or something in a picture.

    category: one of `CATEGORIES`.
    mask: (height, width) bool, what shows of it.
    keypoints: COCO's 17 of a person or rider; () otherwise, and of a crowd.
    crowd: a group of people with one mask.
    occluded: something hides more than 5 % of it, or of somebody in the crowd.
    truncated: the picture's edge cuts it.
    scale: pixels per metre where it stands: the smaller, the farther.
    """

    category: str
    mask: Mask
    keypoints: tuple[Keypoint, ...]
    crowd: bool
    occluded: bool
    truncated: bool
    scale: float

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 of the mask, half-open."""
        columns, rows = np.flatnonzero(self.mask.any(axis=0)), np.flatnonzero(self.mask.any(axis=1))
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@dataclass(frozen=True)
class ScenePicture:
    """A picture and everything that is known about it.

    image: (height, width, 3) uint8 RGB before compression.
    jpeg_quality: of its camera.
    instances: far ones first.
    stuff: (height, width) uint8, index in `STUFF` of what no instance covers.
    faces: of everybody, in crowds too.
    """

    image: NDArray[np.uint8]
    jpeg_quality: int
    instances: tuple[SceneInstance, ...]
    stuff: NDArray[np.uint8]
    faces: tuple[CrowdFace, ...]


@dataclass(frozen=True)
class _Body:
    """What is known of a painted person beyond the pixels. Places are in pixels of the object's window."""

    layer: Layer
    posed: PosedPoints
    projection: Projection
    view: str
    face_area_px: float
    skin_tone: int


@dataclass(frozen=True)
class _Object:
    """Something on the floor, before anything nearer is painted.

    category: of `CATEGORIES`, or a name in `STUFF`.
    nearness: the order in which things are painted; pixels per metre, and a little more for what is on top.
    top, left: of its window in the picture.
    covered: (rows, columns) bool of the window.
    colours: (covered pixels, 3) linear RGB.
    foot: column and row where it stands.
    shadow_m: half the width of the shadow below it.
    group: members of a crowd share it.
    """

    category: str
    nearness: float
    top: int
    left: int
    covered: Mask
    colours: Array
    foot: tuple[float, float]
    scale: float
    shadow_m: float
    body: _Body | None = None
    group: int | None = None

    @property
    def window(self) -> tuple[slice, slice]:
        rows, columns = self.covered.shape
        return slice(self.top, self.top + rows), slice(self.left, self.left + columns)

    def whole(self, part: Mask, shape: tuple[int, int]) -> Mask:
        """A mask of the window as one of the picture."""
        full = np.zeros(shape, bool)
        full[self.window] = part
        return full


@dataclass(frozen=True)
class _Thing:
    """Something that stands in the way: a drawing, what Cityscapes calls it, and its extent."""

    draw: Callable[[Brush, np.random.Generator], None]
    stuff: str
    half_width_m: float
    height_m: float


THINGS = (
    _Thing(street.pole, "pole", 0.4, 3.7),
    _Thing(street.bollard, "static", 1.1, 1.1),
    _Thing(street.dust_bin, "static", 0.4, 1.2),
    _Thing(street.railing, "fence", 2.4, 1.2),
    _Thing(street.tree, "vegetation", 3.0, 4.3),
)


class SceneStudio:
    """Draws the pictures of a split ("train" or "val") of a `SceneSpec`."""

    def __init__(self, spec: SceneSpec, split: str = "train") -> None:
        assert split in SPLITS
        self.spec, self.split = spec, split
        self.look = LOOKS[spec.layout]
        self.seed = spec.seed if split == "train" else validation_seed(spec.seed)
        self.shape = (spec.height_px, spec.width_px)
        self.cameras = make_cameras(self.seed, spec.cameras)
        self._figures: OrderedDict[tuple[int, int], tuple[Figure, float]] = OrderedDict()

    def draw(self, number: int) -> ScenePicture:
        """Draw picture `number`, 0..images(split) - 1."""
        rng = generator(self.seed, "scene", self.spec.layout, number)
        camera = self.cameras[int(rng.integers(self.spec.cameras))]
        light = camera.draw_light(rng)
        plan = self._plan(rng)
        view = self._choose_view(rng, min((scale for _, scale in plan), default=self._scales()[1]))
        image, stuff = draw_place(rng, view)
        image *= F(light.level)
        objects = self._place_all(rng, plan, view, light)
        shown, seen = _keep_visible(objects, self.shape)
        for thing in shown:
            _paint(image, stuff, thing)
        developed = camera.develop(np.asarray(image, F), rng)
        return ScenePicture(
            developed, camera.jpeg_quality, _instances(shown, seen, self.shape), stuff, _faces(shown, seen, self.shape)
        )

    # ------------------------------------------------------------------------------------------ who and where
    def _scales(self) -> tuple[float, float]:
        """Least and greatest pixels per metre of people."""
        low, high = (share * self.spec.height_px / PERSON_M for share in self.spec.heights)
        return low, high

    def _plan(self, rng: np.random.Generator) -> list[tuple[str, float]]:
        """What there is, and how large: (kind, pixels per metre)."""
        spec, (low, high) = self.spec, self._scales()

        def draw_scale(least: float, most: float) -> float:
            return math.exp(float(rng.uniform(math.log(least), math.log(most))))

        plan = []
        for _ in range(int(rng.integers(spec.people[0], spec.people[1] + 1))):
            kind = RIDER if rng.random() < spec.rider_share else PERSON
            plan.append((kind, draw_scale(low, high)))
        for _ in range(int(rng.integers(spec.vehicles[0], spec.vehicles[1] + 1))):
            plan.append(("vehicle", draw_scale(low, 0.8 * high)))
        for _ in range(int(rng.integers(spec.occluders[0], spec.occluders[1] + 1))):
            plan.append(("thing", draw_scale(low, high)))
        if rng.random() < spec.crowd_share:
            plan.append(("crowd", draw_scale(*(low * times for times in CROWD_DISTANCE))))
        return plan

    def _choose_view(self, rng: np.random.Generator, least_scale: float) -> View:
        """A camera above a street that is deep enough for what is smallest."""
        look, (height, width) = self.look, self.shape
        focal = look.lens * width
        deepest = 1.1 * focal / least_scale + 1.5
        if look.road:
            front, high = max(deepest, float(rng.uniform(35, 80))), float(rng.uniform(5, 16))
        else:
            front, high = max(6.0, deepest * float(rng.uniform(1.0, 1.5))), float(rng.uniform(4, 20))
        road = float(rng.uniform(3.2, 6.5)) if look.road else 0.0
        return View(
            self.shape, float(rng.uniform(*look.horizon)) * height, focal, float(rng.uniform(*look.camera_m)), front,
            high, road, road + float(rng.uniform(2.5, 5.0)) if look.road else 0.0,
        )  # fmt: skip

    def _place_all(
        self, rng: np.random.Generator, plan: Sequence[tuple[str, float]], view: View, light: Light
    ) -> list[_Object]:
        """Everything, near things first."""
        objects: list[_Object] = []
        taken: list[tuple[float, float]] = []
        for kind, scale in sorted(plan, key=lambda entry: -entry[1]):
            if kind == "vehicle":
                objects += self._vehicle(rng, scale, view, light, taken)
            elif kind == "thing":
                thing = THINGS[int(rng.integers(len(THINGS)))]
                aside = _choose_place(rng, scale, view, 0.3, taken, road=False)
                objects += self._sketch(rng, thing.stuff, thing, aside, scale, view, light, shadow_m=0.3)
            elif kind == "crowd":
                objects += self._crowd(rng, scale, view, light, taken)
            elif kind == RIDER:
                objects += self._rider(rng, scale, view, light, taken)
            else:
                aside = _choose_place(rng, scale, view, 0.3, taken, road=bool(rng.random() < 0.25))
                objects += self._person(rng, scale, aside, view, light)
        return sorted(objects, key=lambda thing: -thing.nearness)

    def _vehicle(
        self, rng: np.random.Generator, scale: float, view: View, light: Light, taken: list[tuple[float, float]]
    ) -> list[_Object]:
        """A vehicle; a large one stands so far away that it does not hide the street."""
        names, shares = list(self.look.vehicles), np.array(list(self.look.vehicles.values()))
        vehicle = VEHICLES[names[int(rng.choice(len(names), p=shares / shares.sum()))]]
        scale = min(scale, 0.55 * view.shape[0] / vehicle.height_m)
        aside = _choose_place(rng, scale, view, vehicle.half_width_m, taken, road=True)
        return self._sketch(
            rng, vehicle.category, vehicle, aside, scale, view, light, vehicle.half_width_m, bool(rng.random() < 0.5)
        )

    def _rider(
        self, rng: np.random.Generator, scale: float, view: View, light: Light, taken: list[tuple[float, float]]
    ) -> list[_Object]:
        """Somebody on a bicycle or motorcycle; it comes towards the camera or rides across."""
        across = bool(rng.random() < 0.6)
        vehicle = VEHICLES["bicycle" if rng.random() < 0.6 else "motorcycle", SIDE if across else END]
        aside = _choose_place(rng, scale, view, 0.6, taken, road=True)
        right = bool(rng.random() < 0.5)
        yaw = (1 if right else -1) * float(rng.uniform(1.35, 1.6)) if across else float(rng.normal(0, 0.12))
        below = self._sketch(rng, vehicle.category, vehicle, aside, scale, view, light, 0.5, mirrored=not right)
        pose = _riding_pose(rng)
        body = self._person(rng, scale, aside, view, light, RIDER, pose, yaw, vehicle.saddle_m)
        nearer = body if across else below  # a wheel that comes towards the camera is before the rider's legs
        on_top = [replace(thing, nearness=thing.nearness * (1 + 1e-6)) for thing in nearer]
        return [*on_top, *(below if across else body)]

    def _crowd(
        self, rng: np.random.Generator, scale: float, view: View, light: Light, taken: list[tuple[float, float]]
    ) -> list[_Object]:
        count = int(rng.integers(*CROWD_SIZE))
        middle = _choose_place(rng, scale, view, 0.5 * CROWD_SPACE_M * count, taken, road=False)
        members: list[_Object] = []
        for place in range(count):
            aside = middle + (place - (count - 1) / 2) * CROWD_SPACE_M + float(rng.normal(0, 0.1))
            members += self._person(rng, scale * float(rng.uniform(0.94, 1.06)), aside, view, light)
        return [replace(member, group=0) for member in members]

    # ------------------------------------------------------------------------------------------ pixels
    def _figure(self, person: int, scale: float) -> tuple[Figure, float]:
        """A person's surfaces, dense enough for a scale, and the area of the face from the front in square metres."""
        step = math.ceil(math.log(max(scale, 4.0), DENSITY_STEP))
        key = (person, step)
        if key not in self._figures:
            dense = DENSITY_STEP**step
            figure = build_figure(sample_identity(self.seed, person), dense * POINT_DENSITY)
            self._figures[key] = (figure, frontal_face_area(figure, dense))
            while len(self._figures) > 1 and sum(len(f.cloud.points) for f, _ in self._figures.values()) > POINTS_KEPT:
                self._figures.popitem(last=False)
        self._figures.move_to_end(key)
        return self._figures[key]

    def _person(
        self, rng: np.random.Generator, scale: float, aside: float, view: View, light: Light, category: str = PERSON,
        pose: Pose | None = None, yaw: float | None = None, saddle_m: float = 0.0,
    ) -> list[_Object]:  # fmt: skip
        """A person, [] for one outside the picture.

        saddle_m: height of the seat of one who rides; 0 for one who stands.
        """
        figure, face_area_m2 = self._figure(int(rng.integers(self.spec.population)), scale)
        shares = np.array(self.spec.view_shares) / sum(self.spec.view_shares)
        if pose is None or yaw is None:
            pose, yaw = sample_pose(rng), draw_yaw(str(rng.choice(VIEWS, p=shares)), rng)
        posed = figure.pose(pose, rotation_y(yaw))
        distance = max(NEAREST_M, view.focal_px / scale)
        foot = (view.column(aside, scale), view.foot_row(scale))
        hips = float(posed.joints["left_hip"][1] + posed.joints["right_hip"][1]) / 2
        lift = (saddle_m + 0.06 - hips) * scale if saddle_m else 0.0
        projection = Projection(scale, foot[0], foot[1] - lift, distance)
        window = _window_of(posed, projection, self.shape)
        if window is None:
            return []
        top, left, rows, columns = window
        inside = replace(projection, foot_x=projection.foot_x - left, foot_y=projection.foot_y - top)
        layer = paint_figure((rows, columns), figure, posed, inside, light)
        at_head = scale / (1 - float(posed.joints["nose"][2]) / distance)
        body = _Body(
            layer, posed, inside, view_of(math.remainder(yaw + pose.head_yaw, 2 * math.pi)), face_area_m2 * at_head**2,
            figure.identity.skin_tone,
        )  # fmt: skip
        shadow = 0.0 if saddle_m else 0.3
        return [_Object(category, scale, top, left, layer.covered, layer.colours, foot, scale, shadow, body)]

    def _sketch(
        self, rng: np.random.Generator, category: str, what: Vehicle | _Thing, aside: float, scale: float, view: View,
        light: Light, shadow_m: float, mirrored: bool = False,
    ) -> list[_Object]:  # fmt: skip
        """A flat drawing on the floor, [] for one outside the picture."""
        height, width = self.shape
        foot = (view.column(aside, scale), view.foot_row(scale))
        top, bottom = max(0, math.floor(foot[1] - what.height_m * scale) - 2), min(height, math.ceil(foot[1]) + 3)
        reach = what.half_width_m * scale + 2
        left, right = max(0, math.floor(foot[0] - reach)), min(width, math.ceil(foot[0] + reach))
        own = generator(int(rng.integers(2**62)), "drawing")  # how many draws it takes does not move the next things
        if top >= bottom or left >= right:
            return []
        patch, cover = np.zeros((bottom - top, right - left, 3), F), np.zeros((bottom - top, right - left), np.uint8)
        brightness = light.level * float(own.uniform(0.75, 1.05))
        what.draw(Brush(patch, cover, foot[0] - left, foot[1] - top, scale, brightness, mirrored), own)
        covered = cover > 0
        return [_Object(category, scale, top, left, covered, patch[covered], foot, scale, shadow_m)]


def _riding_pose(rng: np.random.Generator) -> Pose:
    """Somebody on a saddle with the hands on the bars; one foot is down."""
    down = int(rng.integers(2))
    hips = (1.25, 0.75) if down else (0.75, 1.25)
    knees = (1.55, 1.0) if down else (1.0, 1.55)
    lean = float(rng.uniform(0.2, 0.5))
    return Pose(
        hips, knees, (0.95, 0.95), (0.25, 0.25), 0.12, lean, float(rng.normal(0, 0.15)), -0.6 * lean,
        float(rng.normal(0, 0.04)),
    )  # fmt: skip


def _choose_place(
    rng: np.random.Generator,
    scale: float,
    view: View,
    half_width_m: float,
    taken: list[tuple[float, float]],
    road: bool,
) -> float:
    """Metres to the right of the camera where something stands: on the road or beside it, hiding little that is near.

    taken: (left, right) columns of nearer things; what is placed is added.
    """
    reach = 0.48 * view.shape[1] / scale
    least, most = 0.0, reach
    if view.road_m:
        least, most = (0.0, view.road_m - 0.6) if road else (view.road_m + 0.4, view.side_m - 0.4)
        if least > reach:  # the pavement is out of sight so near to the camera
            least = 0.0
        most = max(min(most, reach), least + 0.1)
    tried = rng.uniform(least, most, PLACES_TRIED) * rng.choice([-1, 1], PLACES_TRIED)
    size = half_width_m * scale

    def overlap(aside: float) -> float:
        column = view.column(aside, scale)
        return sum(max(0.0, min(column + size, right) - max(column - size, left)) for left, right in taken)

    aside = min(tried.tolist(), key=overlap)
    column = view.column(aside, scale)
    taken.append((column - size, column + size))
    return float(aside)


def _window_of(posed: PosedPoints, projection: Projection, shape: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Top, left, rows and columns of the part of the picture that a figure and its joints can reach."""
    height, width = shape
    marks = np.stack(list(posed.joints.values()))
    (x, y), (mark_x, mark_y) = projection(posed.points), projection(marks)
    left = max(0, math.floor(min(x.min(), mark_x.min())) - MARGIN_PX)
    top = max(0, math.floor(min(y.min(), mark_y.min())) - MARGIN_PX)
    right = min(width, math.ceil(max(x.max(), mark_x.max())) + MARGIN_PX + 1)
    bottom = min(height, math.ceil(max(y.max(), mark_y.max())) + MARGIN_PX + 1)
    return (top, left, bottom - top, right - left) if top < bottom and left < right else None


def _keep_visible(objects: Sequence[_Object], shape: tuple[int, int]) -> tuple[list[_Object], list[Mask]]:
    """What is painted, far things first, and the pixels of each one's window that show.

    objects: near things first. Of which hardly anything would show is left out: so nobody is there without a label.
    """
    hidden = np.zeros(shape, bool)
    kept, seen = [], []
    for thing in objects:
        visible = thing.covered & ~hidden[thing.window]
        count = int(visible.sum())
        if count < max(LEAST_PIXELS, LEAST_SHARE * int(thing.covered.sum())):
            continue
        hidden[thing.window] |= thing.covered
        kept.append(thing)
        seen.append(visible)
    return kept[::-1], seen[::-1]


def _paint(image: Array, stuff: NDArray[np.uint8], thing: _Object) -> None:
    """A thing and its shadow over what is farther away, in place."""
    if thing.shadow_m:
        radii = (max(1, round(thing.shadow_m * thing.scale)), max(1, round(0.1 * thing.scale)))
        darken(image, thing.foot, radii, 0.5)
    image[thing.window][thing.covered] = thing.colours
    if thing.category in STUFF:
        stuff[thing.window][thing.covered] = STUFF.index(thing.category)


def _instances(shown: Sequence[_Object], seen: Sequence[Mask], shape: tuple[int, int]) -> tuple[SceneInstance, ...]:
    """The truth of what was painted, far things first; the members of a crowd are one instance, at the farthest's."""
    found: list[SceneInstance] = []
    crowds: dict[int, int] = {}
    for thing, visible in zip(shown, seen, strict=True):
        if thing.category in STUFF:
            continue
        mask = thing.whole(visible, shape)
        edges = thing.whole(thing.covered, shape)
        truncated = bool(edges[0].any() or edges[-1].any() or edges[:, 0].any() or edges[:, -1].any())
        occluded = bool(visible.sum() < 0.95 * thing.covered.sum())
        if thing.group is not None:
            if thing.group in crowds:
                first = found[crowds[thing.group]]
                found[crowds[thing.group]] = replace(
                    first,
                    mask=first.mask | mask,
                    occluded=first.occluded or occluded,
                    truncated=first.truncated or truncated,
                )
                continue
            crowds[thing.group] = len(found)
        keypoints = _keypoints(thing, visible) if thing.body is not None and thing.group is None else ()
        found.append(
            SceneInstance(thing.category, mask, keypoints, thing.group is not None, occluded, truncated, thing.scale)
        )
    return tuple(found)


def _keypoints(thing: _Object, visible: Mask) -> tuple[Keypoint, ...]:
    """COCO's 17 in pixels of the picture; 0, 0 with visibility 0 outside it."""
    assert thing.body is not None
    body = thing.body
    points = project_keypoints(body.posed.joints, body.projection, body.layer.depth, visible, 1)
    return tuple(
        Keypoint(p.x + thing.left, p.y + thing.top, p.visibility) if p.visibility else Keypoint(0.0, 0.0, 0)
        for p in points
    )


def _faces(shown: Sequence[_Object], seen: Sequence[Mask], shape: tuple[int, int]) -> tuple[CrowdFace, ...]:
    faces = []
    for thing, visible in zip(shown, seen, strict=True):
        if thing.body is None:
            continue
        face = thing.body.layer.part == Part.FACE
        found = visible_face(
            thing.whole(face, shape), thing.whole(face & visible, shape), thing.body.view, thing.body.face_area_px,
            thing.body.skin_tone,
        )  # fmt: skip
        if found is not None:
            faces.append(found)
    return tuple(faces)
