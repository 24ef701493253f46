"""The stage estimate_pose: keypoints of people where a dataset has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scene_folder import FIRST, HEIGHT, PATHS, SECOND, WIDTH, Scenes

from anonbench.core.errors import ConfigError
from anonbench.data.instances import COCO_KEYPOINTS, InstanceFile, write_instances
from anonbench.data.masks import Mask
from anonbench.data.regions import read_regions
from anonbench.detectors._pose import PoseNetwork
from anonbench.stages.bodies import bodies
from anonbench.stages.estimate_pose import estimate_pose


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """In the place of the network: every point is in the middle, at a confidence of .5. What it was shown."""
    shown: list[np.ndarray] = []

    def look(self: PoseNetwork, crop: np.ndarray) -> tuple[np.ndarray, float]:
        shown.append(crop)
        return np.tile([128.0, 128.0, 0, 0, 0], (39, 1)), 0.9

    monkeypatch.setattr(PoseNetwork, "_look", look)
    return shown


def run(scenes: Scenes, **settings: Any) -> InstanceFile:
    estimate_pose(scenes.manifest, scenes.root, scenes.file, scenes.folder / "poses.jsonl", **settings)
    return InstanceFile(scenes.folder / "poses.jsonl")


def test_people_who_can_be_hidden_get_keypoints_and_bodies_take_them(
    tmp_path: Path, looked_at: list[np.ndarray], capsys: Any
) -> None:
    scenes = Scenes(tmp_path, keypoints=())
    posed = run(scenes)
    assert posed.vocabulary.keypoints == COCO_KEYPOINTS
    assert posed.paths == sorted(PATHS)
    assert [bool(instance.keypoints) for instance in posed.of(FIRST)] == [True, True, False, False]
    assert [bool(instance.keypoints) for instance in posed.of(SECOND)] == [False, True]
    assert posed.of(FIRST)[0].keypoints == ((9.5, 21.5, 2),) * 17, "the middle of the box (4, 4, 16, 40)"
    assert [crop.shape for crop in looked_at] == [(256, 256, 3)] * 3
    assert "estimate-pose: 3 of 3 people (100.0%) have a visible keypoint" in capsys.readouterr().out
    bodies(scenes.manifest, posed.path, {"method": "annotated_bodies"}, tmp_path / "bodies.csv")
    assert read_regions(tmp_path / "bodies.csv")[FIRST][0].keypoints == ((9.5, 21.5, 2.0),) * 17


def test_points_below_the_confidence_are_no_keypoints(tmp_path: Path, looked_at: list[np.ndarray]) -> None:
    scenes = Scenes(tmp_path, keypoints=())
    assert all(instance.keypoints is None for instance in run(scenes, least_confidence=0.51).of(FIRST))
    with pytest.raises(ConfigError, match=r"least_confidence is 30; expected >= 0 and <= 1"):
        run(scenes, least_confidence=30)


def test_a_dataset_with_keypoints_stays_as_it_is(tmp_path: Path, looked_at: list[np.ndarray]) -> None:
    scenes = Scenes(tmp_path)
    assert run(scenes).path.read_bytes() == scenes.file.read_bytes()
    assert not looked_at


@pytest.mark.parametrize("keypoints", [(), COCO_KEYPOINTS])
def test_void_pixels_stay(tmp_path: Path, looked_at: list[np.ndarray], keypoints: tuple[str, ...]) -> None:
    scenes = Scenes(tmp_path, keypoints=keypoints)
    void = Mask.pack(np.eye(HEIGHT, WIDTH, dtype=bool))
    known = InstanceFile(scenes.file)
    every = [(path, known.of(path), void if path == FIRST else None) for path in known.paths]
    write_instances(scenes.file, known.vocabulary, every)
    posed = run(scenes)
    assert [posed.void(path) for path in posed.paths] == [void if path == FIRST else None for path in posed.paths]


def test_what_the_network_takes_for_no_person_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.tile([128.0, 128.0, 0, 9, 0], (39, 1))
    monkeypatch.setattr(PoseNetwork, "_look", lambda self, crop: (points, 0.49))
    assert all(instance.keypoints is None for instance in run(Scenes(tmp_path, keypoints=())).of(FIRST))
