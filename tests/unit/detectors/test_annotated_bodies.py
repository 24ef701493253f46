"""Bodies: the annotated masks of people, dilated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import disk as skimage_disk

from anonbench.core.errors import ConfigError
from anonbench.data.instances import COCO_KEYPOINTS, Instance
from anonbench.data.masks import Mask, box_of
from anonbench.detectors.annotated_bodies import AnnotatedBodies, disk

HEIGHT, WIDTH = 90, 80


def someone(pixels: np.ndarray, category: str = "person", **more: object) -> Instance:
    return Instance(1, category, box_of(pixels) or (0, 0, 1, 1), Mask.pack(pixels), float(pixels.sum()), **more)  # type: ignore[arg-type]


def rectangle(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    pixels = np.zeros((HEIGHT, WIDTH), bool)
    pixels[y0:y1, x0:x1] = True
    return pixels


def test_a_case_by_hand() -> None:
    """A mask of 20 x 45 pixels: the geometric mean is 30, a tenth of it 3: 3 pixels more on each side, corners off."""
    (body,) = AnnotatedBodies(dilate=0.1).regions([someone(rectangle(30, 20, 50, 65))])
    assert body.box == (27, 17, 53, 68)
    assert (body.kind, body.source, body.score, body.keypoints) == ("body", "annotated", 1.0, None)
    assert body.mask is not None
    grown = body.mask.unpack()
    assert grown[17, 30:50].all(), "above the mask"
    assert not grown[17, 29]
    # Each corner of 3 x 3 has the pixels of a quarter of the disk: 4 of them at a distance of 3 at most.
    corner = sum(x * x + y * y <= 9 for x in (1, 2, 3) for y in (1, 2, 3))
    assert grown.sum() == 20 * 45 + 2 * 3 * (20 + 45) + 4 * corner


@pytest.mark.parametrize("seed", range(6))
def test_it_is_a_dilation_by_a_disk_at_the_border_too(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = ndimage.gaussian_filter(rng.random((HEIGHT, WIDTH)), 6) > 0.505
    (body,) = AnnotatedBodies(dilate=0.07).regions([someone(pixels)])
    x0, y0, x1, y1 = box_of(pixels) or (0, 0, 0, 0)
    radius = round(0.07 * ((x1 - x0) * (y1 - y0)) ** 0.5)
    assert radius >= 3
    expected = ndimage.binary_dilation(pixels, skimage_disk(radius).astype(bool))
    assert body.mask == Mask.pack(expected)
    assert body.box == box_of(expected)


def test_at_least_one_pixel_unless_it_is_switched_off() -> None:
    small = someone(rectangle(10, 10, 14, 18))
    assert AnnotatedBodies().regions([small])[0].box == (9, 9, 15, 19)
    assert AnnotatedBodies(dilate=0).regions([small])[0].mask == small.mask


@pytest.mark.parametrize("radius", [1, 2, 4, 9])
def test_the_disk_is_the_one_of_scikit_image(radius: int) -> None:
    np.testing.assert_array_equal(disk(radius), skimage_disk(radius))


def test_groups_ignored_people_riders_and_empty_masks_are_no_regions() -> None:
    pixels = rectangle(5, 5, 20, 40)
    nobody = [
        someone(pixels, crowd=True), someone(pixels, ignore=True), someone(pixels, "rider"),
        someone(np.zeros((HEIGHT, WIDTH), bool)), Instance(5, "person", (1, 1, 9, 9), None, 64.0),
    ]  # fmt: skip
    assert AnnotatedBodies().regions(nobody) == []
    assert len(AnnotatedBodies(categories=("person", "rider")).regions(nobody)) == 1


def test_keypoints_go_along_where_one_is_known() -> None:
    pixels = rectangle(5, 5, 20, 40)
    points = tuple((8.0, 9.0, 2.0 if n == 3 else 0.0) for n in range(len(COCO_KEYPOINTS)))
    none = tuple((0.0, 0.0, 0.0) for _ in COCO_KEYPOINTS)
    bodies = AnnotatedBodies().regions([someone(pixels, keypoints=points), someone(pixels, keypoints=none)])
    assert [body.keypoints for body in bodies] == [points, None]


def test_it_looks_at_no_picture(tmp_path: object) -> None:
    with pytest.raises(ConfigError, match=r"'annotated_bodies' looks at no picture: .* anonbench bodies --help"):
        AnnotatedBodies().open(tmp_path)  # type: ignore[arg-type]
