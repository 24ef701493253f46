"""Where a missed face is most likely: the images to look at first.

In the order of the list:

1. Another detector (or the same one at a lower threshold) sees a face where this one has no box, the surest first.
   Beside a box that is there the other's must be a sure one (`CLEAR`).
2. There is no box where the head must be. Most likely first: the share of the same person's other images from the same
   camera that have one, drawn towards the camera's share where these are few.
3. The only box there has a low score, the lowest first.

The head of a person who fills a crop is in its upper part (`HEAD`). All of 695 rendered faces are there, and all but
two of the detector's 827 boxes. In pictures that are no such crops it may be anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anonbench.data.pictures import Picture
from anonbench.data.regions import Region, corners, overlaps
from anonbench.tasks.detection.audit.sample import camera_of

HEAD = (0.1, 0.0, 0.9, 0.3)  # x0, y0, x1, y1 in shares of width and height: where the middle of a face may be
CROP_RATIO = 1.5  # height over width from which on a picture is taken for the crop of one person
SAME_FACE = 0.3  # IoU from which on two detectors' boxes are one face
NEIGHBOUR_WEIGHT = 2.0  # the camera's share counts like so many images of the person
CLEAR = 0.3  # least score of another detector's box beside one that was found
SURE = 0.6  # best score from which on an image is no suspect
OTHER, NONE, ELSEWHERE, LOW = (
    "another detector sees a face here", "no box", "no box where the head must be", "low score",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suspect:
    """An image that may hold a missed face.

    evidence: 0..1, higher is more likely, within one reason.
    """

    path: str
    camera: int
    reason: str
    evidence: float
    boxes: int


def rank_suspects(
    images: Sequence[Picture],
    found: Mapping[str, Sequence[Region]],
    others: Sequence[Mapping[str, Sequence[Region]]] = (),
) -> list[Suspect]:
    """The images that may hold a missed face, the likeliest first; those with a sure box are left out.

    found: the detector's boxes. Default ones do not count.
    others: boxes of other detectors.
    """
    best = {image.path: _best(image, found[image.path]) for image in images}
    likely = _shares_of_neighbours(images, best)
    suspects = []
    for image in images:
        boxes = [box for box in found[image.path] if not box.is_default]
        unseen = max((_unseen(image, boxes, other.get(image.path, ())) for other in others), default=0.0)
        if unseen:
            rank, reason, evidence = 0, OTHER, unseen
        elif not best[image.path]:
            rank, reason, evidence = 1, ELSEWHERE if boxes else NONE, likely[image.path]
        elif best[image.path] < SURE:
            rank, reason, evidence = 2, LOW, 1 - best[image.path]
        else:
            continue
        suspects.append(
            (rank, -evidence, Suspect(image.path, camera_of(image), reason, round(evidence, 4), len(boxes)))
        )
    return [suspect for _, _, suspect in sorted(suspects, key=lambda entry: (entry[0], entry[1], entry[2].path))]


def is_crop(width: int, height: int) -> bool:
    """Whether a picture of that size is taken for the crop of one person."""
    return height >= CROP_RATIO * width


def in_head_region(box: Region, width: int, height: int) -> bool:
    """Whether the middle of a box is where the head of a person who fills the crop must be."""
    x, y = (box.x0 + box.x1) / 2 / width, (box.y0 + box.y1) / 2 / height
    return not is_crop(width, height) or (HEAD[0] <= x <= HEAD[2] and HEAD[1] <= y <= HEAD[3])


def _best(image: Picture, boxes: Sequence[Region]) -> float:
    """The best score where the head must be, 0 for none."""
    return max(
        (b.score for b in boxes if not b.is_default and in_head_region(b, image.width, image.height)), default=0.0
    )


def _unseen(image: Picture, boxes: Sequence[Region], others: Sequence[Region]) -> float:
    """The best score of another detector's box, where the head must be, that is none of these faces."""
    least = CLEAR if _best(image, boxes) else 0.0
    candidates = [
        b for b in others if not b.is_default and b.score > least and in_head_region(b, image.width, image.height)
    ]
    if not candidates or not boxes:
        return max((b.score for b in candidates), default=0.0)
    overlap = overlaps(corners(candidates), corners(boxes)).max(axis=1)
    return max((b.score for b, iou in zip(candidates, overlap, strict=True) if iou < SAME_FACE), default=0.0)


def _shares_of_neighbours(images: Sequence[Picture], best: Mapping[str, float]) -> dict[str, float]:
    """Path -> how likely it is that the image shows a face, from the others of its person and of its camera.

    Junk and distractors are nobody: the camera alone speaks for them.
    """
    cameras = _count(images, best, camera_of)
    people = _count(images, best, lambda image: (image.labels.get("pid", 0), camera_of(image)))
    shares = {}
    for image in images:
        camera, person = camera_of(image), image.labels.get("pid", 0)
        with_box, number = cameras[camera]
        camera_share = with_box / number
        seen = best[image.path] > 0
        mine, n = people[person, camera] if person > 0 else (int(seen), 1)
        shares[image.path] = (mine - seen + NEIGHBOUR_WEIGHT * camera_share) / (n - 1 + NEIGHBOUR_WEIGHT)
    return shares


def _count(
    images: Sequence[Picture], best: Mapping[str, float], key: Callable[[Picture], Hashable]
) -> dict[Any, tuple[int, int]]:
    """Key -> (images with a box where the head must be, images)."""
    counts: dict[Any, tuple[int, int]] = {}
    for image in images:
        with_box, number = counts.get(key(image), (0, 0))
        counts[key(image)] = with_box + (best[image.path] > 0), number + 1
    return counts
