"""Grids of pictures from files: what is read, what is written, what is refused."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anonbench.core.errors import DataError
from anonbench.data.entries import REAL_PEOPLE
from anonbench.data.pictures import Picture, write_manifest, write_splits
from anonbench.report.style import ALARM
from anonbench.stages import figure_grid as stage

VARIANTS = [
    {"variant": "original", "title": "raw"},
    {"variant": "blurred", "title": "blurred"},
    {"variant": "blurred_protected", "title": "protected"},
]
SHADES = {"original": 100, "blurred": 108, "blurred_protected": 132}
PICTURES = [
    Picture(f"{split}/{pid}_{n}.png", split, 16, 32, "x", {"pid": pid, "camid": n})
    for pid in (1, 2, 3)
    for n, split in enumerate(("query", "query", "gallery"))
]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Three variants of the same pictures: flat, of a shade that tells the variant; raw ones twice as large."""
    for variant, shade in SHADES.items():
        size = (64, 32) if variant == "original" else (32, 16)
        for n, one in enumerate(PICTURES):
            (tmp_path / variant / one.path).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((*size, 3), shade + n, np.uint8)).save(tmp_path / variant / one.path)
        write_manifest(tmp_path / f"{variant}.csv", PICTURES)
    return tmp_path


def draw(dataset: Path, **changed: Any) -> dict[str, bytes]:
    names = [row["variant"] for row in VARIANTS]
    settings: dict[str, Any] = {
        "manifests": [dataset / f"{name}.csv" for name in names],
        "roots": [dataset / name for name in names],
        "variants": VARIANTS,
        "people": 2,
        "label": "toy (rendered people)",
        "output": dataset / "out/grid.svg",
        "png": dataset / "out/grid.png",
    } | changed
    stage.figure_grid(**settings)
    return {path.name: path.read_bytes() for path in sorted((dataset / "out").iterdir())}


def seen(dataset: Path, monkeypatch: pytest.MonkeyPatch, **changed: Any) -> tuple[Any, ...]:
    """What is handed to the drawing."""
    found: list[Any] = []
    plain = stage.draw_grid
    monkeypatch.setattr(stage, "draw_grid", lambda *a: found.extend(a) or plain(*a))
    draw(dataset, **changed)
    return tuple(found)


def test_the_same_seed_is_the_same_files(dataset: Path) -> None:
    first = draw(dataset)
    assert list(first) == ["grid.png", "grid.svg"]
    assert draw(dataset) == first
    assert any(draw(dataset, seed=seed)["grid.svg"] != first["grid.svg"] for seed in (1, 2, 3))


def test_columns_are_in_the_order_given_and_show_the_same_people(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns, people, pictures, qualities, *_ = seen(dataset, monkeypatch)
    assert [column.variant for column in columns] == list(SHADES)
    assert len(people) == 2
    numbers = [PICTURES.index(person) for person in people]
    for variant, images in zip(SHADES, pictures, strict=True):
        assert [int(image[0, 0, 0]) for image in images] == [SHADES[variant] + n for n in numbers]
    assert [round(quality.psnr, 3) for quality in qualities] == [30.069, 18.028]  # 8 and 32 grey levels


def test_numbers_and_titles_are_words_of_the_svg(dataset: Path) -> None:
    svg = draw(dataset, title="What is hidden")["grid.svg"].decode()
    for text in ("What is hidden", "raw", "blurred", "protected", "30.1", "18.0", "Data: toy (rendered people)."):
        assert f">{text}<" in svg
    assert svg.count("<image") == 6
    assert "REAL PEOPLE" not in svg


def test_the_warning_is_seen(dataset: Path) -> None:
    svg = draw(dataset, warning=REAL_PEOPLE)["grid.svg"].decode()
    assert "REAL PEOPLE" in " ".join(re.findall(r">([^<>\n]+)</text>", svg))
    assert ALARM.lower() in svg


def test_a_picture_that_one_variant_lacks(dataset: Path) -> None:
    kept = [one for one in PICTURES if one.split == "gallery"]
    write_manifest(dataset / "blurred_protected.csv", kept)
    with pytest.raises(
        DataError,
        match=r"blurred_protected\.csv: no row for query/\d_\d\.png, which .*original\.csv has; expected every raw "
        r"picture in the variant 'blurred_protected'\. Make that copy again\.",
    ):
        draw(dataset)
    assert not (dataset / "out").exists()


def test_a_file_that_is_missing(dataset: Path) -> None:
    for one in PICTURES:
        (dataset / "blurred" / one.path).unlink()
    with pytest.raises(DataError, match=r"blurred/query/\d_\d\.png: cannot be read"):
        draw(dataset)


def test_nobody_to_show(dataset: Path) -> None:
    write_manifest(dataset / "original.csv", [dataclasses.replace(one, split="train") for one in PICTURES])
    with pytest.raises(DataError, match=r"original\.csv: no query picture of a person"):
        draw(dataset)


def test_fewer_people_than_asked_for_are_said(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw(dataset, people=9)
    assert "9 people were to be shown; 3 have a query picture" in capsys.readouterr().out


def test_queries_of_another_split(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roles = {one.path: "query" if one.path == "gallery/2_2.png" else "train" for one in PICTURES}
    write_splits(dataset / "splits.csv", [{one.path: "query" for one in PICTURES}, roles])
    _, people, *_ = seen(dataset, monkeypatch, splits=dataset / "splits.csv", split=1)
    assert [person.path for person in people] == ["gallery/2_2.png"]
