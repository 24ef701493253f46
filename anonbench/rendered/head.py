"""The head: a super-ellipse skull with facial relief, a painted face, and a second shell of hair.

Local frame: the origin lies between the eyes inside the skull, x to the person's left, y up, z forwards, metres.
Faces must be believed by a face detector at 10 pixels and carry identity: shape, complexion, beard, glasses and
hairline all come from the `Identity`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from anonbench.rendered.geometry import (
    Array,
    F,
    Mask,
    PointCloud,
    Skinning,
    bump,
    grid_normals,
    noise,
    profile,
    rotation_x,
    rotation_y,
    rounded_box,
    smoothstep,
    turn,
)
from anonbench.rendered.identity import Identity
from anonbench.rendered.palette import HAIR, linear
from anonbench.rendered.parts import Part, cloud_of
from anonbench.rendered.skeleton import HEAD_Y, HEAD_Z, Bone, rigid

HALF_HEIGHT_M = 0.115
HEAD_CENTRE = np.array([0, HEAD_Y, HEAD_Z], F)
DETAIL = 1.4  # points along the head for each point along the body: small features need them
BARE_CROWN = ("bald", "crop")
FALLING = ("long", "bob")

# Half width, depth to the front and depth to the back (metres) by height, in half head heights from the eye line.
SKULL_KNOTS = [-1.04, -1.0, -0.93, -0.82, -0.68, -0.5, -0.3, 0, 0.2, 0.45, 0.65, 0.8, 0.92, 0.98, 1.0]
# fmt: off
SKULL_WIDTH = [.010, .022, .033, .0435, .0535, .0625, .0685, .0735, .0755, .0735, .0655, .0535, .036, .018, .004]
SKULL_FRONT = [.050, .070, .0835, .0875, .0870, .0885, .0890, .0880, .0915, .0885, .0795, .0650, .044, .022, .004]
SKULL_BACK = [.004, .004, .004, .008, .020, .050, .078, .096, .100, .097, .086, .070, .047, .024, .004]
# fmt: on


@dataclass(frozen=True)
class Skull:
    """The smooth head: x, y, z (rows, columns) metres, level (rows, 1) in half heights, angle (1, columns) radians."""

    x: Array
    y: Array
    z: Array
    level: Array
    angle: Array
    half_height: float

    @property
    def frontal(self) -> Array:
        """1 in front, -1 behind (rows, columns)."""
        return np.cos(self.angle) + 0 * self.x


@dataclass(frozen=True)
class Features:
    """Where the features of one face lie, metres: |x| of the eyes and nose wings, drops below the eye line."""

    eye_x: float
    nose_drop: float
    nose_half: float
    mouth_y: float
    mouth_half: float
    stretch: float  # height of this head over the mean


def build_head(identity: Identity, density: float) -> list[PointCloud]:
    """Every surface of the head, in the rest pose."""
    skull = make_skull(identity, density * DETAIL)
    features = locate_features(identity, skull)
    clouds = [_face(identity, skull, features), *_ears(identity, density)]
    if identity.hair.style != "bald":
        clouds += _hair(identity, skull, density * DETAIL)
    if identity.outfit.hat != "none":
        clouds += _hat(identity, density)
    return clouds


def landmarks(identity: Identity) -> dict[str, Array]:
    """COCO's five head keypoints in the rest pose, metres."""
    features = locate_features(identity, None)
    points = {
        "nose": (0, -features.nose_drop * features.stretch + 0.004, 0.112),
        "left_eye": (features.eye_x, 0, 0.082),
        "right_eye": (-features.eye_x, 0, 0.082),
        "left_ear": (0.0785, -0.016, -0.006),
        "right_ear": (-0.0785, -0.016, -0.006),
    }
    return {name: np.array(point, F) + HEAD_CENTRE for name, point in points.items()}


# ---------------------------------------------------------------------------------------------- shape
def make_skull(identity: Identity, density: float) -> Skull:
    """The smooth skull of a person on a (rows, columns) grid, columns denser in front."""
    face = identity.face
    half_height = HALF_HEIGHT_M * (1 + 0.024 * face.height)
    rows, columns = max(24, round(0.25 * density)), max(48, round(0.52 * density))
    level = np.linspace(-1.04, 1.0, rows, dtype=F)
    even = np.linspace(-np.pi, np.pi, columns, endpoint=False, dtype=F)
    angle = even - F(0.42) * np.sin(even)
    width = np.array(SKULL_WIDTH) * (1 + 0.052 * face.width)
    jaw = 1 + 0.08 * face.jaw + (-0.05 if identity.female else 0.03)
    width[:6] *= np.array([jaw] * 5 + [0.5 + 0.5 * jaw])
    half_width, front, back = (
        profile(level, SKULL_KNOTS, v)[:, None] for v in (width, np.array(SKULL_FRONT), np.array(SKULL_BACK))
    )
    s, c = np.sin(angle)[None], np.cos(angle)[None]
    depth = np.where(c > 0, front, np.maximum(back, 0.004))
    exponent = F(2.25)  # a face is flatter in front than an ellipse
    radius = (np.abs(s / half_width) ** exponent + np.abs(c / depth) ** exponent) ** (-1 / exponent)
    y = np.broadcast_to(level[:, None] * F(half_height), radius.shape)
    return Skull((radius * s).astype(F), y, (radius * c).astype(F), level[:, None], angle[None], half_height)


def locate_features(identity: Identity, skull: Skull | None) -> Features:
    """Feature positions of a person's face."""
    face = identity.face
    half_height = skull.half_height if skull else HALF_HEIGHT_M * (1 + 0.024 * face.height)
    return Features(
        eye_x=0.0315 + 0.0017 * face.eye_distance,
        nose_drop=0.043 + 0.0026 * face.nose_length,
        nose_half=0.0125 + 0.0016 * face.nose_width,
        mouth_y=-0.0665 - 0.0012 * face.nose_length,
        mouth_half=0.0215 + 0.0022 * face.mouth_width,
        stretch=half_height / HALF_HEIGHT_M,
    )


def relief(identity: Identity, skull: Skull, at: Features) -> Array:
    """Metres by which the face stands out from the skull, along z (rows, columns)."""
    face = identity.face
    x, ax, y = skull.x, np.abs(skull.x), skull.y / at.stretch
    brow = 1 + 0.28 * face.brow - (0.3 if identity.female else 0)
    lips, nose = 1 + 0.25 * face.lips, 1 + 0.15 * face.nose_depth
    depth = -0.0105 * bump(ax, at.eye_x, 0.0165) * bump(y, 0.001, 0.0125)  # eye sockets
    depth += 0.0045 * bump(ax, at.eye_x, 0.0095) * bump(y, -0.001, 0.0065)  # eyeballs
    depth += 0.0050 * brow * bump(ax, 0.026, 0.022) * bump(y, 0.0205, 0.0075)  # brow ridge
    down = np.clip((0.014 - y) / (at.nose_drop + 0.010), 0, 1)  # 0 at the root of the nose, 1 at its tip
    ends = smoothstep(-at.nose_drop - 0.0055, -at.nose_drop + 0.003, y) * smoothstep(0.026, 0.006, y)
    half = 0.0062 + (at.nose_half - 0.0062) * down**1.5
    depth += (0.0045 + 0.0195 * down**1.2) * nose * ends * np.exp(-((ax / half) ** 2.4))  # bridge
    depth += 0.0045 * nose * bump(x, 0, 0.0085) * bump(y, -at.nose_drop + 0.005, 0.0075)  # tip
    depth += 0.0070 * nose * bump(ax, at.nose_half + 0.0015, 0.0055) * bump(y, -at.nose_drop + 0.003, 0.0065)  # wings
    depth -= (0.0025 + 0.002 * face.age) * bump(ax, at.nose_half + 0.010, 0.006) * bump(y, -at.nose_drop - 0.004, 0.010)
    depth += 0.0045 * bump(ax, 0.044, 0.016) * bump(y, -0.024, 0.016)  # cheekbones
    depth += 0.0050 * lips * bump(x, 0, at.mouth_half) * bump(y, at.mouth_y + 0.0058, 0.0052)
    depth += 0.0062 * lips * bump(x, 0, at.mouth_half * 0.85) * bump(y, at.mouth_y - 0.0065, 0.0055)
    depth -= 0.0040 * bump(x, 0, at.mouth_half * 1.1) * bump(y, at.mouth_y, 0.0022)  # mouth line
    depth -= 0.0045 * bump(x, 0, 0.018) * bump(y, at.mouth_y - 0.0165, 0.006)  # fold above the chin
    depth += (0.006 + 0.0018 * face.chin) * bump(x, 0, 0.017) * bump(y, -0.098, 0.0115)
    if face.beard > 0.5 and face.beard_shape == "full":
        depth += 0.008 * face.beard * smoothstep(-0.06, -0.09, y) * bump(x, 0, 0.05)
    return (depth * smoothstep(0.02, 0.35, skull.frontal)).astype(F)


# ---------------------------------------------------------------------------------------------- painting
class Paint:
    """A face's colours while it is painted: (rows, columns, 3) linear RGB, strokes fading out to the side."""

    def __init__(self, base: Array, frontal: Array) -> None:
        self.colours = base
        self.fade = smoothstep(0.05, 0.3, frontal)

    def cover(self, colour: Array, strength: Array) -> None:
        """Blend a colour in; strength (rows, columns) 0..1."""
        a = (strength * self.fade)[..., None].astype(F)
        self.colours = self.colours * (1 - a) + np.asarray(colour, F) * a

    def tint(self, factor: tuple[float, float, float], strength: Array) -> None:
        """Multiply by a factor; strength (rows, columns) 0..1."""
        a = (strength * self.fade)[..., None].astype(F)
        self.colours = self.colours * (1 - a * (1 - np.array(factor, F)))


def paint_face(identity: Identity, skull: Skull, at: Features) -> Array:
    """Albedo of the face (rows, columns, 3)."""
    face, skin = identity.face, np.array(identity.skin, F)
    x, ax, y = skull.x, np.abs(skull.x), skull.y / at.stretch
    rng = identity.rng("face")
    mottle = 1 + 0.05 * noise(rng, x.shape, (10, 16), wrap=True)
    paint = Paint(skin * mottle[..., None], skull.frontal)
    red = face.ruddiness
    paint.tint((1.04, 0.84, 0.82), 0.7 * red * bump(ax, 0.043, 0.018) * bump(y, -0.032, 0.016))
    paint.tint((1.03, 0.84, 0.82), 0.7 * red * bump(x, 0, 0.011) * bump(y, -at.nose_drop + 0.004, 0.010))
    paint.tint((0.62, 0.55, 0.55), 0.75 * bump(ax, at.eye_x, 0.018) * bump(y, 0.0035, 0.0105))  # upper lids
    bags = (0.45 + 0.5 * face.age) * bump(ax, at.eye_x - 0.002, 0.014) * bump(y, -0.012, 0.005)
    paint.tint((0.80, 0.74, 0.76), bags)
    paint.tint((0.70, 0.66, 0.66), 0.7 * bump(ax, 0.0125, 0.006) * bump(y, 0.004, 0.012))  # beside the nose's root
    fold = bump(ax, at.nose_half + 0.009 + 0.25 * np.clip(-y - at.nose_drop, 0, 0.03), 0.004)
    paint.tint((0.74, 0.68, 0.66), face.age * fold * smoothstep(-0.075, -0.06, y) * smoothstep(-0.03, -0.042, y))
    for line in (0.040, 0.050, 0.059):
        paint.tint((0.80, 0.76, 0.75), 0.6 * face.age * bump(y, line, 0.0014) * bump(ax, 0, 0.035))
    _paint_eyes(paint, identity, ax, y, at)
    brow_colour = np.minimum(linear(HAIR[identity.hair.colour]), linear((96, 70, 52))) * 0.8
    along = (ax - 0.013) / 0.037
    arch = 0.0175 + 0.005 * np.sin(np.clip(along, 0, 1) * 2.3)
    thickness = (0.0046 + 0.0008 * face.brow - (0.0008 if identity.female else 0)) * (
        1.05 - 0.55 * np.clip(along, 0, 1)
    )
    hairs = (
        np.exp(-(np.abs((y - arch) / thickness) ** 3)) * smoothstep(-0.06, 0.08, along) * smoothstep(1.1, 0.85, along)
    )
    paint.cover(brow_colour, 0.88 * hairs)
    nostril_y = -at.nose_drop - 0.0035
    paint.cover(linear((40, 20, 17)), 0.85 * bump(ax, at.nose_half * 0.62, 0.0032) * bump(y, nostril_y, 0.0022))
    paint.tint((0.66, 0.58, 0.57), 0.75 * bump(x, 0, at.nose_half * 1.25) * bump(y, -at.nose_drop - 0.0065, 0.0042))
    paint.tint((0.80, 0.74, 0.73), 0.6 * bump(ax, at.nose_half + 0.004, 0.003) * bump(y, -at.nose_drop + 0.001, 0.008))
    _paint_mouth(paint, identity, x, ax, y, at, skin)
    if face.beard > 0:
        _paint_beard(paint, identity, x, ax, y, at, brow_colour, rng)
    if face.glasses != "none":
        _paint_glasses(paint, face.glasses, ax, y, at)
    return paint.colours


def _paint_eyes(paint: Paint, identity: Identity, ax: Array, y: Array, at: Features) -> None:
    size = identity.face.eye_size
    dx, dy = (ax - at.eye_x) / (0.0142 * (1 + 0.06 * size)), (y + 0.001) / (0.0054 * (1 + 0.12 * size))
    inside = dx * dx + dy * dy
    iris = np.hypot(ax - at.eye_x, y + 0.0008) / 0.006
    lid = np.sqrt(np.clip(1 - dx * dx, 0, 1))
    paint.cover(linear((206, 198, 192)), smoothstep(1.15, 0.75, inside))
    paint.cover(linear((34, 24, 20)), smoothstep(1.15, 0.8, iris) * smoothstep(1.25, 0.9, inside))
    paint.cover(linear((8, 7, 7)), smoothstep(0.62, 0.4, iris) * smoothstep(1.2, 0.9, inside))
    lashes = bump(dy, lid * 0.95 + 0.12, 0.34) * smoothstep(1.25, 0.95, np.abs(dx)) * smoothstep(-0.2, 0.3, dy)
    paint.cover(linear((24, 17, 15)), 0.9 * lashes)
    paint.cover(linear((70, 44, 38)), 0.35 * bump(dy, -lid, 0.3) * smoothstep(1.2, 0.9, np.abs(dx)))


def _paint_mouth(paint: Paint, identity: Identity, x: Array, ax: Array, y: Array, at: Features, skin: Array) -> None:
    redness = identity.face.lip_colour
    colour = skin * np.array([0.80, 0.46, 0.46], F) * (1 - 0.3 * redness) + linear((150, 42, 48)) * 0.3 * redness
    taper = np.clip(1 - (ax / (at.mouth_half * 1.12)) ** 2, 0, 1)
    fullness = 1 + 0.15 * identity.face.lips
    upper, lower = 0.0072 * fullness * taper * (1 - 0.22 * bump(x, 0, 0.004)), 0.0082 * fullness * taper
    above = smoothstep(upper, upper * 0.6, y - at.mouth_y)
    below = smoothstep(lower, lower * 0.6, at.mouth_y - y)
    paint.cover(colour, 0.9 * np.where(y > at.mouth_y, above, below) * (taper > 0) * smoothstep(0, 0.12, taper))
    paint.cover(linear((46, 18, 18)), 0.85 * bump(y, at.mouth_y, 0.0016) * smoothstep(1.18, 0.95, ax / at.mouth_half))
    paint.tint((0.72, 0.66, 0.65), 0.7 * bump(x, 0, 0.014) * bump(y, at.mouth_y - 0.0155, 0.0045))


def _paint_beard(
    paint: Paint, identity: Identity, x: Array, ax: Array, y: Array, at: Features, colour: Array,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    face = identity.face
    lip_free = smoothstep(0.012, 0.022, np.hypot(x / 1.25, y - at.mouth_y))
    moustache = 0.95 * bump(x, 0, 0.022) * bump(y, at.mouth_y + 0.0135, 0.0052)
    chin = smoothstep(0.030, 0.022, ax) * smoothstep(-0.072, -0.080, y)
    cheeks = smoothstep(-0.046, -0.060, y) * lip_free + smoothstep(0.042, 0.056, ax) * smoothstep(0.004, -0.03, y)
    cover = {"full": np.maximum(cheeks, moustache), "goatee": np.maximum(chin, moustache), "moustache": moustache}
    rough = 0.85 + 0.15 * noise(rng, x.shape, (60, 90))
    paint.cover(colour * 1.1, np.clip(np.clip(cover[face.beard_shape], 0, 1) * rough * face.beard, 0, 0.95))


def _paint_glasses(paint: Paint, kind: str, ax: Array, y: Array, at: Features) -> None:
    rim = np.hypot((ax - at.eye_x) / 0.0225, (y + 0.002) / 0.0175)
    frame = linear((24, 21, 20))
    if kind == "dark":
        paint.cover(linear((16, 16, 18)), smoothstep(1.05, 0.95, rim) * 0.95)
    width = 0.17 if kind == "thick" else 0.09
    paint.cover(frame, 0.92 * bump(rim, 1, width))
    paint.cover(frame, 0.92 * bump(y, 0.003, 0.0016) * smoothstep(0.0105, 0.009, ax))


# ---------------------------------------------------------------------------------------------- surfaces
def hairline(identity: Identity, angle: Array) -> Array:
    """Lowest level (half head heights) that carries hair, by angle from the front."""
    hair = identity.hair
    away = np.abs(angle)
    softness = 0.9 if hair.style in BARE_CROWN else 1.6 if identity.female else 1.1
    front = 0.64 - hair.fringe * softness
    nape = {"short": -0.55, "crop": -0.42, "bald": -0.4, "mid": -0.75, "bun": -0.5, "pony": -0.5, "afro": -0.6}
    back = nape.get(hair.style, -0.85)
    falls = hair.style in FALLING
    sides = [-0.1, -0.55, -0.85, back] if falls else [0.12, -0.10, 0.10, -0.18]
    knots = [0, 0.45, 0.8, 1.05, 1.28, 1.42, 1.6, 1.85, 2.3, np.pi]
    temple = hair.recede
    levels = [front, front - 0.01 + temple * 0.6, front - 0.06 + temple, 0.42 + temple * 0.3, *sides, back, back]
    edge = profile(away, knots, levels)
    return edge + 0.05 * np.sin((angle - hair.parting) * 5) * bump(away, 0, 0.7)


def _place(grid: Array) -> Array:
    return grid + HEAD_CENTRE


def _follow_head(grid: Array) -> Skinning:
    return rigid(Bone.HEAD, grid.shape[0] * grid.shape[1])


def _face(identity: Identity, skull: Skull, at: Features) -> PointCloud:
    grid = np.stack([skull.x, skull.y, skull.z + relief(identity, skull, at)], axis=2)
    colours = paint_face(identity, skull, at)
    above = (skull.level - hairline(identity, skull.angle)).astype(F)
    if identity.hair.style in BARE_CROWN:  # cropped hair is painted on, a bald head keeps a shadow of it
        strength = smoothstep(-0.05, 0.05, above) * (0.25 if identity.hair.style == "bald" else 0.85)
        colours = colours * (1 - strength[..., None]) + linear(HAIR[identity.hair.colour]) * strength[..., None]
    is_face = (np.abs(skull.angle) < 1.48) & (skull.level < 0.68) & (skull.level > -1.0)
    part = np.where(is_face, Part.FACE, Part.HEAD).astype(np.uint8)
    gloss = 0.05 + 0.02 * identity.skin_tone / 2
    return cloud_of(_place(grid), grid_normals(grid, np.zeros(3)), colours, part, _follow_head(grid), gloss)


def _ears(identity: Identity, density: float) -> list[PointCloud]:
    clouds = []
    colour = np.array(identity.skin, F) * np.array([0.93, 0.8, 0.78], F)
    for sign in (-1, 1):
        x = sign * 0.0765 * (1 + 0.052 * identity.face.width)
        grid, normals = rounded_box((x, -0.016, -0.006), (0.009, 0.031, 0.018), rotation_y(sign * 0.35), density)
        clouds.append(cloud_of(_place(grid), normals, colour, Part.HEAD, _follow_head(grid), 0.04))
    return clouds


def _hair(identity: Identity, skull: Skull, density: float) -> list[PointCloud]:
    hair, rng = identity.hair, identity.rng("hair")
    thickness = {
        "short": 0.013,
        "crop": 0.004,
        "mid": 0.019,
        "long": 0.016,
        "bob": 0.02,
        "bun": 0.01,
        "pony": 0.01,
        "afro": 0.016,
    }
    above = skull.level - hairline(identity, skull.angle)
    taper = 0.18 if hair.style in FALLING or identity.female else 0.42  # short hair thins out towards the forehead
    up = smoothstep(-0.03, taper, above)
    outwards = np.stack([skull.x / 0.075**2, skull.y / 0.115**2, skull.z / 0.09**2], axis=2)
    outwards /= np.linalg.norm(outwards, axis=2, keepdims=True) + F(1e-9)
    strands = noise(rng, skull.x.shape, (5, 46), wrap=True)
    locks = noise(rng, skull.x.shape, (5, 9), wrap=True)
    lift = thickness[hair.style] * hair.volume * (0.12 + 0.88 * up) * (1 + 0.12 * strands) + 0.004 * locks * up
    if hair.style in ("short", "mid"):
        lift = lift + 0.012 * hair.volume * smoothstep(0.55, 1, skull.level)
    parted = bump(skull.angle, hair.parting, 0.12) * smoothstep(0.5, 0.7, skull.level)
    lift = lift - 0.006 * parted * (hair.style not in ("afro", "crop"))
    lift = np.maximum(lift, 0.0025)  # hair never dips below the scalp
    grid = np.stack([skull.x, skull.y, skull.z], axis=2) + outwards * lift[..., None]
    colour = linear(HAIR[hair.colour])
    tone = np.clip(1 + 0.26 * strands + 0.14 * noise(rng, skull.x.shape, (3, 12), wrap=True) - 0.3 * parted, 0.35, 1.8)
    keep: Mask = (above > 0) & (skull.level < 0.42 if identity.outfit.hat != "none" else True)
    normals = grid_normals(grid, np.zeros(3))
    follow = _follow_head(grid)
    clouds = [cloud_of(_place(grid), normals, colour * tone[..., None], Part.HAIR, follow, 0.08, keep)]
    if hair.style in FALLING:
        clouds += _falling_hair(identity, density, rng, colour)
    elif hair.style == "afro":
        clouds.append(_afro(identity, density, rng, colour))
    elif hair.style == "bun":
        bun, facing = rounded_box((0, 0.075, -0.105), (0.042, 0.037, 0.037), np.eye(3, dtype=F), density)
        clouds.append(cloud_of(_place(bun), facing, colour, Part.HAIR, _follow_head(bun), 0.08))
    elif hair.style == "pony":
        tail = turn(
            (-0.16, 0.055), profile(np.linspace(0, 1, 40), [0, 0.6, 1], [0.012, 0.03, 0.02]), 0.022, density,
            centre_z=np.linspace(-0.135, -0.105, 40, dtype=F), rows=40,
        )  # fmt: skip
        shade = colour * np.clip(1 + 0.25 * noise(rng, tail.grid.shape[:2], (3, 16)), 0.4, 1.7)[..., None]
        clouds.append(cloud_of(_place(tail.grid), tail.normals, shade, Part.HAIR, _follow_head(tail.grid), 0.08))
    return clouds


def _falling_hair(identity: Identity, density: float, rng: np.random.Generator, colour: Array) -> list[PointCloud]:
    """The curtain of long hair around the back of the head: both sides of one open sheet."""
    length = {"long": 0.26, "bob": 0.10}[identity.hair.style]
    rows, columns = max(10, int((length + 0.1) * density)), int(0.55 * density)
    down = np.linspace(0, 1, rows, dtype=F)[:, None]
    angle = np.linspace(1.12, 2 * np.pi - 1.12, columns, dtype=F)[None]
    c, s = np.cos(angle), np.sin(angle)
    half_width = 0.082 + 0.007 * identity.hair.volume - 0.004 * down + 0.012 * np.sin(down * 2.8)
    uneven = 0.012 * noise(rng, (rows, columns), (2, 14)) * down
    y = 0.03 - (length + 0.05) * down + 0 * angle + uneven
    z = np.where(c > 0, 0.085 * c, (0.105 - 0.02 * down) * c) + 0.005 * noise(rng, (rows, columns), (3, 26))
    grid = np.stack([half_width * s + 0 * down, y, z], axis=2).astype(F)
    along, around = np.gradient(grid, axis=0), np.gradient(grid, axis=1)
    normals = np.cross(along, around)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True) + F(1e-9)
    normals *= np.sign((normals * grid * np.array([1, 0, 1], F)).sum(axis=2).mean())
    strands = noise(rng, (rows, columns), (3, 50))[..., None]
    outer, inner = colour * np.clip(1 + 0.3 * strands, 0.35, 1.8), colour * 0.6 * np.clip(1 + 0.2 * strands, 0.4, 1.8)
    follow = _follow_head(grid)
    return [
        cloud_of(_place(grid), normals, outer, Part.HAIR, follow, 0.08),
        cloud_of(_place(grid), -normals, inner, Part.HAIR, follow, 0.02),
    ]


def _afro(identity: Identity, density: float, rng: np.random.Generator, colour: Array) -> PointCloud:
    """A round cloud of curls around the skull, open in front of the face."""
    size = 0.85 + 0.15 * identity.hair.volume
    grid, normals = rounded_box(
        (0, 0.04, -0.02), (0.112 * size, 0.115 * size, 0.118 * size), np.eye(3, dtype=F), density
    )
    curls = noise(rng, grid.shape[:2], (26, 44), wrap=True)[..., None]
    grid = grid + normals * (0.005 * curls)
    tone = np.clip(1 + 0.4 * curls, 0.3, 1.8)
    open_front = (grid[..., 1] > 0.075 + 0.9 * np.clip(grid[..., 2] - 0.05, 0, 1)) | (grid[..., 2] < 0.03)
    above_nape = grid[..., 1] > -0.055
    return cloud_of(_place(grid), normals, colour * tone, Part.HAIR, _follow_head(grid), 0.01, open_front & above_nape)


def _hat(identity: Identity, density: float) -> list[PointCloud]:
    outfit = identity.outfit
    colour = np.array(outfit.hat_colour, F)
    grid, normals = rounded_box((0, 0.036, -0.006), (0.090, 0.088, 0.110), np.eye(3, dtype=F), density)
    lowest = 0.052 if outfit.hat == "cap" else 0.03
    clouds = [cloud_of(_place(grid), normals, colour, Part.HAT, _follow_head(grid), 0.01, keep=grid[..., 1] > lowest)]
    if outfit.hat == "cap":
        tilt = rotation_x(math.radians(9))
        brim, facing = rounded_box((0, 0.050, 0.105), (0.072, 0.006, 0.066), tilt, density)
        clouds.append(cloud_of(_place(brim), facing, colour * 0.9, Part.HAT, _follow_head(brim), 0.01))
    return clouds
