"""What TinyFaces learns: labels and regression targets, crops, losses, sampling, checked by hand and by slow loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from anonbench.detectors._tinyfaces.crops import MEAN_COLOUR, CropSettings, random_crop
from anonbench.detectors._tinyfaces.decode import decode
from anonbench.detectors._tinyfaces.losses import SamplingSettings, detection_loss, select
from anonbench.detectors._tinyfaces.targets import TargetSettings, assign, heatmap_side
from anonbench.detectors._tinyfaces.templates import HEIGHTS, WIDTHS

SIDE = 32  # cells; 256 pixels
WHOLE = (0.0, 0.0, 256.0, 256.0)
ANYWHERE = TargetSettings(ignore_border=False)
Floats = NDArray[np.float64]


def on_template(template: int, row: int, column: int, scale: float = 1.0) -> list[float]:
    """A face of a template's size (times `scale`) around a cell's centre, x0, y0, x1, y1."""
    x, y = column * 8 - 0.5, row * 8 - 0.5
    width, height = WIDTHS[template] * scale, HEIGHTS[template] * scale
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def labelled(
    *boxes: list[float],
    ignore: tuple[bool, ...] | None = None,
    settings: TargetSettings = ANYWHERE,
    inside: tuple = WHOLE,
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    flags = np.array(ignore or [False] * len(boxes), bool)
    return assign(np.array(boxes).reshape(-1, 4), flags, SIDE, inside, np.random.default_rng(0), settings)


def test_a_face_of_a_templates_size_by_hand() -> None:
    """Template 9, 41 x 46. A cell beside: 33/49 = .67 in common, 2: 25/57 = .44, 3: 17/65 = .26."""
    labels, targets = labelled(on_template(9, 12, 10))
    assert labels[9, 12, 6:15].tolist() == [-1, -1, 0, 0, 1, 0, 0, -1, -1]
    assert targets[[9, 34, 59, 84], 12, 10].tolist() == pytest.approx([0, 0, 0, 0], abs=1e-6)
    # Template 8 (44.2 x 56.2) covers all of the face: 1886 / 2485.6 = .76
    assert labels[8, 12, 10] == 1
    assert targets[[58, 83], 12, 10].tolist() == pytest.approx([math.log(41 / 44.2274), math.log(46 / 56.19534)])


def test_regression_targets_by_hand() -> None:
    """The face is shifted by (4, -2) pixels and stretched to 44 x 48."""
    x, y = 10 * 8 - 0.5 + 4, 12 * 8 - 0.5 - 2
    labels, targets = labelled([x - 22, y - 24, x + 22, y + 24])
    assert labels[9, 12, 10] == 1
    expected = [4 / 41, -2 / 46, math.log(44 / 41), math.log(48 / 46)]
    assert targets[[9, 34, 59, 84], 12, 10].tolist() == pytest.approx(expected)
    assert not targets[[9, 34, 59, 84], 3, 3].any()


def test_the_best_template_is_a_face_from_an_overlap_of_three_tenths_on() -> None:
    """Template 24 (20.3 x 22.2 = 451.8 pixels): a face of 12 x 13 fills 35 % of it, one of 8 x 8 14 %."""
    labels, _ = labelled([100, 100, 112, 113])
    assert (labels == 1).sum() == 1
    template, row, column = np.argwhere(labels == 1)[0]
    assert (template, row, column) == (24, 13, 13)
    labels, _ = labelled([100, 100, 108, 108])
    assert (labels == -1).all()


def test_one_of_several_equally_good_templates_is_drawn() -> None:
    """A face between two cells, which cover it alike."""
    x, y = 10 * 8 - 0.5 + 4, 12 * 8 - 0.5
    box = np.array([[x - 6, y - 7, x + 6, y + 7]])
    drawn = set()
    for seed in range(20):
        labels, _ = assign(box, np.array([False]), SIDE, WHOLE, np.random.default_rng(seed), ANYWHERE)
        drawn |= {int(column) for _, _, column in np.argwhere(labels == 1)}
    assert drawn == {10, 11}


def test_templates_over_the_images_edge_learn_background_but_no_face() -> None:
    faces = [on_template(9, 2, 10), on_template(9, 16, 16)]  # the first begins 7.5 pixels above the image
    labels, _ = labelled(*faces, settings=TargetSettings())
    assert labels[9, 2, 10] == 0
    assert labels[9, 16, 16] == 1
    assert labels[0, 0, 0] == -1
    assert labelled(*faces)[0][9, 2, 10] == 1
    inside = (0.0, 0.0, 140.0, 256.0)  # the second reaches to 148
    assert labelled(*faces, settings=TargetSettings(), inside=inside)[0][9, 16, 16] == 0


def test_ignored_boxes_are_neither_face_nor_background() -> None:
    labels, _ = labelled(on_template(9, 12, 10), ignore=(True,))
    assert labels[9, 12, 10] == 0
    assert labels[9, 12, 12] == 0  # 25 of 41 pixels inside
    assert labels[9, 12, 13] == -1  # 17 of 41
    assert labels[24, 12, 12] == 0
    labels, _ = labelled(on_template(9, 12, 10), on_template(9, 12, 11, 3.0), ignore=(False, True))
    assert labels[9, 12, 10] == 1  # a face inside an ignored region still counts


@pytest.mark.parametrize("settings", [ANYWHERE, TargetSettings(0.5, 0.35, ignore_border=False)])
@pytest.mark.parametrize("size", [(12, 13), (16, 20), (40, 12), (150, 190)])
def test_what_a_face_would_teach_an_ignored_one_leaves_alone(size: tuple[int, int], settings: TargetSettings) -> None:
    """A face of 12 x 13 fills 35 % of template 24 at best: none lies in it by half, but one would learn it."""
    face = [100.0, 100, 100 + size[0], 100 + size[1]]
    taught, _ = labelled(face, settings=settings)
    labels, targets = labelled(face, ignore=(True,), settings=settings)
    assert (labels[taught != -1] == 0).all()
    assert not (labels == 1).any()
    assert not targets.any()
    if size == (12, 13) and settings is ANYWHERE:
        assert taught[24, 13, 13] == 1
        assert labels[24, 13, 13] == 0


Place = tuple[int, int, int]


def slow_labels(boxes: Floats, settings: TargetSettings) -> tuple[NDArray[np.int8], list[list[Place]]]:
    """Labels by overlap alone, template by template, and the best templates of each face (several if equally good)."""
    labels = np.full((25, SIDE, SIDE), -1, np.int8)
    overlaps: list[list[tuple[float, Place]]] = [[] for _ in boxes]
    for place in np.ndindex(labels.shape):
        own, area = on_template(*place), WIDTHS[place[0]] * HEIGHTS[place[0]]
        for face, found in zip(boxes, overlaps, strict=True):
            width = min(own[2], face[2]) - max(own[0], face[0])
            height = min(own[3], face[3]) - max(own[1], face[1])
            if width > 0 and height > 0:
                common = width * height
                iou = common / (area + (face[2] - face[0]) * (face[3] - face[1]) - common)
                found.append((iou, place))
                label = int(iou >= settings.negative_iou) + int(iou >= settings.positive_iou) - 1
                labels[place] = max(labels[place], label)
    best = [max(iou for iou, _ in found) for found in overlaps]
    return labels, [
        [place for iou, place in found if iou >= top - 1e-6 and top > settings.negative_iou]
        for found, top in zip(overlaps, best, strict=True)
    ]


def test_labels_equal_a_slow_loop_and_decode_to_the_faces() -> None:
    rng = np.random.default_rng(4)
    centres, sizes = rng.uniform(0, 256, (6, 2)), rng.uniform(10, 120, (6, 2))
    boxes = np.hstack([centres - sizes / 2, centres + sizes / 2])
    labels, targets = labelled(*boxes.tolist())
    expected, best = slow_labels(boxes, ANYWHERE)
    drawn = {place for places in best for place in places if labels[place] == 1 > expected[place]}
    for places in best:
        assert not places or any(labels[place] == 1 for place in places)
    assert 0 < len(drawn) <= len(boxes)
    for place in drawn:
        expected[place] = 1
    np.testing.assert_array_equal(labels, expected)
    assert (labels == 1).sum() > 5
    maps = torch.from_numpy(np.concatenate([10.0 * labels, targets])[None])
    found = decode(maps, 0.9, torch.ones(25, dtype=torch.bool)).boxes.numpy()
    distance = np.abs(found[:, None] - boxes[None]).max(axis=2)
    assert len(found) == (labels == 1).sum()
    assert distance.min(axis=1).max() < 1e-3  # every positive template regresses to one of the faces


def test_faces_outside_the_map_and_no_faces_at_all_are_background() -> None:
    assert (labelled([900, 900, 950, 950])[0] == -1).all()
    assert (labelled()[0] == -1).all()


def test_cells_of_a_crop() -> None:
    assert [heatmap_side(n) for n in (500, 496, 497, 64)] == [63, 62, 63, 8]


RED = (200, 20, 20)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("shape", [(60, 90), (200, 300), (40, 300)])
def test_boxes_follow_their_pixels(scale: float, shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 60, np.uint8)
    image[10:34, 20:60] = RED
    settings = CropSettings(side=128, scales=(scale,))
    seen = 0
    for seed in range(30):
        crop = random_crop(
            image, np.array([[20.0, 10, 60, 34]]), np.array([True]), np.random.default_rng(seed), settings
        )
        assert crop.image.shape == (128, 128, 3)
        x0, y0, x1, y1 = (round(edge) for edge in crop.inside)
        assert (crop.image[y0:y1, x0:x1] != MEAN_COLOUR).any(axis=2).all()
        outside = crop.image.copy()
        outside[y0:y1, x0:x1] = MEAN_COLOUR
        assert (outside == MEAN_COLOUR).all()
        rows, columns = np.nonzero(crop.image[:, :, 0].astype(int) - crop.image[:, :, 1] > 90)
        if len(crop.boxes):
            expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            np.testing.assert_allclose(crop.boxes[0], expected, atol=1)
            assert crop.ignore.tolist() == [True]
            seen += 1
        else:
            assert len(rows) <= 0.4 * 24 * 40 * scale**2
    assert seen > 0


def test_a_crop_is_flipped_as_a_whole() -> None:
    image = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)
    box = np.array([[5.0, 6, 20, 30]])
    for flip, edge in ((0.0, 5), (1.0, 44)):
        crop = random_crop(image, box, np.array([False]), np.random.default_rng(1), CropSettings(64, (1.0,), flip))
        assert crop.boxes.tolist() == [[edge, 6, edge + 15, 30]]
        np.testing.assert_array_equal(crop.image[:, ::-1] if flip else crop.image, image)


def test_classification_and_regression_loss_by_hand() -> None:
    maps, labels = torch.zeros(2, 125, 1, 2), torch.zeros(2, 25, 1, 2, dtype=torch.int8)
    targets = torch.zeros(2, 100, 1, 2)
    maps[0, 3, 0, 0], labels[0, 3, 0, 0] = 2.0, 1
    maps[1, 4, 0, 1], labels[1, 4, 0, 1] = 1.0, -1
    maps[1, 7, 0, 1] = 50.0  # label 0: not learnt from
    maps[0, 25 + 3, 0, 0], targets[0, 3, 0, 0] = 0.5, 0.1  # tx: .5 * .4^2
    maps[0, 100 + 3, 0, 0], targets[0, 75 + 3, 0, 0] = -3.0, 0.0  # th: 3 - .5
    maps[1, 25 + 4, 0, 1] = 9.0  # background has no box
    classification, regression = detection_loss(maps, labels, targets)
    assert float(classification) == pytest.approx((math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))) / 2)
    assert float(regression) == pytest.approx((0.08 + 2.5) / 2)


def random_labels(positive: float) -> torch.Tensor:
    draw = torch.rand(2, 25, 12, 12, generator=torch.Generator().manual_seed(0))
    return torch.where(draw < positive, 1, torch.where(draw < 0.9, -1, 0)).to(torch.int8)


def count(chosen: torch.Tensor) -> list[tuple[int, int]]:
    return [(int((image == 1).sum()), int((image == -1).sum())) for image in chosen]


def test_at_most_128_of_each_kind_are_learnt_from_in_each_image() -> None:
    labels, settings = random_labels(0.3), SamplingSettings()
    chosen = select(torch.zeros(2, 25, 12, 12), labels, 7, settings)
    assert count(chosen) == [(128, 128), (128, 128)]
    assert ((chosen == labels) | (chosen == 0)).all()
    assert torch.equal(chosen, select(torch.zeros(2, 25, 12, 12), labels, 7, settings))
    assert not torch.equal(chosen, select(torch.zeros(2, 25, 12, 12), labels, 8, settings))
    assert not torch.equal(chosen[0], chosen[1])


def test_few_faces_are_all_kept_and_are_not_made_up_for_by_background() -> None:
    labels = random_labels(0.003)
    faces = [int((image == 1).sum()) for image in labels]
    assert 0 < max(faces) < 128
    assert count(select(torch.zeros(2, 25, 12, 12), labels, 7, SamplingSettings())) == [(n, 128) for n in faces]


@pytest.mark.parametrize(("logit", "kept"), [(3.4, True), (3.6, False)])
def test_templates_that_are_easy_already_are_dropped(logit: float, kept: bool) -> None:
    """log(1 + exp(-3.4)) = .033, log(1 + exp(-3.6)) = .027."""
    labels = torch.zeros(1, 25, 2, 2, dtype=torch.int8)
    labels[0, 5, 0, 0], labels[0, 6, 1, 1] = 1, -1
    logits = torch.zeros(1, 25, 2, 2)
    logits[0, 5, 0, 0], logits[0, 6, 1, 1] = logit, -logit
    assert count(select(logits, labels, 0, SamplingSettings())) == [(kept, kept)]
    assert count(select(logits, labels, 0, SamplingSettings(easy_loss=0))) == [(1, 1)]
