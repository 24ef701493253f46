"""Figures of restored faces: who is shown in which half, which numbers stand below, what is refused."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attack_outcomes import trial
from figure_checks import check_layout, words
from matplotlib.figure import Figure
from PIL import Image

from anonbench.attacks._outcome import write_trials
from anonbench.core.errors import ConfigError, DataError
from anonbench.data.entries import REAL_PEOPLE
from anonbench.data.images import RGB
from anonbench.data.pictures import Picture, write_manifest
from anonbench.report.style import ALARM
from anonbench.stages.figure_restored import figure_restored
from anonbench.studies.privacy.figures_restored import STATES, choose, draw_restored, likeness

LABEL = "toy (rendered people)"
SHADES = {"original": 100, "hidden": 132, "restored": 108}
# Of person n, picture n_0 is recognized and n_1 is not; of person 9, who is not in the gallery, nothing is shown.
TRIALS = [
    trial(path=f"query/{pid}_{n}.png", pid=pid, rank=1 if n == 0 else 4, matches=2, ranked=8, control=pid == 9)
    for pid in (1, 2, 3, 9)
    for n in (0, 1)
]


def flat(shade: int, side: int = 24) -> RGB:
    return np.full((side, side, 3), shade, np.uint8)


def draw(faces: int = 2, trials: Any = TRIALS, **changed: Any) -> Figure:
    halves = choose(trials, faces, 0)
    pictures = [[flat(shade) for _ in halves.shown] for shade in SHADES.values()]
    settings = {"attack": "faces_restored", "label": LABEL, "title": "Faces", "seed": 0} | changed
    return draw_restored(halves, pictures, **settings)


def test_who_is_recognized_and_who_is_not() -> None:
    halves = choose(TRIALS, 2, 0)
    assert (halves.n_found, halves.n_missed) == (3, 3)
    assert {one.rank for one in halves.found} == {1}
    assert {one.rank for one in halves.missed} == {4}
    assert 9 not in {one.pid for one in choose(TRIALS, 8, 0).shown}
    assert halves.random == 0.25
    assert choose(list(reversed(TRIALS)), 2, 0) == halves  # not by the order of the file
    assert any(choose(TRIALS, 2, seed).found != halves.found for seed in range(1, 6))


def test_another_picture_of_somebody_comes_after_all_others() -> None:
    several = [trial(path=f"query/{pid}_{n}.png", pid=pid) for pid in (1, 2, 3) for n in range(4)]
    for seed in range(5):
        found = choose(several, 5, seed).found
        assert sorted(one.pid for one in found[:3]) == [1, 2, 3]
        assert len({one.path for one in found}) == 5


def test_nobody_to_show() -> None:
    with pytest.raises(DataError, match="nobody to show"):
        choose([one for one in TRIALS if one.control], 2, 0)


def test_likeness_by_hand() -> None:
    """8 grey levels: 20 log10(255 / 8) = 30.069 dB. The original is brought to the picture's size."""
    assert likeness(flat(100), flat(108)) == pytest.approx(20 * math.log10(255 / 8))
    assert likeness(flat(100, 48), flat(108)) == pytest.approx(20 * math.log10(255 / 8))
    assert likeness(flat(100), flat(100)) == math.inf


def test_a_half_for_each_kind() -> None:
    figure = draw()
    check_layout(figure)
    shown = words(figure)
    for text in ("recognized: 3 faces", "not recognized: 3 faces", "original", "hidden", "restored"):
        assert text in shown
    assert shown.count("18.0 dB") == shown.count("30.1 dB") == 4  # 32 and 8 grey levels
    said = " ".join(shown)
    assert "3 of 6 faces (50 %; by chance 25 %)" in said
    assert LABEL in said
    assert len(figure.axes) == 2 * 2 * len(STATES)
    middle = [axes.get_position().x0 for axes in figure.axes]
    assert max(middle[:6]) < min(middle[6:])  # those that are recognized on the left
    frames = [artist for artist in figure.artists if artist.get_height() > 0.1]
    assert len({(frame.get_edgecolor(), str(frame.get_linestyle())) for frame in frames}) == 2


@pytest.mark.parametrize("faces", [1, 8])
def test_few_and_many_faces_fit(faces: int) -> None:
    many = [trial(path=f"{n}.png", pid=n, rank=1 + n % 2) for n in range(16)]
    figure = draw(faces, many)
    check_layout(figure)
    width, height = figure.get_size_inches()
    assert width <= 7.3
    assert height <= 10.2


def test_nobody_is_recognized() -> None:
    figure = draw(trials=[one for one in TRIALS if one.rank != 1])
    check_layout(figure)
    assert {"recognized: 0 faces", "none"} <= set(words(figure))


def test_a_warning_is_seen() -> None:
    figure = draw(warning=REAL_PEOPLE)
    (line,) = [text for text in figure.texts if "REAL PEOPLE" in text.get_text()]
    assert line.get_color() == ALARM


# --- the stage, from files ---


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """Faces of every trial in three states: flat, of a shade that tells the state."""
    faces = [Picture(one.path, "query", 24, 24, "x", {"pid": one.pid, "camid": 1}) for one in TRIALS]
    for state, shade in SHADES.items():
        for face in faces:
            (tmp_path / state / face.path).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(flat(shade)).save(tmp_path / state / face.path)
        write_manifest(tmp_path / f"{state}.csv", faces)
    write_trials(tmp_path / "trials.csv", TRIALS)
    return {
        "trials": tmp_path / "trials.csv",
        "manifests": [tmp_path / f"{state}.csv" for state in STATES],
        "roots": [tmp_path / state for state in STATES],
        "faces": 2,
        "attack": "faces_restored",
        "label": LABEL,
        "output": tmp_path / "out/f.svg",
        "png": tmp_path / "out/f.png",
    }


def test_the_same_files_give_the_same_figure(files: dict[str, Any]) -> None:
    figure_restored(**files)
    first = files["output"].read_bytes(), files["png"].read_bytes()
    figure_restored(**files)
    assert (files["output"].read_bytes(), files["png"].read_bytes()) == first
    svg = first[0].decode()
    assert svg.count("<image") == 12
    for text in ("18.0 dB", "30.1 dB", "What comes back of hidden faces"):
        assert f">{text}<" in svg


def test_a_face_that_one_copy_lacks(files: dict[str, Any]) -> None:
    others = [Picture(one.path, "query", 24, 24, "x", {"pid": 9, "camid": 1}) for one in TRIALS if one.control]
    write_manifest(files["manifests"][2], others)
    message = r"restored\.csv: no row for query/\d_\d\.png, which was attacked; expected every attacked picture among"
    with pytest.raises(DataError, match=message):
        figure_restored(**files)
    assert not files["output"].exists()


def test_what_is_refused(files: dict[str, Any]) -> None:
    message = "2 manifests and 3 image folders; expected three of each: original, hidden, restored"
    with pytest.raises(ConfigError, match=re.escape(message)):
        figure_restored(**files | {"manifests": files["manifests"][:2]})
    write_trials(files["trials"], [one for one in TRIALS if one.control])
    with pytest.raises(DataError, match=r"trials\.csv: the attack has ranked no probe"):
        figure_restored(**files)
