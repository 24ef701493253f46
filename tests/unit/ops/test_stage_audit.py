"""The audit as an owner does it: draw, fill in, report; and once on 200 rendered crops by a simulated reviewer."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from anonbench.core.errors import AnonbenchError, ConfigError, DataError
from anonbench.data.annotations import read_annotations as read_boxes
from anonbench.data.entries import REAL_PEOPLE
from anonbench.data.images import encode_image, read_image
from anonbench.data.pictures import Picture, write_manifest
from anonbench.data.regions import Region, write_regions
from anonbench.detectors import DETECTORS
from anonbench.ops.audit import (
    Audited,
    _draw_sheets,
    draw_audit,
    find_audited,
    refuse_public_folder,
    report_audit,
)
from anonbench.rendered import RenderSpec, Studio
from anonbench.rendered.plan import plan_crops
from anonbench.stages.anonymize import anonymize
from anonbench.stages.detect import detect
from anonbench.stages.index import index
from anonbench.stages.unite import unite
from anonbench.tasks.detection.audit.sample import draw_sample
from anonbench.tasks.detection.audit.verdicts import Listed, parse_verdict, tally
from anonbench.tasks.detection.wider import Faces, mark

Fill = Callable[[dict[str, str]], str]


def fill(folder: Path, verdict: Fill, upto: int | None = None) -> Path:
    """Write a verdict into each row (or the first so many), as a person would into a spreadsheet."""
    with (folder / "annotations.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows[:upto]:
        row["verdict"] = verdict(row)
    with (folder / "filled.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "filled.csv"


@pytest.fixture
def audited(make_dataset: Callable[..., Any]) -> Audited:
    dataset = make_dataset(count=9)
    return Audited("mine", "finder", dataset.manifest, dataset.root, dataset.detections)


# --- drawing ---


def test_what_is_drawn(audited: Audited, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "audit"
    draw_audit(audited, folder, size=6, seed=1, review=2)
    with (folder / "annotations.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["number"] for row in rows] == list("123456")
    assert sorted(row["camera"] for row in rows) == ["0", "0", "0", "1", "1", "1"]  # five and four images
    assert {row["sheet"] for row in rows} == {"sheet_01.png"}
    boxes = {Path(path).stem[-3:]: count for path, count in zip(audited.read()[1], [2, 1, 0] * 3, strict=True)}
    assert all(int(row["boxes"]) == boxes[Path(row["path"]).stem[-3:]] for row in rows)
    assert all(row["verdict"] == "" for row in rows)
    assert Image.open(folder / "sheet_01.png").size[0] > 2000
    with (folder / "review.csv").open(newline="") as stream:
        review = list(csv.DictReader(stream))
    assert [row["reason"] for row in review] == ["no box", "no box", "no box"]
    assert [row["sheet"] for row in review] == ["review_01.png", "review_01.png", ""]
    text = capsys.readouterr().out
    assert "audit: 6 of 9 images on 1 sheets" in text
    assert f"anonbench audit mine --detector finder --filled {folder / 'annotations.csv'}" in text
    assert "REAL PEOPLE" in (folder / "README.txt").read_text()


def test_the_same_seed_draws_the_same(audited: Audited, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        draw_audit(audited, tmp_path / name, size=6, seed=seed)
    a, b, c = ({f.name: f.read_bytes() for f in (tmp_path / n).iterdir() if f.suffix != ".txt"} for n in "abc")
    assert a == b
    assert a["annotations.csv"] != c["annotations.csv"]


def test_a_larger_sample_keeps_the_verdicts(
    audited: Audited, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_audit(audited, tmp_path, size=3)
    fill(tmp_path, lambda row: "f").replace(tmp_path / "annotations.csv")
    draw_audit(audited, tmp_path, size=9)
    with (tmp_path / "annotations.csv").open(newline="") as stream:
        verdicts = [row["verdict"] for row in csv.DictReader(stream)]
    assert verdicts.count("f") == 3
    assert "3 verdicts kept" in capsys.readouterr().out
    draw_audit(audited, tmp_path, size=1)
    assert "2 verdicts on images that are no longer in the sample" in capsys.readouterr().out
    assert (tmp_path / "annotations.before.csv").read_text().count(",f,") == 3


def test_pictures_of_real_people_do_not_go_where_git_takes_them(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("/results/\n")
    for place in ("sheets", "docs/images", "."):
        with pytest.raises(ConfigError, match=r"git would take what is written there.*Write below results/"):
            refuse_public_folder(tmp_path / place, rendered=False)
    refuse_public_folder(tmp_path / "results/audit/x", rendered=False)
    refuse_public_folder(tmp_path / "docs", rendered=True)
    refuse_public_folder(tmp_path.parent / "outside", rendered=False)


def test_a_list_of_scenes_and_crops_loses_no_picture(tmp_path: Path) -> None:
    """Of 72 pictures 37 are crops, the last 35 scenes: a sheet of 36 that judged for itself would hold 9 of them."""
    sizes = [(8, 16)] * 37 + [(16, 12)] * 35
    images = []
    for number, (width, height) in enumerate(sizes):
        path = f"{number:03d}.png"
        Image.new("RGB", (width, height), (number, 90, 40)).save(tmp_path / path)
        images.append(Picture(path, "query", width, height, "", {"pid": 1, "camid": 1}))
    audited = Audited("mine", "finder", tmp_path / "m.csv", tmp_path, tmp_path / "d.csv", True)
    shown = _draw_sheets(audited, images, {i.path: [] for i in images}, tmp_path / "sheets", "sheet", "all")
    assert len(shown) == 72
    heights = [Image.open(tmp_path / "sheets" / name).size for name in ("sheet_01.png", "sheet_02.png")]
    assert heights[0] == heights[1]
    second = np.asarray(Image.open(tmp_path / "sheets/sheet_02.png"))
    for number in range(36, 72):
        assert (second == (number, 90, 40)).all(axis=2).sum() > 1000, number


def test_an_image_without_detections_stops(audited: Audited, tmp_path: Path) -> None:
    lines = audited.detections.read_text().splitlines()
    audited.detections.write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(DataError, match=r"detections\.csv: does not list .* \(1 of 9 images of .*\)\. Detect again"):
        draw_audit(audited, tmp_path)


# --- reporting ---


def test_a_report_by_hand(audited: Audited, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nine images with 2, 1, 0 boxes, three each: of the two boxes one is wrong; the images without hold one face."""
    draw_audit(audited, tmp_path, size=9)
    filled = fill(tmp_path, lambda row: {"2": "w", "1": "f", "0": "m"}[row["boxes"]])
    capsys.readouterr()
    report = report_audit(audited, tmp_path, filled)
    found = report["cameras"]["all"]
    assert (found["images"], found["right"], found["wrong"], found["missed"]) == (9, 6, 3, 3)
    assert found["recall"]["value"] == pytest.approx(6 / 9, abs=1e-6)
    assert found["recall"]["wilson"] == pytest.approx([0.354202, 0.879416], abs=1e-5)
    assert found["recall"]["clopper_pearson"] == pytest.approx([0.299302, 0.925145], abs=1e-5)
    assert found["precision"]["n"] == 9
    assert found["image_recall"]["value"] == pytest.approx(6 / 9, abs=1e-6)
    assert list(report["cameras"]) == ["all", "0", "1"]
    assert sum(report["cameras"][c]["images"] for c in "01") == 9
    assert report == json.loads((tmp_path / "report.json").read_text())
    with (tmp_path / "report.csv").open(newline="") as stream:
        rows = {row["camera"]: row for row in csv.DictReader(stream)}
    assert float(rows["all"]["recall_wilson_low"]) == pytest.approx(0.354202, abs=1e-5)
    page = capsys.readouterr().out
    assert page.strip() == (tmp_path / "report.md").read_text().strip()
    for words in ("9 of 9 images were judged", "**66.7 %**, 35.4 to 87.9 (29.9 to 92.5); 6 of 9", "± 5 points",
                  "of all 9 images about 3 (1 to 6)", "368 images with a face, without a single miss",
                  "Faces of one image are not counted as independent", "9 independent faces"):  # fmt: skip
        assert words in page
    assert "rendered" not in page.lower()


def test_sample_sizes_follow_from_what_was_seen(audited: Audited, tmp_path: Path) -> None:
    draw_audit(audited, tmp_path, size=9)
    report = report_audit(audited, tmp_path, fill(tmp_path, lambda row: "m" if row["boxes"] == "0" else "f"))
    sizes = {entry["half_width"]: entry for entry in report["sample_sizes"]}
    recall = report["cameras"]["all"]["recall"]
    assert recall["n"] == 12  # in nine images
    # p = 3/4; three images each of 2 of 2, 1 of 1 and 0 of 1 faces: (.5, .25, .75) squared, 2.625 of 2.25 expected
    assert recall["effective"] == pytest.approx(12 * 2.25 / 2.625, abs=1e-6)
    with (tmp_path / "report.csv").open(newline="") as stream:
        row = next(csv.DictReader(stream))
    assert float(row["recall_effective"]) == pytest.approx(recall["effective"])
    assert float(row["precision_effective"]) == 6  # all nine boxes are right: each of their six images counts as one
    half = 2.625 / 2.25 * 1.959964**2 * recall["value"] * (1 - recall["value"]) / 0.05**2
    assert sizes[0.05]["faces"] == pytest.approx(half, rel=0.05)
    assert sizes[0.05]["images"] == pytest.approx(sizes[0.05]["faces"] * 9 / 12, abs=1)


def test_who_stops_early_is_told_how_much_is_left(
    audited: Audited, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_audit(audited, tmp_path, size=9)
    filled = fill(tmp_path, lambda row: "s" if row["boxes"] == "0" else "f", upto=5)
    report = report_audit(audited, tmp_path, filled)
    assert report["cameras"]["all"]["left"] == 4
    text = capsys.readouterr().out
    assert "4 of the sample not looked at yet" in text
    assert "skipped" in text


def test_what_cannot_be_reported(audited: Audited, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"audit\.json: cannot be read .* Draw the sample again"):
        report_audit(audited, tmp_path, tmp_path / "annotations.csv")
    draw_audit(audited, tmp_path, size=9)
    with pytest.raises(DataError, match=r"annotations\.csv: no verdict yet\. README\.txt beside it says how"):
        report_audit(audited, tmp_path, tmp_path / "annotations.csv")
    filled = fill(tmp_path, lambda row: "f")
    found = audited.read()[1]
    write_regions(audited.detections, {**found, next(iter(found)): []})
    with pytest.raises(DataError, match=r"has changed since the sheets in .* were drawn.*--output"):
        report_audit(audited, tmp_path, filled)
    filled.replace(tmp_path / "annotations.csv")
    with pytest.raises(DataError, match=r"has changed since the sheets"):
        draw_audit(audited, tmp_path, size=9)


def test_a_default_box_is_no_find(audited: Audited, tmp_path: Path) -> None:
    images, _ = audited.read()
    default = Region((2, 2, 9, 9), score=0.0, source="default")
    write_regions(audited.detections, {image.path: [default] for image in images})
    draw_audit(audited, tmp_path, size=4)
    report = report_audit(audited, tmp_path, fill(tmp_path, lambda row: {"0": "m"}[row["boxes"]]))
    assert report["cameras"]["all"]["recall"]["value"] == 0


# --- what it found is hidden, or left out ---


def write_by_hand(file: Path, path: str, **fields: str) -> None:
    """Write into the first row of a picture."""
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    next(row for row in rows if row["path"] == path).update(fields)
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


BOX = dict(zip(("x0", "y0", "x1", "y1"), ("3", "4", "11", "15"), strict=True))


def test_what_an_audit_found_is_hidden_or_left_out(audited: Audited, tmp_path: Path, capsys: Any) -> None:
    """The whole way: audit, its own file filled in, union, copy; and the same file as list of pictures to leave out."""
    folder, results = tmp_path / "audit", tmp_path / "results"
    draw_audit(audited, folder, size=9)
    _, found = audited.read()
    missed, out, _ = (path for path, boxes in found.items() if not boxes)
    filled = folder / "annotations.csv"
    fill(folder, lambda row: "m" if row["path"] in (missed, out) else "f").replace(filled)
    write_by_hand(filled, missed, **BOX)
    write_by_hand(filled, out, leave_out="x")
    capsys.readouterr()
    report_audit(audited, folder, filled)
    page = capsys.readouterr().out
    assert "2 missed faces; boxes by hand: 1; marks to leave out: 1. In your config" in page
    config = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    assert config["datasets"] == {"mine": {"leave_out": [str(filled)]}}
    assert config["detectors"]["mine_finder_all"] == {"method": "union", "of": ["finder", "mine_finder_missed"]}

    files = {name: results / f"{name}.csv" for name in ("original", "dropped", "sidecars", "splits", "hand", "finder")}
    entry = {"format": "folder", **config["datasets"]["mine"]}
    index(audited.root, entry, files["original"], files["dropped"], files["sidecars"], files["splits"], [filled])
    detect(files["original"], audited.root, config["detectors"]["mine_finder_missed"], files["hand"], boxes=filled)
    write_regions(files["finder"], {path: boxes for path, boxes in found.items() if path != out})
    unite(files["original"], [files["finder"], files["hand"]], results / "all.csv")
    variant = {"method": "zero", "detector": "mine_finder_all", "box_scale": 1.0, "jpeg_quality": "keep"}
    anonymize(
        files["original"], results / "all.csv", audited.root, variant, files["sidecars"], results / "copy",
        results / "copy.csv", dropped=files["dropped"],
    )  # fmt: skip
    copy, original = (read_image(root / missed) for root in (results / "copy", audited.root))
    assert (copy[4:15, 3:11] == 0).all()
    copy[4:15, 3:11] = original[4:15, 3:11]
    assert (copy == original).all()
    assert not (results / "copy" / out).exists()
    assert out not in "".join(file.read_text() for file in (files["original"], results / "copy" / "images.csv"))
    assert f"{out},left out by {filled}\n" in files["dropped"].read_text()


def test_boxes_by_hand_stay_when_a_sample_grows_and_are_never_lost(audited: Audited, tmp_path: Path) -> None:
    draw_audit(audited, tmp_path, size=3)
    before = (tmp_path / "annotations.csv").read_text().splitlines()[1].rpartition(",")[2]
    suspect = (tmp_path / "review.csv").read_text().splitlines()[1].rpartition(",")[2]
    write_by_hand(tmp_path / "annotations.csv", before, **BOX)
    write_by_hand(tmp_path / "review.csv", suspect, leave_out="x", **BOX)
    draw_audit(audited, tmp_path, size=9)
    for name, path, marks in (("annotations", before, "3,4,11,15,,"), ("review", suspect, "3,4,11,15,x,")):
        assert f"{marks}{path}\n" in (tmp_path / f"{name}.csv").read_text()
    assert len(read_boxes(tmp_path / "review.csv").regions[suspect]) == 1

    filled = fill(tmp_path, lambda row: "m" if row["x0"] else "f")
    report_audit(audited, tmp_path, filled)
    config = yaml.safe_load((tmp_path / "report.md").read_text().partition("```yaml\n")[2].partition("```")[0])
    files = [str(filled), str(tmp_path / "review.csv")]
    assert [entry.get("boxes") for entry in config["detectors"].values()] == [*files, None]
    assert config["datasets"]["mine"]["leave_out"] == files[1:]

    _, found = audited.read()
    write_regions(audited.detections, {**found, suspect: [Region((3, 4, 11, 15), score=1.0)]})
    written = (tmp_path / "review.csv").read_bytes()
    with pytest.raises(DataError, match=rf"review\.csv: has a box by hand, .* for {suspect} \(1 pictures\).*--output"):
        draw_audit(audited, tmp_path, size=9)
    assert (tmp_path / "review.csv").read_bytes() == written


# --- files of a dataset of the configuration ---


def config_with(tmp_path: Path, *detectors: str) -> dict[str, Any]:
    for name in detectors:
        write_regions(tmp_path / f"results/detections/street/{name}.csv", {})
    return {
        "datasets": {"street": {"format": "folder", "root": "data/street"}},
        "detectors": {name: {"method": "centerface"} for name in ("one", "two", "three")},
        "variants": {"blur": {"detector": "two"}},
    }


def test_files_of_a_dataset_of_the_configuration(tmp_path: Path) -> None:
    config = config_with(tmp_path, "one")
    found = find_audited("street", None, config, tmp_path)
    assert (found.detector, found.rendered) == ("one", False)
    assert found.detections == tmp_path / "results/detections/street/one.csv"
    assert (found.manifest, found.root) == (
        tmp_path / "results/manifests/street/original.csv",
        tmp_path / "data/street",
    )
    config["datasets"]["street"] |= {"unpack": True, "render": {}}
    found = find_audited("street", "one", config, tmp_path)
    assert (found.root, found.rendered) == (tmp_path / "results/images/street/original", True)


def test_which_detector_and_which_dataset(tmp_path: Path) -> None:
    with pytest.raises(AnonbenchError, match=r"street has no detections yet\. Run snakemake .*street/two\.csv"):
        find_audited("street", None, config_with(tmp_path), tmp_path)
    config = config_with(tmp_path, "one", "two")
    with pytest.raises(AnonbenchError, match=r"street has detections of one, two\. Choose one: --detector"):
        find_audited("street", None, config, tmp_path)
    with pytest.raises(ConfigError, match=r"unknown detector 'four'"):
        find_audited("street", "four", config, tmp_path)
    with pytest.raises(DataError, match=r"three\.csv: not there\. Run snakemake"):
        find_audited("street", "three", config, tmp_path)
    with pytest.raises(ConfigError, match=r"unknown dataset 'stret': did you mean 'street'"):
        find_audited("stret", None, config, tmp_path)


def test_the_command(audited: Audited, tmp_path: Path, monkeypatch: Any, run_command: Callable[..., Any]) -> None:
    named = ("--manifest", audited.manifest, "--root", audited.root, "--detections", audited.detections)
    outcome = run_command("audit", "mine", *named, "--sample", 4, "--output", tmp_path / "a")
    assert outcome.status == 0, outcome.errors
    filled = fill(tmp_path / "a", lambda row: "f")
    outcome = run_command("audit", "mine", *named, "--output", tmp_path / "a", "--filled", filled)
    assert outcome.status == 0, outcome.errors
    assert "# What detections missed on mine" in outcome.output
    outcome = run_command("audit", "mine", "--root", audited.root)
    assert outcome.status == 2
    assert "belong together; name all three or none" in outcome.errors

    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/default.yaml").write_text(yaml.safe_dump(config_with(tmp_path)))
    outcome = run_command("audit", "street")
    assert outcome.status == 2
    assert "street has no detections yet" in outcome.errors


@pytest.fixture
def workflow(audited: Audited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a workflow whose overlay, not its default configuration, knows the dataset; its working folder."""
    folder = tmp_path / "workflow"
    config = config_with(folder, "one", "two")
    overlay = {"datasets": {"mine": {"format": "folder", "root": str(audited.root)}}}
    for path, content in (("config/default.yaml", config), ("mine.yaml", overlay)):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(yaml.safe_dump(content))
    for source, path in (
        (audited.manifest, "manifests/mine/original.csv"),
        (audited.detections, "detections/mine/two.csv"),
    ):
        (folder / "results" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / "results" / path)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("way", ["configfile", "output", "files"])
def test_the_printed_command_reports_what_was_drawn(
    way: str, audited: Audited, workflow: Path, run_command: Callable[..., Any]
) -> None:
    named = ("--manifest", audited.manifest, "--root", audited.root, "--detections", audited.detections)
    options: dict[str, tuple[object, ...]] = {
        "configfile": ("--configfile", "mine.yaml"),
        "output": ("--configfile", "mine.yaml", "--output", "results/my sheets"),
        "files": (*named, "--detector", "finder", "--rendered"),
    }
    drawn = run_command("audit", "mine", *options[way], "--sample", 4)
    assert drawn.status == 0, drawn.errors
    (command,) = (line.strip() for line in drawn.output.splitlines() if line.startswith("  anonbench audit"))
    folder = Path(shlex.split(command)[-1]).parent
    assert f"Then: {command}\n" in (folder / "README.txt").read_text()
    fill(folder, lambda row: "f").replace(folder / "annotations.csv")
    reported = run_command(*shlex.split(command)[1:])
    assert reported.status == 0, reported.errors
    report = json.loads((folder / "report.json").read_text())
    assert (report["dataset"], report["detector"]) == ("mine", "finder" if way == "files" else "two")
    assert report["rendered"] == (way == "files")
    assert not list(workflow.glob("results/audit/mine/*/report.json")) or way != "output"


def test_a_filled_file_of_another_sample_or_elsewhere(
    audited: Audited, workflow: Path, run_command: Callable[..., Any]
) -> None:
    named = ("--manifest", audited.manifest, "--root", audited.root, "--detections", audited.detections)
    assert run_command("audit", "mine", *named, "--sample", 4, "--output", "results/a").status == 0
    filled = fill(Path("results/a"), lambda row: "f")
    outcome = run_command("audit", "street", "--filled", filled)
    assert outcome.status == 2
    assert "results/a/audit.json: the sample is of the dataset 'mine', not of 'street'" in outcome.errors
    outcome = run_command("audit", "mine", "--detector", "two", "--filled", filled)
    assert outcome.status == 2
    assert "the sample is of the detector 'detections', not of 'two'" in outcome.errors
    outcome = run_command("audit", "mine", "--root", audited.root, "--filled", filled)
    assert "belong together" in outcome.errors
    assert run_command("audit", "mine", "--filled", filled, *named).status == 0
    Path("elsewhere.csv").write_bytes(filled.read_bytes())
    outcome = run_command("audit", "mine", "--filled", "elsewhere.csv", "--output", "results/a")
    assert outcome.status == 0, outcome.errors
    outcome = run_command("audit", "mine", "--filled", "elsewhere.csv")
    assert outcome.status == 2
    assert "unknown dataset 'mine'" in outcome.errors
    for text, message in (("{}", "audit.json: dataset is missing"), ("[", "audit.json: cannot be read")):
        Path("results/a/audit.json").write_text(text)
        outcome = run_command("audit", "mine", "--filled", filled)
        assert message in outcome.errors
        assert "Draw the sample again" in outcome.errors


# --- once as a reviewer would ---


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> tuple[Audited, dict[str, str]]:
    """Some 230 rendered crops with CenterFace's boxes, and what a reviewer who sees everything would say of each."""
    root = tmp_path_factory.mktemp("crops")
    spec = RenderSpec(
        seed=21, train_identities=12, test_identities=12, cameras=3, images_per_camera=3, junk=4, distractors=6,
        backdrops_per_camera=1, bystander_share=0.0, supersampling=1,
    )  # fmt: skip
    studio, detect = Studio(spec), DETECTORS.create({"method": "centerface"}).detect
    rows, found, verdicts = [], {}, {}
    for plan in plan_crops(spec):
        crop = studio.draw(plan)
        path = Path(plan.path).with_suffix(".png").as_posix()
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(encode_image(crop.image, ".png", 95))
        rows.append(
            Picture(path, str(plan.split), *crop.image.shape[1::-1], "", {"pid": plan.pid, "camid": plan.camid})
        )
        found[path] = detect(crop.image)
        verdicts[path] = reviewer(found[path], crop.truth.face_box, crop.truth.face_fraction)
    write_manifest(root / "manifest.csv", rows)
    write_regions(root / "boxes.csv", found)
    return Audited("rendered", "centerface", root / "manifest.csv", root, root / "boxes.csv", True), verdicts


def reviewer(found: list[Region], face: tuple[float, ...] | None, fraction: float) -> str:
    """What a reviewer writes who sees every face; half a cheek is skipped."""
    if face is None and fraction > 0:
        return "s"
    boxes = np.array([(d.x0, d.y0, d.x1, d.y1, d.score) for d in found]).reshape(len(found), 5)
    truth = np.array([face] if face else []).reshape(-1, 4)
    marks = mark(boxes, Faces(truth, np.ones(len(truth), bool)), iou=0.3)
    missed, wrong = len(truth) - int(marks.hit.sum()), int(marks.false_positive.sum())
    return " ".join([f"m{missed}"] * bool(missed) + [f"w{wrong}"] * bool(wrong)) or "f"


def test_an_audit_of_200_rendered_crops_holds_the_truth(
    crops: tuple[Audited, dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audited, verdicts = crops
    assert len(verdicts) > 220
    draw_audit(audited, tmp_path / "sample", size=200, seed=7, review=1)
    report = report_audit(audited, tmp_path / "sample", fill(tmp_path / "sample", lambda row: verdicts[row["path"]]))
    images, found = audited.read()
    judged = {
        path: (Listed(0, "", 0, len(boxes), path), parse_verdict(verdicts[path], len(boxes), ""))
        for path, boxes in found.items()
    }
    whole = tally(list(judged.values()))
    sampled = report["cameras"]["all"]
    assert sampled["images"] + sampled["skipped"] == 200
    assert whole.images + whole.skipped == len(verdicts)
    assert 0.5 < whole.recall.value < 1
    for share in ("recall", "precision", "image_recall", "leaks"):
        for interval in ("wilson", "clopper_pearson"):
            low, high = sampled[share][interval]
            assert low <= getattr(whole, share).value <= high, share
        assert high - low < 0.2
    small = [tally([judged[i.path] for i in draw_sample(images, 50, seed)]).recall.wilson() for seed in range(100)]
    assert sum(low <= whole.recall.value <= high for low, high in small) >= 90
    assert "Rendered people" in capsys.readouterr().out
    assert REAL_PEOPLE not in (tmp_path / "sample/README.txt").read_text()

    with (tmp_path / "sample/review.csv").open(newline="") as stream:
        first = [row["path"] for row in csv.DictReader(stream)][:40]
    missed = {path for path, verdict in verdicts.items() if verdict.startswith("m")}
    share_of_first = len(missed & set(first)) / 40
    assert share_of_first > 2 * len(missed) / len(verdicts), "the list of suspects is no better than chance"
