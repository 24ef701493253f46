"""Pictures of the same crops under several variants."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anonbench.core.errors import ConfigError
from anonbench.data.entries import REAL_PEOPLE
from anonbench.data.images import read_image
from anonbench.data.pictures import Picture, write_manifest
from anonbench.data.regions import Region, write_regions
from anonbench.report.style import ALARM
from anonbench.stages import figure2 as figure2_stage
from anonbench.stages import samples as stage
from anonbench.stages.figure1 import figure1
from anonbench.stages.figure2 import figure2
from anonbench.stages.samples import samples

# path: (pid, faces as width x score)
PEOPLE: dict[str, tuple[int, list[tuple[float, float]]]] = {
    "a_small.png": (1, [(2, 0.9)]),
    "a_large.png": (1, [(6, 0.9), (1, 0.5)]),
    "a_doubtful.png": (1, [(7, 0.1)]),
    "b.png": (2, [(9, 0.8)]),
    "c_faceless.png": (3, []),
    "distractor.png": (0, [(9, 1.0)]),
    "junk.png": (-1, [(9, 1.0)]),
}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    rows = []
    for n, (path, (pid, _)) in enumerate(PEOPLE.items()):
        for variant in ("original", "zero"):
            (tmp_path / variant).mkdir(exist_ok=True)
            shade = 0 if variant == "zero" else 30 * n
            Image.fromarray(np.full((20, 10, 3), shade, np.uint8)).save(tmp_path / variant / path)
        rows.append(Picture(path, "gallery", 10, 20, "x", {"pid": pid, "camid": 1}))
    write_manifest(tmp_path / "m.csv", rows)
    faces = {p: [Region((0, 0, w, w), score=s) for w, s in faces] for p, (_, faces) in PEOPLE.items()}
    write_regions(tmp_path / "d.csv", faces)
    return tmp_path


def draw(dataset: Path, count: int = 6) -> Path:
    roots = {"original": dataset / "original", "zero": dataset / "zero"}
    picture = dataset / "out/picture.png"
    samples(dataset / "m.csv", dataset / "d.csv", list(roots.values()), list(roots), picture, count)
    return dataset / "out/picture.png"


def test_the_best_face_of_each_identity_largest_first(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    plain = stage.draw_variants
    monkeypatch.setattr(stage, "draw_variants", lambda rows, *more: seen.update(rows) or plain(rows, *more))
    draw(dataset)
    shades = {path: 30 * n for n, path in enumerate(PEOPLE)}
    assert list(seen) == ["original", "zero"]
    assert [image[0, 0, 0] for image in seen["original"]] == [shades["b.png"], shades["a_large.png"]]
    assert len(seen["zero"]) == 2
    draw(dataset, count=1)
    assert [image[0, 0, 0] for image in seen["original"]] == [shades["b.png"]]


def test_the_picture_is_repeatable_and_alone(dataset: Path) -> None:
    first = draw(dataset).read_bytes()
    assert draw(dataset).read_bytes() == first
    assert [p.name for p in (dataset / "out").iterdir()] == ["picture.png"]
    picture = read_image(dataset / "out/picture.png")
    assert picture.shape[0] > 100
    assert picture.std() > 10


def test_without_a_face_the_picture_says_so(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_regions(dataset / "d.csv", {p: [] for p in PEOPLE})
    seen: list[Any] = []
    plain = stage.draw_no_face
    monkeypatch.setattr(stage, "draw_no_face", lambda *a: seen.extend(a) or plain(*a))
    assert read_image(draw(dataset)).std() > 1
    assert seen == ["Faces under every variant", dataset / "d.csv"]


def test_a_failure_leaves_nothing(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no fonts")

    monkeypatch.setattr(stage, "draw_variants", fail)
    with pytest.raises(RuntimeError, match="no fonts"):
        draw(dataset)
    assert not (dataset / "out").exists()


def draw_figure(number: int, dataset: Path, roots: dict[str, Path], **more: str) -> dict[str, bytes]:
    files = [dataset / f"out/figure{number}.{kind}" for kind in ("svg", "png")]
    places = (dataset / "m.csv", dataset / "d.csv", list(roots.values()), list(roots))
    if number == 1:
        figure1(*places, 2, "toy (rendered people)", *files, **more)
    else:
        figure2(*places, {"zero": "zero: black"}, "toy (rendered people)", *files, **more)
    return {file.name: file.read_bytes() for file in files}


@pytest.mark.parametrize("number", [1, 2])
def test_figures_are_written_twice_and_repeat(number: int, dataset: Path) -> None:
    roots = {"original": dataset / "original", "zero": dataset / "zero"}
    first = draw_figure(number, dataset, roots)
    assert draw_figure(number, dataset, roots) == first
    assert sorted(p.name for p in (dataset / "out").iterdir()) == [f"figure{number}.png", f"figure{number}.svg"]
    svg = first[f"figure{number}.svg"].decode()
    assert ">Data: toy (rendered people).<" in svg
    assert ">original<" in svg
    assert ">zero<" in svg
    assert svg.count("<image") == (8 if number == 1 else 4), "every crop and its head"


@pytest.mark.parametrize("number", [1, 2])
def test_figures_of_real_people_say_so(number: int, dataset: Path) -> None:
    roots = {"original": dataset / "original", "zero": dataset / "zero"}
    assert ">REAL PEOPLE" not in draw_figure(number, dataset, roots)[f"figure{number}.svg"].decode()
    warned = draw_figure(number, dataset, roots, warning=REAL_PEOPLE)[f"figure{number}.svg"].decode()
    assert "REAL PEOPLE" in warned
    assert ALARM.lower() in warned


def test_figure2_shows_the_largest_face_under_every_variant(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    plain = figure2_stage.draw_techniques
    monkeypatch.setattr(figure2_stage, "draw_techniques", lambda *a: seen.extend(a) or plain(*a))
    draw_figure(2, dataset, {"zero": dataset / "zero", "original": dataset / "original"})
    images, box, label, details, warning = seen
    assert warning == ""
    assert list(images) == ["zero", "original"], "the order given"
    assert images["original"][0, 0, 0] == 30 * list(PEOPLE).index("b.png")
    assert (box.x1, label, details) == (9, "toy (rendered people)", {"zero": "zero: black"})


def test_figure1_compares_two_variants(dataset: Path) -> None:
    roots = dict.fromkeys(("original", "zero", "blur"), dataset / "original")
    with pytest.raises(ConfigError, match="1 variants and 2 image folders; expected one for each"):
        samples(dataset / "m.csv", dataset / "d.csv", [dataset] * 2, ["zero"], dataset / "out/picture.png")
    with pytest.raises(ConfigError, match="figure1 shows two variants, one over the other; got original, zero, blur"):
        draw_figure(1, dataset, roots)


@pytest.mark.parametrize("number", [1, 2])
def test_figures_of_faces_say_that_there_is_none(number: int, dataset: Path) -> None:
    """A default box, of score 0, is put where no face was found."""
    write_regions(dataset / "d.csv", {p: [Region((1, 1, 5, 5), score=0.0, source="default")] for p in PEOPLE})
    drawn = draw_figure(number, dataset, {"original": dataset / "original", "zero": dataset / "zero"})
    svg = " ".join(re.findall(r">([^<>\n]+)</text>", drawn[f"figure{number}.svg"].decode()))
    assert {1: "People before and after", 2: "Ways of hiding a face"}[number] in svg
    assert "Nothing to show: no identity has a detected face in" in svg
    assert "<image" not in svg
