"""Writing a rendered dataset: complete, in the native layout, the same bytes with any number of workers."""

from __future__ import annotations

import csv
import hashlib

import numpy as np
import pytest
from PIL import Image

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.images import decode_image, read_image
from anonbench.datasets import DATASETS
from anonbench.rendered import RenderSpec, Studio, dataset, plan_crops, render_dataset
from anonbench.rendered.camera import YAW_RANGES_DEG
from anonbench.rendered.plan import sidecars

SPEC = RenderSpec(
    seed=2, train_identities=3, test_identities=2, cameras=3, images_per_camera=2, junk=2, distractors=3,
    backdrops_per_camera=1,
)  # fmt: skip


def tree_hash(folder) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    output = tmp_path_factory.mktemp("rendered") / "market"
    render_dataset(SPEC, output, workers=2, progress=False)
    return output


def read(file):
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_planned_image_is_there_with_its_truth_and_nothing_else(rendered):
    paths = [p.path for p in plan_crops(SPEC)]
    images = sorted(str(p.relative_to(rendered)) for p in rendered.rglob("*.jpg"))
    assert images == paths
    assert [r["path"] for r in read(rendered / "ground_truth/annotations.csv")] == paths
    assert [r["path"] for r in read(rendered / "ground_truth/keypoints.csv")] == paths
    assert sorted(p.name for p in rendered.iterdir()) == [
        "bounding_box_test",
        "bounding_box_train",
        "ground_truth",
        "query",
    ]
    assert "rendered" in (rendered / "ground_truth/README.txt").read_text()
    for path in paths:
        with Image.open(rendered / path) as image:
            assert image.size == (64, 128)
        with Image.open((rendered / "ground_truth/masks" / path).with_suffix(".png")) as mask:
            assert mask.size == (64, 128)
            assert set(np.unique(np.array(mask))) <= {0, 255}


def test_annotations_are_plain_numbers_that_agree_with_each_other(rendered):
    for row in read(rendered / "ground_truth/annotations.csv"):
        corners = [row[c] for c in ("x0", "y0", "x1", "y1")]
        if float(row["face_fraction"]) >= 0.3:
            x0, y0, x1, y1 = map(float, corners)
            assert 0 <= x0 < x1 <= 64
            assert 0 <= y0 < y1 <= 128
        else:
            assert corners == [""] * 4
        if row["view"]:
            assert -180 <= float(row["yaw"]) <= 180
            assert 0 <= int(row["skin_tone"]) <= 6
        assert row["occluded"] in "01"
        assert row["face_occluded"] in "01"


def test_one_worker_and_two_workers_write_the_same_bytes(rendered, tmp_path):
    render_dataset(SPEC, tmp_path / "again", workers=1, progress=False)
    assert tree_hash(tmp_path / "again") == tree_hash(rendered)


def test_a_folder_with_content_is_kept_and_an_empty_one_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "_render_parallel", lambda *_: [])
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(DataError, match="not empty"):
        render_dataset(SPEC, tmp_path, workers=1)
    assert (tmp_path / "mine.txt").read_text() == "precious"
    (tmp_path / "new").mkdir()
    render_dataset(SPEC, tmp_path / "new", workers=1)
    assert (tmp_path / "new/ground_truth/README.txt").is_file()


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(dataset, "_render_parallel", fail)
    with pytest.raises(RuntimeError, match="disk on fire"):
        render_dataset(SPEC, tmp_path / "market", workers=1)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_worker_stops_the_run(tmp_path, monkeypatch):
    # A plan for a camera that does not exist makes the worker process itself raise.
    plans = plan_crops(SPEC)
    broken = [*plans[:2], dataset.CropPlan("query/0001_c9s1_000001_01.jpg", 1, 9, 0)]
    monkeypatch.setattr(dataset, "plan_crops", lambda _: broken)
    with pytest.raises(KeyError):
        render_dataset(SPEC, tmp_path / "market", workers=1, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_no_workers_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="workers must be at least 1, got 0"):
        render_dataset(SPEC, tmp_path / "market", workers=0)


LOSSLESS = {
    "viper": RenderSpec(
        layout="viper", seed=1, height_px=128, width_px=48, train_identities=1, test_identities=1, cameras=2,
        images_per_camera=1, junk=0, distractors=0, backdrops_per_camera=1,
        view_shares=((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)),
    ),
    "cuhk03": RenderSpec(
        layout="cuhk03", seed=1, train_identities=1, test_identities=1, cameras=2, images_per_camera=2, junk=0,
        distractors=0, backdrops_per_camera=1, size_spread=0.2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", LOSSLESS)
def test_lossless_files_hold_the_pixels_of_the_cameras_jpeg(layout, tmp_path):
    spec = LOSSLESS[layout]
    render_dataset(spec, tmp_path / "data", workers=1, progress=False)
    studio, plans = Studio(spec), plan_crops(spec)
    for plan in plans:
        jpeg = dataset.encode_jpeg(studio.draw(plan))
        np.testing.assert_array_equal(read_image(tmp_path / "data" / plan.path), decode_image(jpeg, plan.path))
        assert read_image(tmp_path / "data" / plan.path).shape[:2] == spec.size_px(plan.path)
        with Image.open(tmp_path / "data" / plan.path) as image:  # a JPEG would decode too, whatever its name
            assert image.format == {"viper": "BMP", "cuhk03": "PNG"}[layout]
    for name, content in sidecars(spec, plans).items():
        assert (tmp_path / "data" / name).read_bytes() == content
    images = DATASETS.get(layout)(tmp_path / "data", expect="any").images
    assert [i.path for i in images] == [p.path for p in plans]


def test_the_view_in_vipers_names_is_the_one_that_is_drawn(tmp_path):
    render_dataset(LOSSLESS["viper"], tmp_path / "data", workers=1, progress=False)
    rows = read(tmp_path / "data/ground_truth/annotations.csv")
    yaws = {row["path"]: abs(float(row["yaw"])) for row in rows}
    for path, yaw in yaws.items():
        low, high = YAW_RANGES_DEG[0 if path.endswith("_0.bmp") else 3]
        assert low - 45 <= yaw <= high + 45, path  # the head turns on the body
    assert {path.rpartition("_")[2] for path in yaws} == {"0.bmp", "180.bmp"}


@pytest.mark.parametrize(
    ("layout", "changes"),
    [
        ("airport", {"setting": "indoor", "images_per_camera": 1, "distractors": 2}),
        ("dukemtmcreid", {"images_per_camera": 1, "distractors": 3}),
        ("msmt17", {}),
    ],
)
def test_what_is_rendered_is_read_by_the_layouts_adapter(layout, changes, tmp_path):
    spec = RenderSpec(
        **{"layout": layout, "seed": 1, "height_px": 64, "width_px": 32, "train_identities": 3, "test_identities": 3,
           "cameras": 2, "junk": 0, "distractors": 0, "backdrops_per_camera": 1, **changes}
    )  # fmt: skip
    render_dataset(spec, tmp_path / "data", workers=1, progress=False)
    listing = DATASETS.get(layout)(tmp_path / "data", expect="any")
    plans = plan_crops(spec)
    assert [(i.path, i.camid) for i in listing.images] == [(p.path, p.camid) for p in plans]
    assert all(read_image(tmp_path / "data" / i.path).shape == (64, 32, 3) for i in listing.images)
    assert {*sidecars(spec, plans), "ground_truth/annotations.csv"} <= set(listing.sidecars)
    assert len(listing.dropped) == len(plans)  # the masks
