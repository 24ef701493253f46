"""People among the instances of a picture: who can be hidden, which region is whose, and who is left visible.

A group that nobody took apart, a person whom the dataset ignores, and one without a mask have no region and are never
hidden. Somebody may also have no region for another reason: a face that no detector found. All of them are counted.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from anonbench.data.instances import PERSON, Instance
from anonbench.data.masks import Bits
from anonbench.data.pictures import Picture
from anonbench.data.regions import Region, intersection_over_union

LEAST_IOU = 0.01
"""Of a region with the mask of its person (Hukkelås & Lindseth 2023, section 3.1)."""
Fate = Literal["hidden", "crowd", "ignored", "no mask", "no region"]
"""What became of a person, or why nothing did."""
HIDDEN: Fate = "hidden"
FATES: tuple[Fate, ...] = (HIDDEN, "crowd", "ignored", "no mask", "no region")


@dataclass(frozen=True, slots=True)
class PeopleCount:
    """The people of a picture. A group counts as one.

    people: all of them.
    hidden: those with a region of their own.
    """

    people: int
    hidden: int

    @property
    def labels(self) -> dict[str, int]:
        """As the manifest of a copy holds them (`data.pictures`)."""
        return {"people": self.people, "hidden": self.hidden, "visible": self.people - self.hidden}


def people_of(instances: Sequence[Instance], categories: Collection[str] = (PERSON,)) -> list[Instance]:
    """Those of these categories, groups and ignored people too."""
    return [instance for instance in instances if instance.category in categories]


def hindrance(person: Instance) -> Fate | None:
    """Why a person can have no region; None for one who can."""
    if person.crowd:
        return "crowd"
    if person.ignore:
        return "ignored"
    return "no mask" if person.mask is None else None


def fates(people: Sequence[Instance], regions: Sequence[Region], least_iou: float = LEAST_IOU) -> list[Fate]:
    """What became of each of the people of a picture, in their order."""
    hidden = {person for person, _ in pairs(people, regions, least_iou)}
    return [hindrance(person) or (HIDDEN if number in hidden else "no region") for number, person in enumerate(people)]


def count_people(instances: Sequence[Instance], regions: Sequence[Region]) -> PeopleCount:
    """How many people a picture shows, and how many of them its regions hide."""
    people = people_of(instances)
    return PeopleCount(len(people), fates(people, regions).count(HIDDEN))


def say_people(pictures: Sequence[Picture]) -> list[str]:
    """A line on the people of a copy, by the labels of its manifest; none where they are not counted."""
    if not pictures or "people" not in pictures[0].labels:
        return []
    people, hidden, visible = (
        sum(picture.labels[name] for picture in pictures) for name in ("people", "hidden", "visible")
    )
    showing = sum(picture.labels["visible"] > 0 for picture in pictures)
    return [
        f"{hidden} of {people} people hidden, {visible} left visible in {showing} of {len(pictures)} pictures (groups "
        f"count as one; left visible: groups, people whom the dataset ignores, people without a region)"
    ]


def pairs(people: Sequence[Instance], regions: Sequence[Region], least_iou: float = LEAST_IOU) -> list[tuple[int, int]]:
    """(person, region): whose region each is, as numbers in the two lists, sorted.

    A person has one region and a region one person. Pairs are made one after the other, those of the highest overlap
    first, among equal ones that of the region with the highest score. Overlap is intersection over union in pixels, of
    the person's mask with the region's mask or, where it has none, with its box.

    Source: Hukkelås & Lindseth 2023, section 3.1, "the match with the highest IoU and bounding box score"; that both
    have one partner at most is our reading.
    """
    found = []
    for number, person in enumerate(people):
        if hindrance(person) is None and person.mask is not None:
            overlaps = _overlaps(person.mask.unpack(), regions)
            found += [(-iou, -regions[r].score, number, r) for r, iou in overlaps.items() if iou >= least_iou]
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for _, _, number, region in sorted(found):
        if number not in partner and region not in taken:
            partner[number] = region
            taken.add(region)
    return sorted(partner.items())


def _overlaps(pixels: Bits, regions: Sequence[Region]) -> Mapping[int, float]:
    """Intersection over union of a person's pixels with each region that meets them: region's number -> 0..1."""
    height, width = pixels.shape
    own, found = int(pixels.sum()), {}
    for number, region in enumerate(regions):
        x0, y0 = max(0, math.floor(region.x0)), max(0, math.floor(region.y0))
        x1, y1 = min(width, math.ceil(region.x1)), min(height, math.ceil(region.y1))
        window = pixels[y0:y1, x0:x1]
        if x0 >= x1 or y0 >= y1 or not window.any():
            continue
        shown = np.ones_like(window) if region.mask is None else region.mask.unpack()[y0:y1, x0:x1]
        common, area = int((window & shown).sum()), int(shown.sum())
        iou = intersection_over_union(*(np.array([float(value)]) for value in (common, own, area)))
        found[number] = float(iou[0])
    return found
