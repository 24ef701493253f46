"""A participant's page in a real browser, opened from disk: answered, interrupted, saved, collected."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from chromium import Chromium, find_chromium

from anonbench.data.images import encode_image, read_image, sha256
from anonbench.data.pictures import Picture, write_manifest
from anonbench.rendered import CropPlan, RenderSpec, Studio
from anonbench.stages.human_eval_kit import human_eval_kit
from anonbench.studies.reversible.human.privacy import collect

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason="no Chromium here (Debian: apt-get install chromium; else ANONBENCH_CHROMIUM=path)"
)

ROOT = Path(__file__).parents[2]
SPEC = {
    "groups": [
        {"name": "mosaic", "left": "original", "right": "mosaic"},
        {"name": "upper", "left": "original", "right": "original"},
    ],
    "pairs": 12, "participants": 1, "controls": 4, "repeats": 2, "contact": "Ada Example\nada@example.org",
}  # fmt: skip
COUNT = 2 * 12 + 4 + 2
READY = "!document.getElementById('task').hidden && !document.getElementById('task').classList.contains('waiting')"
LEAST_MS = 120  # sooner no answer counts


@dataclasses.dataclass(frozen=True)
class Kit:
    """A page, its key, and what is right for each pair."""

    page: Path
    key: Path

    @property
    def truth(self) -> list[str]:
        return [pair["truth"] for pair in json.loads(self.key.read_text())["pairs"].values()]


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    folder = tmp_path_factory.mktemp("kit")
    studio = Studio(RenderSpec(seed=5, height_px=64, width_px=32))
    rows: dict[str, list[Picture]] = {"original": [], "mosaic": []}
    for n in range(24):
        pid, camid = 1 + n // 2, n % 2
        image = studio.draw(CropPlan(f"{n}.png", pid, 1 + camid, n)).image
        mosaic = np.repeat(np.repeat(image[::8, ::8], 8, axis=0), 8, axis=1)
        for variant, pixels in (("original", image), ("mosaic", mosaic)):
            data = encode_image(pixels, ".png", 0)
            (folder / variant).mkdir(exist_ok=True)
            (folder / variant / f"{n}.png").write_bytes(data)
            split = "gallery" if camid else "query"
            rows[variant].append(Picture(f"{n}.png", split, 32, 64, sha256(data), {"pid": pid, "camid": camid}))
    for variant, pictures in rows.items():
        write_manifest(folder / f"{variant}.csv", pictures)
    human_eval_kit(
        [folder / f"{v}.csv" for v in rows], [folder / v for v in rows], list(rows), SPEC, folder / "kit",
        folder / "key.json", "rendered",
    )  # fmt: skip
    return Kit(folder / "kit/form-01.html", folder / "key.json")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    with Chromium(tmp_path) as opened:
        yield opened
        assert opened.problems == []
        assert opened.requests == []


def judged(browser: Chromium) -> int:
    """How many pairs are judged, as the browser's storage has it."""
    found: int = browser.value(
        "(JSON.parse(localStorage.getItem(Object.keys(localStorage)[0]) || 'null') || {answers: []}).answers.length"
    )
    return found


def begin(browser: Chromium, kit: Kit) -> None:
    browser.open(kit.page.as_uri())
    browser.click("#consent")
    browser.click("#start")
    browser.wait(READY)


def answer(browser: Chromium, how: str, word: str, place: int) -> None:
    """Judge the pair at a place by a key, a click or a touch, and wait until it counts."""
    browser.wait(f"{READY} && document.getElementById('position').textContent.startsWith('Pair {place + 1} ')")
    time.sleep(1.5 * LEAST_MS / 1000)
    keys = {"letter": {"same": "s", "different": "d"}, "arrow": {"same": "ArrowLeft", "different": "ArrowRight"}}
    if how in keys:
        browser.press(keys[how][word])
    else:
        {"click": browser.click, "touch": browser.touch}[how](f"#{word}")
    browser.wait(lambda: judged(browser) == place + 1, f"answer {place + 1} by {how}")


def test_a_form_from_consent_to_the_table(browser: Chromium, kit: Kit, tmp_path: Path) -> None:
    """Answered by keys, clicks and touches, with an undo, a reload and a killed browser on the way."""
    truth = kit.truth
    assert len(truth) == COUNT
    browser.screen(1280, 800)
    browser.open(kit.page.as_uri())
    assert browser.value("document.getElementById('start').disabled") is True
    browser.press("s")  # before consent nothing is judged
    assert browser.value("localStorage.length") == 0
    browser.click("#consent")
    browser.click("#start")
    for place in range(10):
        answer(browser, "letter" if place % 2 else "arrow", truth[place], place)

    # A wrong answer, taken back.
    answer(browser, "letter", "same" if truth[10] == "different" else "different", 10)
    browser.press("u")
    browser.wait(lambda: judged(browser) == 10, "the undo")
    answer(browser, "click", truth[10], 10)

    # A reload keeps every answer and the code.
    code = browser.value("document.querySelector('#done .code').textContent")
    browser.reload()
    assert browser.value("document.getElementById('so-far').textContent") == f"11 of {COUNT} pairs judged"
    assert browser.value("document.querySelector('#resume .code').textContent") == code
    browser.click("#continue")
    browser.screen(390, 844, phone=True)
    for place in range(11, COUNT):
        answer(browser, "touch", truth[place], place)
    browser.wait("!document.getElementById('done').hidden")

    browser.touch("#done .save")
    (saved,) = browser.download("answers-*.json")
    text = json.loads(saved.read_text())
    assert saved.name == f"answers-{text['kit']}-form01-{code}.json"
    assert text["complete"]
    assert text["consent"]
    assert text["participant"] == code
    assert [entry["said"] for entry in text["answers"]] == truth
    assert [entry["undone"] for entry in text["answers"]] == [int(place == 10) for place in range(COUNT)]
    assert all(LEAST_MS <= entry["ms"] < 60_000 for entry in text["answers"])
    assert text["revision"] == COUNT + 2
    shown_as_text = json.loads(browser.value("document.getElementById('text').value"))
    assert shown_as_text == text

    collect([saved], kit.key, tmp_path / "table2.csv")
    assert pd.read_csv(tmp_path / "table2.csv")["privacy_value"].tolist() == [100, 100]
    person = pd.read_csv(tmp_path / "table2.participants.csv").iloc[0]
    assert (person["careful"], person["controls_right"], person["repeats_alike"]) == ("yes", 4, 2)


def test_answers_outlive_a_browser_that_is_killed(kit: Kit, tmp_path: Path) -> None:
    with Chromium(tmp_path) as first:
        begin(first, kit)
        for place in range(3):
            answer(first, "letter", "same", place)
        time.sleep(6)  # Chromium writes its storage to disk every five seconds
        os.killpg(first.process.pid, 9)
        first.process.wait()
    with Chromium(tmp_path) as second:
        second.open(kit.page.as_uri())
        assert second.value("document.getElementById('so-far').textContent") == f"3 of {COUNT} pairs judged"


def test_a_key_that_is_held_down_answers_once(browser: Chromium, kit: Kit) -> None:
    begin(browser, kit)
    time.sleep(0.3)
    browser.press("s", repeats=15)
    browser.wait(lambda: judged(browser) == 1, "the first answer")
    time.sleep(0.3)
    browser.press("Enter", repeats=15)  # no button has the focus
    assert judged(browser) == 1
    browser.click("#same")
    browser.wait(lambda: judged(browser) == 2, "the second answer")
    time.sleep(0.3)
    browser.press("Enter", repeats=15)  # the button has it now
    browser.wait(lambda: judged(browser) == 3, "the third answer")
    time.sleep(0.3)
    assert judged(browser) == 3


def test_a_second_click_of_a_double_click_does_not_answer(browser: Chromium, kit: Kit) -> None:
    begin(browser, kit)
    time.sleep(0.3)
    browser.click("#same")
    browser.click("#same")
    browser.wait(lambda: judged(browser) >= 1, "the first answer")
    time.sleep(0.3)
    assert judged(browser) == 1


def test_withdrawing_deletes_everything(browser: Chromium, kit: Kit) -> None:
    begin(browser, kit)
    answer(browser, "letter", "same", 0)
    browser.click("#task .withdraw")
    browser.press("s")  # not while it is asked
    browser.click("#no")
    time.sleep(0.3)
    assert judged(browser) == 1
    browser.click("#task .withdraw")
    browser.click("#yes")
    assert browser.value("!document.getElementById('gone').hidden")
    assert browser.value("localStorage.length") == 0
    browser.reload()
    assert browser.value("!document.getElementById('intro').hidden")


def test_half_a_form_can_be_saved(browser: Chromium, kit: Kit, tmp_path: Path) -> None:
    begin(browser, kit)
    for place in range(4):
        answer(browser, "letter", kit.truth[place], place)
    browser.click("#task .save")
    (saved,) = browser.download("answers-*.json")
    text = json.loads(saved.read_text())
    assert not text["complete"]
    assert len(text["answers"]) == 4
    assert f"4 of {COUNT} pairs judged" in Path(collected(saved, kit, tmp_path)).read_text()


def collected(saved: Path, kit: Kit, folder: Path) -> str:
    command = [
        sys.executable,
        "-m",
        "anonbench",
        "human-eval",
        "collect",
        saved,
        "--key",
        kit.key,
        "--output",
        folder / "t.csv",
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return str(folder / "t.files.csv")


def test_a_browser_that_keeps_nothing_is_said(browser: Chromium, kit: Kit) -> None:
    """Where a browser refuses storage to files the form still works, and warns."""
    refuse = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }})"
    browser.send("Page.addScriptToEvaluateOnNewDocument", source=refuse)
    begin(browser, kit)
    assert browser.value("!document.getElementById('volatile').hidden")
    time.sleep(0.3)
    browser.press("s")
    browser.wait("document.getElementById('position').textContent.startsWith('Pair 2 ')")
    browser.reload()
    assert browser.dialogs == ["beforeunload"]


SIZES = {"desktop": (1280, 800, False), "phone": (390, 844, True), "phone on its side": (844, 390, True)}


@pytest.mark.parametrize("size", SIZES)
def test_all_that_a_judgement_needs_is_on_the_screen(browser: Chromium, kit: Kit, size: str, tmp_path: Path) -> None:
    width, height, phone = SIZES[size]
    browser.screen(width, height, phone=phone)
    begin(browser, kit)
    boxes: dict[str, Any] = {}
    for name in ("one", "other", "same", "different", "undo"):
        boxes[name] = browser.value(
            f"(r => ({{x0: r.left, y0: r.top, x1: r.right, y1: r.bottom}}))"
            f"(document.getElementById('{name}').getBoundingClientRect())"
        )
    for name, box in boxes.items():
        assert 0 <= box["x0"] < box["x1"] <= width, name
        assert 0 <= box["y0"] < box["y1"] <= height, name
    for name in ("same", "different"):  # a finger needs 44 pixels
        assert boxes[name]["x1"] - boxes[name]["x0"] >= 44
        assert boxes[name]["y1"] - boxes[name]["y0"] >= 44
    pictures = [boxes["one"], boxes["other"]]
    sizes = [(round(b["x1"] - b["x0"]), round(b["y1"] - b["y0"])) for b in pictures]
    assert sizes[0] == sizes[1]
    assert sizes[0][1] >= 200
    assert browser.value("document.documentElement.scrollWidth") <= width
    browser.picture(tmp_path / "screen.png")
    assert read_image(tmp_path / "screen.png").std() > 10


@pytest.mark.parametrize("dark", [False, True])
def test_words_can_be_read_in_light_and_dark(browser: Chromium, kit: Kit, dark: bool) -> None:
    """Contrast of at least 4.5 (WCAG 2.2 AA) of every text on its ground."""
    browser.screen(1280, 800, dark=dark)
    browser.open(kit.page.as_uri())
    poor = browser.value(CONTRAST)
    browser.click("#consent")
    browser.click("#start")
    browser.wait(READY)
    assert poor + browser.value(CONTRAST) == []


CONTRAST = """(() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('body *')].filter((e) => e.checkVisibility() && !e.disabled
    && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())).filter((e) => {
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05) < 4.5;
  }).map((e) => `${e.tagName} ${e.textContent.trim().slice(0, 40)}`);
})()"""


def test_names_for_those_who_do_not_see(browser: Chromium, kit: Kit) -> None:
    begin(browser, kit)
    browser.send("Accessibility.enable")
    tree = browser.send("Accessibility.getFullAXTree")["nodes"]
    named = {
        (node.get("role", {}).get("value"), node.get("name", {}).get("value"))
        for node in tree
        if not node.get("ignored")
    }
    assert ("heading", "Is this the same person?") in named
    assert {name for role, name in named if role == "button"} >= {"Same person S", "Different people D", "Withdraw"}
    assert {name for role, name in named if role in ("image", "img")} == {
        "Left picture of the pair", "Right picture of the pair",
    }  # fmt: skip
    assert ("progressbar", "Pairs judged") in named
