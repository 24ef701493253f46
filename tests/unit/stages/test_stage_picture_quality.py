"""The stage picture_quality: how alike a copy and the originals are."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from anonbench.core.errors import DataError
from anonbench.data.images import read_image, sha256
from anonbench.data.pictures import Picture, read_manifest, write_manifest
from anonbench.stages.anonymize_whole import anonymize_whole
from anonbench.stages.picture_quality import Likeness, picture_quality, summarize
from anonbench.tasks.reversible.quality import psnr, ssim

Folder = tuple[Path, Path]
"""A manifest and the folder of its images."""


def write(folder: Path, pictures: dict[str, tuple[str, np.ndarray]]) -> Folder:
    """Pictures by path, each with its split, and their manifest."""
    rows = []
    for path, (split, pixels) in pictures.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(file)
        height, width = pixels.shape[:2]
        rows.append(Picture(path, split, width, height, sha256(file.read_bytes()), {"pid": 1, "camid": 1}))
    write_manifest(folder.with_suffix(".csv"), rows)
    return folder.with_suffix(".csv"), folder


def run(copy: Folder, original: Folder, **options: Any) -> tuple[dict[str, Any], list[dict[str, str]]]:
    output, images = copy[1].with_suffix(".json"), copy[1].with_suffix(".images.csv")
    labels = {"dataset": "d", "variant": "blurred"}
    picture_quality(*copy, *original, labels, output, images, **options)
    with images.open(newline="") as stream:
        return json.loads(output.read_text()), list(csv.DictReader(stream))


def flat(level: float) -> np.ndarray:
    return np.full((12, 12, 3), level)


@pytest.fixture
def by_hand(tmp_path: Path) -> tuple[Folder, Folder]:
    """Flat pictures of level 100; copies that are 10 and 30 brighter, and equal. One of training is 100 brighter."""
    splits = {"q/a.png": "query", "g/b.png": "gallery", "g/c.png": "gallery", "t/d.png": "train"}
    brighter = {"q/a.png": 10, "g/b.png": 30, "g/c.png": 0, "t/d.png": 100}
    original = write(tmp_path / "raw", {path: (split, flat(100)) for path, split in splits.items()})
    copy = write(tmp_path / "copy", {path: (splits[path], flat(100 + more)) for path, more in brighter.items()})
    return copy, original


def test_worked_by_hand(by_hand: tuple[Folder, Folder], capsys: pytest.CaptureFixture[str]) -> None:
    """PSNR 20 log10(255 / d): 28.13 and 18.59 dB; pooled MSE (100 + 900 + 0) / 3. No variance: SSIM is luminance."""
    values, rows = run(*by_hand)
    psnrs = [20 * math.log10(255 / 10), 20 * math.log10(255 / 30)]
    c1 = 6.5025
    light = [(2 * 100 * m + c1) / (100**2 + m**2 + c1) for m in (110, 130, 100)]
    assert (values["n"], values["identical"]) == (3, 1)
    assert values["psnr"] == pytest.approx(sum(psnrs) / 2)
    assert values["psnr_se"] == pytest.approx((psnrs[0] - psnrs[1]) / 2)  # sd / sqrt 2 = half of their distance
    assert values["psnr_pooled"] == pytest.approx(10 * math.log10(255**2 / (1000 / 3)))
    assert values["ssim"] == pytest.approx(sum(light) / 3, abs=2e-5)
    assert values["ssim_se"] == pytest.approx(float(np.std(light, ddof=1)) / math.sqrt(3), abs=2e-5)
    assert (values["dataset"], values["variant"], values["parts"]) == ("d", "blurred", ["query", "gallery"])
    assert [(row["path"], row["split"], round(float(row["psnr"]), 2)) for row in rows] == [
        ("g/b.png", "gallery", 18.59), ("g/c.png", "gallery", math.inf), ("q/a.png", "query", 28.13),
    ]  # fmt: skip
    assert capsys.readouterr().out == "picture_quality: PSNR 23.36 dB, SSIM 0.9873, 3 images, 1 identical\n"


def test_parts_choose_the_pictures(by_hand: tuple[Folder, Folder]) -> None:
    values, rows = run(*by_hand, parts=["train"])
    assert values["psnr"] == values["psnr_pooled"] == pytest.approx(20 * math.log10(2.55))
    assert values["psnr_se"] is values["ssim_se"] is None
    assert len(rows) == 1
    with pytest.raises(DataError, match=r"copy\.csv: no image has split 'val'; there is nothing to compare"):
        run(*by_hand, parts=["val"])


def test_nothing_infinite_is_written() -> None:
    """JSON has no inf."""
    values = summarize([Likeness(0, 1), Likeness(0, 1)])
    assert values == {
        "n": 2, "identical": 2, "psnr": None, "psnr_se": None, "psnr_pooled": None, "ssim": 1, "ssim_se": 0,
    }  # fmt: skip


def test_a_stored_copy_against_resized_originals(make_dataset: Any) -> None:
    """Second implementation: Pillow's resize and the two measures on whole tensors; threads change nothing."""
    dataset = make_dataset(count=30)
    entry = {"method": "mosaic", "cell_px": 3, "resize": [32, 16], "encoding": "jpeg", "jpeg_quality": 60,
             "chroma": "4:2:0"}  # fmt: skip
    folder, manifest = dataset.results / "out", dataset.results / "out.csv"
    anonymize_whole(dataset.manifest, dataset.root, entry, folder, manifest, sidecars=dataset.sidecars)
    values, rows = run((manifest, folder), (dataset.manifest, dataset.root))
    again, _ = run((manifest, folder), (dataset.manifest, dataset.root), threads=3)
    assert values == again

    paths = [image.path for image in read_manifest(dataset.manifest) if image.split in ("query", "gallery")]
    assert [row["path"] for row in rows] == paths
    raw = [Image.open(dataset.root / path).convert("RGB").resize((16, 32), Image.Resampling.BILINEAR) for path in paths]
    a = torch.stack([torch.tensor(np.asarray(image)).permute(2, 0, 1) for image in raw])
    b = torch.stack([torch.tensor(read_image(folder / path)).permute(2, 0, 1) for path in paths])
    assert [float(row["psnr"]) for row in rows] == pytest.approx(psnr(a, b).tolist(), abs=1e-5)
    assert [float(row["ssim"]) for row in rows] == pytest.approx(ssim(a, b).tolist(), abs=1e-6)
    assert values["psnr"] == pytest.approx(float(psnr(a, b).mean()))
    pooled = 10 * math.log10(255**2 / float((a.double() - b.double()).square().mean()))
    assert values["psnr_pooled"] == pytest.approx(pooled)
    assert values["psnr_pooled"] < values["psnr"]


def test_roles_of_another_split(by_hand: tuple[Folder, Folder], tmp_path: Path) -> None:
    splits = tmp_path / "splits.csv"
    splits.write_text("path,split0\ng/b.png,train\ng/c.png,train\nq/a.png,gallery\nt/d.png,query\n")
    values, rows = run(*by_hand, splits=splits, split=0)
    assert [row["path"] for row in rows] == ["q/a.png", "t/d.png"]
    assert values["n"] == 2


def test_originals_of_another_dataset(by_hand: tuple[Folder, Folder], tmp_path: Path) -> None:
    copy, _ = by_hand
    other = write(tmp_path / "other", {"g/b.png": ("gallery", flat(1))})
    with pytest.raises(DataError, match=r"other\.csv: has no g/c\.png \(2 of 3 images of .*copy\.csv are missing\)"):
        run(copy, other)


@pytest.mark.parametrize("which", [0, 1])
def test_a_file_that_has_changed_is_refused(which: int, by_hand: tuple[Folder, Folder]) -> None:
    Image.fromarray(flat(7).astype(np.uint8)).save(by_hand[which][1] / "g/c.png")
    with pytest.raises(DataError, match=r"g/c\.png: has changed since it was indexed"):
        run(*by_hand)


def test_pictures_smaller_than_the_window(tmp_path: Path) -> None:
    copy = write(tmp_path / "copy", {"a.png": ("query", np.zeros((32, 10, 3)))})
    original = write(tmp_path / "raw", {"a.png": ("query", np.zeros((64, 20, 3)))})
    with pytest.raises(DataError, match=r"a\.png has 32 x 10 pixels .*; SSIM needs at least 11 x 11"):
        run(copy, original)


def test_the_command(by_hand: tuple[Folder, Folder], run_command: Callable[..., Any], tmp_path: Path) -> None:
    copy, original = by_hand
    outcome = run_command(
        "picture-quality", "--manifest", copy[0], "--root", copy[1], "--reference-manifest", original[0],
        "--reference-root", original[1], "--labels", '{"dataset": "d"}', "--output", tmp_path / "o.json",
        "--images", tmp_path / "o.images.csv", "--threads", 2, "--stamp", tmp_path / "s.json", "--code", "c",
    )  # fmt: skip
    assert outcome.status == 0, outcome.errors
    assert json.loads((tmp_path / "o.json").read_text())["n"] == 3
    assert (tmp_path / "o.images.csv").read_text().startswith("path,split,psnr,ssim\n")
