"""Recall by what a face is like: its height, the view, the skin tone, whether something hides a part of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from anonbench.core.errors import ConfigError
from anonbench.data.annotations import Annotation
from anonbench.statistics.proportion import Proportion

ALL = "all"
VIEWS = ("front", "three_quarter", "profile", "back")
# Kind of group -> the attribute that it goes by, and words for its values.
ATTRIBUTES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "view": ("view", {}),
    "skin tone": ("skin_tone", {}),
    "occluded": ("occluded", {"0": "no", "1": "yes"}),
}


@dataclass(frozen=True, slots=True)
class Group:
    """Faces that are alike, and the share that was found.

    kind: all, height, view, skin tone, occluded.
    name: such as 8-12 px.
    """

    kind: str
    name: str
    found: Proportion


def height_classes(bounds_px: Sequence[float]) -> list[tuple[str, float, float]]:
    """(name, from, to) of the classes that rising bounds divide heights into; half-open.

    >>> [name for name, _, _ in height_classes([8, 12])]
    ['0-8 px', '8-12 px', '12+ px']
    """
    if any(b <= a for a, b in pairwise((0.0, *bounds_px))):
        raise ConfigError(f"face heights {list(bounds_px)}; expected rising bounds above 0, such as 8 12 16 24.")
    ends = [*pairwise((0.0, *bounds_px, np.inf))]
    return [(f"{low:g}-{high:g} px" if np.isfinite(high) else f"{low:g}+ px", low, high) for low, high in ends]


def recall_groups(faces: Sequence[Annotation], found: Sequence[bool], bounds_px: Sequence[float]) -> list[Group]:
    """All faces, then those of each height class, view, skin tone and kind of occlusion that occur.

    found: whether each face was found, in the order of `faces`. Faces of one image are a cluster.
    """
    groups = [Group(ALL, ALL, _share(faces, found, [True] * len(faces)))]
    heights = np.array([face.region.height for face in faces])
    for name, low, high in height_classes(bounds_px):
        members = (heights >= low) & (heights < high)
        if members.any():
            groups.append(Group("height", name, _share(faces, found, members)))
    for kind, (attribute, words) in ATTRIBUTES.items():
        told = [face.attributes.get(attribute, "") for face in faces]
        labels = np.array([words.get(value, value) for value in told], dtype=object)
        for label in sorted({str(v) for v in labels if v}, key=_order):
            members = labels == label
            groups.append(Group(kind, label, _share(faces, found, members)))
    return groups


def _share(faces: Sequence[Annotation], found: Sequence[bool], members: Iterable[bool]) -> Proportion:
    """The share that was found of the faces that are members."""
    images: dict[str, list[bool]] = {}
    for face, hit, member in zip(faces, found, members, strict=True):
        if member:
            images.setdefault(face.path, []).append(hit)
    return Proportion.of_clusters((sum(hits), len(hits)) for hits in images.values())


def _order(label: str) -> tuple[int, float, str]:
    """Views as they turn away, numbers by size, words by the alphabet."""
    if label in VIEWS:
        return 0, VIEWS.index(label), label
    return (1, float(label), label) if label.isdecimal() else (2, 0.0, label)


def missing_from(wanted: Iterable[str], known: Iterable[str]) -> list[str]:
    """The paths of `wanted` that are not in `known`, sorted."""
    return sorted(set(wanted) - set(known))
