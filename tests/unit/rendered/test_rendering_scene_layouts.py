"""Street scenes as COCO, Cityscapes and BDD100K: what is written is what was drawn."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw
from pycocotools import mask as reference
from pycocotools.coco import COCO

from anonbench.core.errors import DataError
from anonbench.data.annotations import read_annotations
from anonbench.data.images import read_image
from anonbench.rendered.scene_layouts import Bdd100kLayout, CityscapesLayout, CocoLayout, render_scenes
from anonbench.rendered.street_scene import PERSON, RIDER, ScenePicture, SceneSpec, SceneStudio

SPEC = SceneSpec(
    seed=5, train=3, val=2, height_px=96, width_px=128, people=(2, 5), vehicles=(1, 3), rider_share=0.3,
    crowd_share=1.0, population=4, cameras=2,
)  # fmt: skip


def spec_of(layout: str) -> SceneSpec:
    return replace(SPEC, layout=layout, person_height=None)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scenes")
    for layout in ("coco", "cityscapes", "bdd100k"):
        render_scenes(spec_of(layout), root / layout, workers=1)
    return root


def drawn(layout: str, split: str) -> list[ScenePicture]:
    spec = spec_of(layout)
    studio = SceneStudio(spec, split)
    return [studio.draw(number) for number in range(spec.images(split))]


@pytest.mark.parametrize("split", ["train", "val"])
def test_cocos_own_reader_finds_what_was_drawn(folders: Path, split: str) -> None:
    root, pictures = folders / "coco", drawn("coco", split)
    instances = COCO(root / f"annotations/instances_{split}2017.json")
    people = COCO(root / f"annotations/person_keypoints_{split}2017.json")
    assert len(instances.getImgIds()) == len(pictures)
    for image, picture in zip(sorted(instances.getImgIds()), pictures, strict=True):
        name = instances.loadImgs(image)[0]["file_name"]
        assert name == f"{image:012d}.jpg"
        assert read_image(root / f"{split}2017" / name).shape == picture.image.shape
        rows = instances.loadAnns(sorted(instances.getAnnIds(imgIds=image)))
        for row, thing in zip(rows, picture.instances, strict=True):
            assert np.array_equal(instances.annToMask(row).astype(bool), thing.mask)
            assert row["bbox"] == reference.toBbox(row["segmentation"]).tolist()
            assert row["area"] == reference.area(row["segmentation"])
            assert row["iscrowd"] == thing.crowd
            name = PERSON if thing.category == RIDER else thing.category
            assert instances.loadCats(row["category_id"])[0]["name"] == name
            assert "keypoints" not in row
            if name == PERSON:
                points = people.loadAnns(row["id"])[0]
                triples = np.reshape(points["keypoints"], (17, 3))
                assert points["num_keypoints"] == (triples[:, 2] > 0).sum()
                assert triples[:, 2].tolist() == ([p.visibility for p in thing.keypoints] or [0] * 17)
    assert len(people.getAnnIds()) == len(instances.getAnnIds(catIds=1))


def test_annotations_of_coco_are_numbered_from_one_over_both_splits(folders: Path) -> None:
    ids = []
    for split in ("train", "val"):
        content = json.loads((folders / f"coco/annotations/instances_{split}2017.json").read_text())
        ids += [row["id"] for row in content["annotations"]]
    assert ids == list(range(1, len(ids) + 1))


@pytest.mark.parametrize("split", ["train", "val"])
def test_cityscapes_pictures_hold_what_was_drawn(folders: Path, split: str) -> None:
    layout, root = CityscapesLayout(spec_of("cityscapes")), folders / "cityscapes"
    for number, picture in enumerate(drawn("cityscapes", split)):
        path = root / layout.path(split, number)
        assert np.array_equal(read_image(path), picture.image), "PNG loses nothing"
        start = str(path).replace("leftImg8bit/", "gtFine/", 1).replace("_leftImg8bit.png", "_gtFine_")
        ids = cv2.imread(f"{start}instanceIds.png", cv2.IMREAD_UNCHANGED)
        labels = cv2.imread(f"{start}labelIds.png", cv2.IMREAD_UNCHANGED)
        assert (ids.dtype, labels.dtype) == (np.uint16, np.uint8)
        assert np.array_equal(np.where(ids < 1000, ids, ids // 1000), labels)
        counted = Counter[str]()
        for thing in picture.instances:
            label = layout.LABELS[thing.category]
            expected = label if thing.crowd else label * 1000 + counted[thing.category]
            counted[thing.category] += not thing.crowd
            assert np.array_equal(ids == expected, thing.mask)
        content = json.loads(Path(f"{start}polygons.json").read_text())
        assert (content["imgHeight"], content["imgWidth"]) == ids.shape
        things = [row for row in content["objects"] if row["label"] in layout.LABELS or row["label"] == "persongroup"]
        assert len(things) == len(content["objects"])
        named = Counter(row["label"] for row in things if layout.LABELS.get(row["label"], 0) >= 24)
        assert named == +counted
        painted = Image.new("L", ids.shape[::-1])
        for row in content["objects"]:
            label = layout.LABELS[row["label"].removesuffix("group")]
            ImageDraw.Draw(painted).polygon([tuple(point) for point in row["polygon"]], fill=label)
        assert (np.asarray(painted) == labels).mean() > 0.9, "the polygons, painted in their order, are about the same"


@pytest.mark.parametrize("split", ["train", "val"])
def test_bitmasks_of_bdd100k_hold_what_was_drawn(folders: Path, split: str) -> None:
    layout, root = Bdd100kLayout(spec_of("bdd100k")), folders / "bdd100k"
    for number, picture in enumerate(drawn("bdd100k", split)):
        path = layout.path(split, number)
        assert (root / path).is_file()
        bits = np.asarray(Image.open(root / "labels/ins_seg/bitmasks" / split / f"{Path(path).stem}.png")).astype(int)
        number_of = bits[..., 2] * 256 + bits[..., 3]
        assert number_of.max() == len(picture.instances)
        for count, thing in enumerate(picture.instances, 1):
            assert np.array_equal(number_of == count, thing.mask)
            flags = 8 * thing.truncated + 4 * thing.occluded + 2 * thing.crowd
            assert (bits[thing.mask][:, :2] == (layout.CATEGORIES[thing.category], flags)).all()


@pytest.mark.parametrize("layout", ["coco", "cityscapes", "bdd100k"])
def test_faces_and_keypoints_are_told_beside_every_layout(folders: Path, layout: str) -> None:
    pictures = drawn(layout, "train") + drawn(layout, "val")
    truth = read_annotations(folders / layout / "ground_truth/annotations.csv")
    assert len(truth.regions) == len(pictures)
    assert sum(map(len, truth.regions.values())) == sum(len(picture.faces) for picture in pictures) > 0
    assert all((folders / layout / path).is_file() for path in truth.regions)
    with (folders / layout / "ground_truth/keypoints.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    people = [thing for picture in pictures for thing in picture.instances if thing.keypoints]
    assert len(rows) == len(people) > 0
    assert sum(int(row["nose_v"]) for row in rows) == sum(thing.keypoints[0].visibility for thing in people)


def test_bytes_do_not_depend_on_the_workers(folders: Path, tmp_path: Path) -> None:
    def hashes(folder: Path) -> dict[str, str]:
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    spec = replace(spec_of("bdd100k"), train=17, val=1, people=(0, 0), crowd_share=0.0, height_px=64, width_px=64)
    for workers in (1, 2):
        render_scenes(spec, tmp_path / str(workers), workers)
    one, two = (hashes(tmp_path / str(workers)) for workers in (1, 2))
    assert one == two
    pictures = [digest for path, digest in one.items() if path.startswith("images")]
    assert len(set(pictures)) == len(pictures) == 18


def test_a_folder_with_content_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/picture.jpg").touch()
    with pytest.raises(DataError, match="mine"):
        render_scenes(spec_of("coco"), tmp_path / "mine", 1)


def test_coco_ids_differ_between_the_splits() -> None:
    layout = CocoLayout(spec_of("coco"))
    assert layout.path("train", 2) == "train2017/000000000003.jpg"
    assert layout.path("val", 0) == "val2017/000000000004.jpg"
