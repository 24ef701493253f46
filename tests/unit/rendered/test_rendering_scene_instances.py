"""What the readers of scene datasets find in drawn folders is what was drawn, bit by bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anonbench.data.instances import InstanceFile
from anonbench.data.pictures import read_manifest
from anonbench.rendered.scene_layouts import LAYOUTS, render_scenes
from anonbench.rendered.street_scene import PERSON, RIDER, SPLITS, SceneSpec, SceneStudio
from anonbench.stages.index import index
from anonbench.stages.index_instances import index_instances


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_the_file_of_instances_is_the_drawn_truth(layout: str, tmp_path: Path) -> None:
    spec = SceneSpec(
        layout=layout, seed=8, train=3, val=2, height_px=96, width_px=144, people=(2, 4), vehicles=(1, 3),
        rider_share=0.4, crowd_share=1.0, population=4, cameras=2,
    )  # fmt: skip
    root, entry = tmp_path / layout, {"format": layout, "root": str(tmp_path / layout), "expect": "any"}
    render_scenes(spec, root, 1)
    index(root, entry, tmp_path / "m.csv", tmp_path / "dropped.csv", tmp_path / "sidecars.csv", tmp_path / "splits.csv")
    index_instances(tmp_path / "m.csv", root, {"format": layout}, tmp_path / "instances.jsonl")
    found = InstanceFile(tmp_path / "instances.jsonl")
    splits: dict[str, list[str]] = {}
    for picture in read_manifest(tmp_path / "m.csv"):
        splits.setdefault(picture.split, []).append(picture.path)
    assert {split: len(paths) for split, paths in splits.items()} == {"train": 3, "val": 2}
    for split in SPLITS:
        studio = SceneStudio(spec, split)
        for number in range(spec.images(split)):
            drawn = list(studio.draw(number).instances)
            read = found.of(LAYOUTS[layout](spec).path(split, number))
            assert len(read) == len(drawn)
            for thing in drawn:
                (same,) = [i for i in read if i.mask is not None and np.array_equal(i.mask.unpack(), thing.mask)]
                rides = thing.category == RIDER
                assert same.category == (PERSON if rides and layout == "coco" else thing.category)
                assert same.box == thing.box
                assert same.area == thing.mask.sum()
                assert (same.crowd, same.ignore) == (thing.crowd, False)
                if thing.keypoints and layout == "coco":
                    assert same.keypoints is not None
                    points = np.array([(p.x - 0.5, p.y - 0.5, p.visibility) for p in thing.keypoints])
                    np.testing.assert_allclose(same.keypoints, points, atol=0.006)
