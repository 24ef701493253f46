"""Hide every region of a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from anonbench.anonymizers import Anonymizer, LearnedAnonymizer
from anonbench.data.images import RGB
from anonbench.data.regions import Region, covered


def is_learned(anonymizer: Any) -> bool:
    """Whether an anonymizer has the form that takes whole pictures, several at once."""
    return hasattr(anonymizer, "anonymize_batch")


def hide(
    images: Sequence[RGB],
    regions: Sequence[Sequence[Region]],
    anonymizer: Anonymizer | LearnedAnonymizer,
    rngs: Sequence[np.random.Generator],
) -> list[RGB]:
    """A copy of every image (H, W, 3) uint8 with its regions hidden, by an anonymizer of either form."""
    if is_learned(anonymizer):
        return anonymize_images(images, regions, anonymizer, rngs)  # type: ignore[arg-type]
    pictures = zip(images, regions, rngs, strict=True)
    return [anonymize_image(image, found, anonymizer, rng) for image, found, rng in pictures]  # type: ignore[arg-type]


def anonymize_image(image: RGB, regions: Iterable[Region], anonymizer: Anonymizer, rng: np.random.Generator) -> RGB:
    """A copy of `image` (H, W, 3) uint8 in which every region shows its anonymizer's patch; all else is as it was.

    Each patch is made from the original image, so no region sees what was done to another; an anonymizer with `fill`
    gets all boxes at once. Patches are made and pasted in the order of `in_order`: the result does not depend on the
    order of detection, and where two regions overlap, the larger one's coarser patch stays on top.

    Raises ValueError when a region is not inside the image or the anonymizer returns something that is no patch.

    >>> from anonbench.anonymizers.zero import Zero
    >>> image = np.full((4, 4, 3), 9, dtype=np.uint8)
    >>> anonymize_image(image, [Region((1, 0, 4, 2))], Zero(), np.random.default_rng(0))[..., 0]
    array([[9, 0, 0, 0],
           [9, 0, 0, 0],
           [9, 9, 9, 9],
           [9, 9, 9, 9]], dtype=uint8)
    """
    original = _read_only(image)
    result = image.copy()
    ordered = in_order(regions)
    for region in ordered:
        _check_inside(region, image)
    fill = getattr(anonymizer, "fill", None) if ordered else None
    filled = fill(original, [region.pixels for region in ordered]) if fill else None
    for region in ordered:
        x0, y0, x1, y1 = region.pixels
        patch = anonymizer.redact(original, region, rng) if filled is None else filled[y0:y1, x0:x1]
        if patch.shape != (y1 - y0, x1 - x0, 3) or patch.dtype != np.uint8:
            made_by = f"{type(anonymizer).__name__}.{'redact' if filled is None else 'fill'}"
            raise ValueError(
                f"{made_by} returned {patch.dtype} of shape {patch.shape} for box "
                f"{region.pixels}; expected uint8 of shape {(y1 - y0, x1 - x0, 3)}"
            )
        if region.mask is None:
            result[y0:y1, x0:x1] = patch
        else:
            belongs = region.mask.unpack()[y0:y1, x0:x1]
            result[y0:y1, x0:x1][belongs] = patch[belongs]
    return result


def anonymize_images(
    images: Sequence[RGB],
    regions: Sequence[Sequence[Region]],
    anonymizer: LearnedAnonymizer,
    rngs: Sequence[np.random.Generator],
) -> list[RGB]:
    """The learned form: copies of several images with their regions hidden; one without a region is a plain copy.

    Raises ValueError when a region is not inside its image, or the anonymizer returns other sizes or changes pixels
    outside the regions.
    """
    results = [image.copy() for image in images]
    wanted = [number for number, found in enumerate(regions) if found]
    if not wanted:
        return results
    ordered = {number: in_order(regions[number]) for number in wanted}
    for number, found in ordered.items():
        for region in found:
            _check_inside(region, images[number])
    made = anonymizer.anonymize_batch(
        [_read_only(images[number]) for number in wanted], list(ordered.values()), [rngs[number] for number in wanted]
    )
    name = f"{type(anonymizer).__name__}.anonymize_batch"
    if len(made) != len(wanted):
        raise ValueError(f"{name} returned {len(made)} images; expected {len(wanted)}")
    for number, picture in zip(wanted, made, strict=True):
        image = images[number]
        if picture.shape != image.shape or picture.dtype != np.uint8:
            raise ValueError(
                f"{name} returned {picture.dtype} of shape {picture.shape}; expected uint8 of shape {image.shape}"
            )
        if (picture != image).any(axis=2)[~covered(ordered[number], image.shape[0], image.shape[1])].any():
            raise ValueError(f"{name} changed pixels outside the regions; paste what it makes into a copy of the image")
        results[number] = np.array(picture)
    return results


def in_order(regions: Iterable[Region]) -> list[Region]:
    """Regions from the smallest to the largest, ties by coordinates; what covers the same pixels counts once.

    A mask counts with its own pixels, as in DeepPrivacy2: the box of a person who stretches an arm may be larger than
    that of someone nearer who covers more of the picture.
    """
    found: dict[object, Region] = {}
    for region in sorted(regions, key=_size):
        found.setdefault((region.pixels, region.mask), region)
    return list(found.values())


def _size(region: Region) -> tuple[object, ...]:
    """Pixels, then whatever tells two regions apart, so that their order is always the same."""
    x0, y0, x1, y1 = region.pixels
    mask = "" if region.mask is None else str(region.mask)
    area = (x1 - x0) * (y1 - y0) if region.mask is None else region.mask.area
    return area, region.pixels, mask, -region.score, region.kind, region.source, region.keypoints or ()


def _check_inside(region: Region, image: RGB) -> None:
    height, width = image.shape[:2]
    x0, y0, x1, y1 = region.pixels
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise ValueError(
            f"box {region.pixels} is empty or not inside the {width}x{height} image; use regions.clip_region first"
        )
    if region.mask is not None and (region.mask.height, region.mask.width) != (height, width):
        raise ValueError(
            f"a mask of {region.mask.width}x{region.mask.height} pixels in an image of {width}x{height}; expected one "
            f"of the whole image"
        )


def _read_only(image: RGB) -> RGB:
    """A plug-in that scribbles on its input fails here and not in the results."""
    view = image.view()
    view.flags.writeable = False
    return view
