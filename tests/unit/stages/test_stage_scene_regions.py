"""The stages bodies and match_faces, and copies of scenes: what is hidden, and who is left visible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scene_folder import FIRST, PATHS, SECOND, Scenes

from anonbench.core.errors import DataError
from anonbench.data.images import read_image
from anonbench.data.pictures import read_manifest
from anonbench.data.regions import read_regions
from anonbench.stages.anonymize import anonymize
from anonbench.stages.bodies import bodies
from anonbench.stages.match_faces import match_faces

BODIES = {"method": "annotated_bodies", "dilate": 0.02}
FACES = {"method": "matched_faces", "of": "centerface"}


@pytest.fixture
def scenes(tmp_path: Path) -> Scenes:
    return Scenes(tmp_path)


@pytest.fixture
def found(scenes: Scenes) -> Path:
    bodies(scenes.manifest, scenes.file, BODIES, scenes.folder / "bodies.csv")
    return scenes.folder / "bodies.csv"


def copy(scenes: Scenes, detections: Path, name: str = "copy", **changes: Any) -> Path:
    entry = {"method": "mask_out", "detector": "bodies", "box_scale": 1.0, "jpeg_quality": "keep", **changes}
    anonymize(
        scenes.manifest, detections, scenes.root, entry, scenes.sidecars, scenes.folder / name,
        scenes.folder / f"{name}.csv", instances=scenes.file,
    )  # fmt: skip
    return scenes.folder / name


def test_bodies_are_the_people_who_can_be_hidden(scenes: Scenes, capsys: Any) -> None:
    bodies(scenes.manifest, scenes.file, BODIES, scenes.folder / "bodies.csv")
    regions = read_regions(scenes.folder / "bodies.csv")
    assert {path: [region.box for region in regions[path]] for path in PATHS} == {
        "train/c.png": [], FIRST: [(3, 3, 17, 41), (19, 3, 33, 41)], SECOND: [(39, 9, 53, 45)],
    }  # fmt: skip
    assert all(region.kind == "body" and region.source == "annotated" for region in regions[FIRST])
    assert capsys.readouterr().out == (
        "bodies: 3 people in 2 of 3 images; left visible: 1 groups, 1 whom the dataset ignores, 0 without a mask, "
        "0 with an empty one\n"
    )


def test_faces_are_those_of_people(scenes: Scenes, capsys: Any) -> None:
    scenes.write_faces(scenes.folder / "found.csv")
    match_faces(scenes.manifest, scenes.folder / "found.csv", scenes.file, FACES, scenes.folder / "faces.csv")
    regions = read_regions(scenes.folder / "faces.csv")
    assert [region.box for region in regions[FIRST]] == [(6, 5, 14, 14)]
    assert regions[SECOND] == regions["train/c.png"] == []
    said = capsys.readouterr().out
    assert said.startswith("match-faces: 1 of 3 people have a face (33.3%); 2 of 3 boxes belong to nobody and are left")


def test_faces_of_other_pictures_are_refused(scenes: Scenes, found: Path) -> None:
    lines = found.read_text().splitlines()
    found.write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(DataError, match=r"bodies\.csv: does not belong to .*original\.csv: val/b\.png is not in it"):
        match_faces(scenes.manifest, found, scenes.file, FACES, scenes.folder / "faces.csv")


def test_the_copy_hides_masks_alone_and_its_manifest_counts_who_is_visible(
    scenes: Scenes, found: Path, capsys: Any
) -> None:
    folder = copy(scenes, found)
    before, after = read_image(scenes.root / FIRST), read_image(folder / FIRST)
    hidden = np.logical_or.reduce([region.mask.unpack() for region in read_regions(found)[FIRST]])  # type: ignore[union-attr]
    np.testing.assert_array_equal(after, np.where(hidden[..., None], 127, before))
    assert (folder / "train/c.png").read_bytes() == (scenes.root / "train/c.png").read_bytes()
    labels = {picture.path: dict(picture.labels) for picture in read_manifest(scenes.folder / "copy.csv")}
    assert labels == {
        "train/c.png": {"people": 0, "hidden": 0, "visible": 0},
        FIRST: {"people": 3, "hidden": 2, "visible": 1},  # the rider is nobody's business here
        SECOND: {"people": 2, "hidden": 1, "visible": 1},
    }
    assert "anonymize: 3 of 5 people hidden, 2 left visible in 2 of 3 pictures" in capsys.readouterr().out


def test_a_face_hides_its_person_alone_and_a_control_nobody(scenes: Scenes, capsys: Any) -> None:
    scenes.write_faces(scenes.folder / "found.csv")
    copy(scenes, scenes.folder / "found.csv")
    assert "1 of 5 people hidden, 4 left visible" in capsys.readouterr().out
    copy(scenes, scenes.folder / "found.csv", "control", control="none")
    assert "0 of 5 people hidden, 5 left visible" in capsys.readouterr().out
