"""What anonymizing costs: pictures and regions at other sizes, the fitted line, COCO's hours by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anonbench.anonymizers._cost import Timing, fit_line, scaled, time_sizes
from anonbench.anonymizers.mask_out import MaskOut
from anonbench.core.errors import ConfigError, DataError
from anonbench.data.images import encode_image, sha256
from anonbench.data.masks import Mask
from anonbench.data.pictures import Picture, write_manifest
from anonbench.data.regions import Region, write_regions
from anonbench.stages.anonymizer_cost import anonymizer_cost
from anonbench.stages.anonymizer_costs import anonymizer_costs
from anonbench.studies.scenes.costs import cost_table


def region() -> Region:
    pixels = np.zeros((40, 60), bool)
    pixels[10:30, 20:40] = True
    return Region((20, 10, 40, 30), kind="body", mask=Mask.pack(pixels), keypoints=((30.0, 20.0, 2),))


def test_regions_grow_with_their_picture() -> None:
    image, (found,) = scaled(np.zeros((40, 60, 3), np.uint8), [region()], 2.0)
    assert image.shape == (80, 120, 3)
    assert found.box == (40, 20, 80, 60)
    assert found.mask is not None
    assert found.mask.area == 4 * 400
    assert found.keypoints == ((60.0, 40.0, 2),)
    nothing = Region((20, 10, 21, 11), mask=Mask.pack(np.zeros((40, 60), bool)))
    _, none = scaled(np.zeros((40, 60, 3), np.uint8), [nothing], 0.5)
    assert none == [], "its mask has no pixel"


def test_a_line_by_hand() -> None:
    line = fit_line([Timing(1e6, 1, 0.3, 9), Timing(2e6, 1, 0.5, 9), Timing(4e6, 1, 0.9, 9)])
    assert (line.start, line.per_megapixel) == pytest.approx((0.1, 0.2))
    assert line.gap == pytest.approx(0, abs=1e-9)
    assert line.seconds(0.5e6) == pytest.approx(0.2)
    assert fit_line([Timing(1e6, 1, 0.1, 9), Timing(2e6, 1, 0.4, 9)]).seconds(0) == 0, "never below 0"
    with pytest.raises(DataError, match="two sizes at least"):
        fit_line([Timing(1e6, 1, 0.3, 9)])


def test_every_size_is_measured() -> None:
    images = [np.full((40, 60, 3), 90, np.uint8)]
    timings = time_sizes(MaskOut(level=127), images, [[region()]], (2.0, 0.5))
    assert [timing.pixels for timing in timings] == [20 * 30, 80 * 120]
    assert all(timing.seconds >= 0 and timing.memory_mb > 1 and timing.regions == 1 for timing in timings)
    with pytest.raises(DataError, match="none of the pictures has a region"):
        time_sizes(MaskOut(level=127), images, [[]], (1.0,))


def test_hours_of_coco_by_hand(tmp_path: Path) -> None:
    pd.DataFrame(
        {"pixels": [1e5, 5e5], "regions": [3.0, 3.0], "seconds": [0.1, 0.5], "memory_mb": [100.0, 120.0]}
    ).to_csv(tmp_path / "a.csv", index=False)
    table = cost_table([tmp_path / "a.csv"] * 2, ["blur", "realistic"], {"realistic": 40.0})
    blur, realistic = table.to_dict("records")
    assert blur["coco_hours_2_cores"] == pytest.approx(118287 * 0.3072 / 2 / 3600), "a microsecond a pixel"
    assert blur["memory_mb"] == 120
    assert realistic["coco_hours_h200"] == pytest.approx(118287 / 40 / 3600)
    assert pd.isna(blur["coco_hours_h200"])
    anonymizer_costs([tmp_path / "a.csv"], ["blur"], {}, "drawn streets", tmp_path / "costs.csv")
    text = (tmp_path / "costs.md").read_text()
    assert "| blur | 3.0 | 0.000 | 1.000 | 120 | 5.0 | – |" in text
    assert "Data: drawn streets." in text
    with pytest.raises(ConfigError, match="1 files and 2 variants"):
        cost_table([tmp_path / "a.csv"], ["blur", "zero"], {})


def test_the_stage(tmp_path: Path) -> None:
    data = encode_image(np.full((40, 60, 3), 90, np.uint8), ".png", 90)
    (tmp_path / "a.png").write_bytes(data)
    pictures = [Picture(f"{name}.png", split, 60, 40, sha256(data)) for name, split in (("a", "train"), ("b", "val"))]
    write_manifest(tmp_path / "m.csv", pictures)
    write_regions(tmp_path / "d.csv", {"a.png": [region()], "b.png": [region(), region()]})
    spec = {"method": "mask_out", "level": 127, "box_scale": 1.0, "jpeg_quality": "keep", "detector": "bodies"}
    anonymizer_cost(tmp_path / "m.csv", tmp_path / "d.csv", tmp_path, spec, tmp_path / "c.csv")
    assert pd.read_csv(tmp_path / "c.csv")["pixels"].tolist() == [600, 2400, 9600]
