"""Whole pictures through a generator."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from anonbench.anonymizers import ANONYMIZERS
from anonbench.anonymizers._apply import hide
from anonbench.anonymizers.pix2pix import Pix2pix
from anonbench.core.errors import ConfigError, TrainingError
from anonbench.data.images import RGB
from anonbench.data.masks import Mask
from anonbench.data.regions import Region
from anonbench.training.generators import UNet, load_generator, save_generator

SIZES = [(32, 16), (16, 32), (32, 16), (48, 16), (32, 16)]
Pictures = list[RGB]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A generator of four levels whose running statistics are not those of a new one."""
    file = tmp_path_factory.mktemp("weights") / "anonymizer.pt"
    torch.manual_seed(3)
    network = UNet(levels=4, width=8)
    for _ in range(5):
        network(torch.rand(4, 3, 32, 16) * 2 - 1)
    save_generator(file, network, {"training": "joint"})
    return str(file)


@pytest.fixture
def pictures() -> Pictures:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]


def whole(image: RGB) -> list[Region]:
    return [Region((0, 0, image.shape[1], image.shape[0]), "body")]


def hidden(images: Pictures, anonymizer: Pix2pix) -> Pictures:
    return hide(images, [whole(image) for image in images], anonymizer, [np.random.default_rng(0)] * len(images))


def test_it_is_the_network_on_its_scale(weights: str, pictures: Pictures) -> None:
    """By hand: x / 127.5 - 1 in, the same back, rounded; sizes mixed, in their order."""
    network, _ = load_generator(Path(weights))
    for image, made in zip(pictures, hidden(pictures, Pix2pix(weights)), strict=True):
        x = torch.tensor(image.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1)
        with torch.no_grad():
            expected = (network(x)[0].permute(1, 2, 0).numpy() + 1) * 127.5
        assert made.dtype == np.uint8
        assert np.abs(made - expected).max() <= 0.501
        assert np.abs(made.astype(int) - image).mean() > 20, "else the test says nothing"


@pytest.mark.parametrize("batch", [1, 2, 64])
def test_batches_make_no_difference(batch: int, weights: str, pictures: Pictures) -> None:
    expected = hidden(pictures, Pix2pix(weights, batch=3))
    for made, other in zip(hidden(pictures, Pix2pix(weights, batch)), expected, strict=True):
        assert np.abs(made.astype(int) - other).max() <= 1


def test_a_part_of_a_picture_is_refused(weights: str, pictures: Pictures) -> None:
    image = pictures[0]
    rngs = [np.random.default_rng(0)]
    with pytest.raises(ValueError, match=r"cannot hide the box \(0, 0, 16, 31\) of one of 16 x 32 .* `detector: null`"):
        Pix2pix(weights).anonymize_batch([image], [[Region((0, 0, 16, 31))]], rngs)
    mask = np.zeros((32, 16), bool)
    mask[3:20, 3:9] = True
    with pytest.raises(ValueError, match="cannot hide a mask of one of 16 x 32 pixels"):
        Pix2pix(weights).anonymize_batch([image], [[Region((0, 0, 16, 32), "body", mask=Mask.pack(mask))]], rngs)


def test_a_size_that_cannot_be_halved_so_often_is_refused(weights: str) -> None:
    image = np.zeros((40, 16, 3), np.uint8)
    with pytest.raises(
        ValueError, match=r"anonymizer\.pt: a generator of 4 levels takes .* multiples of 16 pixels, got 40 x 16"
    ):
        Pix2pix(weights).anonymize_batch([image], [whole(image)], [np.random.default_rng(0)])
    assert Pix2pix(weights).multiple_px == 16


def test_a_missing_file_is_named() -> None:
    image = np.zeros((32, 16, 3), np.uint8)
    with pytest.raises(TrainingError, match=r"gone\.pt: there is no such checkpoint"):
        Pix2pix("gone.pt").anonymize_batch([image], [whole(image)], [np.random.default_rng(0)])


def test_nothing_is_loaded_before_it_is_needed_and_no_network_is_sent_along(weights: str, pictures: Pictures) -> None:
    assert Pix2pix("gone.pt") == ANONYMIZERS.create({"method": "pix2pix", "weights": "gone.pt"})
    anonymizer = Pix2pix(weights)
    before = hidden(pictures, anonymizer)
    sent = pickle.dumps(anonymizer)
    assert len(sent) < 1000
    for made, expected in zip(hidden(pictures, pickle.loads(sent)), before, strict=True):
        np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize(
    ("bad", "words"), [(0, "must be a whole number >= 1, got 0"), (True, "is .*true"), (1.5, "is 1.5")]
)
def test_a_bad_batch(bad: object, words: str) -> None:
    with pytest.raises(ConfigError, match=f"anonymizer 'pix2pix': batch {words}"):
        ANONYMIZERS.create({"method": "pix2pix", "batch": bad})
