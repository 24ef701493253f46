"""What every detector must do, whoever wrote it: the promises of `anonbench check`, and more for our own."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from tinyfaces_weights import save_random_weights

from anonbench.core.contract import Promise
from anonbench.core.errors import ConfigError, MissingDependencyError
from anonbench.data.entries import COMPOSED
from anonbench.data.images import RGB
from anonbench.detectors import DETECTORS
from anonbench.detectors._contract import CONTRACT, DetectorSubject, write_samples

# Values that a parameter must refuse. A new detector adds its own.
BAD_PARAMETERS: dict[str, list[tuple[str, Any]]] = {
    "centerface": [
        *(("upscale", v) for v in (0, -1.0, math.nan, math.inf, "2", None, True)),
        *((name, v) for name in ("threshold", "nms_iou") for v in (0, 1, -0.1, 1.5, math.nan, "0.25", None)),
    ],
    "annotated": [
        *(("file", v) for v in ("", None, 3)),
        *(("boxes", v) for v in (None, 3)),
        *(("partial", v) for v in (None, 1, "yes")),
    ],
    "haar": [
        *(("cascade", v) for v in (None, 3)),
        *(("upscale", v) for v in (0, -1.0, math.nan, math.inf, "2", None, True)),
        *(("scale_factor", v) for v in (1, 0.9, math.nan, "1.1", None)),
        *(("min_neighbors", v) for v in (0, -1, 2.5, "3", None, True)),
    ],
    "union": [("of", v) for v in ((), [], "centerface", [1], [""], ["haar", "haar"], None)],
    "annotated_bodies": [
        *(("dilate", v) for v in (-0.1, math.nan, math.inf, "0.02", None, True)),
        *(("categories", v) for v in ((), [], "person", [1], [""], None)),
        *(("keypoints", v) for v in ("", "guessed", None, True)),
    ],
    "matched_faces": [
        *(("of", v) for v in ("", None, 3, ["haar"])),
        *(("min_iou", v) for v in (0, -0.1, 1.1, math.nan, "0.01", None, True)),
        *(("categories", v) for v in ((), [], "person", [1], [""], None)),
    ],
    "tinyfaces": [
        ("weights", None),
        *(("trunk", v) for v in ("resnet34", "", None, 18)),
        *((name, v) for name in ("threshold", "nms_iou") for v in (0, 1, -0.1, 1.5, math.nan, "0.25", None, True)),
        *(("scales", v) for v in ([], [0], [-1.0], [1, math.inf], ["1"], [True], 1.0, "1", None)),
        *(("device", v) for v in ("gpu", "", None)),
        *(("batch", v) for v in (0, -1, 1.5, True, None)),
    ],
}
# Detectors whose weights are not shipped are tried with random ones, which find something, but no faces.
UNTRAINED = ("tinyfaces",)


@pytest.fixture(params=DETECTORS.names())
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, RGB], tuple[str, ...]]:
    root = tmp_path_factory.mktemp("samples")
    return root, *write_samples(root)


@pytest.fixture(scope="session")
def parameters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What a detector needs beside its defaults."""
    weights = tmp_path_factory.mktemp("weights") / "random.pt"
    save_random_weights(weights)
    return {"tinyfaces": {"weights": str(weights), "trunk": "resnet18", "threshold": 0.8, "scales": [0.5, 1]}}


@pytest.fixture
def subject(
    name: str, samples: tuple[Path, dict[str, RGB], tuple[str, ...]], parameters: dict[str, dict[str, Any]]
) -> DetectorSubject:
    if name in COMPOSED:
        pytest.skip(f"it looks at no picture: tests/unit/detectors/test_{name}.py")
    root, images, people = samples
    made = DetectorSubject(name, parameters.get(name, {}), root, images, people)
    try:  # another one, so that the promises are held against a detector that has not been opened yet
        _ = DetectorSubject(name, made.parameters, root, images, people).detect
    except MissingDependencyError as error:
        pytest.skip(str(error))
    return made


@pytest.mark.parametrize("promise", CONTRACT.promises, ids=str)
def test_keeps_its_promise(subject: DetectorSubject, promise: Promise[DetectorSubject]) -> None:
    promise(subject)


def test_finds_the_faces_of_people_and_none_on_a_grey_wall(subject: DetectorSubject) -> None:
    if subject.name in UNTRAINED:
        pytest.skip("no weights are shipped; with random ones it finds no faces")
    assert all(subject.detect(subject.images[path], path) for path in subject.people)
    assert subject.detect(subject.images["nothing.png"], "nothing.png") == []


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
    with pytest.raises(ConfigError, match=rf"^detector '{method}': {key} (must .*got|is .*; expected) "):
        DETECTORS.create({"method": method, key: value})


def test_an_unknown_parameter_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=f"detector '{name}' has no parameter 'sharpness'"):
        DETECTORS.create({"method": name, "sharpness": 1})
