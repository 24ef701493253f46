"""A real face detector must believe the rendered faces, at every skin tone."""

from __future__ import annotations

from collections import defaultdict

import cv2
import numpy as np
import pytest

from anonbench.data.regions import Region
from anonbench.detectors import DETECTORS
from anonbench.rendered import CropPlan, RenderSpec, Studio
from anonbench.rendered.dataset import encode_jpeg

PER_VIEW = 72
LEAST_IOU = 0.3


def intersection_over_union(a: Region, b: Region) -> float:
    width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    common = max(0.0, width) * max(0.0, height)
    return common / ((a.x1 - a.x0) * (a.y1 - a.y0) + (b.x1 - b.x0) * (b.y1 - b.y0) - common)


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, int], list[bool]]:
    """(view, skin tone) -> whether CenterFace found the visible, unhidden face of each crop."""
    detector = DETECTORS.create({"method": "centerface", "upscale": 2, "threshold": 0.25})
    studio = Studio(RenderSpec(seed=11))
    results = defaultdict(list)
    for view in ("front", "three_quarter"):
        counted = number = 0
        while counted < PER_VIEW:
            plan = CropPlan(f"detection/{view}/{number}.jpg", 1, 1 + number % 6, number // 3)
            number += 1
            crop = studio.draw(plan, view=view)
            truth = crop.truth
            if truth.face_box is None or truth.face_occluded or truth.view != view:
                continue
            image = cv2.imdecode(np.frombuffer(encode_jpeg(crop), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
            boxes = detector.detect(np.ascontiguousarray(image))
            face = Region(truth.face_box, score=1.0)
            results[view, truth.skin_tone].append(any(intersection_over_union(face, b) >= LEAST_IOU for b in boxes))
            counted += 1
    return results


@pytest.mark.parametrize(("view", "least"), [("front", 0.95), ("three_quarter", 0.90)])
def test_centerface_finds_the_faces(found, view, least):
    hits = [hit for (v, _), results in found.items() if v == view for hit in results]
    assert len(hits) >= 60
    assert np.mean(hits) >= least, f"{view}: {np.mean(hits):.3f} of {len(hits)}"


def test_no_group_of_skin_tones_is_left_behind(found):
    for tones in ((0, 1), (2, 3, 4), (5, 6)):
        hits = [hit for (_, tone), results in found.items() if tone in tones for hit in results]
        assert len(hits) >= 8, tones
        assert np.mean(hits) >= 0.9, f"skin tones {tones}: {np.mean(hits):.3f} of {len(hits)}"
