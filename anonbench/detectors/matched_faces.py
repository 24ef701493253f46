"""The faces that a detector found on people whom a scene dataset annotates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anonbench.core import checks
from anonbench.core.errors import ConfigError
from anonbench.data.instances import PERSON, Instance
from anonbench.data.people import LEAST_IOU, pairs, people_of
from anonbench.data.regions import Region
from anonbench.detectors import DETECTORS, Detect


@DETECTORS.register("matched_faces")
@dataclass(frozen=True)
class MatchedFaces:
    """Of a detector's faces those that belong to an annotated person: `{method: matched_faces, of: centerface}`.

    of: name of an entry of `detectors`, which finds faces in whole pictures.
    min_iou: least overlap of a face's box with a person's mask, > 0 and at most 1 (`data.people.pairs`).
    categories: of the instances that have a face.

    Groups and ignored people have none, so that a face among them stays visible, as does a face of other categories.
    `default_box` counts for nothing.

    It looks at no picture. The member is detected as it is without it, once, and the rule `match_faces` reads its file.

    Source: Hukkelås & Lindseth 2023, section 3.1: boxes of DSFD matched with masks by intersection over union, matches
    below 1 % removed.
    """

    of: str = ""
    min_iou: float = LEAST_IOU
    categories: tuple[str, ...] = (PERSON,)

    def __post_init__(self) -> None:
        checks.number("min_iou", self.min_iou, 0, 1, above=True)
        checks.names("categories", self.categories)
        if not (isinstance(self.of, str) and self.of):
            raise ValueError(f"of must be the name of a detector, got {self.of!r}")

    def open(self, root: Path) -> Detect:
        """Raises `ConfigError`: there is nothing to open."""
        raise ConfigError(
            "detector 'matched_faces' looks at no picture: it takes what another has found. In the workflow its name "
            "is used like any detector's; by hand: anonbench match-faces --help"
        )

    def regions(self, instances: Sequence[Instance], found: Sequence[Region]) -> list[Region]:
        """The faces of one picture that belong to its people, best first.

        found: by the detector `of`.
        """
        faces = [region for region in found if not region.is_default]
        kept = [face for _, face in pairs(people_of(instances, self.categories), faces, self.min_iou)]
        return sorted((faces[face] for face in kept), key=lambda region: -region.score)
