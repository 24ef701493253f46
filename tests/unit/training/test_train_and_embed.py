"""The stages train and embed on a small data set on disk."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from anonbench.core.errors import ConfigError, DataError, TrainingError
from anonbench.core.hashing import file_sha256
from anonbench.core.registry import load_plugins
from anonbench.data.images import encode_image, sha256
from anonbench.data.pictures import Picture, read_manifest, write_manifest
from anonbench.stages.embed import embed
from anonbench.stages.train import _key, train
from anonbench.tasks.reid.checkpoint import load_network, save_network
from anonbench.tasks.reid.models import MODELS
from anonbench.training.checkpoint import read_origin
from anonbench.training.loading import load_images

MODEL = {
    "method": "hacnn",  # the smallest: 3 million parameters
    "input": [160, 64],
    "pretrained": False,
    "training": {"epochs": 1, "batch_size": 4, "precision": "fp32"},
    "evaluation": {"metric": "euclidean"},
}


def write_dataset(root: Path, splits: dict[str, list[int]]) -> Path:
    """Two images for each pid of each split, and their manifest."""
    rng = np.random.default_rng(0)
    rows = []
    for split, pids in splits.items():
        for pid in pids:
            for camid in (0, 1):
                path = f"{split}/{pid}_{camid}.png"
                data = encode_image(rng.integers(0, 256, (40, 20, 3), dtype=np.uint8), ".png", 90)
                (root / split).mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(data)
                rows.append(Picture(path, split, 20, 40, sha256(data), {"pid": pid, "camid": camid}))
    write_manifest(root / "manifest.csv", rows)
    return root / "manifest.csv"


def run_train(root: Path, model: dict = MODEL, out: str = "out", device: str = "cpu") -> Path:
    folder = root / out
    threads = torch.get_num_threads()
    train(
        root / "manifest.csv",
        root,
        model,
        7,
        folder / "checkpoint.pt",
        folder / "history.csv",
        folder / "resume",
        device,
        threads,
    )
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained network beside its data."""
    folder = tmp_path_factory.mktemp("data")
    write_dataset(folder, {"train": [3, 12, 7], "query": [5], "gallery": [5, -1, 0]})
    run_train(folder)
    return folder


def test_outputs_of_train(root: Path) -> None:
    out = root / "out"
    assert sorted(p.name for p in out.iterdir()) == ["checkpoint.pt", "history.csv"]
    rows = list(csv.DictReader((out / "history.csv").open()))
    assert list(rows[0]) == ["epoch", "loss", "accuracy", "lr", "images_per_second", "seconds"]
    assert len(rows) == 1
    network, entry = load_network(out / "checkpoint.pt")
    assert entry == MODEL
    assert not network.training
    assert network.architecture.classifier_global.out_features == 3


def test_a_checkpoint_says_what_it_was_trained_on(root: Path, tmp_path: Path) -> None:
    def trained(name: str, **more: object) -> Path:
        out = tmp_path / f"{name}.pt"
        given = {"manifest": root / "manifest.csv", "root": root, "seed": 7, "device": "cpu", "spec": MODEL}
        rest = {"output": out, "history": tmp_path / "history.csv", "resume_dir": tmp_path / "resume"}
        train(**{**given, **rest, **more})
        return out

    blurred = trained("blurred", trained_on="mine/blur")
    digest = file_sha256(root / "manifest.csv")
    assert read_origin(blurred) == {"pictures": "mine/blur", "manifest_sha256": digest}
    assert read_origin(root / "out/checkpoint.pt") == {"pictures": "", "manifest_sha256": digest}
    assert load_network(blurred)[1] == MODEL
    assert blurred.read_bytes() == trained("elsewhere", trained_on="mine/blur").read_bytes()
    untrained = {**MODEL, "training": {**MODEL["training"], "epochs": 0}}
    assert read_origin(trained("untrained", spec=untrained, trained_on="mine/original")) == {}
    with pytest.raises(TrainingError, match=r"none.pt: not a checkpoint that can be read"):
        read_origin(tmp_path / "none.pt")


def test_a_batch_larger_than_the_training_set_is_said(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    run_train(root, {**MODEL, "training": {**MODEL["training"], "batch_size": 7}}, "cut")
    assert "batch_size is 7, but there are 6 training images: every batch is all of them" in caplog.text


def test_pretrained_is_true_or_false(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"model 'hacnn': pretrained is 'no'; expected true or false"):
        run_train(root, {**MODEL, "pretrained": "no"}, "wrong")


def test_outputs_of_embed(root: Path) -> None:
    embed(root / "out" / "checkpoint.pt", root / "manifest.csv", root, root / "features.npz", "cpu", 1, batch_size=3)
    content = np.load(root / "features.npz")
    assert sorted(content) == ["camids", "features", "paths", "pids", "splits"]
    assert content["features"].shape == (8, 1024)
    assert content["features"].dtype == np.float32
    expected = sorted(["query/5_0.png", "query/5_1.png", *(f"gallery/{p}_{c}.png" for p in (5, -1, 0) for c in (0, 1))])
    assert content["paths"].tolist() == expected  # the manifest's order
    assert content["pids"].tolist() == [int(p.split("/")[1].split("_")[0]) for p in expected]
    assert content["camids"].tolist() == [0, 1] * 4
    assert content["splits"].tolist() == [p.split("/")[0] for p in expected]
    np.testing.assert_allclose(np.linalg.norm(content["features"][:, :512], axis=1), 1, atol=1e-3)

    embed(root / "out" / "checkpoint.pt", root / "manifest.csv", root, root / "again.npz", "cpu", 1, batch_size=8)
    np.testing.assert_allclose(np.load(root / "again.npz")["features"], content["features"], atol=1e-5)


def test_embedding_takes_little_memory_where_there_is_little(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[int] = []

    def load(root: Path, paths: list[str], *options: object) -> torch.Tensor:
        pieces.append(len(paths))
        return load_images(root, paths, *options)

    monkeypatch.setattr("anonbench.tasks.reid.embedding.load_images", load)
    for name, fitting in (("all", 10_000), ("some", 7), ("none", 0)):
        monkeypatch.setattr("anonbench.tasks.reid.embedding.images_that_fit", lambda _, n=fitting: n)
        embed(root / "out" / "checkpoint.pt", root / "manifest.csv", root, tmp_path / name, "cpu", 1, batch_size=3)
    assert pieces == [8, 6, 2, 3, 3, 2]  # whole batches
    features = [np.load(tmp_path / name)["features"] for name in ("all", "some", "none")]
    assert np.array_equal(features[0], features[1])
    assert np.array_equal(features[0], features[2])


def test_a_kept_state_belongs_to_one_version_of_the_code(root: Path) -> None:
    images = read_manifest(root / "manifest.csv")
    keys = {_key(MODEL, 7, images, code) for code in ("one", "other")}
    assert len(keys) == 2
    other_evaluation = {**MODEL, "evaluation": {"metric": "cosine"}}
    assert _key(other_evaluation, 7, images, "one") in keys, "how features are compared is no concern of the training"


def test_no_epochs_give_the_untrained_network(root: Path) -> None:
    untrained = run_train(root, {**MODEL, "training": {"epochs": 0, "precision": "fp32"}}, "untrained")
    again = run_train(root, {**MODEL, "training": {"epochs": 0}}, "untrained2")
    assert len((untrained / "history.csv").read_text().splitlines()) == 1
    first, trained = (load_network(f / "checkpoint.pt")[0].state_dict() for f in (untrained, root / "out"))
    second = load_network(again / "checkpoint.pt")[0].state_dict()
    assert all(torch.equal(first[n], second[n]) for n in first)
    assert not all(torch.equal(first[n], trained[n]) for n in first)


def test_labels_number_the_sorted_pids(root: Path) -> None:
    from anonbench.stages.train import _training_set

    images, labels, identities = _training_set(root / "manifest.csv", None, None)
    assert identities == 3
    assert [(i.labels["pid"], int(label)) for i, label in zip(images, labels, strict=True)] == [
        (12, 2), (12, 2), (3, 0), (3, 0), (7, 1), (7, 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"query": [1], "gallery": [1]}, "no image has split 'train'"),
        ({"train": [4]}, r"the split 'train' has one identity \(pid 4\)"),
        ({"train": [4, -1]}, r"2 images of split 'train' have pid -1 \(junk\), first train/-1_0.png"),
    ],
)
def test_training_splits_that_cannot_be_trained(splits: dict, message: str, tmp_path: Path) -> None:
    write_dataset(tmp_path, splits)
    with pytest.raises(DataError, match=message):
        run_train(tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_truncated_training_image_is_named(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"train": [1, 2]})
    victim = tmp_path / "train" / "2_0.png"
    victim.write_bytes(victim.read_bytes()[:500])
    with pytest.raises(DataError, match=r"2_0\.png: not a readable image"):
        run_train(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training": {"epoch": 1}}, "training has no key 'epoch': did you mean 'epochs'"),
        ({"input": [128, 64]}, "accepts only 160 x 64"),
        ({"method": "hacn"}, "unknown model 'hacn': did you mean 'hacnn'"),
        ({"parts": 6}, "model 'hacnn' has no parameter 'parts'"),
    ],
)
def test_config_errors_come_before_any_work(change: dict, message: str, root: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        run_train(root, {**MODEL, **change}, "none")
    assert not (root / "none").exists()


def test_unknown_and_absent_devices(root: Path) -> None:
    with pytest.raises(ConfigError, match="device is 'gpu'; expected one of auto, cpu, cuda"):
        run_train(root, device="gpu", out="none")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="torch sees no GPU"):
            run_train(root, device="cuda", out="none")


def test_embed_needs_test_images(root: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path, {"train": [1, 2]})
    with pytest.raises(DataError, match="no image has split 'query' or 'gallery'"):
        embed(root / "out" / "checkpoint.pt", tmp_path / "manifest.csv", tmp_path, tmp_path / "f.npz", "cpu", 1)


@pytest.mark.parametrize("content", [None, b"", b"nothing like a checkpoint"])
def test_checkpoints_that_cannot_be_loaded(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    if content is not None:
        path.write_bytes(content)
    message = r"there is no such checkpoint" if content is None else r"not a checkpoint that this version can load"
    with pytest.raises(TrainingError, match=message):
        load_network(path)


def test_a_checkpoint_of_another_architecture_is_refused(root: Path, tmp_path: Path) -> None:
    network, entry = load_network(root / "out" / "checkpoint.pt")
    save_network(tmp_path / "c.pt", network, {**entry, "feat_dim": 256}, 3)
    with pytest.raises(TrainingError, match=r"c\.pt: not a checkpoint that this version can load"):
        load_network(tmp_path / "c.pt")


OUTSIDE = """
from dataclasses import dataclass
from torch import nn
from anonbench.tasks.reid.models import MODELS
from anonbench.tasks.reid.models._network import ReidNetwork

@MODELS.register("outside")
@dataclass(frozen=True)
class Outside:
    input_size = None

    def build(self, num_identities, pretrained):
        network = Network(6)
        network.layer = nn.Conv2d(3, 6, 3)
        return network

class Network(ReidNetwork):
    def forward(self, images):
        return self.layer(images).mean(dim=(2, 3))  # (B, 6)
"""


def test_a_network_from_outside_is_embedded_by_a_process_that_has_not_trained_it(
    root: Path, tmp_path: Path, write_plugin: Callable[[str, str], Path]
) -> None:
    write_plugin("outside_network", OUTSIDE)
    load_plugins(["outside_network"])
    entry = {**MODEL, "method": "outside", "input": [64, 48]}
    save_network(tmp_path / "model.pt", MODELS.create({"method": "outside"}).build(3, False), entry, 3)
    del MODELS._entries["outside"], sys.modules["outside_network"]
    arguments = (tmp_path / "model.pt", root / "manifest.csv", root, tmp_path / "features.npz", "cpu", 1)
    with pytest.raises(TrainingError, match="unknown model 'outside'"):
        embed(*arguments)
    embed(*arguments, plugins=["outside_network"])
    assert np.load(tmp_path / "features.npz")["features"].shape == (8, 6)
