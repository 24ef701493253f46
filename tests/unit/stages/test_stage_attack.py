"""The stage attack: feature files in, an outcome and its trials out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from anonbench.attacks._outcome import KEYS, read_outcome, read_trials
from anonbench.data.pictures import Picture, write_manifest
from anonbench.stages.attack import attack

LABELS = {
    "dataset": "toy-faces", "attack": "faces_naive", "variant": "blur", "run": "seed0", "split": None, "seed": 0,
    "probes": "blur", "gallery": "original", "recognizer": "face_net, trained on original pictures",
}  # fmt: skip
PEOPLE = 12


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Features that tell everybody apart: a query of each person by camera 1, gallery pictures by cameras 2 and 3."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(PEOPLE, 16))
    rows = [(f"{s}/{p:02d}_c{c}.png", p + 1, c, s) for p in range(PEOPLE)
            for c, s in ((1, "query"), (2, "gallery"), (3, "gallery"))]  # fmt: skip
    features = [centres[pid - 1] + 0.05 * rng.normal(size=16) for _, pid, _, _ in rows]
    paths, pids, camids, splits = (np.array(column) for column in zip(*rows, strict=True))
    np.savez(
        tmp_path / "f.npz",
        features=np.array(features, np.float32),
        paths=paths,
        pids=pids,
        camids=camids,
        splits=splits,
    )
    heights = (9, 20)
    faces = [
        Picture(path, split, 8, 8, "0", {"pid": pid, "camid": camid, "face_px": heights[pid % 2]})
        for path, pid, camid, split in rows
    ]
    write_manifest(tmp_path / "faces.csv", faces)
    without_a_face = Picture("query/99_c1.png", "query", 8, 8, "0", {"pid": 1, "camid": 1})
    people = [Picture(f.path, f.split, 8, 8, "0", {"pid": f.labels["pid"], "camid": 1}) for f in faces]
    write_manifest(tmp_path / "people.csv", [*people, without_a_face])
    corners = "x0,y0,x1,y1"
    lines = [f"{f.path},0,0,4,4,{('front', 'profile')[f.labels['pid'] % 2]},3" for f in faces]
    (tmp_path / "truth.csv").write_text("\n".join([f"path,{corners},view,skin_tone", *lines]) + "\n")
    names = {"features": "f.npz", "faces": "faces.csv", "people": "people.csv", "truth": "truth.csv"}
    return {name: tmp_path / file for name, file in names.items()}


def run(files: dict[str, Path], spec: dict[str, object], truth: bool = True) -> Path:
    output = files["features"].with_name("outcome.json")
    attack(
        files["features"], files["features"], files["faces"], files["people"], spec, LABELS, output,
        output.with_suffix(".trials.csv"), files["truth"] if truth else None, resamples=200,
    )  # fmt: skip
    return output


def test_an_outcome_has_all_that_is_promised(files: dict[str, Path]) -> None:
    output = run(files, {"method": "recognition"})
    outcome = read_outcome(output)
    assert tuple(json.loads(output.read_text())) == KEYS
    assert {key: outcome[key] for key in LABELS} == LABELS
    assert outcome["without"] == 1  # a picture of which no face was cut
    assert outcome["identification"]["rank1"] == 1
    assert outcome["n_probes"] == outcome["n_people"] == PEOPLE // 2
    assert outcome["n_gallery_images"] == PEOPLE
    assert set(outcome["groups"]) == {"size", "view", "tone"}
    assert set(outcome["groups"]["size"]) == {"0-12 px", "16-24 px"}
    assert sum(group["n_probes"] for group in outcome["groups"]["view"].values()) == PEOPLE // 2


def test_trials_are_a_row_a_probe(files: dict[str, Path]) -> None:
    trials = read_trials(run(files, {"method": "recognition"}).with_suffix(".trials.csv"))
    assert len(trials) == PEOPLE
    assert sum(trial.control for trial in trials) == PEOPLE // 2
    assert {trial.groups["view"] for trial in trials} == {"front", "profile"}


def test_linkage_takes_every_test_picture(files: dict[str, Path]) -> None:
    outcome = read_outcome(run(files, {"method": "linkage"}, truth=False))
    assert outcome["n_probes"] == 3 * PEOPLE // 2
    assert outcome["identification"]["rank1"] == 1
    assert set(outcome["groups"]) == {"size"}
