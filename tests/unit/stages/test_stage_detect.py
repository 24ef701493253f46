"""The stage detect: every image is listed, with a face or without."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.registry import load_plugins
from anonbench.data.images import RGB, sha256
from anonbench.data.pictures import Picture, write_manifest
from anonbench.data.regions import Region, read_regions
from anonbench.detectors import DETECTORS
from anonbench.stages.detect import detect


@pytest.fixture
def crops(tmp_path: Path, rendered_crops: list[RGB]) -> Path:
    """A folder with a manifest: rendered people and a grey wall."""
    rows = []
    for name, image in {
        "b.png": rendered_crops[0],
        "a.png": rendered_crops[1],
        "wall.png": np.full((64, 32, 3), 120, np.uint8),
    }.items():
        Image.fromarray(image).save(tmp_path / name)
        digest = sha256((tmp_path / name).read_bytes())
        rows.append(Picture(name, "query", *image.shape[1::-1], digest, {"pid": 1, "camid": 1}))
    write_manifest(tmp_path / "m.csv", rows)
    return tmp_path


def test_faces_with_scores_and_images_without_a_face(crops: Path, capsys: pytest.CaptureFixture[str]) -> None:
    detect(crops / "m.csv", crops, {"method": "centerface"}, crops / "d.csv")
    found = read_regions(crops / "d.csv")
    assert list(found) == ["a.png", "b.png", "wall.png"]
    assert found["wall.png"] == []
    assert all(found[name] for name in ("a.png", "b.png"))
    faces = sum(map(len, found.values()))
    assert f"detect: 2 of 3 images with a face, {faces} faces" in capsys.readouterr().out


def test_a_threshold_of_the_entry_counts(crops: Path) -> None:
    detect(crops / "m.csv", crops, {"method": "centerface", "threshold": 0.99}, crops / "d.csv")
    assert not any(read_regions(crops / "d.csv").values())


@pytest.mark.parametrize("workers", [1, 2])
def test_missing_annotations_are_reported_by_any_number_of_workers(
    workers: int, make_dataset: Callable[..., Any], tmp_path: Path
) -> None:
    dataset = make_dataset(count=70)
    with pytest.raises(DataError, match=r"annotations\.csv: missing.*choose another detector, such as centerface"):
        detect(dataset.manifest, dataset.root, {"method": "annotated"}, tmp_path / "d.csv", threads=workers)
    assert not (tmp_path / "d.csv").exists()


def test_one_worker_and_two_find_the_same(make_dataset: Callable[..., Any], tmp_path: Path) -> None:
    dataset = make_dataset(count=70)
    rows = [f"{path},1,2,{3 + n % 5},9" for n, path in enumerate(dataset.paths)]
    (dataset.root / "faces.csv").write_text("\n".join(["path,x0,y0,x1,y1", *rows]) + "\n")
    for workers in (1, 2):
        entry = {"method": "annotated", "file": "faces.csv"}
        detect(dataset.manifest, dataset.root, entry, tmp_path / f"{workers}.csv", threads=workers)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert len(read_regions(tmp_path / "1.csv")) == 70


def test_an_unknown_detector_lists_the_known(make_dataset: Callable[..., Any], tmp_path: Path) -> None:
    dataset = make_dataset()
    with pytest.raises(
        ConfigError, match=r"unknown detector 'centreface': did you mean 'centerface'\? Known: annotated"
    ):
        detect(dataset.manifest, dataset.root, {"method": "centreface"}, tmp_path / "d.csv")


def test_a_default_box_stands_where_no_face_is_found(crops: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dietlmeier et al. 2020, section III-A: VIPeR's rule; score 0 tells the box from a found face."""
    entry = {"method": "centerface", "default_box": [15, 4, 35, 23]}
    detect(crops / "m.csv", crops, entry, crops / "d.csv")
    found = read_regions(crops / "d.csv")
    assert found["wall.png"] == [Region((15, 4, 35, 23), score=0.0, source="default")]
    assert all(box.score > 0 for name in ("a.png", "b.png") for box in found[name])
    assert "detect: 2 of 3 images with a face" in capsys.readouterr().out, "the default box is no found face"


@pytest.mark.parametrize(
    "corners", [[15, 4, 35], [35, 4, 15, 23], [15, 4, 35, "23"], 7, [0, 0, float("nan"), 3], [0, 0, True, 3]]
)
def test_a_default_box_that_is_none_is_refused(crops: Path, corners: object) -> None:
    with pytest.raises(ConfigError, match=r"default_box is .*; expected \[x0, y0, x1, y1\] in pixels"):
        detect(crops / "m.csv", crops, {"method": "centerface", "default_box": corners}, crops / "d.csv")


STOPPING = """
import os
from dataclasses import dataclass
from pathlib import Path
from anonbench.data.regions import Region
from anonbench.detectors import DETECTORS
from anonbench.core.registry import load_plugins

@DETECTORS.register("outside_stopping")
@dataclass(frozen=True)
class Stopping:
    width: float = 4 / 3

    def open(self, root):
        return self.detect

    def detect(self, image, path):
        if path == os.environ["STOP"]:
            raise KeyboardInterrupt
        with Path(os.environ["SEEN"]).open("a") as stream:
            stream.write(path + "\\n")
        number = int(path[-7:-4])
        return [Region((k, k, k + self.width, k + number), score=0.1 * k) for k in range(number % 3)]
"""


def test_an_interrupted_detection_goes_on_where_it_was(
    make_dataset: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    write_plugin: Callable[[str, str], Path], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    write_plugin("outside_stopping", STOPPING)
    dataset = make_dataset()
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))

    def run(stop: str, output: str, **entry: object) -> list[str]:
        monkeypatch.setenv("STOP", stop)
        (tmp_path / "seen").write_text("")
        entry = {"method": "outside_stopping", **entry}
        with contextlib.suppress(KeyboardInterrupt):
            detect(
                dataset.manifest,
                dataset.root,
                entry,
                tmp_path / output,
                plugins=["outside_stopping"],
                resume_dir=tmp_path / "r",
            )
        return (tmp_path / "seen").read_text().split()

    assert run("", "whole.csv") == dataset.paths
    assert run(dataset.paths[4], "d.csv") == dataset.paths[:4]
    assert not (tmp_path / "d.csv").exists()
    assert run(dataset.paths[7], "d.csv") == dataset.paths[4:7]
    assert run("", "d.csv") == dataset.paths[7:]
    assert (tmp_path / "d.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not (tmp_path / "r").exists()

    run(dataset.paths[4], "e.csv")
    assert run("", "e.csv", width=2) == dataset.paths
    assert "detect starts afresh" in caplog.text


BATCHES = """
import os
from dataclasses import dataclass
from anonbench.data.regions import Region
from anonbench.detectors import DETECTORS
from anonbench.core.registry import load_plugins

@DETECTORS.register("outside_batches")
@dataclass(frozen=True)
class Batches:
    batch: int = 4

    def open(self, root):
        return lambda image, path: self.detect_batch([image])[0]

    def detect_batch(self, images):
        self.calls.append(len(images))
        if len(self.calls) == int(os.environ["STOP"]):
            raise KeyboardInterrupt
        # What is found depends on the other images of the batch, as the last digits of a network's answer do.
        return [[Region((0, 0, 1 + k, int(image[0, 0, 0]) + 1), score=len(images))] for k, image in enumerate(images)]

    calls = []
"""


def test_a_detector_is_given_batches_and_the_same_ones_after_an_interruption(
    make_dataset: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    write_plugin: Callable[[str, str], Path],
) -> None:  # fmt: skip
    write_plugin("outside_batches", BATCHES)
    dataset = make_dataset(count=11)
    entry = {"method": "outside_batches", "default_box": [0, 0, 1, 1], "gpu": True}

    def run(stop: int, output: str) -> list[int]:
        monkeypatch.setenv("STOP", str(stop))
        load_plugins(["outside_batches"])
        calls: list[int] = DETECTORS.get("outside_batches").calls  # type: ignore[attr-defined]
        calls.clear()
        with contextlib.suppress(KeyboardInterrupt):
            detect(
                dataset.manifest,
                dataset.root,
                entry,
                tmp_path / output,
                plugins=["outside_batches"],
                resume_dir=tmp_path / "r",
            )
        return list(calls)

    assert run(0, "whole.csv") == [4, 4, 3]
    assert [len(found) for found in read_regions(tmp_path / "whole.csv").values()] == [1] * 11
    assert run(2, "d.csv") == [4, 4]
    shard = next((tmp_path / "r").glob("0*.json"))
    digest, text = shard.read_text().split("\n")[:2]
    kept = dict(list(json.loads(text).items())[:2])  # the interruption came within the first batch
    text = json.dumps(kept)
    shard.write_text(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}\n")
    assert digest != shard.read_text().split("\n")[0]
    assert run(0, "d.csv") == [4, 4, 3]
    assert (tmp_path / "d.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.parametrize("corners", ["0.2,0.1,0.4,0.3", "-9,4,0.5,20", "200,4,220,20", "3,4,3.0001,20"])
def test_a_written_box_that_hides_nothing_is_refused(corners: str, crops: Path) -> None:
    rows = ["path,x0,y0,x1,y1", "a.png,10,10,20,20", f"b.png,{corners}", "wall.png,,,,"]
    (crops / "faces.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(DataError, match=r"b\.png: box .*: less than a pixel of it lies .* 128 x 256"):
        detect(crops / "m.csv", crops, {"method": "annotated", "file": "faces.csv"}, crops / "d.csv")
    assert not (crops / "d.csv").exists()


def test_a_found_box_that_hides_nothing_is_left_out_and_counted(
    crops: Path, write_plugin: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    write_plugin("stray", STRAY)
    detect(crops / "m.csv", crops, {"method": "stray"}, crops / "d.csv", plugins=["stray"])
    found = read_regions(crops / "d.csv")
    assert [[region.box for region in found[name]] for name in ("a.png", "b.png", "wall.png")] == [[(1, 1, 9, 9)]] * 3
    text = capsys.readouterr().out
    assert "3 of 3 images with a face, 3 faces" in text
    assert "6 boxes left out that hide nothing, the first: a.png: box 500, 1, 510, 9: less than a pixel" in text


STRAY = '''
from dataclasses import dataclass
from anonbench.data.regions import Region
from anonbench.detectors import DETECTORS

@DETECTORS.register("stray")
@dataclass(frozen=True)
class Stray:
    """Finds one box inside, one outside, and one too thin for its file."""

    def open(self, root):
        return lambda image, path: [Region((500, 1, 510, 9)), Region((1, 1, 9, 9)), Region((4, 1, 4.0001, 9))]
'''


def test_a_file_of_boxes_counts_as_an_input(make_dataset: Callable[..., Any], tmp_path: Path) -> None:
    """As the workflow gives it: the path of the input takes the place of the entry's."""
    dataset = make_dataset()
    (tmp_path / "hand.csv").write_text(f"path,x0,y0,x1,y1\n{dataset.paths[2]},1,2,9,9\n")
    entry = {"method": "annotated", "boxes": "elsewhere.csv", "partial": True}
    detect(dataset.manifest, dataset.root, entry, tmp_path / "d.csv", boxes=tmp_path / "hand.csv")
    found = read_regions(tmp_path / "d.csv")
    nothing: dict[str, list[Region]] = {path: [] for path in dataset.paths}
    assert found == nothing | {dataset.paths[2]: [Region((1, 2, 9, 9), source="annotated")]}
