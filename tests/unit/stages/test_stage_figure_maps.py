"""Maps of features from files: repeatable, with the numbers beside them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from anonbench.core.errors import ConfigError
from anonbench.stages.figure_maps import figure_maps

PANELS = [{"title": "raw-trained", "protected": "blurred"}, {"title": "joint", "protected": "protected"}]
PIDS = np.repeat([1, 2, 3], 4)


@pytest.fixture
def features(tmp_path: Path) -> dict[str, list[Path]]:
    """Two networks: to one protected pictures look alike, to the other as the raw ones do."""
    rng = np.random.default_rng(0)
    raw = 3 * np.eye(3, 6)[PIDS - 1] + 0.3 * rng.normal(size=(12, 6))
    alike = 3 * np.eye(6)[5] + 0.3 * rng.normal(size=(12, 6))
    found: dict[str, list[Path]] = {"raw": [], "protected": []}
    for n, protected in enumerate((alike, raw + 0.1)):
        for name, values in (("raw", raw), ("protected", protected)):
            np.savez(
                tmp_path / f"{name}{n}.npz",
                features=values.astype(np.float32),
                paths=np.array([f"{k}.png" for k in range(12)]),
                pids=PIDS,
                camids=np.zeros(12, int),
                splits=np.array(["query", "gallery", "gallery", "gallery"] * 3),
            )
            found[name].append(tmp_path / f"{name}{n}.npz")
    return found


def draw(features: dict[str, list[Path]], out: Path, **changed: Any) -> dict[str, bytes]:
    files = {"output": out / "maps.svg", "png": out / "maps.png", "numbers": out / "maps.csv"}
    figure_maps(
        **features,
        **{"panels": PANELS, "evaluation": {"metric": "cosine"}, "label": "toy", "people": 3} | changed,
        **files,
    )
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def test_the_same_seed_is_the_same_files(features: dict[str, list[Path]], tmp_path: Path) -> None:
    first = draw(features, tmp_path / "out")
    assert list(first) == ["maps.csv", "maps.png", "maps.svg"]
    assert draw(features, tmp_path / "out") == first
    assert draw(features, tmp_path / "out", seed=1)["maps.svg"] != first["maps.svg"]


def test_numbers_beside_the_figure(features: dict[str, list[Path]], tmp_path: Path) -> None:
    svg = draw(features, tmp_path / "out")["maps.svg"].decode()
    rows = list(csv.DictReader((tmp_path / "out/maps.csv").open()))
    assert [(row["panel"], row["people"], row["images"]) for row in rows] == [
        ("raw-trained", "3", "12"),
        ("joint", "3", "12"),
    ]
    for row, *files in zip(rows, features["raw"], features["protected"], strict=True):
        both = [np.load(file)["features"].astype(float) for file in files]
        unit = [values / np.linalg.norm(values, axis=1, keepdims=True) for values in both]
        expected = silhouette_score(np.concatenate(unit), np.concatenate([PIDS, PIDS]))
        assert float(row["silhouette"]) == pytest.approx(expected, abs=1e-5)
        shift = np.linalg.norm(unit[0] - unit[1], axis=1).mean()
        assert float(row["raw_to_protected"]) == pytest.approx(shift, abs=1e-5)
        relative = float(row["raw_to_protected"]) / float(row["between_people"])
        assert float(row["raw_to_protected_rel"]) == pytest.approx(relative, abs=1e-5)
        assert f">silhouette {float(row['silhouette']):.2f}   raw to protected {relative:.2f}<" in svg
    assert float(rows[0]["silhouette"]) < float(rows[1]["silhouette"])
    assert float(rows[0]["raw_to_protected_rel"]) > 5 * float(rows[1]["raw_to_protected_rel"])


def test_files_for_every_panel(features: dict[str, list[Path]], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="1 panels, 2 feature files of raw pictures and 2 of protected ones"):
        draw(features, tmp_path / "out", panels=PANELS[:1])
    assert not (tmp_path / "out").exists()
