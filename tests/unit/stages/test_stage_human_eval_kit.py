"""The kit of a human evaluation: what is in the pages, and above all what is not."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.entries import REAL_PEOPLE
from anonbench.data.images import sha256
from anonbench.data.pictures import Picture, write_manifest
from anonbench.stages.human_eval_kit import human_eval_kit
from anonbench.studies.reversible.human.page import FILES_SHA256, FOLDER, files_sha256

VARIANTS = ("original", "smudged", "regenerated")
SPEC: dict[str, Any] = {
    "groups": [
        {"name": "smudging half", "left": "original", "right": "smudged"},
        {"name": "smudging whole", "left": "smudged", "right": "smudged"},
        {"name": "regeneration", "left": "original", "right": "regenerated"},
        {"name": "uppermost", "left": "original", "right": "original"},
    ],
    "pairs": 8, "participants": 2, "controls": 4, "repeats": 2, "contact": "Ada <ada@example.org> & co\nRoom 1",
}  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of eight people under three variants; every file carries EXIF and a comment that would give it away."""
    folder = tmp_path_factory.mktemp("stored")
    for v, variant in enumerate(VARIANTS):
        rows = []
        for n in range(32):
            pid, camid, path = 1 + n // 4, n % 2, f"{'query' if n % 4 == 0 else 'test'}/secret{n:04d}.jpg"
            image = np.random.default_rng([v, n]).integers(0, 256, (16 * (1 + v), 8 * (1 + v), 3), np.uint8)
            exif = Image.Exif()
            exif[0x010E] = f"description of {variant} {pid}"
            data = io.BytesIO()
            Image.fromarray(image).save(data, "JPEG", exif=exif, comment=f"made by {variant}".encode(), quality=95)
            (folder / variant / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / variant / path).write_bytes(data.getvalue())
            split = "query" if n % 4 == 0 else "gallery"
            rows.append(
                Picture(
                    path, split, image.shape[1], image.shape[0], sha256(data.getvalue()), {"pid": pid, "camid": camid}
                )
            )
        write_manifest(folder / f"{variant}.csv", rows)
    return folder


def make(stored: Path, output: Path, seed: int = 0, people: str = "rendered", **changes: Any) -> dict[str, Any]:
    manifests, roots = [stored / f"{v}.csv" for v in VARIANTS], [stored / v for v in VARIANTS]
    spec = {**SPEC, **changes}
    human_eval_kit(manifests, roots, list(VARIANTS), spec, output / "kit", output / "key.json", people, "made-up", seed)  # type: ignore[arg-type]
    key: dict[str, Any] = json.loads((output / "key.json").read_text())
    return key


@pytest.fixture(scope="module")
def made(stored: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make(stored, folder)
    return folder


def page_data(page: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def pages(made: Path) -> list[Path]:
    return sorted((made / "kit").glob("*.html"))


def test_a_page_a_participant_and_the_key_apart(made: Path) -> None:
    assert sorted(p.name for p in (made / "kit").iterdir()) == ["README.txt", "form-01.html", "form-02.html"]
    key = json.loads((made / "key.json").read_text())
    for number, page in enumerate(pages(made), 1):
        data = page_data(page)
        assert data["kit"] == key["kit"]
        assert data["form"] == number
        expected = [name for name, pair in key["pairs"].items() if pair["form"] == number]
        assert [pair["id"] for pair in data["pairs"]] == expected
        assert len(expected) == 4 * 4 + 4 + 2
    assert key["drawn"]["pairs"] == 32
    assert key["drawn"]["same_person_from_one_camera"] == 0


def test_no_page_says_which_group_a_pair_is_of(made: Path) -> None:
    """No group, variant, path, person, truth or seed; what is said of a pair is an id and two pictures."""
    forbidden = [
        *VARIANTS,
        *(g["name"] for g in SPEC["groups"]),
        "secret",
        "query/",
        "test/",
        ".jpg",
        "truth",
        "control",
    ]
    for page in [*pages(made), made / "kit/README.txt"]:
        text = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", page.read_text())
        for word in forbidden:
            assert word not in text, f"{page.name}: {word}"
    key = json.loads((made / "key.json").read_text())
    for page in pages(made):
        for pair in page_data(page)["pairs"]:
            assert set(pair) == {"id", "left", "right"}
            assert re.fullmatch(r"[0-9a-f]{8}", pair["id"])
    shown = {(pair["group"], pair["truth"]) for pair in key["pairs"].values()}
    assert len(shown) == 10  # 4 groups and the controls, each with both answers


def test_pictures_carry_pixels_and_nothing_else(made: Path, stored: Path) -> None:
    key = json.loads((made / "key.json").read_text())
    for page in pages(made):
        for pair in page_data(page)["pairs"]:
            for side in ("left", "right"):
                data = base64.b64decode(pair[side].removeprefix("data:image/png;base64,"))
                kinds = re.findall(rb"(IHDR|PLTE|IDAT|IEND|tEXt|iTXt|zTXt|eXIf|tIME|pHYs|iCCP|gAMA)", data)
                assert set(kinds) <= {b"IHDR", b"IDAT", b"IEND"}
                with Image.open(io.BytesIO(data)) as image:
                    assert image.info == {}
                    assert not image.getexif()
                    found = np.asarray(image)
                meant = key["pairs"][pair["id"]][side]
                with Image.open(stored / meant["variant"] / meant["path"]) as image:
                    assert np.array_equal(found, np.asarray(image))


def test_a_page_asks_nothing_of_anybody(made: Path) -> None:
    for page in pages(made):
        text = page.read_text()
        assert not re.findall(r"https?:|//[a-z]+[.]|@import|url\((?!data:)", text)
        assert re.search(
            r'Content-Security-Policy" content="default-src &#39;none&#39;|content="default-src \'none\';', text
        )
        assert re.findall(r'(?:src|href)="', text) == []


def test_texts_of_the_spec_are_shown_as_they_are(made: Path) -> None:
    text = pages(made)[0].read_text()
    assert text.count(html.escape("Ada <ada@example.org> & co\nRoom 1")) == 2
    assert "<ada@" not in text
    assert "REAL PEOPLE" not in text


def test_a_seed_repeats_every_byte_and_another_draws_others(stored: Path, made: Path, tmp_path: Path) -> None:
    key = make(stored, tmp_path / "again")
    for page in pages(made):
        assert page.read_bytes() == (tmp_path / "again/kit" / page.name).read_bytes()
    assert (made / "key.json").read_bytes() == (tmp_path / "again/key.json").read_bytes()
    other = make(stored, tmp_path / "other", seed=1)
    assert other["kit"] != key["kit"]
    assert set(other["pairs"]) != set(key["pairs"])


def test_a_corrected_address_leaves_the_kit_as_it_is_and_other_pixels_do_not(stored: Path, tmp_path: Path) -> None:
    first = make(stored, tmp_path / "a")
    assert make(stored, tmp_path / "b", contact="Bea")["kit"] == first["kit"]
    changed = tmp_path / "changed"
    shutil.copytree(stored, changed)
    rows = []
    for line in (changed / "smudged.csv").read_text().splitlines():
        path, *fields = line.split(",")
        if path.endswith(".jpg"):
            Image.new("RGB", (16, 32), (1, 2, 3)).save(changed / "smudged" / path)
            fields[3] = sha256((changed / "smudged" / path).read_bytes())
        rows.append(",".join([path, *fields]))
    (changed / "smudged.csv").write_text("\n".join(rows) + "\n")
    assert make(changed, tmp_path / "c")["kit"] != first["kit"]


def test_real_people_need_a_word_in_the_spec(stored: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"real people, who would be sent.*real_people: true"):
        make(stored, tmp_path, people="real")
    assert not (tmp_path / "kit").exists()
    assert not (tmp_path / "key.json").exists()
    make(stored, tmp_path, people="real", real_people=True)
    assert f"<strong>{REAL_PEOPLE}.</strong>" in pages(tmp_path)[0].read_text()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.split()
    assert listed == ["key.json"]


def test_who_is_shown_is_real_unless_somebody_says_otherwise(stored: Path, tmp_path: Path) -> None:
    manifests, roots = [stored / f"{v}.csv" for v in VARIANTS], [stored / v for v in VARIANTS]
    with pytest.raises(ConfigError, match="real people"):
        human_eval_kit(manifests, roots, list(VARIANTS), SPEC, tmp_path / "kit", tmp_path / "key.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pair": 8}, "has no key 'pair': did you mean 'pairs'"),
        ({"groups": [{"name": "a", "left": "original", "rigth": "smudged"}]}, r"groups\[0\] has no key 'rigth'"),
        ({"groups": [{"name": "a", "left": "original", "right": "smudge"}], "repeats": 0}, "did you mean 'smudged'"),
        ({"groups": "all"}, "groups is 'all'; expected a list"),
        ({"pairs": 7}, "even number that can be divided"),
        ({"pairs": "8"}, "the text '8'"),
    ],
)
def test_a_spec_that_cannot_be_used(stored: Path, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(stored, tmp_path, **changes)


def test_the_key_does_not_lie_where_it_would_be_sent(stored: Path, tmp_path: Path) -> None:
    manifests, roots = [stored / f"{v}.csv" for v in VARIANTS], [stored / v for v in VARIANTS]
    with pytest.raises(ConfigError, match="lies in the folder that is sent"):
        human_eval_kit(manifests, roots, list(VARIANTS), SPEC, tmp_path / "kit", tmp_path / "kit/key.json", "rendered")
    with pytest.raises(ConfigError, match="3 variants, 2 manifests and 3 roots"):
        human_eval_kit(manifests[:2], roots, list(VARIANTS), SPEC, tmp_path / "kit", tmp_path / "key.json", "rendered")


def test_a_changed_file_and_other_labels_are_refused(stored: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(stored, copy)
    for path in (copy / "smudged").rglob("*.jpg"):
        path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataError, match="is not the file that the manifest of smudged lists"):
        make(copy, tmp_path / "a")
    text = (stored / "smudged.csv").read_text()
    (copy / "smudged.csv").write_text(re.sub(r",1,0\n", ",2,0\n", text, count=1))
    with pytest.raises(DataError, match="person, camera or split differ between original"):
        make(copy, tmp_path / "b")
    (copy / "smudged.csv").write_text(text.replace("secret", "other"))
    with pytest.raises(DataError, match="no picture is in all of"):
        make(copy, tmp_path / "c")


def test_the_command(stored: Path, tmp_path: Path, run_command: Callable[..., Any]) -> None:
    (tmp_path / "spec.yaml").write_text(json.dumps(SPEC))
    found = run_command(
        "human-eval-kit", "--manifests", *(stored / f"{v}.csv" for v in VARIANTS), "--roots",
        *(stored / v for v in VARIANTS), "--variants", *VARIANTS, "--spec", tmp_path / "spec.yaml", "--people",
        "rendered", "--output", tmp_path / "kit", "--key", tmp_path / "key.json", "--stamp", tmp_path / "stamp.json",
    )  # fmt: skip
    assert found.status == 0, found.errors
    assert "2 pages of 22 pairs" in found.output
    assert set(json.loads((tmp_path / "stamp.json").read_text())["outputs"]) == {
        str(tmp_path / "kit"), str(tmp_path / "key.json"),
    }  # fmt: skip


def test_an_edit_of_the_page_is_an_edit_of_the_code() -> None:
    assert files_sha256() == FILES_SHA256, (
        f'a file in {FOLDER} has changed: write FILES_SHA256 = "{files_sha256()}" into page.py, so that the workflow '
        f"makes the pages again"
    )


def test_the_pages_files_are_part_of_the_package() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["anonbench.studies.reversible.human"]
    shipped = {path.name for pattern in patterns for path in FOLDER.parent.glob(pattern)}
    assert shipped == {path.name for path in FOLDER.iterdir()} == {"form.html", "form.css", "form.js"}
