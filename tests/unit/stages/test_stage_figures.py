"""Figures of metrics and statistics: files in, files out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from figure_checks import metrics_of, three_settings
from PIL import Image

from anonbench.core.errors import ConfigError, DataError
from anonbench.stages.figure_cmc import figure_cmc
from anonbench.stages.figure_differences import figure_differences
from anonbench.stages.figure_dose_response import figure_dose_response
from anonbench.stages.figure_faces import figure_faces
from anonbench.stages.figure_settings import figure_settings
from anonbench.studies.reid_faces import cells, figures_faces, figures_settings
from anonbench.studies.reid_faces import face_groups as faces

LABEL = "toy (rendered people: a check of the pipeline)"
RUNS = {"orig_orig": [0.62, 0.58], "orig_anon": [0.50, 0.54], "anon_anon": [0.57, 0.57]}
CASES = [{"dataset": "toy", "model": model, "variant": "blur"} for model in ("pcb", "bot")]
FAMILY = {"title": "Mosaic", "axis": "cells a side", "values": {"blur": 6, "coarse": 3}, "more_hides": False}


@pytest.fixture
def metrics(tmp_path: Path) -> list[Path]:
    contents = [m for model in ("pcb", "bot") for m in three_settings("toy", model, RUNS)]
    contents += [metrics_of("toy", "bot", train, "coarse", 0, 0.4) for train in ("original", "coarse")]
    files = [tmp_path / f"metrics/{n}.json" for n in range(len(contents))]
    files[0].parent.mkdir()
    for file, content in zip(files, contents, strict=True):
        file.write_text(json.dumps(content))
    return files


def cells_table(path: Path, margin: float | None = 1.0) -> Path:
    rows = [
        dict.fromkeys(cells.COLUMNS) | {
            "dataset": "toy", "model": model, "variant": "6", "contrast": contrast, "metric": "map",
            "difference": -1.0, "low": -2.0, "high": -0.5, "margin": margin,
        }
        for model in ("pcb", "bot") for contrast in ("orig_anon", "anon_anon")
    ]  # fmt: skip
    pd.DataFrame(rows, columns=list(cells.COLUMNS)).to_csv(path, index=False)
    return path


def faces_table(path: Path) -> Path:
    columns = ["dataset", "model", "variant", "contrast", "metric", *faces.COLUMNS]
    rows = [
        dict.fromkeys(columns) | {
            "dataset": "toy", "model": "bot", "variant": "6", "contrast": "orig_anon", "metric": "map", "group": group,
            "n_queries": 7, "estimate": -1.0, "low": -2.0, "high": 0.0,
        }
        for group in (faces.WITH, faces.WITHOUT, faces.CONTRAST, "0-8 px", faces.SLOPE)
    ]  # fmt: skip
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return path


@pytest.fixture
def draw(tmp_path: Path, metrics: list[Path]) -> Callable[[str], tuple[Path, Path]]:
    """Draws one of the figures by name."""

    def run(name: str) -> tuple[Path, Path]:
        svg, png = tmp_path / f"figures/{name}.svg", tmp_path / f"figures/{name}.png"
        made = cells_table(tmp_path / "cells.csv")
        calls: dict[str, Callable[[], Any]] = {
            "figure_settings": lambda: figure_settings(metrics, CASES, LABEL, svg, png),
            "figure_differences": lambda: figure_differences(made, "map", LABEL, svg, png),
            "figure_cmc": lambda: figure_cmc(metrics, CASES, 20, LABEL, svg, png),
            "figure_dose_response": lambda: figure_dose_response(metrics, "toy", "bot", [FAMILY], LABEL, svg, png),
            "figure_faces": lambda: figure_faces(faces_table(tmp_path / "faces.csv"), "toy", "6", LABEL, svg, png),
        }
        calls[name]()
        return svg, png

    return run


WORDS = {
    "figure_settings": ["mAP (%)", "Rank-1 (%)", "pcb", "bot", "original → original"],
    "figure_differences": ["pcb", "bot", "original → anonymized", "percentage points"],
    "figure_cmc": ["rank k", "found (%)", "pcb", "bot", "anonymized → anonymized"],
    "figure_dose_response": ["Mosaic", "cells a side", "mAP (%)"],
    "figure_faces": ["bot", "face", "no face", "0-8 px"],
}


@pytest.mark.parametrize("name", WORDS)
def test_a_figure_is_written_twice_and_repeats(name: str, draw: Callable[[str], tuple[Path, Path]]) -> None:
    svg, png = draw(name)
    first = svg.read_bytes(), png.read_bytes()
    draw(name)
    assert (svg.read_bytes(), png.read_bytes()) == first
    assert sorted(p.name for p in svg.parent.iterdir()) == [png.name, svg.name]
    text = svg.read_text()
    for word in WORDS[name]:
        assert f">{word}<" in text
    assert "toy (rendered people: a check of the pipeline)." in text
    assert Image.open(png).size[0] == 1520


def test_the_columns_are_those_of_the_statistics() -> None:
    assert set(figures_settings.DIFFERENCE_COLUMNS) <= set(cells.COLUMNS)
    assert set(figures_settings.TRAINING_COLUMNS) <= set(cells.COLUMNS)
    assert set(figures_faces.COLUMNS) - set(faces.COLUMNS) == {"dataset", "model", "variant", "contrast"}


def test_comparisons_of_groups_are_no_groups(draw: Callable[[str], tuple[Path, Path]]) -> None:
    svg, _ = draw("figure_faces")
    assert faces.CONTRAST not in svg.read_text()
    assert faces.SLOPE not in svg.read_text()


@pytest.mark.parametrize(("given", "expected"), [(None, "± 1 points"), (2.5, "± 2.5 points")])
def test_the_margin_is_the_tables_unless_one_is_given(given: float | None, expected: str, tmp_path: Path) -> None:
    table = cells_table(tmp_path / "cells.csv")
    figure_differences(table, "map", LABEL, tmp_path / "f.svg", tmp_path / "f.png", margin=given)
    assert expected in " ".join((tmp_path / "f.svg").read_text().split())


def test_a_missing_setting_writes_nothing(metrics: list[Path], tmp_path: Path) -> None:
    some = [m for m in metrics if json.loads(m.read_text())["model"] == "bot"]
    with pytest.raises(DataError, match="no metrics for toy, pcb, trained on original, tested on original"):
        figure_settings(some, CASES, LABEL, tmp_path / "f.svg", tmp_path / "f.png")
    assert not (tmp_path / "f.svg").exists()


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00"])
def test_a_table_that_cannot_be_read_is_named(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "cells.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"cells\.csv: not a readable table .*Make it again"):
        figure_differences(tmp_path / "cells.csv", "map", LABEL, tmp_path / "f.svg", tmp_path / "f.png")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "cases is empty; expected at least one"),
        (
            [{"dataset": "toy", "model": "bot", "variants": "blur"}],
            "has no key 'variants': did you mean 'variant'",
        ),
        ([{"dataset": "toy", "model": "bot"}], r"case .* lacks the key 'variant'; expected dataset, model, variant"),
    ],
)
def test_cases_are_checked(entries: list[dict[str, str]], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        figure_settings([], entries, LABEL, tmp_path / "f.svg", tmp_path / "f.png")


@pytest.mark.parametrize(
    ("families", "message"),
    [
        ([], "families is empty"),
        ([{k: v for k, v in FAMILY.items() if k != "axis"}], "family .* lacks the key 'axis'"),
        ([FAMILY | {"unit": "px"}], "family has no key 'unit'"),
        ([FAMILY | {"values": {"blur": 6}}], "dose-response 'Mosaic': .*at least two variants"),
    ],
)
def test_families_are_checked(
    families: list[dict[str, Any]], message: str, metrics: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        figure_dose_response(metrics, "toy", "bot", families, LABEL, tmp_path / "f.svg", tmp_path / "f.png")
