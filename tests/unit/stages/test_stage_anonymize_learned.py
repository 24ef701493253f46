"""`anonbench anonymize` with an anonymizer that has weights and takes several pictures at once, from outside."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anonbench.anonymizers._contract import CONTRACT, AnonymizerSubject
from anonbench.core.contract import BrokenPromiseError
from anonbench.core.errors import ConfigError, DataError
from anonbench.core.registry import load_plugins
from anonbench.data.images import read_image
from anonbench.data.pictures import read_manifest
from anonbench.stages.anonymize import anonymize

CELLS = 4  # a face is seen as 4 x 4 cells
ENTRY = {"method": "outside_learned", "detector": "d", "box_scale": 1.0, "jpeg_quality": 95, "gpu": True}
Hashes = Callable[[Path], dict[str, str]]

LEARNED = """
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from anonbench.anonymizers import ANONYMIZERS

@ANONYMIZERS.register("outside_learned")
@dataclass(frozen=True)
class Learned:
    weights: str = ""
    device: str = "cpu"
    batch: int = 3
    noise: float = 4.0

    @cached_property
    def _network(self):
        network = nn.Linear(3 * 16, 3 * 16)
        network.load_state_dict(torch.load(self.weights, weights_only=True))
        return network.eval().to(self.device)

    def anonymize_batch(self, images, regions, rngs):
        log = os.environ.get("BATCHES")
        if log:
            with Path(log).open("a") as stream:
                stream.write("x" * len(images) + " ")
            if os.environ["STOP"] == str(Path(log).read_text().count(" ")):
                raise KeyboardInterrupt
        places, cells = [], []
        for number, found in enumerate(regions):
            for region in found:
                x0, y0, x1, y1 = region.pixels
                crop = torch.tensor(images[number][y0:y1, x0:x1].astype(np.float32) / 255).permute(2, 0, 1)  # (3, h, w)
                cells.append(F.adaptive_avg_pool2d(crop, 4).flatten())  # (48,)
                places.append((number, region))
        with torch.inference_mode():
            made = self._network(torch.stack(cells).to(self.device)).sigmoid().cpu()  # (n, 48)
        results = [image.copy() for image in images]
        for (number, region), patch in zip(places, made, strict=True):
            x0, y0, x1, y1 = region.pixels
            patch = F.interpolate(patch.view(1, 3, 4, 4), (y1 - y0, x1 - x0), mode="bilinear")[0]  # (3, h, w)
            pixels = 255 * patch.permute(1, 2, 0).numpy() + rngs[number].normal(0, self.noise, (y1 - y0, x1 - x0, 3))
            shown = np.ones((y1 - y0, x1 - x0), bool) if region.mask is None else region.mask.unpack()[y0:y1, x0:x1]
            results[number][y0:y1, x0:x1][shown] = pixels.round().clip(0, 255).astype(np.uint8)[shown]
        return results
"""


def write_weights(file: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    torch.save(torch.nn.Linear(3 * CELLS**2, 3 * CELLS**2).state_dict(), file)
    return file


@pytest.fixture
def weights(tmp_path: Path, write_plugin: Callable[[str, str], Path]) -> Path:
    """The plug-in is there, and its weights."""
    write_plugin("outside_learned", LEARNED)
    return write_weights(tmp_path / "weights.pt", seed=1)


def run(dataset: Any, weights: Path | None, output: str, threads: int = 1, **changes: Any) -> Path:
    """Anonymizes; what is in `changes` goes into the entry."""
    folder: Path = dataset.results / output
    options = {key: changes.pop(key) for key in ("resume_dir", "code", "device") if key in changes}
    anonymize(
        dataset.manifest, dataset.detections, dataset.root, {**ENTRY, **changes}, dataset.sidecars, folder,
        dataset.results / f"{output}.csv", weights=weights, threads=threads, plugins=["outside_learned"], **options,
    )  # fmt: skip
    return folder


def test_it_keeps_the_contract_of_anonymizers(weights: Path) -> None:
    load_plugins(["outside_learned"])
    kept = list(CONTRACT.hold(AnonymizerSubject("outside_learned", {"weights": str(weights)})))
    assert len(kept) == len(CONTRACT.promises)
    assert any(line.endswith("(3 at once)") for line in kept)
    assert any("hides an image alone as it does in a batch (to" in line for line in kept)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("return results", "return results[:1]", "It returned 1 images for 3"),
        ("return results", "return [r[1:] for r in results]", r"It returned uint8 of shape .*; expected uint8 of"),
        ("return results", "return images", "It returned a view of the image; return a copy"),
        ("return results", "return [255 - r for r in results]", "Pixels outside the regions change"),
        ("batch: int = 3", "batch: int = 0", "Its field `batch` is 0; expected a whole number >= 1"),
        (
            "rngs[number].normal(0, self",
            "rngs[0].normal(0, 9 * self",
            r"An image differs by \d+ grey levels when others are hidden with it",
        ),
        ("[shown] = pixels.round().clip(0, 255).astype(np.uint8)[shown]",
         " = pixels.round().clip(0, 255).astype(np.uint8)", "changed pixels outside the regions"),
    ],
)  # fmt: skip
def test_a_broken_one_is_told_what_it_breaks(
    old: str, new: str, message: str, tmp_path: Path, write_plugin: Callable[[str, str], Path]
) -> None:
    assert old in LEARNED
    write_plugin("outside_learned", LEARNED.replace(old, new))
    load_plugins(["outside_learned"])
    file = write_weights(tmp_path / "weights.pt", seed=1)
    with pytest.raises(BrokenPromiseError, match=message):
        list(CONTRACT.hold(AnonymizerSubject("outside_learned", {"weights": str(file)})))


def test_pixels_change_in_the_boxes_and_nowhere_else(make_dataset: Any, weights: Path) -> None:
    dataset = make_dataset()
    copy = run(dataset, weights, "out")
    for path in dataset.paths:
        before, after = read_image(dataset.root / path), read_image(copy / path)
        inside = np.zeros(before.shape[:2], bool)
        for d in dataset.boxes[path]:
            y0, x0 = max(0, int(np.floor(d.y0))), max(0, int(np.floor(d.x0)))
            inside[y0 : int(np.ceil(d.y1)), x0 : int(np.ceil(d.x1))] = True
        changed = (before != after).any(axis=2)
        assert not changed[~inside].any()
        assert changed[inside].all() or changed[inside].mean() > 0.9
    rows = read_manifest(dataset.results / "out.csv")
    assert [row.path for row in rows] == dataset.paths


def test_processes_and_batches_make_no_difference(make_dataset: Any, weights: Path, hashes: Hashes) -> None:
    """Batches do but for the last digits, which rounding to whole grey levels hides in so small a network."""
    dataset = make_dataset(count=70)
    whole = hashes(run(dataset, weights, "whole"))
    assert hashes(run(dataset, weights, "two", threads=2)) == whole
    assert hashes(run(dataset, weights, "single", batch=1)) == whole


def test_other_weights_hide_differently(make_dataset: Any, weights: Path, hashes: Hashes, tmp_path: Path) -> None:
    dataset = make_dataset()
    other = write_weights(tmp_path / "other.pt", seed=2)
    assert hashes(run(dataset, weights, "one")) != hashes(run(dataset, other, "two"))


def test_without_weights(make_dataset: Any, weights: Path, tmp_path: Path) -> None:
    dataset = make_dataset()
    with pytest.raises(ConfigError, match="anonymizer 'outside_learned' is learned and needs its weights; write"):
        run(dataset, None, "out")
    with pytest.raises(DataError, match=r"gone\.pt: no such file; expected the weights of anonymizer 'outside_l"):
        run(dataset, tmp_path / "gone.pt", "out")
    with pytest.raises(ConfigError, match="anonymizer 'zero' has no parameter 'weights'"):
        run(dataset, weights, "out", method="zero")
    assert not (dataset.results / "out").exists()


def test_an_interrupted_run_goes_on_with_the_same_batches(
    make_dataset: Any, weights: Path, hashes: Hashes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of 15 images 10 have a box: batches of 3, 3, 3 and 1. A state for other weights is not used."""
    dataset = make_dataset(count=15)
    log = tmp_path / "batches"
    monkeypatch.setenv("BATCHES", str(log))

    def go(stop: int, file: Path = weights, output: str = "out") -> str:
        log.write_text("")
        monkeypatch.setenv("STOP", str(stop))
        with contextlib.suppress(KeyboardInterrupt):
            run(dataset, file, output, resume_dir=tmp_path / "resume", code="c")
        return log.read_text()

    assert go(0, output="whole") == "xxx xxx xxx x "
    assert go(3) == "xxx xxx xxx "
    assert go(0) == "xxx x "
    assert hashes(dataset.results / "out") == hashes(dataset.results / "whole")
    assert (dataset.results / "out.csv").read_bytes() == (dataset.results / "whole.csv").read_bytes()
    assert go(2, output="third") == "xxx xxx "
    assert go(0, write_weights(tmp_path / "other.pt", seed=2), output="third") == "xxx xxx xxx x "


def test_the_command(make_dataset: Any, weights: Path, run_command: Callable[..., Any], hashes: Hashes) -> None:
    import json

    dataset = make_dataset()
    out, manifest = dataset.results / "cli", dataset.results / "cli.csv"
    outcome = run_command(
        "anonymize", "--manifest", dataset.manifest, "--detections", dataset.detections, "--root", dataset.root,
        "--sidecars", dataset.sidecars, "--spec", json.dumps(ENTRY), "--plugins", '["outside_learned"]',
        "--weights", weights, "--device", "cpu", "--output", out, "--output-manifest", manifest,
        "--stamp", dataset.results / "s.json", "--code", "c",
    )  # fmt: skip
    assert outcome.status == 0, outcome.errors
    assert hashes(out) == hashes(run(dataset, weights, "direct"))
    stamp = json.loads((dataset.results / "s.json").read_text())
    assert str(weights) in json.dumps(stamp["inputs"])
