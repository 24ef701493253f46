"""A release of a few drawn people, made and checked as an owner and a recipient do."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlcroissant
import numpy as np
import pytest
import yaml
from attack_outcomes import outcome as made_up_outcome
from PIL import Image

from anonbench.attacks._outcome import write_outcome
from anonbench.data.containers import private_parts
from anonbench.data.images import read_image
from anonbench.data.pictures import read_manifest
from anonbench.data.regions import Region, write_regions
from anonbench.ops.release import signature
from anonbench.rendered import CropPlan, RenderSpec, Studio

Run = Callable[..., Any]
HEIGHT, WIDTH, PEOPLE = 160, 80, 6
SPEC = {"method": "zero", "detector": "truth", "box_scale": 1.3, "jpeg_quality": "keep"}
CONFIG = {
    "datasets": {"drawn": {"format": "folder", "root": "data/drawn", "render": {}}},
    "detectors": {"truth": {"method": "annotated", "boxes": "data/secret/boxes.csv"}},
    "variants": {
        "black": SPEC,
        "theirs": {"method": "files", "root": "data/theirs", "detector": "truth"},
        "control": {**SPEC, "control": "beside"},
        "missed": {**SPEC, "missed": 0.2},
        "false": {**SPEC, "false_boxes": 1},
        "again": {**SPEC, "of": "black"},
        "learned": {**SPEC, "training": "joint"},
    },
}


def save(file: Path, image: np.ndarray, preview: np.ndarray | None = None) -> None:
    """A JPEG, with an EXIF preview where there is one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if preview is None:
        Image.fromarray(image).save(file, quality=95)
        return
    small = io.BytesIO()
    Image.fromarray(preview).save(small, "JPEG")
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    block = exif.tobytes()
    Image.fromarray(image).save(file, quality=95, exif=block + small.getvalue())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a workflow in which the variants `black` and `theirs` of the dataset `drawn` have been made."""
    from anonbench.cli import main

    root = tmp_path_factory.mktemp("workflow")
    studio = Studio(RenderSpec(seed=5, height_px=HEIGHT, width_px=WIDTH, occluder_share=0.0, bystander_share=0.0))
    rows, boxes = [], {}
    for n in range(PEOPLE):
        path = f"{('train', 'query', 'gallery')[n % 3]}/{n}.jpg"
        crop = studio.draw(CropPlan(path, 1, 1 + n % 6, n), view="front")
        assert crop.truth.face_box is not None
        boxes[path] = [Region(crop.truth.face_box)] if n else []  # in the first one nobody was found
        save(root / "data/drawn" / path, crop.image, crop.image if n == 0 else None)
        rows.append(f"{path},{n + 100 if n % 3 == 0 else n // 3 + 1},{n % 3},{path.partition('/')[0]}")
        hidden = crop.image.copy()
        x0, y0, x1, y1 = (round(v) for v in crop.truth.face_box)
        hidden[y0 - 2 : y1 + 2, x0 - 2 : x1 + 2] = 0
        save(root / "data/theirs" / path, hidden, crop.image[y0:y1, x0:x1].copy())
    (root / "data/drawn/images.csv").write_text("\n".join(["path,pid,camid,split", *rows]) + "\n")
    (root / "terms.txt").write_text("For research alone.\n")
    (root / "config").mkdir()
    (root / "config/default.yaml").write_text(yaml.safe_dump(CONFIG))
    write_regions(root / "results/detections/drawn/truth.csv", boxes)
    lists = "results/manifests/drawn"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        about = json.dumps({"format": "folder", "root": "data/drawn"})
        assert not main(
            ["index", "--root", "data/drawn", "--spec", about, "--output", f"{lists}/original.csv", "--dropped",
             f"{lists}/dropped.csv", "--sidecars", f"{lists}/sidecars.csv", "--splits", f"{lists}/splits.csv"]
        )  # fmt: skip
        common = ["--manifest", f"{lists}/original.csv", "--root", "data/drawn", "--detections",
                  "results/detections/drawn/truth.csv", "--sidecars", f"{lists}/sidecars.csv"]  # fmt: skip
        assert not main(
            ["anonymize", *common, "--spec", json.dumps(SPEC), "--output", "results/images/drawn/black",
             "--output-manifest", f"{lists}/black.csv",
             "--stamp", "results/stamps/anonymize/drawn/black.json"]
        )  # fmt: skip
        assert not main(
            ["accept-copy", *common, "--files", "data/theirs", "--spec", '{"method": "files"}', "--output",
             "results/images/drawn/theirs", "--output-manifest", f"{lists}/theirs.csv", "--report",
             "results/differences.csv", "--stamp", "results/stamps/accept_copy/drawn/theirs.json"]
        )  # fmt: skip
    return root


@pytest.fixture
def workflow(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which the test works."""
    folder = tmp_path / "workflow"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder


def release(run: Run, variant: str = "black", *options: object, audited: bool = False) -> Any:
    reason = () if audited else ("--without-audit", "a test of the release")
    terms = ("--licence", "CC-BY-NC-4.0", "--terms", "terms.txt")
    return run("release", "drawn", variant, "--to", "out", *terms, *reason, *options)


def audit(run: Run, verdict: str = "f") -> None:
    """Draw a sample and fill it in."""
    assert run("audit", "drawn").status == 0
    file = Path("results/audit/drawn/truth/annotations.csv")
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "verdict": verdict if row["path"] == "train/0.jpg" else "f"} for row in rows)
    assert run("audit", "drawn", "--filled", file).status == 0


def test_a_release_is_made_and_checked_and_one_changed_byte_is_seen(workflow: Path, run_command: Run) -> None:
    made = release(run_command)
    assert made.status == 0, made.errors
    assert sorted(file.name for file in (workflow / "out").iterdir()) == [
        "METHOD.md", "README.md", "SHA256SUMS", "TERMS.txt", "croissant.json", "images", "manifest.csv",
    ]  # fmt: skip
    pictures = read_manifest(workflow / "out/manifest.csv")
    assert len(pictures) == PEOPLE
    assert "6 pictures in out; metadata taken out of 1, encoded anew 0" in made.output
    for picture in pictures:
        copy, variant = (workflow / f / picture.path for f in ("out/images", "results/images/drawn/black"))
        assert private_parts(copy.read_bytes(), copy) == []
        assert np.array_equal(read_image(copy), read_image(variant))
    assert (workflow / "out/TERMS.txt").read_text() == "For research alone.\n"
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=workflow / "out", capture_output=True, check=False)
    assert done.returncode == 0
    good = run_command("release", "--check", "out")
    assert (good.status, good.output) == (
        0,
        "12 files compared with SHA256SUMS\nsignature: not signed\nAs it was released.\n",
    )

    file = workflow / "out/images/query/1.jpg"
    data = bytearray(file.read_bytes())
    data[-10] ^= 1
    file.write_bytes(data)
    (workflow / "out/images/gallery/2.jpg").unlink()
    (workflow / "out/images/original.jpg").write_bytes((workflow / "data/drawn/query/1.jpg").read_bytes())
    bad = run_command("release", "--check", "out")
    assert bad.status == 1
    for text in (
        "changed: 1\n  images/query/1.jpg",
        "missing: 1\n  images/gallery/2.jpg",
        "further: 1\n  images/original",
    ):
        assert text in bad.output


def test_who_changes_a_picture_and_its_sum_is_found_by_the_manifest(workflow: Path, run_command: Run) -> None:
    assert release(run_command).status == 0
    sums = workflow / "out/SHA256SUMS"
    picture, digest = workflow / "out/images/query/1.jpg", read_manifest(workflow / "out/manifest.csv")
    before = next(p.sha256 for p in digest if p.path == "query/1.jpg")
    shutil.copyfile(workflow / "data/drawn/query/1.jpg", picture)
    done = subprocess.run(["sha256sum", picture], capture_output=True, text=True, check=True)
    sums.write_text(sums.read_text().replace(before, done.stdout.split()[0]))
    outcome = run_command("release", "--check", "out")
    assert outcome.status == 1
    assert "not as in the manifest: 1\n  images/query/1.jpg" in outcome.output


def test_previews_of_unhidden_faces_go_in_and_none_comes_out(workflow: Path, run_command: Run) -> None:
    files = sorted((workflow / "results/images/drawn/theirs").rglob("*.jpg"))
    assert all(part.embedded == ("JPEG",) for file in files for part in private_parts(file.read_bytes(), file))
    assert sum(len(private_parts(file.read_bytes(), file)) for file in files) == PEOPLE
    made = release(run_command, "theirs")
    assert made.status == 0, made.errors
    assert "metadata taken out of 6, encoded anew 0" in made.output
    for file in sorted((workflow / "out").rglob("*")):
        if file.is_file():
            data = file.read_bytes()
            assert data.count(b"\xff\xd8\xff") == (file.suffix == ".jpg")
            assert b"a camera" not in data
    for path in (file.relative_to(workflow / "results/images/drawn/theirs") for file in files):
        theirs = workflow / "results/images/drawn/theirs" / path
        assert np.array_equal(read_image(workflow / "out/images" / path), read_image(theirs))
    assert "Made by another tool" in (workflow / "out/METHOD.md").read_text()


def test_croissant_is_valid(workflow: Path, run_command: Run) -> None:
    assert release(run_command, "black", "--owner", "Drawers", "--url", "https://example.org/drawn").status == 0
    dataset = mlcroissant.Dataset(workflow / "out/croissant.json")
    issues = dataset.metadata.ctx.issues
    assert issues.errors == set()
    assert {warning.rpartition("] ")[2] for warning in issues.warnings} <= {
        'Property "http://mlcommons.org/croissant/citeAs" is recommended, but does not exist.'
    }
    assert dataset.metadata.ctx.is_v1_1()
    assert dataset.metadata.conforms_to == [
        "http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0",
    ]  # fmt: skip
    assert dataset.metadata.license == ["CC-BY-NC-4.0"]
    assert "Set every pixel of a face box to black" in dataset.metadata.data_preprocessing_protocol[0]
    assert any("Not known" in line for line in dataset.metadata.data_limitations)
    records = list(dataset.records("pictures"))
    assert [record["pictures/path"].decode() for record in records] == [
        picture.path for picture in read_manifest(workflow / "out/manifest.csv")
    ]
    (images,) = dataset.metadata.file_sets
    found = {file for pattern in images.includes for file in (workflow / "out").glob(pattern)}
    assert len(found) == PEOPLE


def test_without_an_audit_nothing_is_released_unless_told_why(workflow: Path, run_command: Run) -> None:
    refused = release(run_command, audited=True)
    assert refused.status == 2
    assert "there is no audit of 'truth' on 'drawn', so nobody knows how many faces are still visible" in refused.errors
    assert "anonbench audit drawn --detector truth" in refused.errors
    assert not (workflow / "out").exists()
    audit(run_command, "m")
    made = release(run_command, audited=True)
    assert made.status == 0, made.errors
    card = (workflow / "out/METHOD.md").read_text()
    assert "Known by an audit by eye of a random sample (6 pictures): of 6 faces 83.3 % were found" in card
    assert "Pictures in which a face was not found, and is visible: 16.7 % of all" in card


def test_an_audit_of_other_boxes_is_stale(workflow: Path, run_command: Run) -> None:
    audit(run_command)
    report = Path("results/audit/drawn/truth/report.json")
    content = json.loads(report.read_text())
    report.write_text(json.dumps({**content, "detections_sha256": "0"}))
    refused = release(run_command, audited=True)
    assert refused.status == 2
    assert "is about other boxes than those of" in refused.errors
    assert release(run_command).status == 0
    assert "A test of the release." in (workflow / "out/METHOD.md").read_text()


def test_a_copy_made_from_other_boxes_or_settings_is_stale(workflow: Path, run_command: Run) -> None:
    detections = workflow / "results/detections/drawn/truth.csv"
    detections.write_text(detections.read_text().replace("1.0000", "0.9000"))
    refused = release(run_command)
    assert refused.status == 2
    assert "was made from another results/detections/drawn/truth.csv than the one that is there" in refused.errors
    config = {**CONFIG, "variants": {"black": {**SPEC, "box_scale": 2.0}}}
    (workflow / "config/default.yaml").write_text(yaml.safe_dump(config))
    assert "was made with box_scale 1.3, and the configuration says 2.0" in release(run_command).errors


@pytest.mark.parametrize(
    ("variant", "text"),
    [
        ("original", "is never released: it shows everybody"),
        ("control", "is a control, in which every face is visible"),
        ("missed", "is spoilt on purpose: faces are left visible (`missed`). It is never released."),
        ("false", "is spoilt on purpose: boxes are put where nobody is (`false_boxes`)"),
        ("again", "shows people again who were hidden in 'black'"),
        ("learned", "Name one, such as learned-seed0"),
        ("blak", "did you mean 'black'?"),
    ],
)
def test_variants_that_are_never_released(workflow: Path, run_command: Run, variant: str, text: str) -> None:
    refused = release(run_command, variant)
    assert refused.status == 2
    assert text in refused.errors
    assert not (workflow / "out").exists()


def test_what_the_owner_must_say(workflow: Path, run_command: Run) -> None:
    refused = run_command("release", "drawn", "black", "--to", "out", "--terms", "terms.txt")
    assert (refused.status, "--licence is missing: it is yours to say" in refused.errors) == (2, True)
    refused = run_command("release", "drawn", "black", "--to", "out", "--licence", "mine", "--terms", "none.txt")
    assert (refused.status, "Write down what you ask of a recipient" in refused.errors) == (2, True)
    assert "name a dataset and a variant" in run_command("release").errors
    (workflow / "out").mkdir()
    assert "nothing is ever written over" in release(run_command).errors


def test_originals_and_changed_files_are_refused_and_nothing_is_left(workflow: Path, run_command: Run) -> None:
    file = workflow / "results/images/drawn/black/train/0.jpg"
    data = file.read_bytes()
    file.unlink()
    file.symlink_to(workflow / "data/drawn/train/0.jpg")
    assert "is a link to an original" in release(run_command).errors
    file.unlink()
    (workflow / "elsewhere.jpg").write_bytes(data)
    file.symlink_to(workflow / "elsewhere.jpg")
    made = release(run_command)
    assert made.status == 0, made.errors
    assert not any(path.is_symlink() for path in (workflow / "out").rglob("*"))
    shutil.rmtree(workflow / "out")
    (workflow / "elsewhere.jpg").write_bytes(data + b"x")
    assert "is not the file of the copy's manifest" in release(run_command).errors
    assert not list(workflow.glob("*out*"))


def test_weights_beside_the_pictures_do_not_go_along(workflow: Path, run_command: Run) -> None:
    (workflow / "results/images/drawn/black/key.pt").write_bytes(b"PK")
    made = release(run_command)
    assert "left out, since no list of the copy has them: 1 files, such as key.pt" in made.output
    assert not list((workflow / "out").rglob("*.pt"))
    shutil.rmtree(workflow / "out")
    with (workflow / "results/manifests/drawn/sidecars.csv").open("a") as stream:
        stream.write("key.pt,\n")
    refused = release(run_command)
    assert refused.status == 2
    assert "weights, archives and pictures that no manifest lists are never released" in refused.errors
    assert not list(workflow.glob("*out*"))


def test_the_card_tells_what_attacks_found_and_no_path_of_the_owner(workflow: Path, run_command: Run) -> None:
    assert release(run_command).status == 0
    card = (workflow / "out/METHOD.md").read_text()
    assert "None were measured" in card
    assert "Nothing was found." in card
    assert "Pictures in which nothing differs from the original: 1 of 6." in card
    assert '- Method: `zero`, box_scale 1.3, jpeg_quality "keep".' in card
    shutil.rmtree(workflow / "out")
    attacks = workflow / "results/attacks/drawn/faces/black"
    attacks.mkdir(parents=True)
    write_outcome(attacks / "seed0.json", made_up_outcome(dataset="drawn", variant="black"))
    assert release(run_command).status == 0
    card = (workflow / "out/METHOD.md").read_text()
    assert "faces (recognition, seed0): risk 75.0 % (30.0 % to 95.0 %); of 4 pictures 75.0 % were given" in card
    for name in ("METHOD.md", "README.md", "croissant.json"):
        text = (workflow / "out" / name).read_text()
        assert "secret" not in text
        assert str(workflow) not in text
        assert "anonymous" not in text.lower()


def test_sheets_of_likely_misses_come_first(workflow: Path, run_command: Run) -> None:
    folder = workflow / "results/audit/drawn/truth/release-black"
    outcome = run_command("release", "drawn", "black", "--review-only")
    assert outcome.status == 0, outcome.errors
    assert not (workflow / "out").exists()
    with (folder / "review.csv").open(newline="") as stream:
        assert [row["path"] for row in csv.DictReader(stream)] == ["train/0.jpg"]
    assert (folder / "review_01.png").is_file()
    assert not (folder / "annotations.csv").exists()


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_a_signature(workflow: Path, run_command: Run) -> None:
    for name in ("mine", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name], check=True)
        key = (workflow / f"{name}.pub").read_text()
        (workflow / f"{name}.signers").write_text(f"{name}@example.org {key}")
    made = release(run_command, "black", "--sign-key", "mine")
    assert made.status == 0, made.errors
    check = ("release", "--check", "out")
    unknown = run_command(*check)
    assert (unknown.status, 'Good "anonbench-release" signature with ED25519 key' in unknown.output) == (0, True)
    known = run_command(*check, "--signers", "mine.signers")
    assert (known.status, "signature for mine@example.org" in known.output) == (0, True)
    assert run_command(*check, "--signers", "other.signers").status == 1
    sums = workflow / "out/SHA256SUMS"
    sums.write_text(sums.read_text().replace("  TERMS.txt", "  terms.txt"))
    assert "signature: 1\n  SHA256SUMS.sig" in run_command(*check).output
    (workflow / "out/SHA256SUMS.sig").unlink()
    assert "SHA256SUMS.sig: there is none" in run_command(*check, "--signers", "mine.signers").output


def test_no_ssh_keygen(workflow: Path, run_command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature, "PROGRAM", "no-such-program")
    (workflow / "key").write_text("x")
    refused = release(run_command, "black", "--sign-key", "key")
    assert refused.status == 2
    assert "no-such-program is not here: signatures are made and checked by it" in refused.errors
    assert not list(workflow.glob("*out*"))
