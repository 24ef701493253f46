"""Training of TinyFaces: a single image is learnt, an interrupted training ends bit by bit like another, recipes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anonbench.core.errors import ConfigError, DataError, MissingDependencyError, TrainingError
from anonbench.data.images import encode_image, read_image
from anonbench.data.regions import Region, corners, overlaps
from anonbench.data.wider_face import FaceImage
from anonbench.detectors._tinyfaces.crops import CropSettings, TrainingCrops
from anonbench.detectors._tinyfaces.losses import SamplingSettings
from anonbench.detectors._tinyfaces.network import TinyFacesNetwork
from anonbench.detectors._tinyfaces.targets import TargetSettings
from anonbench.detectors._tinyfaces.train import TrainingRecipe, load_imagenet, train_tinyfaces
from anonbench.detectors._tinyfaces.weights import save_network
from anonbench.detectors.tinyfaces import TinyFaces
from anonbench.training.checkpoint import Resume

CPU = torch.device("cpu")
FACE = (14.0, 8.0, 50.0, 52.0)
TINY = TrainingRecipe(
    trunk="resnet18",
    pretrained=False,
    epochs=2,
    batch_size=2,
    images_per_epoch=4,
    lr=2e-4,
    step_epochs=0,
    fine_head_lr=1.0,
    warmup_steps=5,
    crops=CropSettings(side=64, scales=(1.0,), flip=0.0),
    targets=TargetSettings(ignore_border=False),
)


@pytest.fixture
def images(tmp_path: Path) -> list[FaceImage]:
    """One image with a pale box that has two eyes, one without."""
    image = np.random.default_rng(0).integers(90, 120, (64, 64, 3), dtype=np.uint8)
    (tmp_path / "none.png").write_bytes(encode_image(image, ".png", 95))
    image[8:52, 14:50] = (220, 180, 150)
    image[20:26, 20:26] = image[20:26, 38:44] = 30
    (tmp_path / "face.png").write_bytes(encode_image(image, ".png", 95))
    return [
        FaceImage(tmp_path / "face.png", np.array([FACE]), np.array([False])),
        FaceImage(tmp_path / "none.png", np.zeros((0, 4)), np.zeros(0, bool)),
    ]


def test_a_single_image_is_learnt_in_30_steps(images: list[FaceImage], tmp_path: Path) -> None:
    recipe = dataclasses.replace(TINY, epochs=3, images_per_epoch=20)
    network, history = train_tinyfaces(images[:1], recipe, 1, CPU)
    assert history[0].values["positives"] > 1
    assert history[-1].values["classification_loss"] < history[0].values["classification_loss"] / 5
    save_network(tmp_path / "small.pt", network)
    find = TinyFaces(str(tmp_path / "small.pt"), "resnet18", scales=(1.0,), device="cpu").detect
    (face,) = find(read_image(images[0].path))
    assert overlaps(corners([Region(FACE)]), corners([face])).item() > 0.7


class InterruptedTrainingError(Exception):
    pass


def test_an_interrupted_training_ends_bit_by_bit_like_another(
    images: list[FaceImage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, history = train_tinyfaces(images, TINY, 3, CPU)
    resume = Resume(tmp_path / "resume", "key", share=1e9)  # saves after every epoch
    read = TrainingCrops.__getitem__

    def stop_in_epoch_two(self: TrainingCrops, key: tuple[int, int]) -> Any:
        if key[0] == 1:
            raise InterruptedTrainingError
        return read(self, key)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingCrops, "__getitem__", stop_in_epoch_two)
        with pytest.raises(InterruptedTrainingError):
            train_tinyfaces(images, TINY, 3, CPU, resume)
    seen: list[int] = []
    monkeypatch.setattr(TrainingCrops, "__getitem__", lambda self, key: (seen.append(key[0]), read(self, key))[1])
    torch.manual_seed(99)  # the state of torch's own generator plays no part
    resumed, again = train_tinyfaces(images, TINY, 3, CPU, resume)
    assert set(seen) == {1}
    for name, value in undisturbed.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert [row.values for row in again] == [row.values for row in history]
    other, _ = train_tinyfaces(images, dataclasses.replace(TINY, epochs=1), 4, CPU)
    assert not torch.equal(other.model.conv1.weight, undisturbed.model.conv1.weight)


def test_crops_follow_from_seed_epoch_and_image_alone(images: list[FaceImage]) -> None:
    def crops(seed: int) -> TrainingCrops:
        return TrainingCrops(images, CropSettings(64), TargetSettings(), seed)

    one = crops(1)
    first, second = one[0, 0], one[1, 0]
    again = crops(1)[0, 0]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], second[0])
    assert [(tuple(t.shape), t.dtype) for t in first] == [
        ((3, 64, 64), torch.uint8),
        ((25, 8, 8), torch.int8),
        ((100, 8, 8), torch.float32),
    ]


def test_a_loss_that_is_not_finite_stops_the_training(images: list[FaceImage]) -> None:
    recipe = dataclasses.replace(TINY, lr=1e20, warmup_steps=0)
    with pytest.raises(TrainingError, match=r"the \w+_loss is (nan|inf) in epoch \d of 2, batch \d of 2 .*Lower `lr`"):
        train_tinyfaces(images, recipe, 0, CPU)


def test_images_without_any_face_are_refused(images: list[FaceImage]) -> None:
    ignored = FaceImage(images[0].path, np.array([FACE]), np.array([True]))
    with pytest.raises(DataError, match="none of the 2 training images shows a face that counts"):
        train_tinyfaces([images[1], ignored], TINY, 0, CPU)


def test_imagenet_weights_come_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", _no_network)
    with pytest.raises(MissingDependencyError, match=r"resnet18-f37072fd\.pth at .*pretrained: false"):
        load_imagenet(TinyFacesNetwork("resnet18"))
    source = TinyFacesNetwork("resnet18").state_dict()
    weights = {k.removeprefix("model."): v for k, v in source.items() if k.startswith("model.")}
    file = tmp_path / "checkpoints" / "resnet18-f37072fd.pth"
    file.parent.mkdir(exist_ok=True)
    torch.save(weights | {"fc.weight": torch.zeros(1000, 512), "layer4.0.conv1.weight": torch.zeros(1)}, file)
    network = TinyFacesNetwork("resnet18")
    load_imagenet(network)
    assert torch.equal(network.model.layer3[1].conv2.weight, source["model.layer3.1.conv2.weight"])


def _no_network(*_: object, **__: object) -> None:
    raise OSError("no network")


def test_learning_rates_are_the_sources() -> None:
    recipe = TrainingRecipe()
    assert (recipe.lr, recipe.momentum, recipe.weight_decay, recipe.batch_size, recipe.epochs) == (
        1e-4,
        0.9,
        5e-4,
        12,
        50,
    )
    assert (recipe.crops.side, recipe.crops.scales, recipe.fine_head_lr) == (500, (0.5, 1.0, 2.0), 0.1)
    assert recipe.sampling == SamplingSettings(128, 128, 0.03)
    assert recipe.targets == TargetSettings(0.7, 0.3, True)


def test_a_recipe_from_the_config() -> None:
    recipe = TrainingRecipe.from_config({"trunk": "resnet18", "lr": 0.01, "crops": {"side": 256, "scales": [1, 2]}})
    assert recipe.crops == CropSettings(256, (1, 2))
    assert recipe.lr == 0.01


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"trunc": "resnet18"}, "detector training has no key 'trunc': did you mean 'trunk'"),
        ({"crops": {"size": 256}}, r"crops has no key 'size': did you mean 'side'"),
        ({"crops": 256}, "crops is 256; expected keys"),
        ({"trunk": "resnet34"}, "trunk is 'resnet34'; expected one of"),
        ({"lr": "1e-4"}, "lr is the text '1e-4'"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"crops": {"side": 32}}, r"crops\.side is 32; expected an integer >= 64"),
        ({"crops": {"scales": []}}, r"crops\.scales is \(\)"),
        ({"targets": {"positive_iou": 0.2}}, r"targets\.positive_iou is 0\.2"),
        ({"sampling": {"positives": 0}}, r"sampling\.positives is 0"),
    ],
)
def test_mistakes_in_a_recipe_are_named(entry: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        TrainingRecipe.from_config(entry)
