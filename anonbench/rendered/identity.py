"""Who is drawn: a body, a face, a head of hair and an outfit, all drawn from (seed, number)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anonbench.data.seeding import generator
from anonbench.rendered import palette
from anonbench.rendered.geometry import Array
from anonbench.rendered.palette import linear
from anonbench.rendered.skeleton import Proportions


@dataclass(frozen=True)
class Face:
    """Face shape as standard deviations from the mean (each in -1.9..1.9), and what lies on the skin."""

    jaw: float
    eye_distance: float
    eye_size: float
    nose_length: float
    nose_width: float
    nose_depth: float
    lips: float
    mouth_width: float
    brow: float
    chin: float
    width: float
    height: float
    lip_colour: float  # 0 skin-like .. 1 red
    ruddiness: float  # 0..1, red of cheeks and nose
    age: float  # 0 smooth .. 1 lined
    beard: float  # 0 none, .25 stubble, .9 full
    beard_shape: str  # full, goatee, moustache
    glasses: str  # none, thin, thick, dark


@dataclass(frozen=True)
class Hair:
    """A head of hair.

    style: short, crop, bald, mid, long, bob, bun, pony, afro.
    colour: index into `palette.HAIR`.
    """

    style: str
    colour: int
    fringe: float  # how low the hairline comes
    recede: float  # how far it withdraws at the temples
    parting: float  # angle of the parting, radians
    volume: float  # factor on the thickness


@dataclass(frozen=True)
class Outfit:
    """Garments and their colours (linear RGB)."""

    top: str  # tee, shirt, hoodie, jacket, coat, dress, tank
    top_colour: tuple[float, float, float]
    second_colour: tuple[float, float, float]
    inner_colour: tuple[float, float, float]
    pattern: str  # solid, stripes, pinstripes, plaid, block, logo, print, sleeves
    pattern_period_m: float
    pattern_phase: float
    tucked: bool
    lower: str  # trousers, jeans, shorts, skirt, leggings
    lower_colour: tuple[float, float, float]
    trouser_cut: float  # 0 slim .. 1 wide
    skirt_length: float  # height of the hem, metres
    shoe_colour: tuple[float, float, float]
    hat: str  # none, cap, beanie
    hat_colour: tuple[float, float, float]
    bag: str  # none, backpack, tote, shoulder
    bag_colour: tuple[float, float, float]
    bag_size: float


@dataclass(frozen=True)
class Identity:
    """One person. Colours of skin are linear RGB, lengths in metres."""

    seed: int
    number: int
    female: bool
    height_m: float
    build: float  # 1 = average girth
    skin_tone: int  # index into `palette.SKIN`, 0 lightest
    skin: tuple[float, float, float]
    face: Face
    hair: Hair
    outfit: Outfit

    @property
    def proportions(self) -> Proportions:
        """Joint distances of the rest figure."""
        shoulder = (0.172 if self.female else 0.190) * (0.6 + 0.4 * self.build)
        return Proportions(hip_x=0.088 * (0.8 + 0.2 * self.build), shoulder_x=shoulder - 0.022)

    def rng(self, *names: str | int) -> np.random.Generator:
        """A generator for a detail of this person that looks the same in every crop."""
        return generator(self.seed, "identity", self.number, *names)


def _rgb(colour: Array) -> tuple[float, float, float]:
    return float(colour[0]), float(colour[1]), float(colour[2])


def sample_identity(seed: int, number: int, clothes_group_size: int = 1, outfit: int = 0) -> Identity:
    """Draw person `number` of the population `seed`.

    clothes_group_size: this many consecutive numbers wear the same colours (tops, lowers and shoes), so that colour
        names a group and not a person. Cut, pattern, bag, hat, body, hair and face differ.
    outfit: which of the person's outfits, from 0 on. Body, face and hair are the same in all.
    """
    own = generator(seed, "identity", number)
    members = number // clothes_group_size if number >= 0 else number
    group = generator(seed, "outfit", members, *[outfit] * (outfit > 0))
    female = bool(own.random() < 0.48)
    tone = int(own.choice(len(palette.SKIN), p=palette.SKIN_SHARES))
    complexion = own.uniform(0.94, 1.06) * (1 + own.uniform(-0.03, 0.03, 3))
    face = _sample_face(own, female)
    return Identity(
        seed=seed,
        number=number,
        female=female,
        height_m=float(np.clip(own.normal(1.64 if female else 1.76, 0.065), 1.48, 1.95)),
        build=float(np.clip(own.normal(1.0, 0.11), 0.8, 1.32)),
        skin_tone=tone,
        skin=_rgb(linear(palette.SKIN[tone]) * complexion),
        face=face,
        hair=_sample_hair(own, female, tone),
        outfit=_sample_outfit(generator(seed, "identity", number, "outfit", outfit) if outfit else own, group, female),
    )


def _sample_face(rng: np.random.Generator, female: bool) -> Face:
    names = (
        "jaw", "eye_distance", "eye_size", "nose_length", "nose_width", "nose_depth", "lips", "mouth_width", "brow",
        "chin", "width", "height",
    )  # fmt: skip
    values = np.clip(rng.normal(0, 1.15, len(names)), -1.9, 1.9)
    shape = {name: float(value) for name, value in zip(names, values, strict=True)}
    beard = 0.0 if female else float(rng.choice([0, 0, 0.3, 0.6, 0.9], p=[0.3, 0.3, 0.16, 0.12, 0.12]))
    return Face(
        **shape,
        lip_colour=float(rng.uniform(0.25, 0.9) if female else rng.uniform(0.1, 0.45)),
        ruddiness=float(rng.uniform(0.3, 1)),
        age=float(rng.uniform(0, 1) ** 1.6),
        beard=beard,
        beard_shape=str(rng.choice(["full", "goatee", "moustache"], p=[0.6, 0.22, 0.18])),
        glasses=str(rng.choice(["none", "thin", "thick", "dark"], p=[0.74, 0.11, 0.11, 0.04])),
    )


def _sample_hair(rng: np.random.Generator, female: bool, tone: int) -> Hair:
    if female:
        style = rng.choice(["short", "mid", "long", "bob", "bun", "pony"], p=[0.1, 0.08, 0.36, 0.18, 0.13, 0.15])
    else:
        style = rng.choice(["short", "crop", "bald", "mid"], p=[0.52, 0.24, 0.11, 0.13])
    if tone >= 5 and rng.random() < 0.35:
        style = "afro" if female or rng.random() < 0.3 else "crop"
    dark = tone >= 4
    count = palette.DARK_HAIR if dark else len(palette.HAIR)
    colour = palette.pick(rng, palette.HAIR[:count], palette.HAIR_SHARES[:count])
    return Hair(
        style=str(style),
        colour=colour,
        fringe=float(rng.uniform(-0.06, 0.15)),
        recede=float(rng.uniform(0, 0.05) if female else rng.uniform(0, 0.22)),
        parting=float(rng.uniform(-0.8, 0.8)),
        volume=float(rng.uniform(0.75, 1.35)),
    )


def _sample_outfit(own: np.random.Generator, group: np.random.Generator, female: bool) -> Outfit:
    """Colours from the `group`'s generator, everything else from the person's `own`."""

    def colour(rng: np.random.Generator, colours: list, shares: tuple | None = None) -> tuple[float, float, float]:
        chosen = np.array(colours[palette.pick(rng, colours, shares)]) * rng.uniform(0.92, 1.08)
        return _rgb(linear(np.clip(chosen, 0, 255)))

    top_colour = colour(group, palette.TOPS, palette.TOP_SHARES)
    second = colour(group, palette.TOPS)
    lower_colour = colour(group, palette.LOWERS, palette.LOWER_SHARES)
    shoe_colour = colour(group, palette.SHOES, palette.SHOE_SHARES)
    if female:
        tops, shares = (
            ["tee", "shirt", "hoodie", "jacket", "coat", "dress", "tank"],
            [0.24, 0.2, 0.1, 0.16, 0.1, 0.13, 0.07],
        )
        lowers, lower_shares = ["trousers", "jeans", "shorts", "skirt", "leggings"], [0.24, 0.26, 0.12, 0.18, 0.2]
    else:
        tops, shares = ["tee", "shirt", "hoodie", "jacket", "coat"], [0.34, 0.2, 0.18, 0.2, 0.08]
        lowers, lower_shares = ["trousers", "jeans", "shorts"], [0.42, 0.36, 0.22]
    patterns = ["solid", "stripes", "pinstripes", "plaid", "block", "logo", "print", "sleeves"]
    return Outfit(
        top=str(own.choice(tops, p=shares)),
        top_colour=top_colour,
        second_colour=second,
        inner_colour=colour(own, palette.TOPS),
        pattern=str(own.choice(patterns, p=[0.42, 0.12, 0.04, 0.09, 0.08, 0.12, 0.05, 0.08])),
        pattern_period_m=float(own.uniform(0.035, 0.11)),
        pattern_phase=float(own.random()),
        tucked=bool(own.random() < 0.3),
        lower=str(own.choice(lowers, p=lower_shares)),
        lower_colour=lower_colour,
        trouser_cut=float(own.random()),
        skirt_length=float(own.uniform(0.38, 0.6)),
        shoe_colour=shoe_colour,
        hat=str(own.choice(["none", "cap", "beanie"], p=[0.9, 0.06, 0.04])),
        hat_colour=colour(own, palette.TOPS),
        bag=str(own.choice(["none", "backpack", "tote", "shoulder"], p=[0.48, 0.24, 0.12, 0.16])),
        bag_colour=colour(own, palette.BAGS),
        bag_size=float(own.uniform(0.8, 1.2)),
    )
