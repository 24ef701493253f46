"""Ranked lists: which queries, which images, in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anonbench.core.errors import ConfigError, DataError
from anonbench.stages import figure_ranked as stage
from anonbench.stages.evaluate import evaluate
from anonbench.studies.reid_faces.ranked_lists import (
    RankedSetting,
    choose_queries,
    ranked_order,
    ranked_strips,
    read_precisions,
)

PLAIN = {"metric": "euclidean", "rerank": None}

# path: (split, pid, camid, feature in `original`, feature in `blur`)
PEOPLE: dict[str, tuple[str, int, int, float, float]] = {
    "q/loss.png": ("query", 1, 1, 0.0, 0.0),
    "q/same.png": ("query", 2, 1, 50.0, 50.0),
    "q/gain.png": ("query", 3, 1, 100.0, 100.0),
    "g/own_camera.png": ("gallery", 1, 1, 0.1, 0.1),
    "g/junk.png": ("gallery", -1, 2, 0.2, 0.2),
    "g/one.png": ("gallery", 1, 2, 1.0, 8.0),
    "g/distractor.png": ("gallery", 0, 2, 2.0, 2.0),
    "g/two.png": ("gallery", 2, 2, 51.0, 51.0),
    "g/three.png": ("gallery", 3, 2, 104.0, 101.0),
    "g/four.png": ("gallery", 4, 2, 102.0, 103.0),
}


@pytest.fixture
def settings(tmp_path: Path) -> list[dict[str, str]]:
    """Two settings whose features are numbers on a line, with the results of their evaluation."""
    found = []
    for column, name in ((3, "original"), (4, "blur")):
        rows = list(PEOPLE.items())
        for n, (path, _) in enumerate(rows):
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((16, 8, 3), 10 * n, np.uint8)).save(tmp_path / name / path)
        np.savez(
            tmp_path / f"{name}.npz",
            features=np.array([[row[column], 1.0] for _, row in rows], np.float32),
            paths=np.array([path for path, _ in rows]),
            pids=np.array([row[1] for _, row in rows]),
            camids=np.array([row[2] for _, row in rows]),
            splits=np.array([row[0] for _, row in rows]),
        )
        features, queries = tmp_path / f"{name}.npz", tmp_path / f"{name}.queries.csv"
        evaluate(features, features, PLAIN, {}, tmp_path / f"{name}.json", queries)
        root = str(tmp_path / name)
        found.append({"setting": name, "features": str(features), "queries": str(queries), "root": root})
    return found


def ranked(
    settings: list[dict[str, str]], evaluation: dict[str, Any], model: str, top: int, label: str, svg: Path, png: Path
) -> None:
    """Runs the stage."""
    files = [[Path(entry[key]) for entry in settings] for key in ("features", "queries", "root")]
    stage.figure_ranked(*files, [entry["setting"] for entry in settings], evaluation, model, top, label, svg, png)


def seen_strips(settings: list[dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Any:
    """What is handed to the drawing, images as the names of their files."""
    names = {10 * n: path for n, path in enumerate(PEOPLE)}
    seen: list[Any] = []
    plain = stage.draw_ranked
    monkeypatch.setattr(stage, "draw_ranked", lambda *a: seen.extend(a) or plain(*a))
    options = {"evaluation": PLAIN, "top": 3} | more
    ranked(settings, model="bot", label="toy", svg=tmp_path / "out/r.svg", png=tmp_path / "out/r.png", **options)
    return {
        query.path: [
            (s.setting, names[int(s.query[0, 0, 0])], [(names[int(g.image[0, 0, 0])], g.correct) for g in s.gallery])
            for s in query.strips
        ]
        for query in seen[0]
    }


def test_lists_in_order_of_distance_without_what_the_ranking_ignores(
    settings: list[dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strips = seen_strips(settings, tmp_path, monkeypatch)
    assert list(strips) == ["q/loss.png", "q/same.png", "q/gain.png"]
    assert strips["q/loss.png"] == [
        ("original", "q/loss.png", [("g/one.png", True), ("g/distractor.png", False), ("g/two.png", False)]),
        ("blur", "q/loss.png", [("g/distractor.png", False), ("g/one.png", True), ("g/two.png", False)]),
    ]
    before, after = strips["q/gain.png"]
    assert before[2][:2] == [("g/four.png", False), ("g/three.png", True)]
    assert after[2][:2] == [("g/three.png", True), ("g/four.png", False)]


def test_shown_precision_is_the_evaluations(settings: list[dict[str, str]], tmp_path: Path) -> None:
    precisions = [read_precisions(Path(entry["queries"])) for entry in settings]
    assert precisions == [
        {"q/loss.png": 1.0, "q/same.png": 1.0, "q/gain.png": 0.5},
        {"q/loss.png": 0.5, "q/same.png": 1.0, "q/gain.png": 1.0},
    ]
    ranked(settings, PLAIN, "bot", 10, "toy (rendered people)", tmp_path / "r.svg", tmp_path / "r.png")
    text = (tmp_path / "r.svg").read_text()
    for words in ("Largest loss: AP 100 → 50 %", "Median change: AP 100 → 100 %", "Largest gain: AP 50 → 100 %",
                  "Data: toy (rendered people).", "q/gain.png", "1 ✓", "1 ✗"):  # fmt: skip
        assert f">{words}<" in text


def test_the_figure_repeats(settings: list[dict[str, str]], tmp_path: Path) -> None:
    files = [tmp_path / "out/r.svg", tmp_path / "out/r.png"]
    ranked(settings, PLAIN, "bot", 3, "toy", *files)
    first = [file.read_bytes() for file in files]
    ranked(settings, PLAIN, "bot", 3, "toy", *files)
    assert [file.read_bytes() for file in files] == first
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_the_metric_is_the_models(settings: list[dict[str, str]], tmp_path: Path, monkeypatch: Any) -> None:
    """By angle the query (0, 1) is nearest to (1, 1); by length too. But (50, 1) prefers the longest vectors."""
    strips = seen_strips(settings, tmp_path, monkeypatch, evaluation={"metric": "cosine", "rerank": None})
    features = np.array([[row[3], 1.0] for row in PEOPLE.values()])
    query, gallery = features[1], features[[5, 6, 7, 8, 9]]
    names = ["g/one.png", "g/distractor.png", "g/two.png", "g/three.png", "g/four.png"]
    angles = gallery @ query / np.linalg.norm(gallery, axis=1) / np.linalg.norm(query)
    nearest = [names[i] for i in np.argsort(-angles)][:3]
    assert [name for name, _ in strips["q/same.png"][0][2]] == nearest


def test_re_ranked_lists_are_those_that_were_scored(settings: list[dict[str, str]], tmp_path: Path) -> None:
    """The place of the first correct image in the list is the rank that the evaluation reports."""
    rng = np.random.default_rng(0)
    evaluation = {"metric": "cosine", "rerank": {"k1": 4, "k2": 2, "lambda_value": 0.3}}
    query_features, gallery_features = rng.normal(size=(6, 3)), rng.normal(size=(40, 3))
    pids = {"query": np.arange(1, 7), "gallery": rng.integers(-1, 7, 40)}
    pids["gallery"][:6] = np.arange(1, 7)
    np.savez(
        tmp_path / "f.npz",
        features=np.concatenate([query_features, gallery_features]).astype(np.float32),
        paths=np.array([f"{n}.png" for n in range(46)]),
        pids=np.concatenate([pids["query"], pids["gallery"]]),
        camids=np.array([1] * 6 + [2] * 40),
        splits=np.array(["query"] * 6 + ["gallery"] * 40),
    )
    evaluate(tmp_path / "f.npz", tmp_path / "f.npz", evaluation, {}, tmp_path / "m.json", tmp_path / "q.csv")
    for n in range(46):
        Image.fromarray(np.full((4, 2, 3), n, np.uint8)).save(tmp_path / f"{n}.png")
    setting = RankedSetting("s", tmp_path / "f.npz", tmp_path / "q.csv", tmp_path)
    rows = [line.split(",") for line in (tmp_path / "q.csv").read_text().splitlines()[1:]]
    paths = [row[0] for row in reversed(rows)]
    strips = ranked_strips(setting, paths, evaluation, 40, dict.fromkeys(paths, 0.0))
    found = [1 + [g.correct for g in strip.gallery].index(True) for strip in reversed(strips)]
    assert found == [int(row[4]) for row in rows]


def test_equal_distances_keep_the_gallerys_order() -> None:
    distances = np.array([0.5, 0.1, 0.5, 0.1, 0.0], np.float32)
    ignored = np.array([False, False, False, False, True])
    assert ranked_order(distances, ignored, 3).tolist() == [1, 3, 0]
    many = np.arange(300) % 3  # enough for NumPy's quicksort to change the order of equals
    order = ranked_order(many.astype(np.float32), many == 1, 150).tolist()
    assert order == [*range(0, 300, 3), *range(2, 150, 3)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 0.5}, {"a": 0.5}, ["a"]),
        ({"a": 0.5, "b": 0.5}, {"a": 0.5, "b": 0.5}, ["a"]),
        ({"b": 0.9, "a": 0.9, "c": 0.1}, {"a": 0.2, "b": 0.2, "c": 0.1}, ["a", "b", "c"]),
        ({"a": 0.9, "only before": 1.0}, {"a": 0.2, "only after": 1.0}, ["a"]),
    ],
)
def test_queries_are_chosen_by_rule(before: dict, after: dict, expected: list[str]) -> None:
    assert [query.path for query in choose_queries(before, after)] == expected


def test_a_query_without_a_match_is_not_chosen(settings: list[dict[str, str]]) -> None:
    path = Path(settings[0]["queries"])
    path.write_text(path.read_text() + "q/none.png,9,1,0,,,,identity is not in the gallery\n")
    assert "q/none.png" not in read_precisions(path)


def test_a_damaged_result_is_named(settings: list[dict[str, str]]) -> None:
    path = Path(settings[0]["queries"])
    path.write_text(path.read_text().replace("1.000000", "one", 1))
    with pytest.raises(DataError, match=r"original\.queries\.csv:\d: column ap is 'one'; expected a number"):
        read_precisions(path)


def test_settings_without_a_common_query_are_refused() -> None:
    with pytest.raises(DataError, match="no query is valid in both settings"):
        choose_queries({"a": 0.5}, {"b": 0.5})


def test_features_and_results_must_belong_together(settings: list[dict[str, str]], tmp_path: Path) -> None:
    for entry in settings:
        Path(entry["queries"]).write_text(Path(entry["queries"]).read_text().replace("q/loss.png", "q/other.png"))
    with pytest.raises(DataError, match=r"original\.npz: 0 query images are called q/other\.png; expected one"):
        ranked(settings, PLAIN, "bot", 3, "toy", tmp_path / "r.svg", tmp_path / "r.png")


@pytest.mark.parametrize("change", [lambda s: s[:1], lambda s: [*s, s[0]]])
def test_two_complete_settings_are_needed(change: Any, settings: list[dict[str, str]], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"figure_ranked shows two settings; expected two each .*, got (1, 1|3, 3)"):
        ranked(change(settings), PLAIN, "bot", 3, "toy", tmp_path / "r.svg", tmp_path / "r.png")
