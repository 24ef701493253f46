"""Maps of features: which pictures, which numbers, and what of them is on the page."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from figure_checks import check_layout, words
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from anonbench.core.errors import ConfigError, DataError
from anonbench.report.style import OKABE_ITO
from anonbench.studies.reversible.figures_maps import (
    LOOKS,
    Numbers,
    Pairs,
    Panel,
    all_pairs,
    choose_images,
    draw_maps,
    measure,
    number_rows,
    perplexity,
    place,
    read_pairs,
    read_panels,
)

COSINE, EUCLIDEAN = {"metric": "cosine"}, {"metric": "euclidean", "rerank": None}
PANELS = [Panel("AGW, trained on raw pictures", "blurred"), Panel("joint, with upgradation", "protected")]


def write_features(
    file: Path, features: np.ndarray, pids: list[int], splits: list[str] | None = None, reverse: bool = False
) -> Path:
    """A feature file as `embed` writes it; query pictures first unless said otherwise."""
    order = slice(None, None, -1 if reverse else 1)
    roles = splits or ["query", *["gallery"] * (len(pids) - 1)]
    np.savez(
        file,
        features=np.asarray(features, np.float32)[order],
        paths=np.array([f"{n:02d}.png" for n in range(len(pids))])[order],
        pids=np.array(pids)[order],
        camids=np.zeros(len(pids), int),
        splits=np.array(roles)[order],
    )
    return file


def cloud(people: int = 4, images: int = 5, dim: int = 8, shift: float = 3.0) -> Pairs:
    """Pictures around a centre a person; protected ones are moved by `shift` along the first axis."""
    rng = np.random.default_rng(0)
    pids = np.repeat(np.arange(1, people + 1), images)
    raw = 4 * rng.normal(size=(people, dim))[pids - 1] + rng.normal(size=(len(pids), dim))
    protected = raw + shift * np.eye(dim)[0] + 0.3 * rng.normal(size=raw.shape)
    return Pairs(raw.astype(np.float32), protected.astype(np.float32), pids)


# --- which pictures ---


def test_pictures_are_drawn_by_the_seed_and_not_by_the_order_of_the_file(tmp_path: Path) -> None:
    pids = [1 + n % 6 for n in range(60)]
    file = write_features(tmp_path / "a.npz", np.ones((60, 2)), pids)
    first = choose_images(file, 3, 4, seed=0)
    assert choose_images(write_features(tmp_path / "b.npz", np.ones((60, 2)), pids, reverse=True), 3, 4, 0) == first
    assert {pid: list(first.values()).count(pid) for pid in first.values()} == dict.fromkeys(set(first.values()), 4)
    assert len(set(first.values())) == 3
    assert all(pids[int(path[:2])] == pid for path, pid in first.items())
    assert any(choose_images(file, 3, 4, seed) != first for seed in (1, 2))


def test_nobody_with_a_single_picture_no_junk_and_no_training_pictures(tmp_path: Path) -> None:
    pids = [-1, -1, 0, 0, 1, 2, 2, 3, 3, 4, 4]
    roles = ["gallery"] * 5 + ["query", "gallery"] * 2 + ["train", "train"]
    file = write_features(tmp_path / "a.npz", np.ones((11, 2)), pids, roles)
    assert set(choose_images(file, 7, 9, 0).values()) == {2, 3}


def test_too_few_and_too_many_people(tmp_path: Path) -> None:
    file = write_features(tmp_path / "a.npz", np.ones((4, 2)), [1, 1, 1, 2])
    with pytest.raises(DataError, match=r"a\.npz: 1 people have 2 or more test pictures; expected at least 2 people"):
        choose_images(file, 2, 9, 0)
    for people in (1, 8):
        with pytest.raises(
            ConfigError, match=f"people is {people}; expected 2 to 7: so many colours can be told apart"
        ):
            choose_images(file, people, 9, 0)


def test_a_picture_that_one_file_lacks(tmp_path: Path) -> None:
    whole = write_features(tmp_path / "raw.npz", np.ones((4, 2)), [1, 1, 2, 2])
    part = write_features(tmp_path / "protected.npz", np.ones((3, 2)), [1, 1, 2])
    with pytest.raises(DataError, match=r"protected\.npz: has no features of 03\.png; expected the same test pictures"):
        read_pairs(whole, part, {"00.png": 1, "03.png": 2}, "cosine")


def test_features_of_two_networks_are_no_pair(tmp_path: Path) -> None:
    one = write_features(tmp_path / "raw.npz", np.ones((2, 2)), [1, 1])
    other = write_features(tmp_path / "protected.npz", np.ones((2, 3)), [1, 1])
    with pytest.raises(DataError, match=r"of 2 dimensions and .*protected\.npz of 3; expected the same"):
        read_pairs(one, other, {"00.png": 1}, "cosine")


def test_features_are_paired_by_path_and_compared_as_they_are_ranked(tmp_path: Path) -> None:
    features = np.array([[3, 4], [0, 2], [5, 0], [1, 1]])
    raw = write_features(tmp_path / "raw.npz", features, [1, 1, 2, 2])
    protected = write_features(tmp_path / "protected.npz", 2 * features, [1, 1, 2, 2], reverse=True)
    (plain,) = all_pairs([raw], [protected], {"00.png": 1, "02.png": 2}, EUCLIDEAN)
    assert plain.raw.tolist() == [[3, 4], [5, 0]]
    assert plain.protected.tolist() == [[6, 8], [10, 0]]
    (unit,) = all_pairs([raw], [protected], {"00.png": 1, "02.png": 2}, COSINE)
    assert unit.raw == pytest.approx(np.array([[0.6, 0.8], [1, 0]]))
    assert unit.protected == pytest.approx(unit.raw)


# --- numbers ---


def test_distances_by_hand() -> None:
    """Raw pictures of person 1 at 0 and 2, of person 2 at 10; each protected one is 1, 2, 3 off across that line."""
    raw = np.array([[0, 0], [2, 0], [10, 0]], np.float32)
    protected = raw + np.array([[0, 1], [0, -2], [0, 3]], np.float32)
    found = measure(Pairs(raw, protected, np.array([1, 1, 2])))
    assert found.raw_to_protected == pytest.approx((1 + 2 + 3) / 3)
    assert found.between_people == pytest.approx((10 + 8) / 2)
    assert found.relative == pytest.approx(2 / 9)


def test_silhouette_by_hand() -> None:
    """Person 1: 0 raw, 1 protected; person 2: 4 raw, 6 protected.

    a(0) = 1, b(0) = 5: 4/5. a(1) = 1, b(1) = 4: 3/4. a(4) = 2, b(4) = 3.5: 3/7. a(6) = 2, b(6) = 5.5: 7/11.
    """
    pairs = Pairs(np.array([[0], [4]], np.float32), np.array([[1], [6]], np.float32), np.array([1, 2]))
    assert measure(pairs).silhouette == pytest.approx((4 / 5 + 3 / 4 + 3 / 7 + 7 / 11) / 4)


def test_numbers_against_loops() -> None:
    pairs = cloud()
    points = [*pairs.raw.astype(float), *pairs.protected.astype(float)]
    pids = [*pairs.pids, *pairs.pids]

    def mean_distance(n: int, pid: int) -> float:
        return float(
            np.mean([np.linalg.norm(points[n] - points[m]) for m in range(len(points)) if pids[m] == pid and m != n])
        )

    widths = []
    for n, pid in enumerate(pids):
        own, other = mean_distance(n, pid), min(mean_distance(n, p) for p in set(pids) if p != pid)
        widths.append((other - own) / max(own, other))
    found = measure(pairs)
    assert found.silhouette == pytest.approx(np.mean(widths))
    between = [
        np.linalg.norm(points[n] - points[m])
        for n, m in itertools.combinations(range(len(pairs.pids)), 2)
        if pids[n] != pids[m]
    ]
    assert found.between_people == pytest.approx(np.mean(between))


def test_numbers_say_what_the_eye_should_see() -> None:
    near, far = measure(cloud(shift=0.5)), measure(cloud(shift=9.0))
    assert near.silhouette > far.silhouette
    assert near.relative < 0.3 < far.relative


def test_rows_of_the_file() -> None:
    pairs = cloud(people=4, images=5)
    (row,) = number_rows(PANELS[:1], [pairs], [Numbers(0.25, 1.0, 4.0)])
    assert row == [PANELS[0].title, 4, 20, "0.250000", "1.000000", "4.000000", "0.250000"]


# --- the map ---


def test_a_map_repeats_and_follows_the_seed() -> None:
    pairs = cloud()
    first = place(pairs, 0)
    assert first.shape == (40, 2)
    assert np.array_equal(place(pairs, 0), first)
    assert np.abs(first).max() == pytest.approx(0.5)


def test_people_who_are_apart_are_apart_on_the_map() -> None:
    """Of every picture the nearest neighbour on the map is one of the same person."""
    pairs = cloud(shift=0.1)
    spots = place(pairs, 0)
    pids = np.concatenate([pairs.pids, pairs.pids])
    distances = np.linalg.norm(spots[:, None] - spots, axis=2) + 9 * np.eye(len(spots))
    assert (pids[distances.argmin(axis=1)] == pids).all()


@pytest.mark.parametrize(("points", "expected"), [(224, 30), (91, 30), (40, 13), (4, 1)])
def test_perplexity_is_limited_by_the_number_of_points(points: int, expected: float) -> None:
    assert perplexity(points) == expected


def test_the_smallest_map() -> None:
    """Two pictures of two people each: t-SNE refuses a perplexity of as many as the points."""
    assert place(cloud(people=2, images=2), 0).shape == (8, 2)


# --- the page ---


def page(pairs: Pairs | None = None, panels: list[Panel] = PANELS, silhouette: float = 0.42) -> Figure:
    some = pairs or cloud()
    spots = np.random.default_rng(1).uniform(-0.5, 0.5, (2 * len(some.pids), 2))
    count = len(panels)
    numbers = [Numbers(silhouette, 1.0, 4.0)] * count
    return draw_maps(panels, [some] * count, numbers, [spots] * count, "toy (rendered people)", 3)


def marks(axes: Axes, name: str) -> list[list[float]]:
    return [row for line in axes.get_lines() if line.get_gid() == name for row in line.get_xydata().tolist()]


def test_raw_filled_protected_hollow_same_looks_in_every_panel() -> None:
    figure = page()
    check_layout(figure)
    panels = figure.axes[1:]
    assert len(panels) == len(PANELS)
    colours = []
    for axes in panels:
        lines = {line.get_gid(): line for line in axes.get_lines()}
        for pid in (1, 2, 3, 4):
            raw, protected = lines[f"raw-{pid}"], lines[f"protected-{pid}"]
            assert raw.get_markeredgecolor() == protected.get_markeredgecolor() == raw.get_markerfacecolor()
            assert protected.get_markerfacecolor() == "none"
            assert raw.get_marker() == protected.get_marker()
        colours.append([lines[f"raw-{pid}"].get_markeredgecolor() for pid in (1, 2, 3, 4)])
    assert colours[0] == colours[1]
    assert len({lines[f"raw-{pid}"].get_markeredgecolor() for pid in (1, 2, 3, 4)}) == 4
    assert len({lines[f"raw-{pid}"].get_marker() for pid in (1, 2, 3, 4)}) == 4


def test_every_picture_is_where_its_map_puts_it() -> None:
    pairs = cloud(people=2, images=3)
    spots = np.arange(24).reshape(12, 2) / 24 - 0.5
    figure = draw_maps(PANELS[:1], [pairs], [Numbers(0, 1, 1)], [spots], "toy", 0)
    axes = figure.axes[1]
    assert marks(axes, "raw-1") == spots[0:3].tolist()
    assert marks(axes, "raw-2") == spots[3:6].tolist()
    assert marks(axes, "protected-1") == spots[6:9].tolist()
    assert marks(axes, "pair") == [row for n in range(6) for row in (spots[n].tolist(), spots[n + 6].tolist())]


def test_words_and_numbers() -> None:
    text = words(page(silhouette=-0.123))
    for line in (
        "(a) AGW, trained on raw pictures; raw and",
        "(b) joint, with upgradation; raw and protected",
        "silhouette −0.12   raw to protected 0.25",
        "Data: toy (rendered people).",
        "person 4",
        "raw",
        "protected",
    ):
        assert line in text
    notes = " ".join(text)
    assert "20 test pictures of 4 people" in notes
    assert "perplexity 13 and seed 3" in notes
    assert "silhouette 0.00   raw to protected 0.25" in words(page(silhouette=-0.001))


@pytest.mark.parametrize("count", [1, 3, 4])
def test_pages_for_few_and_many_panels(count: int) -> None:
    panels = [Panel("a network with quite a long name, of which much can be said", "protected")] * count
    check_layout(page(cloud(people=7, images=2), panels))


def test_people_are_told_apart_by_colour_and_by_shape() -> None:
    assert len({colour for colour, _ in LOOKS}) == len({marker for _, marker in LOOKS}) == len(LOOKS) == 7
    assert {to_hex(OKABE_ITO[colour]) for colour, _ in LOOKS} < {to_hex(colour) for colour in OKABE_ITO.values()}


def test_settings_that_do_not_fit() -> None:
    entries = [{"title": "AGW", "protected": "blurred"}]
    assert read_panels(entries, [Path("a")], [Path("b")]) == [Panel("AGW", "blurred")]
    for wrong, raw, protected, message in (
        (entries, 2, 1, "1 panels, 2 feature files of raw pictures and 1 of protected ones; expected one of each"),
        ([], 0, 0, "0 panels, 0 feature files"),
        ([{"title": "AGW", "protect": "x"}], 1, 1, "panels[0] has no key 'protect': did you mean 'protected'?"),
    ):
        with pytest.raises(ConfigError, match=re.escape(message)):
            read_panels(wrong, [Path("a")] * raw, [Path("b")] * protected)
