"""People's bodies as a scene dataset annotates them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from anonbench.core import checks
from anonbench.core.errors import ConfigError
from anonbench.data.entries import ESTIMATED
from anonbench.data.instances import PERSON, Instance
from anonbench.data.masks import Mask, box_of
from anonbench.data.people import hindrance, people_of
from anonbench.data.regions import Region
from anonbench.detectors import DETECTORS, Detect

ANNOTATED = "annotated"


@DETECTORS.register("annotated_bodies")
@dataclass(frozen=True)
class AnnotatedBodies:
    """The annotated mask of every person of a scene dataset, dilated: `{method: annotated_bodies, dilate: 0.02}`.

    dilate: radius of the disk by which a mask is dilated, as a share of the geometric mean of the sides of its box,
        >= 0. The radius is rounded to whole pixels, at least 1; with 0 the masks stay as they are.
    categories: of the instances that are hidden.
    keypoints: `annotated` are the dataset's own; `estimated` where it has none, by the rule `estimate_pose`, which
        needs two further packages (requirements-pose.txt).

    Groups and ignored people have no region (`data.people`), nor has anybody whose mask is empty.

    It looks at no picture: the rule `bodies` reads the instances.

    Source: Hukkelås & Lindseth 2023, section 3.1 (masks "slightly" dilated, riders not hidden). DeepPrivacy2's code
    dilates the crop of 288 x 160 pixels that goes into its generator by a disk of radius int(.02 sqrt(288 * 160)) = 4.
    In the picture's own pixels that is .019 of the geometric mean of the crop's sides, and its crop is larger than the
    person's box by a tenth at least.
    """

    dilate: float = 0.02
    categories: tuple[str, ...] = (PERSON,)
    keypoints: str = ANNOTATED

    def __post_init__(self) -> None:
        checks.number("dilate", self.dilate, 0)
        checks.names("categories", self.categories)
        checks.choice("keypoints", self.keypoints, (ANNOTATED, ESTIMATED))

    def open(self, root: Path) -> Detect:
        """Raises `ConfigError`: there is nothing to open."""
        raise ConfigError(
            "detector 'annotated_bodies' looks at no picture: it takes the masks of a scene dataset. In the workflow "
            "its name is used like any detector's; by hand: anonbench bodies --help"
        )

    def regions(self, instances: Sequence[Instance]) -> list[Region]:
        """The bodies of one picture, in the order of its instances."""
        people = people_of(instances, self.categories)
        bodies = (self._body(person) for person in people if hindrance(person) is None)
        return [body for body in bodies if body is not None]

    def _body(self, person: Instance) -> Region | None:
        assert person.mask is not None
        pixels = person.mask.unpack()
        box = box_of(pixels)
        if box is None:
            return None
        if self.dilate:
            x0, y0, x1, y1 = box
            radius = max(1, round(self.dilate * math.sqrt((x1 - x0) * (y1 - y0))))
            top, left = max(0, y0 - radius), max(0, x0 - radius)
            around = pixels[top : y1 + radius, left : x1 + radius]
            grown = cv2.dilate(around.astype(np.uint8), disk(radius), borderValue=0)
            pixels[top : y1 + radius, left : x1 + radius] = grown > 0
            box = box_of(pixels)
            assert box is not None
        known = person.keypoints is not None and any(seen for _, _, seen in person.keypoints)
        return Region(
            box,
            "body",
            source="annotated",
            mask=Mask.pack(pixels),
            keypoints=person.keypoints if known else None,
        )


def disk(radius: int) -> np.ndarray:
    """(2 radius + 1, 2 radius + 1) uint8: 1 where the distance to the centre is at most the radius.

    >>> disk(1)
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]], dtype=uint8)
    """
    steps = np.arange(-radius, radius + 1)
    return (steps[:, None] ** 2 + steps**2 <= radius**2).astype(np.uint8)
