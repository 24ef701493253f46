"""Pictures of several people: their faces' boxes, who hides whom, and WIDER FACE's layout."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anonbench.core.errors import ConfigError
from anonbench.data.annotations import read_annotations
from anonbench.data.images import read_image
from anonbench.rendered.crop import Layer
from anonbench.rendered.crowd import CrowdSpec, CrowdStudio, _Standing, _visible_faces
from anonbench.rendered.parts import Part
from anonbench.rendered.wider import EVENT, render_crowds

SMALL = CrowdSpec(seed=5, images=3, height_px=96, width_px=128, people=(2, 4), face_px=(8, 40), population=6, cameras=2)
FACING = {"view_shares": (1.0, 0.0, 0.0, 0.0), "people": (1, 1)}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crowd") / "wider"
    render_crowds(SMALL, 2, folder, workers=1)
    return folder


def hashes(folder: Path) -> Mapping[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_picture_depends_on_its_number_alone() -> None:
    forward, backward = CrowdStudio(SMALL), CrowdStudio(SMALL)
    pictures = {n: forward.draw(n) for n in range(3)}
    for n in (2, 1, 0):
        again = backward.draw(n)
        assert np.array_equal(again.image, pictures[n].image)
        assert again.faces == pictures[n].faces
    assert not np.array_equal(pictures[0].image, pictures[1].image)


def test_faces_lie_within_the_picture_and_people_are_as_many_as_wanted() -> None:
    for number in range(3):
        picture = CrowdStudio(SMALL).draw(number)
        assert picture.image.shape == (96, 128, 3)
        assert picture.image.dtype == np.uint8
        assert len(picture.faces) <= 4
        for face in picture.faces:
            x0, y0, x1, y1 = face.box
            assert 0 <= x0 < x1 <= 128
            assert 0 <= y0 < y1 <= 96
            assert face.visible == (face.fraction >= 0.3)


@pytest.mark.parametrize("face_px", [12.0, 40.0])
def test_a_person_who_faces_the_camera_shows_a_face_of_the_wanted_height(face_px: float) -> None:
    spec = CrowdSpec(seed=2, images=4, height_px=128, width_px=128, face_px=(face_px, face_px), population=4, **FACING)  # type: ignore[arg-type]
    found = [face for n in range(4) for face in CrowdStudio(spec).draw(n).faces if not face.occluded]
    assert len(found) >= 3
    heights = [face.box[3] - face.box[1] for face in found]
    assert np.median(heights) == pytest.approx(face_px, rel=0.3)
    assert all(face.visible and face.view in ("front", "three_quarter") for face in found)


def standing(part: np.ndarray, area: float) -> _Standing:
    layer = Layer(part > 0, part, np.zeros(part.shape, np.float32), np.zeros((int((part > 0).sum()), 3), np.float32))
    return _Standing(layer, "front", area, 4)


def test_a_nearer_person_hides_what_lies_behind() -> None:
    far, near = np.zeros((20, 30), np.uint8), np.zeros((20, 30), np.uint8)
    far[5:15, 10:20] = Part.FACE  # a face of 100 pixels
    near[0:20, 17:30] = next(int(p) for p in Part if p not in (0, Part.FACE))  # no face, over three of its ten columns
    (face,) = _visible_faces([standing(far, 100.0), standing(near, 100.0)])
    assert face.box == (10, 5, 17, 15)
    assert face.fraction == pytest.approx(0.7)
    assert (face.visible, face.occluded, face.skin_tone) == (True, True, 4)
    (alone,) = _visible_faces([standing(far, 100.0)])
    assert (alone.box, alone.fraction, alone.occluded) == ((10, 5, 20, 15), 1.0, False)
    (cut,) = _visible_faces([standing(np.roll(far, 10, axis=1), 100.0)])
    assert cut.occluded  # by the edge of the picture


def test_the_layout_is_widers(rendered: Path) -> None:
    with (rendered / "ground_truth/annotations.csv").open(newline="") as file:
        truth = list(csv.DictReader(file))
    assert len({row["path"] for row in truth}) == 2, "the validation images alone"
    for split, count in (("train", 3), ("val", 2)):
        images = sorted((rendered / f"WIDER_{split}" / "images" / EVENT).iterdir())
        assert len(images) == count
        assert all(read_image(path).shape == (96, 128, 3) for path in images)
        lines = (rendered / f"wider_face_split/wider_face_{split}_bbx_gt.txt").read_text().splitlines()
        for path in images:
            name = f"{EVENT}/{path.name}"
            at = lines.index(name)
            if split == "train":
                continue
            rows = [row for row in truth if row["path"] == f"WIDER_val/images/{name}"]
            assert int(lines[at + 1]) == sum(row["x0"] != "" for row in rows)
            for row, line in zip(rows, lines[at + 2 :], strict=False):
                x, y, w, h, *_, invalid, _occlusion, _pose = map(int, line.split())
                corners = [round(float(row[key])) for key in ("x0", "y0", "x1", "y1")]
                assert [x, y, x + w, y + h] == corners
                assert invalid == 1 - int(row["visible"])
                assert w > 0
                assert h > 0


def test_a_picture_without_a_face_is_listed(tmp_path: Path) -> None:
    render_crowds(replace(SMALL, images=1, people=(0, 0)), 1, tmp_path / "wider", workers=1)
    truth = read_annotations(tmp_path / "wider/ground_truth/annotations.csv")
    assert list(truth.regions.values()) == [()]
    assert truth.unclear == frozenset()


def test_bytes_do_not_depend_on_the_workers(rendered: Path, tmp_path: Path) -> None:
    render_crowds(SMALL, 2, tmp_path / "wider", workers=2)
    assert hashes(tmp_path / "wider") == hashes(rendered)


def test_no_picture_is_drawn_twice(rendered: Path) -> None:
    found = hashes(rendered)
    assert len(set(found.values())) == len(found)


def test_pictures_for_testing_are_no_other_seeds_training_pictures(tmp_path: Path) -> None:
    spec = replace(SMALL, images=2, height_px=64, width_px=64, people=(1, 1), population=2)
    found = []
    for seed in (0, 1):
        render_crowds(replace(spec, seed=seed), 2, tmp_path / f"{seed}", workers=1)
        found.append(hashes(tmp_path / f"{seed}"))
    testing = {digest for path, digest in found[0].items() if path.startswith("WIDER_val/")}
    training = {digest for path, digest in found[1].items() if path.startswith("WIDER_train/")}
    assert len(testing) == len(training) == 2
    assert not testing & training


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("images", 0, "images is 0"),
        ("height_px", 32.5, "height_px is 32.5"),
        ("people", (3, 2), "people is"),
        ("face_px", (2, 20), "face_px is"),
        ("setting", "moon", "setting is 'moon'"),
    ],
)
def test_a_bad_spec_is_refused(key: str, value: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        CrowdSpec(**{key: value})
