"""The stage that scores predictions, and the file that holds them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from instance_cases import SIDE, person, result

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.instances import Vocabulary, write_instances
from anonbench.data.pictures import Picture, write_manifest
from anonbench.stages.evaluate_instances import evaluate_instances
from anonbench.tasks.instances.matches import average_precision, read_matches
from anonbench.tasks.instances.predictions import read_predictions, write_predictions

ONE, TWO, FAR = (0, 0, 10, 10), (20, 20, 40, 40), (45, 45, 60, 60)
LABELS = {"dataset": "drawn", "seed": 0}


class Files:
    def __init__(self, folder: Path) -> None:
        self.predictions, self.instances = folder / "p.json", folder / "i.jsonl"
        self.manifest, self.output, self.matches = folder / "m.csv", folder / "o.json", folder / "o.matches.npz"
        pictures = {
            "train/a.png": [person(1, FAR)],
            "val/b.png": [person(2, ONE), person(3, TWO, "car")],
            "val/c.png": [person(4, FAR, crowd=True)],
        }
        write_instances(self.instances, Vocabulary(("person", "car")), pictures.items())
        write_manifest(self.manifest, [Picture(path, path.split("/")[0], SIDE, SIDE, "0" * 64) for path in pictures])
        self.predict({"val/b.png": [result(ONE, 0.9), result(TWO, 0.8, "car"), result(FAR, 0.95)]})

    def predict(self, results, categories=("person", "car"), finds=("boxes", "masks")) -> None:
        rows = [{"image": path, **row} for path, listed in results.items() for row in listed]
        write_predictions(self.predictions, categories, finds, rows)

    def evaluate(self, **spec) -> dict:
        evaluate_instances(
            predictions=self.predictions, instances=self.instances, manifest=self.manifest, spec=spec, labels=LABELS,
            output=self.output, matches=self.matches,
        )  # fmt: skip
        return json.loads(self.output.read_text())


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_scores_of_the_tested_pictures(files: Files) -> None:
    scores = files.evaluate(protocol="coco")
    assert scores["AP"] == scores["box_AP"] == pytest.approx(0.75)  # people 1/2: a false alarm comes first; cars 1
    assert scores["AP_person"] == scores["AP50_person"] == pytest.approx(0.5)
    assert scores["categories"]["person"]["n"] == 1
    assert (scores["n_pictures"], scores["n_instances"], scores["n_predictions"]) == (2, 3, 3)
    assert scores["protocol"] == "coco"
    assert scores["dataset"] == "drawn"
    assert average_precision(read_matches(files.matches, "masks"), category="person") == pytest.approx(0.5)


def test_cityscapes_measure_is_that_of_masks_alone(files: Files) -> None:
    scores = files.evaluate(protocol="cityscapes")
    assert scores["AP_person"] == pytest.approx(0.25)  # (0, 1), (0, 0), (1, 1/2)
    assert scores["box_AP_person"] == pytest.approx(0.5)


def test_a_category_that_a_network_was_not_taught_is_not_scored(files: Files) -> None:
    files.predict({"val/b.png": [result(TWO, 0.8, "car")]}, categories=("car",))
    scores = files.evaluate()
    assert scores["AP"] == pytest.approx(1)
    assert scores["AP_person"] is None


def test_no_prediction_at_all_scores_0(files: Files) -> None:
    files.predict({})
    assert files.evaluate()["AP"] == 0


def test_predictions_of_something_else_are_refused(files: Files) -> None:
    files.predict({"train/a.png": [result(FAR, 0.9)]})
    with pytest.raises(DataError, match=r"has predictions for train/a\.png, which the manifest does not list in"):
        files.evaluate()
    files.predict({}, categories=("person", "cat"))
    with pytest.raises(DataError, match=r"predicts 'cat', which .* does not know: did you mean 'car'"):
        files.evaluate()


def test_unknown_settings_are_refused(files: Files) -> None:
    with pytest.raises(ConfigError, match="no key 'protocoll'"):
        files.evaluate(protocoll="coco")
    with pytest.raises(ConfigError, match="protocol is 'coca': did you mean 'coco'"):
        files.evaluate(protocol="coca")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no file of predictions"),
        ('{"categories": [], "finds": ["masks"], "results": [{"image": "a", "category": "b", "score": 1}]}',
         "a result lacks segmentation"),
        ('{"categories": [], "results": []}', "KeyError: 'finds'"),
        ('{"categories": [], "finds": ["souls"], "results": []}', "finds {'souls'}"),
    ],
)  # fmt: skip
def test_a_damaged_file_of_predictions_says_so(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "p.json"
    file.write_text(text)
    with pytest.raises(DataError, match=message):
        read_predictions(file)


def test_predictions_come_back_by_picture(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    rows = [{"image": "a", "category": "person", "score": 0.5, "bbox": [1, 2, 3, 4]}] * 2
    assert write_predictions(file, ["person"], ["boxes"], rows) == 2
    again = read_predictions(file)
    assert again.results == {"a": rows}
    assert again.categories == ("person",)
