"""The annotations of the three layouts, against the drawn truth; files that are not as they should be."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scene_writers import (
    HEIGHT,
    PICTURES,
    WIDTH,
    Thing,
    bdd100k_bitmask,
    bdd100k_frame,
    cityscapes_ids,
    coco_annotation,
    coco_file,
    polygon,
    write_bdd100k,
    write_cityscapes,
    write_coco,
    write_json,
    write_labels,
)

from anonbench.core.errors import ConfigError, DataError
from anonbench.data import paths
from anonbench.data.coco import ground_truth
from anonbench.data.instances import COCO_KEYPOINTS, Instance, InstanceFile
from anonbench.data.pictures import read_manifest
from anonbench.data.regions import Region, write_regions
from anonbench.stages.anonymize import anonymize
from anonbench.stages.index import index
from anonbench.stages.index_instances import index_instances

EIGHT = ("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")
WRITERS = {"coco": write_coco, "cityscapes": write_cityscapes, "bdd100k": write_bdd100k}


def path_of(layout: str, split: str, number: int) -> str:
    return {
        "coco": f"{split}2017/{number:012d}.jpg",
        "cityscapes": f"leftImg8bit/{split}/ulm/ulm_000000_{number:06d}_leftImg8bit.png",
        "bdd100k": f"images/10k/{split}/0000000d-{number}.jpg",
    }[layout]


def listed(root: Path, layout: str, **options: Any) -> Path:
    files = [root.parent / f(layout) for f in (paths.manifest, paths.dropped, paths.sidecars, paths.splits)]
    index(root, {"format": layout, "expect": "any", **options}, *files)
    return files[0]


def read(root: Path, layout: str, threads: int = 1, **options: Any) -> InstanceFile:
    manifest, output = listed(root, layout, **options), root.parent / paths.instances(layout)
    index_instances(manifest, root, {"format": layout}, output, threads)
    return InstanceFile(output)


def without_numbers(instances: list[Instance]) -> set[tuple[Any, ...]]:
    return {(i.category, i.box, i.area, i.crowd, i.ignore, i.mask) for i in instances}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("layout", [*WRITERS, "rles"])
def test_every_layout_says_what_was_drawn(layout: str, threads: int, root: Path) -> None:
    if layout == "rles":
        layout = "bdd100k"
        write_bdd100k(root, "rles")
    else:
        WRITERS[layout](root)
    scenes = read(root, layout, threads)
    assert scenes.categories == (("person", "bicycle", "car", "toothbrush") if layout == "coco" else EIGHT)
    assert scenes.paths == sorted(path_of(layout, split, number) for split, number, _ in PICTURES)
    numbers = []
    for split, number, things in PICTURES:
        found = scenes.of(path_of(layout, split, number))
        numbers += [instance.number for instance in found]
        assert len(found) == len(things)
        for instance in found:
            assert instance.mask is not None
            pixels = instance.mask.unpack()
            (thing,) = [thing for thing in things if np.array_equal(thing.pixels, pixels)]
            assert (instance.category, instance.crowd, instance.ignore) == (thing.category, thing.crowd, False)
            assert instance.box == tuple(map(float, thing.box))
            assert instance.area == pixels.sum()
    assert min(numbers) >= 1
    assert len(set(numbers)) == len(numbers)


def test_another_format_has_no_instances(tmp_path: Path, root: Path) -> None:
    write_coco(root)
    with pytest.raises(ConfigError, match="'market1501' has no instances; expected one of bdd100k, cityscapes, coco"):
        index_instances(listed(root, "coco"), root, {"format": "market1501"}, tmp_path / "i.jsonl")


@pytest.mark.parametrize("layout", WRITERS)
def test_a_copy_with_hidden_people_has_the_same_annotations(layout: str, root: Path, tmp_path: Path) -> None:
    WRITERS[layout](root)
    scenes = read(root, layout)
    hidden = {path: [Region(i.box, "body") for i in scenes.of(path) if i.category == "person"] for path in scenes.paths}
    regions, copy_ = tmp_path / "regions.csv", tmp_path / "copy" / "data"
    write_regions(regions, hidden)
    entry = {"method": "blank", "detector": "any", "box_scale": 1.0, "jpeg_quality": 95}
    sidecars = tmp_path / paths.sidecars(layout)
    anonymize(
        tmp_path / paths.manifest(layout), regions, root, entry, sidecars, copy_, tmp_path / "copy" / "manifest.csv"
    )
    path = path_of(layout, "train", 1)
    assert (copy_ / path).read_bytes() != (root / path).read_bytes()
    assert read(copy_, layout).path.read_bytes() == scenes.path.read_bytes()
    assert not (copy_ / "stray.jpg").exists()
    assert not list(copy_.rglob("*_color.png")) + list(copy_.rglob("colormaps"))


# --- COCO ---


def coco(root: Path, annotations: list[dict[str, Any]] | None = None, keypoints: bool = False, **more: Any) -> None:
    """COCO's files with other annotations of val, or other keys."""
    write_coco(root)
    if not keypoints:
        for file in (root / "annotations").glob("person_keypoints_*"):
            file.unlink()
    content = coco_file("val") if annotations is None else coco_file("val", annotations)
    write_json(root / "annotations/instances_val2017.json", content | more)


PERSON = Thing((10, 0, 16, 24))
VAL = path_of("coco", "val", 4)


def test_keypoints_of_people(root: Path) -> None:
    write_coco(root)
    scenes = read(root, "coco")
    assert scenes.vocabulary.keypoints == COCO_KEYPOINTS
    person, car, crowd = scenes.of(VAL)
    assert person.keypoints is not None
    assert person.keypoints[:3] == ((10, 0, 1), (10.25, 0.25, 2), (10.5, 0.5, 1))
    assert crowd.keypoints == ((0, 0, 0),) * 17, "no point is known"
    assert car.keypoints is None
    rows = ground_truth(scenes, read_manifest(root.parent / paths.manifest("coco")))["annotations"]
    assert [row["num_keypoints"] for row in rows if "keypoints" in row] == [17, 17, 0, 17, 17, 0]


def test_points_that_nobody_sees_are_all_zero(root: Path) -> None:
    write_coco(root)
    file = root / "annotations/person_keypoints_val2017.json"
    content = json.loads(file.read_text())
    content["annotations"][0] |= {"keypoints": [5, 6, 0] * 17}
    del content["annotations"][0]["num_keypoints"]
    write_json(file, content)
    assert read(root, "coco").of(VAL)[0].keypoints == ((0, 0, 0),) * 17


def test_without_files_of_keypoints_nobody_has_any(root: Path) -> None:
    coco(root)
    scenes = read(root, "coco")
    assert scenes.vocabulary.keypoints == ()
    assert scenes.of(VAL)[0].keypoints is None


def test_cocos_numbers_stay_where_they_can(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco(root)
    assert [i.number for i in read(root, "coco").of(VAL)] == [40, 41, 42]
    assert "anew" not in capsys.readouterr().out


@pytest.mark.parametrize("number", [0, 11, 41])
def test_numbers_that_cannot_be_are_given_anew(root: Path, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    """0 can never match in pycocotools; 11 is one of train, 41 is there twice."""
    coco(root, [coco_annotation(41, 4, PERSON), coco_annotation(number, 4, Thing((18, 5, 39, 15), "car"))])
    scenes = read(root, "coco")
    assert "annotations are numbered anew" in capsys.readouterr().out
    assert [i.number for path in scenes.paths for i in scenes.of(path)] == list(range(1, 8))


def test_fields_that_are_missing_and_boxes_that_leave_the_picture(root: Path) -> None:
    bare = coco_annotation(5, 4, PERSON, area=None, bbox=None, iscrowd=None)
    ignored = coco_annotation(6, 4, Thing((18, 5, 39, 15), "toothbrush"), ignore=1, area=7.5, bbox=[-3, 5, 50.5, 0])
    outside = coco_annotation(7, 4, PERSON, segmentation=[polygon((36, 20, 60, 60)), polygon((0, 0, 2, 2))])
    coco(root, [bare, ignored, outside])
    first, second, third = read(root, "coco").of(VAL)
    assert without_numbers([first]) == {("person", (10, 0, 16, 24), 144.0, False, False, first.mask)}
    assert (second.category, second.area, second.ignore) == ("toothbrush", 7.5, True)
    assert second.box == (-3, 5, 47.5, 5), "COCO's own box, also one that has no height"
    assert third.mask is not None
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[20:, 36:] = expected[:2, :2] = True
    np.testing.assert_array_equal(third.mask.unpack(), expected)


def test_people_only_leaves_out_training_pictures_without_keypoints(root: Path) -> None:
    write_coco(root)
    manifest = listed(root, "coco", people_only=True)
    assert [(p.split, Path(p.path).name[-5]) for p in read_manifest(manifest)] == [
        ("train", "1"), ("train", "3"), ("val", "4"), ("val", "5"),
    ]  # fmt: skip
    dropped = (root.parent / paths.dropped("coco")).read_text()
    assert "train2017/000000000002.jpg,picture without a person who has a keypoint (people_only)" in dropped
    assert len(read(root, "coco", people_only=True).paths) == 4


def test_pictures_that_were_left_out_are_passed_over_and_counted(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_coco(root)
    scenes = read(root, "coco", leave_out=["train2017/000000000001.jpg"])
    assert "train2017/000000000001.jpg" not in scenes.paths
    assert "1 annotated pictures of train are not in the manifest" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_id": 77}, r"an annotation of picture 77, which `images` does not list \(1 such pictures\)"),
        (
            {"category_id": 4},
            r"annotation 9 of val2017/000000000004\.jpg has the class 4; expected one of \[1, 2, 3, 90\]",
        ),
        (
            {"segmentation": []},
            r"annotation 9 of val2017/000000000004\.jpg has the segmentation \[\]; expected polygons",
        ),
        ({"segmentation": None}, "has the segmentation None"),
        ({"segmentation": {"size": [1, 2], "counts": [2]}}, r"of the size \[1, 2\]; expected height and width"),
        ({"bbox": [1, 2, 3]}, r"'bbox' is \[1, 2, 3\]; expected 4 finite numbers"),
        ({"area": "large"}, "'area' is .*; expected 1 finite numbers"),
        ({"id": "nine"}, "'id' is 'nine'; expected a whole number"),
        ({"image_id": None}, "'image_id' is None; expected a whole number"),
    ],
)
def test_annotations_that_cannot_be(root: Path, changes: dict[str, Any], message: str) -> None:
    coco(root, [coco_annotation(9, 4, PERSON, **changes)])
    with pytest.raises(DataError, match=rf"instances_val2017\.json: character \d+: .*{message}"):
        read(root, "coco")
    assert not (root.parent / paths.instances("coco")).exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"images": []}, "an annotation of picture 4, which `images` does not list"),
        ({"categories": []}, r"has the classes \[\]; expected at least one, each once"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]}, "expected at least one, each once"),
        (
            {"categories": [{"id": n, "name": str(n)} for n in range(9)]},
            "has other classes than .*train2017.json: 9 and 4",
        ),
    ],
)
def test_files_that_do_not_belong_together(root: Path, more: dict[str, Any], message: str) -> None:
    coco(root, **more)
    with pytest.raises(DataError, match=message):
        read(root, "coco")


def test_pictures_that_the_file_does_not_list_or_that_have_another_size(root: Path) -> None:
    images = coco_file("val")["images"]
    coco(root, [], images=[images[0] | {"width": HEIGHT, "height": WIDTH}])
    with pytest.raises(DataError) as error:
        read(root, "coco")
    first, second = str(error.value).splitlines()
    assert "val2017/000000000004.jpg is annotated as 24 x 40 pixels; the picture has 40 x 24, upright" in first
    assert "does not list val2017/000000000005.jpg" in second
    assert "leave_out" in first
    assert "leave_out" in second


def test_a_picture_that_is_listed_twice(root: Path) -> None:
    coco(root, images=coco_file("val")["images"] * 2)
    with pytest.raises(DataError, match=r"000000000004\.jpg is listed a second time"):
        read(root, "coco")


def test_two_pictures_of_one_number(root: Path) -> None:
    images = coco_file("val")["images"]
    coco(root, images=[image | {"id": 4} for image in images])
    with pytest.raises(DataError, match=r"instances_val2017\.json: 1 pictures have the number of another"):
        read(root, "coco")


def test_a_missing_and_a_cut_off_file(root: Path) -> None:
    coco(root)
    file = root / "annotations/instances_val2017.json"
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(DataError, match=r"instances_val2017\.json: character \d+: .*Unpack the annotations again"):
        read(root, "coco")
    file.unlink()
    with pytest.raises(DataError, match=r"instances_val2017\.json: missing; expected COCO's annotations of val2017"):
        read(root, "coco")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["annotations"][0].update(id=99), r"annotation 99 is not in .*instances_val2017\.json"),
        (lambda c: c["annotations"][0].update(keypoints=[1, 2]), "expected x, y and visibility of each"),
        (lambda c: c["annotations"][0].update(keypoints=[1, 2, 2]), "annotation 40 has other keypoints than its categ"),
        (lambda c: c["categories"][0].pop("keypoints"), "has other keypoints than its categories name"),
        (lambda c: c["categories"][0].update(keypoints=["nose"] * 17), "has other keypoints than .*train2017"),
    ],
)
def test_keypoints_that_cannot_be(root: Path, change: Callable[[Any], Any], message: str) -> None:
    write_coco(root)
    file = root / "annotations/person_keypoints_val2017.json"
    content = json.loads(file.read_text())
    change(content)
    write_json(file, content)
    with pytest.raises(DataError, match=message):
        read(root, "coco")


# --- Cityscapes ---

FRAME = "val/ulm/ulm_000000_000004_gtFine_instanceIds.png"


def cityscapes(root: Path, labels: np.ndarray) -> InstanceFile:
    write_cityscapes(root)
    write_labels(root / "gtFine" / FRAME, labels)
    return read(root, "cityscapes")


def test_groups_riders_caravans_and_void(root: Path) -> None:
    things = (
        Thing((0, 2, 4, 6)),
        Thing((5, 2, 9, 6)),
        Thing((0, 8, 4, 12), "rider"),
        Thing((5, 8, 9, 12), "caravan"),
        Thing((10, 8, 14, 12), "trailer", crowd=True),
        Thing((20, 2, 24, 6), crowd=True),
        Thing((30, 2, 34, 6), crowd=True),
    )
    scenes = cityscapes(root, cityscapes_ids(things, frame=1))
    path = path_of("cityscapes", "val", 4)
    found = scenes.of(path)
    assert [(i.category, i.crowd, i.area) for i in found] == [
        ("person", True, 32), ("person", False, 16), ("person", False, 16), ("rider", False, 16),
    ]  # fmt: skip
    assert found[0].box == (20, 2, 34, 6), "one group, wherever its pixels are"
    void = scenes.void(path)
    assert void is not None
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[:1] = True
    expected[8:12, 10:14] = True  # the group of trailers; the caravan is neither an instance nor void
    np.testing.assert_array_equal(void.unpack(), expected)


def test_a_picture_without_void_has_none(root: Path) -> None:
    ids = np.full((HEIGHT, WIDTH), 23, np.uint16)
    assert cityscapes(root, ids).void(path_of("cityscapes", "val", 4)) is None


@pytest.mark.parametrize("value", [34, 255, 999, 23_000, 34_000, 65_535])
def test_ids_that_cityscapes_has_not(root: Path, value: int) -> None:
    ids = np.full((HEIGHT, WIDTH), 7, np.uint16)
    ids[3, 4] = value
    with pytest.raises(DataError, match=rf"{FRAME}: has pixels of {value}; expected an id from 0 to 33"):
        cityscapes(root, ids)


def test_labels_of_another_form(root: Path) -> None:
    with pytest.raises(DataError, match=rf"{FRAME}: is a picture of mode L; expected grey of 16 bits"):
        cityscapes(root, np.zeros((HEIGHT, WIDTH), np.uint8))
    with pytest.raises(DataError, match=rf"{FRAME}: is 24 x 40 pixels; expected 40 x 24 like leftImg8bit/val"):
        cityscapes(root, np.zeros((WIDTH, HEIGHT), np.uint16))
    write_labels(root / "gtFine" / FRAME, np.random.default_rng(0).integers(0, 30, (HEIGHT, WIDTH)).astype(np.uint16))
    (root / "gtFine" / FRAME).write_bytes((root / "gtFine" / FRAME).read_bytes()[:300])
    with pytest.raises(DataError, match=rf"{FRAME}: not a readable image"):
        read(root, "cityscapes")
    (root / "gtFine" / FRAME).unlink()
    with pytest.raises(DataError, match=rf"{FRAME}: missing; expected the labels of leftImg8bit/val/ulm"):
        read(root, "cityscapes")


# --- BDD100K ---

BITMASK = "labels/ins_seg/bitmasks/val/0000000d-4.png"
BDD = path_of("bdd100k", "val", 4)


def bdd100k(root: Path, labels: np.ndarray) -> InstanceFile:
    write_bdd100k(root)
    write_labels(root / BITMASK, labels)
    return read(root, "bdd100k")


def test_attributes_of_bitmasks(root: Path) -> None:
    things = (
        Thing((0, 2, 4, 6), "rider"),
        Thing((5, 2, 9, 6), ignore=True),
        Thing((10, 2, 14, 6), crowd=True),
        Thing((15, 2, 19, 6), crowd=True, ignore=True),
    )
    found = bdd100k(root, bdd100k_bitmask(things)).of(BDD)
    assert [(i.category, i.crowd, i.ignore, i.box[0]) for i in found] == [
        ("rider", False, False, 0), ("person", False, True, 5), ("person", True, False, 10), ("person", True, True, 15),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pixel", "message"),
    [
        ((9, 0, 0, 1), "instance 1 has class 9 and attributes 0; expected 1 to 8 and 0 to 15"),
        ((0, 3, 0, 1), "instance 1 has class 0 and attributes 3"),
        ((1, 16, 1, 2), "instance 258 has class 1 and attributes 16"),
    ],
)
def test_bitmasks_of_something_else(root: Path, pixel: tuple[int, ...], message: str) -> None:
    labels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    labels[3, 4] = pixel
    with pytest.raises(DataError, match=f"{BITMASK}: {message}"):
        bdd100k(root, labels)


def test_an_instance_has_one_class(root: Path) -> None:
    labels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    labels[3, 4:6] = (1, 0, 0, 7), (2, 0, 0, 7)
    with pytest.raises(DataError, match=f"{BITMASK}: instance 7 has pixels of several classes or attributes"):
        bdd100k(root, labels)


def test_bitmasks_of_another_form(root: Path) -> None:
    with pytest.raises(DataError, match=f"{BITMASK}: is a picture of mode RGB; expected red, green, blue and alpha"):
        bdd100k(root, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(root / BITMASK)
    with pytest.raises(DataError, match=f"{BITMASK}: is 8 x 8 pixels; expected 40 x 24"):
        read(root, "bdd100k")


def run_lengths(root: Path, change: Callable[[list[Any]], Any]) -> InstanceFile:
    write_bdd100k(root, "rles")
    frames = [bdd100k_frame(number, things) for split, number, things in PICTURES if split == "val"]
    change(frames)
    write_json(root / "labels/ins_seg/rles/ins_seg_val.json", frames)
    return read(root, "bdd100k")


def test_names_of_classes_in_run_lengths(root: Path) -> None:
    names = ["other person", "motor", "trailer"]
    found = run_lengths(
        root, lambda frames: [label.update(category=n) for label, n in zip(frames[0]["labels"], names, strict=True)]
    ).of(BDD)
    assert [(i.category, i.ignore) for i in found] == [("person", True), ("motorcycle", False), ("truck", True)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f: f[0]["labels"][0].update(category="lion"),
            r"a label of .*-4\.jpg has the class 'lion'; expected one",
        ),
        (lambda f: f[0]["labels"][0]["rle"].update(size=[1, 2]), r"-4\.jpg has run lengths of the size \[1, 2\]"),
        (lambda f: f[0].update(name=None), "frame without a name"),
        (lambda f: f.append(f[0]), r"0000000d-4\.jpg is listed a second time"),
        (lambda f: f.pop(), r"ins_seg_val\.json: does not list images/10k/val/0000000d-5\.jpg"),
    ],
)
def test_run_lengths_that_cannot_be(root: Path, change: Callable[[list[Any]], Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        run_lengths(root, change)


def test_without_labels_of_either_form(root: Path) -> None:
    write_bdd100k(root, "polygons")
    with pytest.raises(DataError, match=r"rles/ins_seg_train\.json: missing, and so is the folder .*bitmasks"):
        read(root, "bdd100k")


# --- anything ---

ANYTHING = [None, True, 0, -1, 1.5, 10**20, "x", "", [], {}, [1], {"a": 1}, [None], [[1, 2, 3, 4, 5, 6]], "å"]


def changed_somewhere(content: Any, shuffle: random.Random) -> Any:
    """The content of a JSON file with one value, anywhere, replaced by another or left out."""
    content = copy.deepcopy(content)
    where, key = shuffle.choice(list(places(content)))
    if shuffle.random() < 0.3:
        del where[key]
    else:
        where[key] = shuffle.choice(ANYTHING)
    return content


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


@pytest.mark.parametrize("layout", ["coco", "bdd100k"])
def test_whatever_a_file_says_it_is_read_or_refused_in_words(layout: str, root: Path) -> None:
    """Another exception, or a job without end, would not say which file is wrong."""
    write_coco(root) if layout == "coco" else write_bdd100k(root, "rles")
    manifest, output = listed(root, layout), root.parent / "i.jsonl"
    files = sorted(root.rglob("annotations/*.json" if layout == "coco" else "rles/*.json"))
    refused = []
    for seed in range(120):
        shuffle = random.Random(seed)
        file = shuffle.choice(files)
        before = file.read_text()
        write_json(file, changed_somewhere(json.loads(before), shuffle))
        try:
            index_instances(manifest, root, {"format": layout}, output)
            InstanceFile(output).paths  # noqa: B018
        except DataError as error:
            refused.append(str(error))
        file.write_text(before)
    assert 40 < len(refused) < 115
    assert all(str(root) in message for message in refused)
