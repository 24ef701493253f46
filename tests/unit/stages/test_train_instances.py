"""Networks of instances: trained, asked and scored by the stages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_rectangles import TINY, Scenes, write_scenes
from PIL import Image

from anonbench.core.errors import ConfigError, DataError, TrainingError
from anonbench.core.hashing import file_sha256
from anonbench.data.instances import COCO_KEYPOINTS, Instance, Vocabulary, write_instances
from anonbench.stages.evaluate_instances import evaluate_instances
from anonbench.stages.predict_instances import predict_instances
from anonbench.stages.train_instances import train_instances
from anonbench.tasks.instances.checkpoint import load_network
from anonbench.tasks.instances.predictions import read_predictions
from anonbench.training.checkpoint import read_origin

FAST = {
    "iterations": 80, "batch_size": 4, "optimizer": {"method": "adam", "lr": 2e-3, "weight_decay": 0.0},
    "schedule": {"method": "one_cycle"}, "short_sides": [], "clip": 5.0, "precision": "fp32",
}  # fmt: skip


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    return write_scenes(tmp_path_factory.mktemp("scenes"))


def masks(**training) -> dict:
    return {"method": "mask_rcnn", "mask_width": 16, **TINY, "training": {**FAST, **training}}


def keypoints(**training) -> dict:
    head = {"keypoint_width": 16, "keypoint_layers": 1}
    return {"method": "keypoint_rcnn", **head, **TINY, "training": {**FAST, **training}}


def train(scenes: Scenes, folder: Path, spec: dict, seed: int = 0, **other) -> Path:
    files = {"manifest": scenes.manifest, "root": scenes.root, "instances": scenes.instances, **other}
    train_instances(
        spec=spec, seed=seed, output=folder / "model.pt", history=folder / "history.csv",
        resume_dir=folder / "resume", device="cpu", **files,
    )  # fmt: skip
    return folder / "model.pt"


def scores_of(scenes: Scenes, folder: Path, checkpoint: Path) -> dict:
    predict_instances(checkpoint, scenes.manifest, scenes.root, folder / "predictions.json", device="cpu")
    evaluate_instances(
        predictions=folder / "predictions.json", instances=scenes.instances, manifest=scenes.manifest, spec={},
        labels={}, output=folder / "scores.json", matches=folder / "scores.matches.npz",
    )  # fmt: skip
    return json.loads((folder / "scores.json").read_text())


def test_a_tiny_network_learns_rectangles_and_their_masks(scenes: Scenes, tmp_path: Path) -> None:
    untrained = masks(iterations=1, optimizer={"method": "sgd", "lr": 1e-9})
    before = scores_of(scenes, tmp_path, train(scenes, tmp_path, untrained))
    scores = scores_of(scenes, tmp_path, train(scenes, tmp_path, masks()))
    assert before["AP50"] < 0.1
    assert scores["AP50"] > 0.5, scores
    assert scores["box_AP50"] > 0.5
    found = read_predictions(tmp_path / "predictions.json")
    assert found.finds == ("boxes", "masks")
    assert read_origin(tmp_path / "model.pt")["manifest_sha256"] == file_sha256(scenes.manifest)
    best = max(found.results["val/024.png"], key=lambda result: result["score"])
    assert best["segmentation"]["size"] == [64, 64]
    history = (tmp_path / "history.csv").read_text().splitlines()
    assert history[0].startswith("epoch,loss,classification,boxes,objectness,proposals,masks")
    assert len(history) == 1 + 14  # 80 steps of six an epoch; the last epoch is shorter
    assert not (tmp_path / "resume").exists()


def test_keypoints_are_learnt_of_people_alone(scenes: Scenes, tmp_path: Path) -> None:
    checkpoint = train(scenes, tmp_path, keypoints(iterations=2))
    assert load_network(checkpoint).categories == ("person",)
    scores = scores_of(scenes, tmp_path, checkpoint)
    assert {"keypoint_AP", "box_AP", "box_AP_person"} <= scores.keys()
    assert "AP" not in scores
    assert set(scores["box_categories"]) == {"person"}


def test_the_same_seed_gives_the_same_network_and_another_one_another(scenes: Scenes, tmp_path: Path) -> None:
    def weights(name: str, seed: int) -> torch.Tensor:
        folder = tmp_path / name
        network = load_network(train(scenes, folder, masks(iterations=2), seed)).network
        return torch.cat([parameter.flatten() for parameter in network.parameters()])

    first = weights("a", 0)
    assert torch.equal(first, weights("b", 0))
    assert not torch.equal(first, weights("c", 1))


def test_a_killed_training_goes_on_and_ends_with_the_same_weights(
    scenes: Scenes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anonbench.tasks.instances.training import InstanceTask
    from anonbench.training.checkpoint import Resume

    monkeypatch.setattr(Resume, "share", 1e9)  # a state after every epoch
    spec = masks(epochs=2, iterations=None, batch_size=12)
    whole = load_network(train(scenes, tmp_path / "whole", spec)).network.state_dict()
    step = InstanceTask.step
    seen = []

    def dies(self, batch, at):
        seen.append(at.epoch)
        if at.epoch == 1 and len(seen) < 5:
            raise KeyboardInterrupt
        return step(self, batch, at)

    monkeypatch.setattr(InstanceTask, "step", dies)
    monkeypatch.setattr("anonbench.stages.train_instances.Resume", lambda folder, key: Resume(folder, key, 1e9))
    with pytest.raises(KeyboardInterrupt):
        train(scenes, tmp_path / "killed", spec)
    seen.extend([0] * 5)
    again = load_network(train(scenes, tmp_path / "killed", spec)).network.state_dict()
    assert seen[-2:] == [1, 1]  # the first epoch was not learnt a second time
    assert all(torch.equal(value, again[name]) for name, value in whole.items())


def test_a_training_can_start_from_another_network(scenes: Scenes, tmp_path: Path) -> None:
    still = {"iterations": 1, "optimizer": {"method": "sgd", "lr": 1e-12, "weight_decay": 0.0}}
    first = train(scenes, tmp_path / "first", masks(iterations=3))
    spec = masks(**still, without=["person"])
    second = load_network(train(scenes, tmp_path / "second", spec, seed=1, initial=first)).network.state_dict()
    new = load_network(train(scenes, tmp_path / "new", spec, seed=1)).network.state_dict()
    taken = load_network(first).network.state_dict()
    trunk, classes = "backbone.stages.2.0.conv1.weight", "roi_heads.box_predictor.cls_score.weight"
    assert torch.allclose(second[trunk], taken[trunk], atol=1e-6)
    assert not torch.allclose(new[trunk], taken[trunk], atol=1e-3)
    assert second[classes].shape != taken[classes].shape  # two classes there, one here
    deeper = {**masks(**still), "backbone": "resnet50"}
    with pytest.raises(TrainingError, match=r"of the network's \d+ tensors are in it"):
        train(scenes, tmp_path / "deeper", deeper, initial=first)


def test_a_category_can_be_left_out(scenes: Scenes, tmp_path: Path) -> None:
    assert load_network(train(scenes, tmp_path, masks(iterations=1, without=["person"]))).categories == ("car",)
    with pytest.raises(ConfigError, match="no category 'persn': did you mean 'person'"):
        train(scenes, tmp_path, masks(without=["persn"]))
    with pytest.raises(ConfigError, match="no category is left"):
        train(scenes, tmp_path, masks(without=["person", "car"]))


def test_a_learning_rate_that_is_too_high_is_said_to_be(scenes: Scenes, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"is (nan|inf).*Lower training\.optimizer\.lr"):
        train(scenes, tmp_path, masks(iterations=20, optimizer={"method": "sgd", "lr": 1e30}, clip=None))


def test_a_dataset_without_anything_to_learn_is_refused(scenes: Scenes, tmp_path: Path) -> None:
    crowds = {
        path: [Instance(n + 1, "person", (0, 0, 9, 9), None, 81.0, crowd=True)] for n, path in enumerate(scenes.listed)
    }
    write_instances(tmp_path / "crowds.jsonl", Vocabulary(("person",), COCO_KEYPOINTS), sorted(crowds.items()))
    with pytest.raises(DataError, match="of 24 pictures of the split 'train' none has anything to learn"):
        train(scenes, tmp_path, masks(), instances=tmp_path / "crowds.jsonl")
    write_instances(tmp_path / "none.jsonl", Vocabulary(("person",)), sorted((path, []) for path in scenes.listed))
    with pytest.raises(DataError, match="the dataset has no keypoints"):
        train(scenes, tmp_path, keypoints(), instances=tmp_path / "none.jsonl")


def test_a_picture_that_is_missing_is_named(scenes: Scenes, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    for path in scenes.listed:
        if path.startswith("train") and not path.endswith("003.png"):
            Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / path)
    with pytest.raises(DataError, match=r"train/003\.png"):
        train(scenes, tmp_path, masks(iterations=6), root=tmp_path)
