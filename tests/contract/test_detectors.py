"""What every detector must do, whoever wrote it."""

from __future__ import annotations

import dataclasses
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anonbench.errors import ConfigError
from anonbench.images import RGB
from anonbench.records import Detection
from anonbench.registry import DETECTORS

# Values that a parameter must refuse. A new detector adds its own.
BAD_PARAMETERS: dict[str, list[tuple[str, Any]]] = {
    "centerface": [
        *(("upscale", v) for v in (0, -1.0, math.nan, math.inf, "2", None, True)),
        *((name, v) for name in ("threshold", "nms_iou") for v in (0, 1, -0.1, 1.5, math.nan, "0.25", None)),
    ],
    "annotated": [("file", ""), ("file", None), ("file", 3)],
}


@pytest.fixture(params=DETECTORS.names())
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def root(tmp_path: Path, rendered_crops: list[RGB]) -> Path:
    """A dataset folder with annotations, for the detectors that read some."""
    (tmp_path / "ground_truth").mkdir()
    rows = ["path,x0,y0,x1,y1", *(f"{n}.jpg,50,20,80,60" for n in range(len(rendered_crops))), "grey.jpg,,,,"]
    (tmp_path / "ground_truth/annotations.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_boxes_are_not_empty_and_scores_lie_in_0_to_1_best_first(
    name: str, root: Path, rendered_crops: list[RGB]
) -> None:
    detect = DETECTORS.create({"method": name}).open(root)
    for number, image in enumerate(rendered_crops):
        found = detect(image, f"{number}.jpg")
        assert found, "every crop shows a face from the front"
        for d in found:
            assert isinstance(d, Detection)
            assert all(type(v) is float and math.isfinite(v) for v in dataclasses.astuple(d))
            assert d.x0 < d.x1
            assert d.y0 < d.y1
            assert 0 <= d.score <= 1
        assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)


def test_an_image_without_a_face_gives_an_empty_list(name: str, root: Path) -> None:
    assert DETECTORS.create({"method": name}).open(root)(np.full((128, 64, 3), 127, np.uint8), "grey.jpg") == []


def test_repeatable_whatever_came_before(name: str, root: Path, rendered_crops: list[RGB]) -> None:
    detect = DETECTORS.create({"method": name}).open(root)
    first = detect(rendered_crops[0], "0.jpg")
    detect(rendered_crops[1], "1.jpg")
    assert detect(rendered_crops[0], "0.jpg") == first
    assert DETECTORS.create({"method": name}).open(root)(rendered_crops[0], "0.jpg") == first


def test_the_image_is_left_alone(name: str, root: Path, rendered_crops: list[RGB]) -> None:
    image = rendered_crops[0].copy()
    image.flags.writeable = False
    DETECTORS.create({"method": name}).open(root)(image, "0.jpg")
    np.testing.assert_array_equal(image, rendered_crops[0])


def test_frozen_comparable_and_fit_for_other_processes(name: str) -> None:
    detector = DETECTORS.create({"method": name})
    assert detector == pickle.loads(pickle.dumps(detector))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(detector, dataclasses.fields(detector)[0].name, 1)


def test_every_parameter_has_a_default_and_is_documented(name: str) -> None:
    plugin = DETECTORS.get(name)
    assert plugin.__doc__
    for field in dataclasses.fields(plugin):
        assert field.default is not dataclasses.MISSING
        assert f"{field.name}: " in plugin.__doc__


def test_every_parameter_is_tried_with_bad_values(name: str) -> None:
    assert {key for key, _ in BAD_PARAMETERS[name]} == {f.name for f in dataclasses.fields(DETECTORS.get(name))}


@pytest.mark.parametrize(
    ("method", "key", "value"), [(method, *bad) for method, many in BAD_PARAMETERS.items() for bad in many]
)
def test_a_bad_parameter_is_refused_by_name(method: str, key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^detector '{method}': {key} must .*got"):
        DETECTORS.create({"method": method, key: value})


def test_an_unknown_parameter_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"detector '{name}' has no parameter 'sharpness'"):
        DETECTORS.create({"method": name, "sharpness": 1})
