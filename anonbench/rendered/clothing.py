"""Clothes and bags: their cuts as surfaces over the body, their patterns as colours.

Every garment is a lathe (a ring for each height) around the trunk or a limb, with folds as relief. Hems end in a
clean line: the folds fade out towards an edge. Of two garments that overlap the outer one is always wider.
"""

from __future__ import annotations

import numpy as np

from anonbench.rendered.geometry import (
    Array,
    F,
    PointCloud,
    bump,
    lathe_columns,
    lathe_rows,
    noise,
    profile,
    rotation_x,
    rotation_y,
    rounded_box,
    smoothstep,
    turn,
)
from anonbench.rendered.identity import Identity
from anonbench.rendered.parts import Part, cloud_of
from anonbench.rendered.skeleton import (
    ANKLE_Y,
    SIDES,
    SIGN,
    Bone,
    follow_arm,
    follow_leg,
    follow_torso,
    rigid,
    side_bone,
)

Triple = tuple[float, float, float]

NECKLINE_Y = 1.515
WAIST_Y = 0.985
SHORT_SLEEVE_Y = 1.205
LONG_SLEEVES = ("shirt", "hoodie", "jacket", "coat")
OPEN_FRONT = ("jacket", "coat")
# Lowest edge of each top when it hangs over the trousers, and its distance from the body, metres.
HEM_Y = {"tee": 0.86, "tank": 0.87, "shirt": 0.82, "hoodie": 0.87, "jacket": 0.81, "coat": 0.57, "dress": 0.52}
THICKNESS_M = {
    "tee": 0.010,
    "tank": 0.007,
    "shirt": 0.012,
    "hoodie": 0.022,
    "jacket": 0.022,
    "coat": 0.024,
    "dress": 0.008,
}

TRUNK_KNOTS = [0.45, 0.70, 0.84, 0.93, 1.0, 1.09, 1.2, 1.3, 1.36, 1.40, 1.435, 1.465, 1.49, 1.515]
TRUNK_WIDTH = {
    False: [.165, .165, .160, .158, .155, .150, .163, .176, .178, .153, .111, .075, .061, .054],
    True: [.165, .165, .163, .167, .158, .132, .146, .157, .158, .136, .100, .070, .057, .051],
}  # fmt: skip
TRUNK_DEPTH = {
    False: [.110, .108, .104, .108, .105, .105, .112, .120, .112, .098, .084, .070, .060, .053],
    True: [.110, .108, .106, .112, .104, .095, .106, .122, .112, .098, .084, .068, .058, .052],
}  # fmt: skip


def build_clothes(identity: Identity, density: float) -> list[PointCloud]:
    """Everything a person wears or carries, except on the head."""
    clouds = [*_top(identity, density), *_lower(identity, density)]
    for side in SIDES:
        clouds += [*_sleeve(identity, side, density), *_shoe(identity, side, density)]
    return clouds + _bag(identity, density)


def shows_legs(identity: Identity) -> bool:
    """Whether (part of) the legs is bare."""
    return identity.outfit.top == "dress" or identity.outfit.lower in ("shorts", "skirt")


def leg_freedom(identity: Identity) -> float:
    """How much of a full stride the clothes allow, 0..1."""
    narrow = identity.outfit.lower == "skirt" or identity.outfit.top in ("dress", "coat")
    return 0.62 if narrow else 1.0


# ---------------------------------------------------------------------------------------------- cloth
def folds(identity: Identity, name: str, shape: tuple[int, int], length_m: float, amplitude_m: float) -> Array:
    """Relief of creased cloth (rows, columns) in metres: broad folds, fine creases, none at the two edges."""
    rng = identity.rng("folds", name)
    broad = noise(rng, shape, (max(3, round(length_m / 0.09)), 8), wrap=True)
    fine = noise(rng, shape, (max(3, round(length_m / 0.035)), 15), wrap=True)
    edge = np.linspace(0, 1, shape[0], dtype=F)[:, None]
    return amplitude_m * (broad + 0.3 * fine) * smoothstep(0, 0.10, edge) * smoothstep(1, 0.93, edge)


def pattern(identity: Identity, around_m: Array, height_m: Array, flat: bool = False) -> Array:
    """Colours of the top at places given by metres around the body (0 in front) and height; (..., 3).

    flat: leave out what is printed on the trunk only (logo, print).
    """
    outfit = identity.outfit
    around_m, height_m = np.broadcast_arrays(around_m, height_m)
    first, second = np.array(outfit.top_colour, F), np.array(outfit.second_colour, F)
    period, phase = outfit.pattern_period_m, outfit.pattern_phase

    def bars(x: Array, share: float) -> Array:
        return smoothstep(1 - share - 0.04, 1 - share + 0.04, np.abs((x / period + phase) % 1 - 0.5) * 2)

    if outfit.pattern == "stripes":
        share = bars(height_m, 0.5)
    elif outfit.pattern == "pinstripes":
        share = 0.7 * bars(around_m, 0.22)
    elif outfit.pattern == "plaid":
        share = 0.5 * bars(height_m, 0.4) + 0.5 * bars(around_m, 0.4)
    elif outfit.pattern == "block":
        share = smoothstep(-0.006, 0.006, height_m - (1.12 + 0.2 * phase))
    elif outfit.pattern == "logo" and not flat:
        size = 0.05 + 0.5 * period
        share = (((np.abs(around_m) / size) ** 4 + ((height_m - 1.26) / (0.8 * size)) ** 4) < 1).astype(F)
    elif outfit.pattern == "print":
        field = noise(identity.rng("print"), (256, 256), (26, 26), wrap=True)
        rows = (np.clip(height_m - 0.5, 0, 1.1) / 1.1 * 255).astype(int)
        share = smoothstep(0.3, 0.5, field[rows, ((around_m / 1.1) % 1 * 255).astype(int)])
    elif outfit.pattern == "sleeves" and flat:
        share = np.ones_like(height_m)
    else:
        share = np.zeros_like(height_m)
    return first + (second - first) * share[..., None].astype(F)


# ---------------------------------------------------------------------------------------------- trunk
def _trunk(identity: Identity, heights: tuple[float, float], thickness: float, rows: int) -> tuple[Array, Array, Array]:
    """Heights, half widths and half depths of the trunk between two heights, one value a row (rows,)."""
    y = np.linspace(*heights, rows, dtype=F)
    shoulder = (0.172 if identity.female else 0.190) * (0.6 + 0.4 * identity.build)
    width = np.array(TRUNK_WIDTH[identity.female]) * (shoulder / 0.185 * 0.5 + 0.5 * identity.build)
    depth = np.array(TRUNK_DEPTH[identity.female]) * identity.build
    belly = 1 + max(0.0, identity.build - 1.08) * bump(y, 1.05, 0.14)
    return y, profile(y, TRUNK_KNOTS, width) + thickness, profile(y, TRUNK_KNOTS, depth) * belly + thickness


def _top(identity: Identity, density: float) -> list[PointCloud]:
    outfit = identity.outfit
    tucked = outfit.tucked and outfit.top in ("tee", "shirt", "tank")
    bottom = WAIST_Y - 0.02 if tucked else HEM_Y[outfit.top]
    heights = (bottom, NECKLINE_Y)
    rows = lathe_rows(heights, density)
    y, width, depth = _trunk(identity, heights, 0.004 if tucked else THICKNESS_M[outfit.top], rows)
    flare = {"dress": 0.17, "coat": 0.07}.get(outfit.top, 0.0)
    width, depth = width + flare * np.clip(0.97 - y, 0, 1), depth + 0.75 * flare * np.clip(0.97 - y, 0, 1)
    if not tucked and not flare:  # loose cloth stands off the hips, an elastic band gathers it
        loose = {"hoodie": -0.004, "jacket": 0.004}.get(outfit.top, 0.010) * smoothstep(1.0, bottom, y)
        width, depth = width + loose, depth + loose
    columns = lathe_columns(float(width.max()), float(depth.max()), density)
    amplitude = 0.0045 if outfit.top in ("jacket", "coat", "hoodie") else 0.0035
    relief = folds(identity, "top", (rows, columns), NECKLINE_Y - bottom, amplitude)
    angle = np.linspace(-np.pi, np.pi, columns, endpoint=False, dtype=F)[None]
    if flare:
        relief = (
            relief + 0.13 * flare * np.cos(7 * angle + outfit.pattern_phase * 6) * smoothstep(0.9, bottom, y)[:, None]
        )
    chest = 0.014 * bump(y, 1.31, 0.075)[:, None] * bump(np.abs(angle), 0.5, 0.42) * identity.female
    body = turn(heights, width, depth, density, exponent=2.35, relief=relief + chest, rows=rows)
    swing = 0.75 if flare else 0.35
    colours = _paint_trunk(identity, body.angle, body.height)
    follow = follow_torso(body.grid.reshape(-1, 3), swing)
    clouds = [cloud_of(body.grid, body.normals, colours, Part.TOP, follow)]
    if outfit.top in ("shirt", "coat", "jacket"):
        clouds.append(_collar(identity, density))
    if outfit.top == "hoodie":
        hood, facing = rounded_box((0, 1.455, -0.085), (0.105, 0.055, 0.055), rotation_x(-0.4), density, 0.1)
        clouds.append(
            cloud_of(hood, facing, np.array(outfit.top_colour) * 0.92, Part.TOP, rigid(Bone.TORSO, hood[..., 0].size))
        )
    return clouds


def _paint_trunk(identity: Identity, angle: Array, height: Array) -> Array:
    """Colours of the top on its grid: pattern, opening, buttons, neckline, straps; (rows, columns, 3)."""
    outfit, skin = identity.outfit, np.array(identity.skin, F)
    around = angle * 0.155
    colours = pattern(identity, around, height)
    away, h = np.abs(angle) + 0 * height, height + 0 * angle
    if outfit.top in OPEN_FRONT:
        half = (
            0.10
            + 0.32 * np.clip((h - 1.2) / 0.2, 0, 1)
            + 0.25 * np.clip((0.95 - h) / 0.4, 0, 1) * (outfit.pattern_phase > 0.5)
        )
        colours = np.where((away < half)[..., None], np.array(outfit.inner_colour, F), colours)
        colours = colours * (1 - 0.4 * bump(away, half + 0.03, 0.05))[..., None]
    elif outfit.top == "shirt":
        colours = colours * (1 - 0.25 * bump(away, 0.09, 0.03))[..., None]
    elif outfit.top == "hoodie":
        pocket = bump(np.maximum(np.abs(around) / 0.115, np.abs(h - 1.0) / 0.085), 1, 0.07)
        colours = colours * (1 - 0.3 * pocket)[..., None]
        colours = np.where((h < 0.91)[..., None], colours * 0.85, colours)
    scoop = {"tee": 0.030, "tank": 0.075, "dress": 0.055, "shirt": 0.012}.get(outfit.top, 0.004)
    bare = smoothstep(1.468, 1.478, h + scoop * np.cos(angle))
    if outfit.top == "tank":
        bare = np.maximum(bare, smoothstep(1.36, 1.37, h) * (np.abs(away - np.pi / 2) < 0.55))
    colours = colours * (1 - bare[..., None]) + skin * bare[..., None]
    return _paint_straps(identity, colours, angle, away, h)


def _paint_straps(identity: Identity, colours: Array, angle: Array, away: Array, height: Array) -> Array:
    outfit = identity.outfit
    strap = np.array(outfit.bag_colour, F) * 0.8
    if outfit.bag == "backpack":
        on_shoulder = (np.abs(away - 0.68) < 0.13) & (height > 1.10) & (height < 1.48)
        colours = np.where(on_shoulder[..., None], strap, colours)
    elif outfit.bag == "shoulder":
        across = np.abs(np.sin(angle) * 0.17 - (height - 1.2) * 0.62) < 0.015
        colours = np.where(across[..., None], strap, colours)
    return colours


def _collar(identity: Identity, density: float) -> PointCloud:
    ring = turn((1.452, 1.502), np.linspace(0.090, 0.071, 8), np.linspace(0.086, 0.069, 8), density, rows=8)
    front = (np.abs(ring.angle) > 0.28 + 6 * (ring.height - 1.452)) & (ring.height > 0)
    colour = np.array(identity.outfit.top_colour, F) * 0.95
    return cloud_of(ring.grid, ring.normals, colour, Part.TOP, rigid(Bone.TORSO, ring.grid[..., 0].size), keep=front)


def _sleeve(identity: Identity, side: str, density: float) -> list[PointCloud]:
    outfit = identity.outfit
    if outfit.top == "tank":
        return []
    long = outfit.top in LONG_SLEEVES
    bottom, top = (0.85 if long else SHORT_SLEEVE_Y), 1.430
    extra = {"tee": 0.006, "dress": 0.004, "shirt": 0.006}.get(outfit.top, 0.014)
    rows = lathe_rows((bottom, top), density)
    y = np.linspace(bottom, top, rows, dtype=F)
    knots = [0.85, 0.92, 1.09, 1.2, 1.31, 1.37, 1.405, 1.430]
    width = profile(y, knots, [0.031, 0.036, 0.043, 0.049, 0.057, 0.056, 0.045, 0.012])
    radius = width * (0.5 + 0.5 * identity.build) + extra * smoothstep(1.44, 1.38, y)
    columns = lathe_columns(float(radius.max()), float(radius.max()), density)
    relief = folds(identity, f"sleeve {side}", (rows, columns), top - bottom, 0.0032 if long else 0.0025)
    x = SIGN[side] * identity.proportions.shoulder_x
    tube = turn((bottom, top), radius, radius, density, centre_x=x, centre_z=-0.008, relief=relief, rows=rows)
    colours = pattern(identity, tube.angle * 0.05 + 0.3, tube.height, flat=True)
    return [cloud_of(tube.grid, tube.normals, colours, Part.TOP, follow_arm(tube.grid.reshape(-1, 3), side))]


# ---------------------------------------------------------------------------------------------- lower body
def _lower(identity: Identity, density: float) -> list[PointCloud]:
    outfit = identity.outfit
    if outfit.top == "dress":
        return []
    colour = np.array(outfit.lower_colour, F)
    if outfit.lower == "skirt":
        return [_skirt(identity, density, colour)]
    heights = (0.80, WAIST_Y)
    rows = lathe_rows(heights, density)
    _, width, depth = _trunk(identity, heights, 0.012 if outfit.tucked else 0.002, rows)
    hips = turn(heights, width, depth, density, exponent=2.5, rows=rows)
    belt = (hips.height > WAIST_Y - 0.035) & (hips.angle > -9)
    shades = np.where(belt[..., None], colour * 0.45, np.broadcast_to(colour, hips.grid.shape))
    clouds = [cloud_of(hips.grid, hips.normals, shades, Part.LOWER, follow_torso(hips.grid.reshape(-1, 3), 0.5))]
    return clouds + [_trouser_leg(identity, side, density, colour) for side in SIDES]


def _skirt(identity: Identity, density: float, colour: Array) -> PointCloud:
    outfit = identity.outfit
    heights = (outfit.skirt_length, WAIST_Y + 0.02)
    rows = lathe_rows(heights, density)
    y, width, depth = _trunk(identity, heights, 0.012 if outfit.tucked else 0.003, rows)
    flare = 0.06 + 0.2 * outfit.trouser_cut
    out = flare * np.clip(0.93 - y, 0, 1)
    columns = lathe_columns(float((width + out).max()), float((depth + out).max()), density)
    angle = np.linspace(-np.pi, np.pi, columns, endpoint=False, dtype=F)[None]
    pleats = 0.1 * flare * np.cos(11 * angle) * smoothstep(0.95, outfit.skirt_length, y)[:, None]
    relief = folds(identity, "skirt", (rows, columns), heights[1] - heights[0], 0.004) + pleats
    skirt = turn(heights, width + out, depth + out, density, exponent=2.3, relief=relief, rows=rows)
    return cloud_of(skirt.grid, skirt.normals, colour, Part.LOWER, follow_torso(skirt.grid.reshape(-1, 3), 0.75))


def _trouser_leg(identity: Identity, side: str, density: float, colour: Array) -> PointCloud:
    outfit = identity.outfit
    hem = {"shorts": 0.52, "leggings": 0.10}.get(outfit.lower, 0.045)
    heights = (hem, 0.965)
    rows = lathe_rows(heights, density)
    y = np.linspace(*heights, rows, dtype=F)
    if outfit.lower == "leggings":
        radius = leg_radius(y) + 0.004
    else:
        cut = outfit.trouser_cut if outfit.lower != "shorts" else 1.0
        knots = [0.04, 0.14, 0.32, 0.495, 0.7, 0.86, 0.97]
        slim, wide = (
            [0.045, 0.046, 0.055, 0.059, 0.072, 0.075, 0.062],
            [0.076, 0.074, 0.071, 0.073, 0.084, 0.081, 0.066],
        )
        radius = profile(y, knots, (1 - cut) * np.array(slim) + cut * np.array(wide))
    radius = radius * (0.35 + 0.65 * identity.build)
    columns = lathe_columns(float(radius.max()), float(radius.max()), density)
    amplitude = {"leggings": 0.0008, "shorts": 0.0035}.get(outfit.lower, 0.0037)
    relief = folds(identity, f"trousers {side}", (rows, columns), heights[1] - heights[0], amplitude)
    x = SIGN[side] * identity.proportions.hip_x
    leg = turn(heights, radius, radius, density, centre_x=x, relief=relief, rows=rows)
    shades = np.broadcast_to(colour, leg.grid.shape)
    if outfit.lower == "jeans":  # worn lighter on the front of the thighs and below the knees
        worn = bump(leg.angle, 0, 0.8) * (bump(leg.height, 0.7, 0.14) + 0.5 * bump(leg.height, 0.4, 0.08))
        shades = shades * (1 + 0.55 * worn)[..., None]
    elif outfit.lower == "trousers":  # the crease down the front
        shades = shades * (1 - 0.12 * bump(leg.angle, 0.1, 0.12) + 0 * leg.height)[..., None]
    return cloud_of(leg.grid, leg.normals, shades, Part.LOWER, follow_leg(leg.grid.reshape(-1, 3), side))


def leg_radius(y: Array) -> Array:
    """Radius of an average bare leg by height, metres."""
    knots = [0.06, 0.10, 0.20, 0.34, 0.45, 0.50, 0.60, 0.75, 0.90]
    return profile(y, knots, [0.033, 0.034, 0.041, 0.055, 0.047, 0.049, 0.057, 0.070, 0.083])


def _shoe(identity: Identity, side: str, density: float) -> list[PointCloud]:
    colour = np.array(identity.outfit.shoe_colour, F)
    turned_out = rotation_y(SIGN[side] * 0.12)
    x = SIGN[side] * identity.proportions.hip_x
    upper, upper_facing = rounded_box((x, ANKLE_Y - 0.028, 0.048), (0.043, 0.045, 0.132), turned_out, density, 0.15)
    sole, sole_facing = rounded_box((x, 0.014, 0.05), (0.046, 0.014, 0.138), turned_out, density, 0.3)
    toe_low = (upper[..., 1] < 0.07) | (upper[..., 2] < 0.06)  # the upper falls towards the toes
    bone = side_bone(side, "FOOT")
    rim = colour * 0.6 + 0.12 if colour.mean() < 0.2 else colour * 0.8
    return [
        cloud_of(upper, upper_facing, colour, Part.SHOE, rigid(bone, upper[..., 0].size), 0.05, keep=toe_low),
        cloud_of(sole, sole_facing, rim, Part.SHOE, rigid(bone, sole[..., 0].size), 0.02),
    ]


# ---------------------------------------------------------------------------------------------- bags
def _bag(identity: Identity, density: float) -> list[PointCloud]:
    outfit = identity.outfit
    colour, size, still = np.array(outfit.bag_colour, F), outfit.bag_size, np.eye(3, dtype=F)
    shoulder_x = identity.proportions.shoulder_x
    boxes: list[tuple[Triple, Triple, float, float]]  # centre, radii, squareness, tone
    if outfit.bag == "backpack":
        back = -0.115 * identity.build
        boxes = [
            ((0, 1.20, back - 0.075), (0.135 * size, 0.20 * size, 0.075 * size), 0.45, 1.0),
            ((0, 1.12, back - 0.155 * size), (0.10 * size, 0.09 * size, 0.035), 0.5, 0.82),
            ((0, 1.20 + 0.21 * size, back - 0.05), (0.03, 0.02, 0.015), 0.2, 0.6),
        ]
    elif outfit.bag == "tote":
        x = shoulder_x + 0.085
        boxes = [
            ((x, 0.90, 0.0), (0.035, 0.125 * size, 0.14 * size), 0.6, 1.0),
            ((x - 0.03, 1.2, 0.045), (0.009, 0.21, 0.010), 0.3, 0.75),
            ((x - 0.03, 1.2, -0.045), (0.009, 0.21, 0.010), 0.3, 0.75),
        ]
    elif outfit.bag == "shoulder":
        boxes = [
            ((-0.19 * identity.build, 0.94, 0.03), (0.045, 0.085 * size, 0.115 * size), 0.5, 1.0),
            ((-0.235 * identity.build, 0.955, 0.03), (0.008, 0.06 * size, 0.10 * size), 0.5, 0.8),
        ]
    else:
        return []
    clouds = []
    for centre, radii, squareness, tone in boxes:
        grid, normals = rounded_box(centre, radii, still, density, squareness)
        clouds.append(cloud_of(grid, normals, colour * tone, Part.BAG, rigid(Bone.TORSO, grid[..., 0].size), 0.05))
    return clouds
