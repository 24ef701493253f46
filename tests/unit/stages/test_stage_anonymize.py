"""The stage anonymize: a drop-in copy in which faces are hidden and nothing else is changed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anonbench.anonymizers import ANONYMIZERS
from anonbench.core.errors import ConfigError, DataError
from anonbench.data.images import read_image, sha256
from anonbench.data.pictures import Picture, read_manifest, write_manifest, write_sidecars
from anonbench.data.regions import Region, write_regions
from anonbench.datasets import DATASETS
from anonbench.stages.anonymize import anonymize, image_generator
from anonbench.stages.index import index

ENTRY = {"method": "zero", "detector": "d", "box_scale": 1.0, "jpeg_quality": 95}
Hashes = Callable[[Path], dict[str, str]]


def run(dataset: Any, output: str = "zero", workers: int = 1, plugins: list[str] | None = None, **changes: Any) -> Path:
    folder = dataset.results / output
    anonymize(
        dataset.manifest, dataset.detections, dataset.root, {**ENTRY, **changes}, dataset.sidecars, folder,
        dataset.results / f"{output}.csv", threads=workers, plugins=plugins or [],
    )  # fmt: skip
    return folder


def covered(boxes: list[Region], shape: tuple[int, ...]) -> np.ndarray:
    """(H, W) bool: whole pixels that a box touches."""
    mask = np.zeros(shape[:2], bool)
    for d in boxes:
        y0, x0 = max(0, int(np.floor(d.y0))), max(0, int(np.floor(d.x0)))
        mask[y0 : int(np.ceil(d.y1)), x0 : int(np.ceil(d.x1))] = True
    return mask


def test_the_copy_has_the_same_tree_and_names_without_what_was_dropped(make_dataset: Any) -> None:
    dataset = make_dataset()
    copy = run(dataset)
    files = sorted(str(p.relative_to(copy)) for p in copy.rglob("*") if p.is_file())
    assert files == sorted([*dataset.paths, "images.csv", "notes/readme.txt"])
    assert (dataset.root / "cam0/not_listed.png").is_file(), "else the test says nothing about dropped images"
    for sidecar in ("images.csv", "notes/readme.txt"):
        assert (copy / sidecar).read_bytes() == (dataset.root / sidecar).read_bytes()


def test_pixels_change_in_the_boxes_and_nowhere_else(make_dataset: Any) -> None:
    dataset = make_dataset()
    copy = run(dataset)
    for path in dataset.paths:
        before, after = read_image(dataset.root / path), read_image(copy / path)
        mask = covered(dataset.boxes[path], before.shape)
        np.testing.assert_array_equal(after[~mask], before[~mask])
        assert (after[mask] == 0).all()
        if not dataset.boxes[path]:
            assert (copy / path).read_bytes() == (dataset.root / path).read_bytes()


def test_jpeg_is_re_encoded_only_where_a_face_is_hidden(make_dataset: Any) -> None:
    dataset = make_dataset(".jpg")
    copy = run(dataset)
    for path in dataset.paths:
        before, after = read_image(dataset.root / path).astype(int), read_image(copy / path).astype(int)
        if not dataset.boxes[path]:
            assert (copy / path).read_bytes() == (dataset.root / path).read_bytes()
            continue
        mask = covered(dataset.boxes[path], before.shape)
        blocks = np.kron(mask.reshape(6, 8, 3, 8).any(axis=(1, 3)), np.ones((8, 8), bool))  # JPEG works on 8 x 8
        assert np.abs(after - before)[~blocks].mean() < 3  # noise at quality 95
        assert after[mask].mean() < 8
        assert before[mask].mean() > 80


def test_jpeg_quality_is_that_of_the_entry(make_dataset: Any) -> None:
    dataset = make_dataset(".jpg")
    good, poor = run(dataset, "good", jpeg_quality=95), run(dataset, "poor", jpeg_quality=20)
    hidden = [p for p in dataset.paths if dataset.boxes[p]]
    assert all((poor / p).stat().st_size < 0.6 * (good / p).stat().st_size for p in hidden)


def test_boxes_are_enlarged_about_their_centre(make_dataset: Any) -> None:
    dataset = make_dataset()
    one, wide = run(dataset, "one"), run(dataset, "wide", box_scale=1.5)
    for path in dataset.paths:
        black_one, black_wide = ((read_image(folder / path) == 0).all(axis=2) for folder in (one, wide))
        assert (black_wide | ~black_one).all(), "what was hidden stays hidden"
        assert (black_wide.sum() > black_one.sum()) == bool(dataset.boxes[path])


def test_the_manifest_of_the_copy_describes_the_copy(make_dataset: Any, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = make_dataset()
    copy = run(dataset)
    before = {i.path: i for i in read_manifest(dataset.manifest)}
    rows = read_manifest(dataset.results / "zero.csv")
    assert [r.path for r in rows] == dataset.paths
    for row in rows:
        assert row.sha256 == sha256((copy / row.path).read_bytes())
        assert (row.sha256 == before[row.path].sha256) == (not dataset.boxes[row.path])
        assert (row.labels, row.split) == (before[row.path].labels, before[row.path].split)
    assert "anonymize: 6 of 9 images changed, 3 copied byte for byte" in capsys.readouterr().out


def test_the_raw_folder_is_left_as_it_was(make_dataset: Any, hashes: Hashes) -> None:
    dataset = make_dataset()
    before = hashes(dataset.root)
    run(dataset)
    assert hashes(dataset.root) == before


@pytest.mark.parametrize("method", [n for n in ANONYMIZERS.names() if n not in ("pix2pix", "gan_inpaint")])  # weights
def test_a_copy_is_the_same_each_time(method: str, make_dataset: Any, hashes: Hashes) -> None:
    dataset = make_dataset()
    assert hashes(run(dataset, "first", method=method)) == hashes(run(dataset, "again", method=method))


NOISE = """
from dataclasses import dataclass
import numpy as np
from anonbench.anonymizers import ANONYMIZERS

@ANONYMIZERS.register("outside_noise")
@dataclass(frozen=True)
class Noise:
    def redact(self, image, region, rng):
        x0, y0, x1, y1 = region.pixels
        return rng.integers(0, 256, (y1 - y0, x1 - x0, 3), dtype=np.uint8)
"""


def test_one_worker_and_two_write_the_same_bytes_even_of_random_numbers(
    make_dataset: Any, hashes: Hashes, write_plugin: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(write_plugin("outside_noise_module", NOISE).parent))
    dataset = make_dataset(count=70)  # more than one chunk of work
    settings = {"method": "outside_noise", "plugins": ["outside_noise_module"]}
    one, two = run(dataset, "one", 1, **settings), run(dataset, "two", 2, **settings)
    assert hashes(one) == hashes(two)
    assert (dataset.results / "one.csv").read_bytes() == (dataset.results / "two.csv").read_bytes()


def test_random_numbers_follow_from_the_path_alone() -> None:
    a, again, b = (image_generator(p).random() for p in ("cam1/a.jpg", "cam1/a.jpg", "cam1/b.jpg"))
    assert a == again
    assert a != b


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda boxes: boxes.pop("cam0/train_000.png"), r"cam0/train_000\.png is not in it\. Run the detection again"),
        (
            lambda boxes: boxes.update({"new.png": []}),
            r"\S+ is not in the manifest\. Run the detection",
        ),
        (lambda boxes: boxes.clear(), r"cam0/gallery_002\.png is not in it"),
    ],
)
def test_detections_of_another_manifest_are_refused(
    change: Callable[[dict], object], message: str, make_dataset: Any
) -> None:
    dataset = make_dataset()
    boxes = dict(dataset.boxes)
    change(boxes)
    write_regions(dataset.detections, boxes)
    with pytest.raises(DataError, match=rf"detections\.csv: does not belong to .*original\.csv: {message}"):
        run(dataset)
    assert not (dataset.results / "zero").exists()


def test_a_detections_file_that_was_cut_off_is_refused(make_dataset: Any) -> None:
    dataset = make_dataset()
    whole = dataset.detections.read_bytes()
    for share in (0.0, 0.2, 0.5, 0.9):
        dataset.detections.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(DataError, match=r"detections\.csv"):
            run(dataset)
    assert not (dataset.results / "zero").exists()


@pytest.mark.parametrize("path", ["cam0/train_000.png", "cam0/gallery_002.png"])  # with and without faces
def test_an_image_that_changed_since_it_was_indexed_is_refused(path: str, make_dataset: Any) -> None:
    dataset = make_dataset()
    (dataset.root / path).write_bytes((dataset.root / dataset.paths[4]).read_bytes())
    with pytest.raises(DataError, match=rf"{path}: has changed since it was indexed\. Index the dataset again"):
        run(dataset)
    assert sorted(p.name for p in dataset.results.iterdir() if "zero" in p.name) == []


def test_a_missing_image_and_a_missing_sidecar_are_named(make_dataset: Any) -> None:
    dataset = make_dataset()
    (dataset.root / "notes/readme.txt").unlink()
    with pytest.raises(DataError, match=r"notes/readme\.txt: cannot be read \(No such file"):
        run(dataset)
    (dataset.root / "notes/readme.txt").write_text("mine\n")
    (dataset.root / dataset.paths[3]).unlink()
    with pytest.raises(DataError, match=r"cam0/train_000\.png: cannot be read|cam\d/\w+\.png: cannot be read"):
        run(dataset)
    assert sorted(p.name for p in dataset.results.iterdir() if "zero" in p.name) == []


def test_a_failure_in_the_middle_leaves_no_folder(make_dataset: Any, write_plugin: Callable[[str, str], Path]) -> None:
    write_plugin(
        "outside_fail",
        NOISE.replace("outside_noise", "outside_fail").replace(
            "        x0,",
            "        if region.x0 == 0:\n            raise RuntimeError('a bug of the plug-in')\n        x0,",
        ),
    )
    dataset = make_dataset()
    with pytest.raises(RuntimeError, match="a bug of the plug-in"):
        run(dataset, method="outside_fail", plugins=["outside_fail"])
    assert sorted(p.name for p in dataset.results.iterdir()) == [
        "detections.csv", "dropped.csv", "original.csv", "sidecars.csv", "splits.csv",
    ]  # fmt: skip


def test_a_folder_with_content_is_never_overwritten(make_dataset: Any) -> None:
    dataset = make_dataset()
    run(dataset)
    (dataset.results / "zero/mine.txt").write_text("precious")
    with pytest.raises(DataError, match="already there and not empty"):
        run(dataset)
    assert (dataset.results / "zero/mine.txt").read_text() == "precious"


def test_an_unknown_parameter_stops_before_anything_is_written(make_dataset: Any) -> None:
    dataset = make_dataset()
    with pytest.raises(
        ConfigError, match="anonymizer 'zero' has no parameter 'jpeg_qualiti': did you mean 'jpeg_quality'"
    ):
        run(dataset, jpeg_qualiti=9)
    assert not (dataset.results / "zero").exists()


STOPPING = """
import os
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from anonbench.anonymizers import ANONYMIZERS

@ANONYMIZERS.register("outside_stopping")
@dataclass(frozen=True)
class Stopping:
    shade: int = 0

    def redact(self, image, region, rng):
        done = Path(os.environ["REDACTED"])
        with done.open("a") as stream:
            stream.write("x")
        if os.environ["STOP"] == str(done.stat().st_size):
            raise KeyboardInterrupt
        x0, y0, x1, y1 = region.pixels
        return np.full((y1 - y0, x1 - x0, 3), self.shade, np.uint8)
"""


@pytest.fixture
def run_until(
    make_dataset: Any, write_plugin: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Any]:
    """Anonymizes 9 images with 9 boxes, is interrupted at a box (0: never), and counts the boxes of all runs."""
    write_plugin("outside_stopping", STOPPING)
    dataset = make_dataset()
    monkeypatch.setenv("REDACTED", str(tmp_path / "redacted"))

    def go(box: int, output: str = "out", code: str = "c", **changes: Any) -> tuple[Any, int]:
        monkeypatch.setenv("STOP", str(box))
        entry = {**ENTRY, "method": "outside_stopping", **changes}
        folder, manifest = dataset.results / output, dataset.results / f"{output}.csv"
        with contextlib.suppress(KeyboardInterrupt):
            anonymize(
                dataset.manifest, dataset.detections, dataset.root, entry, dataset.sidecars, folder, manifest,
                plugins=["outside_stopping"], resume_dir=tmp_path / "resume", code=code,
            )  # fmt: skip
        return dataset, (tmp_path / "redacted").stat().st_size

    return go


def test_an_interrupted_run_goes_on_and_ends_as_if_undisturbed(
    run_until: Callable[..., Any], hashes: Hashes, tmp_path: Path
) -> None:
    dataset, boxes = run_until(0, "whole")
    assert boxes == 9
    assert not (tmp_path / "resume").exists()
    (tmp_path / "redacted").unlink()
    _, boxes = run_until(5)
    assert boxes == 5
    assert not (dataset.results / "out").exists()
    assert not (dataset.results / "out.csv").exists()
    _, boxes = run_until(0)
    assert boxes in (10, 11), "the box, or both boxes, of the image at which it was stopped were done twice"
    assert hashes(dataset.results / "out") == hashes(dataset.results / "whole")
    assert (dataset.results / "out.csv").read_bytes() == (dataset.results / "whole.csv").read_bytes()
    assert not (tmp_path / "resume").exists()


@pytest.mark.parametrize("change", [{"shade": 9}, {"box_scale": 1.5}, {"code": "another"}])
def test_what_was_done_with_other_settings_is_not_used(
    change: dict[str, Any], run_until: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    run_until(5)
    _, boxes = run_until(0, **change)
    assert boxes == 5 + 9
    assert "belongs to other settings, images or another version of the code; anonymize starts afresh" in caplog.text


def test_other_boxes_start_afresh(run_until: Callable[..., Any]) -> None:
    dataset, _ = run_until(5)
    write_regions(dataset.detections, {p: [Region((1, 1, 5, 5), score=0.5)] for p in dataset.paths})
    assert run_until(0)[1] == 5 + 9


@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(b""), lambda file: file.unlink()])
def test_an_image_that_did_not_survive_is_written_again(
    damage: Callable[[Path], None], run_until: Callable[..., Any], hashes: Hashes, tmp_path: Path
) -> None:
    dataset, _ = run_until(0, "whole")
    (tmp_path / "redacted").unlink()
    run_until(9)
    damage(
        next(
            p for p in sorted((tmp_path / "resume/files").rglob("*.png")) if dataset.boxes[p.parent.name + "/" + p.name]
        )
    )
    run_until(0)
    assert hashes(dataset.results / "out") == hashes(dataset.results / "whole")


def test_an_output_with_content_is_refused_with_a_state_too(run_until: Callable[..., Any], tmp_path: Path) -> None:
    dataset, _ = run_until(5)
    (dataset.results / "out").mkdir()
    (dataset.results / "out/mine.txt").write_text("precious")
    with pytest.raises(DataError, match="already there and not empty"):
        run_until(0)
    (dataset.results / "out/mine.txt").unlink()
    assert run_until(0)[1] in (10, 11), "what was finished is still used"


def test_a_manifest_that_cannot_be_written_leaves_no_folder(make_dataset: Any) -> None:
    dataset = make_dataset()
    (dataset.results / "zero.csv").mkdir()
    with pytest.raises(DataError, match=r"zero\.csv: cannot be written .*There is a folder where a file is needed"):
        run(dataset)
    assert not (dataset.results / "zero").exists()


def test_a_box_that_would_hide_nothing_is_refused(make_dataset: Any) -> None:
    dataset = make_dataset()
    path = dataset.paths[0]
    write_regions(dataset.detections, {**dataset.boxes, path: [Region((0.2, 0.1, 0.4, 0.3))]})
    with pytest.raises(DataError, match=rf"{path}: box 0\.2, 0\.1, 0\.4, 0\.3: less than a pixel .* Correct its row"):
        run(dataset)


def test_what_comes_out_as_it_was_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A black picture blackened."""
    Image.fromarray(np.zeros((20, 10, 3), np.uint8)).save(tmp_path / "a.bmp")
    digest = sha256((tmp_path / "a.bmp").read_bytes())
    write_manifest(tmp_path / "m.csv", [Picture("a.bmp", "query", 10, 20, digest, {"pid": 1, "camid": 1})])
    write_regions(tmp_path / "d.csv", {"a.bmp": [Region((1, 1, 9, 9))]})
    write_sidecars(tmp_path / "s.csv", [])
    anonymize(tmp_path / "m.csv", tmp_path / "d.csv", tmp_path, ENTRY, tmp_path / "s.csv", tmp_path / "zero",
              tmp_path / "zero.csv")  # fmt: skip
    assert "1 images came out as they were, though they have something to hide" in capsys.readouterr().out


def test_boxes_too_small_for_a_parameter_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Six cells a side need twelve pixels."""
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "a.bmp")
    digest = sha256((tmp_path / "a.bmp").read_bytes())
    write_manifest(tmp_path / "m.csv", [Picture("a.bmp", "query", 40, 40, digest, {"pid": 1, "camid": 1})])
    write_regions(tmp_path / "d.csv", {"a.bmp": [Region((0, 0, 12, 12)), Region((20, 20, 32, 31))]})
    write_sidecars(tmp_path / "s.csv", [])
    for n, words in ((6, "1 of 2 boxes are too small for the parameters of 'pixelate', which are less there"), (5, "")):
        entry = {**ENTRY, "method": "pixelate", "n": n}
        anonymize(tmp_path / "m.csv", tmp_path / "d.csv", tmp_path, entry, tmp_path / "s.csv", tmp_path / f"copy{n}",
                  tmp_path / f"{n}.csv")  # fmt: skip
        said = capsys.readouterr().out
        assert words in said
        assert ("too small" in said) == bool(words)


# --- what a copy holds, and controls ---


def test_a_copy_keeps_the_originals_compression(make_dataset: Any) -> None:
    dataset = make_dataset(".jpg")
    copy = run(dataset, jpeg_quality="keep")
    for path in dataset.paths:
        with Image.open(dataset.root / path) as before, Image.open(copy / path) as after:
            assert before.quantization == after.quantization  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [0, 101, "best", True, 90.5])
def test_an_impossible_quality_is_refused(value: object, make_dataset: Any) -> None:
    with pytest.raises(ConfigError, match=r"jpeg_quality is .*; expected keep, or a whole number from 1 to 100"):
        run(make_dataset(), jpeg_quality=value)


def test_the_control_none_encodes_the_same_pictures_and_hides_nothing(make_dataset: Any, capsys: Any) -> None:
    dataset = make_dataset(".jpg")
    control, zero = run(dataset, "none", control="none"), run(dataset, "zero")
    for path in dataset.paths:
        raw, none, hidden = ((folder / path).read_bytes() for folder in (dataset.root, control, zero))
        assert (none == raw) == (hidden == raw) == (not dataset.boxes[path])
        assert np.abs(read_image(control / path).astype(int) - read_image(dataset.root / path)).mean() < 3
    assert "anonymize: a control (none): every face is as visible as in the original. Never" in capsys.readouterr().out


def test_the_control_beside_changes_as_much_and_no_pixel_of_a_region(make_dataset: Any, capsys: Any) -> None:
    dataset = make_dataset()
    control = run(dataset, "beside", control="beside")
    for path in dataset.paths:
        before, after = read_image(dataset.root / path), read_image(control / path)
        changed, mask = (before != after).any(axis=2), covered(dataset.boxes[path], before.shape)
        assert not changed[mask].any()
        assert changed.any() == bool(dataset.boxes[path])
    assert "boxes left out" not in capsys.readouterr().out


def test_an_unknown_control_lists_the_known(make_dataset: Any) -> None:
    with pytest.raises(ConfigError, match="unknown control 'besides': did you mean 'beside'"):
        run(make_dataset(), control="besides")


# --- a detector's mistakes, made on purpose ---


def changed_pixels(dataset: Any, copy: Path) -> dict[str, np.ndarray]:
    return {p: (read_image(dataset.root / p) != read_image(copy / p)).any(axis=2) for p in dataset.paths}


def test_missed_regions_stay_as_they_were_and_all_others_are_hidden(make_dataset: Any, capsys: Any) -> None:
    dataset = make_dataset(count=30)
    changed = changed_pixels(dataset, run(dataset, "missed", missed=0.4))
    missed = total = 0
    for path in dataset.paths:
        found = dataset.boxes[path]
        left = [box for box in found if not changed[path][covered([box], changed[path].shape)].any()]
        missed, total = missed + len(left), total + len(found)
        hidden = covered([box for box in found if box not in left], changed[path].shape)
        np.testing.assert_array_equal(changed[path], hidden)
    assert 0 < missed < total == 30
    text = f"anonymize: {missed} of {total} regions missed on purpose: they are as visible as in the original. Never"
    said = capsys.readouterr().out
    assert text in said
    assert "left out" not in said


def test_false_boxes_are_hidden_beside_what_was_found(make_dataset: Any, capsys: Any) -> None:
    dataset = make_dataset()
    changed = changed_pixels(dataset, run(dataset, "false", false_boxes=1))
    areas = {8 * 13, 10 * 18, 9 * 8}  # of the dataset's boxes, in whole pixels inside the picture
    put = 0
    for path in dataset.paths:
        found = covered(dataset.boxes[path], changed[path].shape)
        assert changed[path][found].all()
        extra = int((changed[path] & ~found).sum())
        assert extra in {*areas, 0}
        put += extra > 0
    assert put >= 6
    assert f"anonymize: {put} boxes put where nothing was found, {9 - put} had no place" in capsys.readouterr().out


def test_copies_with_mistakes_are_the_same_each_time(make_dataset: Any, hashes: Hashes) -> None:
    dataset = make_dataset()
    spoilt = {"missed": 0.3, "false_boxes": 2}
    assert hashes(run(dataset, "first", **spoilt)) == hashes(run(dataset, "again", workers=2, **spoilt))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"missed": 0}, r"missed is 0; expected a share of the regions, above 0 and below 1"),
        ({"missed": 1.0}, r"missed is 1\.0; expected a share"),
        ({"missed": "many"}, r"missed is 'many'; expected a share"),
        ({"false_boxes": 0}, r"false_boxes is 0; expected a number of boxes in each picture, 1 or more"),
        ({"false_boxes": 0.5}, r"false_boxes is 0\.5; expected a number"),
        ({"missed": 0.2, "control": "none"}, r"a control hides no face, so that 'missed' says nothing"),
        ({"false_boxes": 1, "control": "beside"}, r"a control hides no face, so that 'false_boxes' says nothing"),
    ],
)
def test_mistakes_that_cannot_be_made(entry: dict[str, Any], message: str, make_dataset: Any) -> None:
    dataset = make_dataset()
    with pytest.raises(ConfigError, match=message):
        run(dataset, **entry)
    assert not (dataset.results / "zero").exists()


def test_what_is_copied_beside_the_images_is_said(make_dataset: Any, capsys: Any) -> None:
    run(make_dataset())
    assert "beside the images: images.csv (path, pid, camid, split), notes/readme.txt" in capsys.readouterr().out


def test_a_copy_does_not_hold_what_is_left_out(make_dataset: Any, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = make_dataset()
    gone, kept = dataset.paths[4], [path for path in dataset.paths if path != dataset.paths[4]]
    (dataset.root / "notes/readme.txt").write_text(f"the best one: {gone}\n")
    entry = {"format": "folder", "leave_out": [gone]}
    files = [dataset.manifest, dataset.results / "dropped.csv", dataset.sidecars, dataset.results / "splits.csv"]
    index(dataset.root, entry, *files)
    write_regions(dataset.detections, {path: dataset.boxes[path] for path in kept})
    copy = dataset.results / "zero"
    anonymize(
        dataset.manifest, dataset.detections, dataset.root, ENTRY, dataset.sidecars, copy, dataset.results / "zero.csv",
        dropped=files[1],
    )  # fmt: skip
    assert not (copy / gone).exists()
    assert gone not in (copy / "images.csv").read_text()
    assert [i.path for i in DATASETS.get("folder")(copy).images] == kept, "the copy can be read as the original is"
    assert [image.path for image in read_manifest(dataset.results / "zero.csv")] == kept
    said = f"anonymize: notes/readme.txt still names 1 images that are left out, the first: {gone}\n"
    assert said in capsys.readouterr().out
