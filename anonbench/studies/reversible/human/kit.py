"""Make a kit: a page for every participant, and apart from them the key that says what each pair is.

kit = make_kit(sources, study, seed, label)
write_folder(folder, pages(kit, sources, warning), real_people=False)
write_key(path, kit)
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.files import write_text
from anonbench.data.images import RGB, decode_image, encode_image, read_bytes, sha256
from anonbench.data.pictures import Picture
from anonbench.studies.reversible.human.page import form_page
from anonbench.studies.reversible.human.pairs import GROUP, SAME, Pair, Shown, Study, draw_forms
from anonbench.tasks.reid.people import read_people

KEY_FORMAT, KEY_VERSION = "anonbench human evaluation key", 1
README = """\
A page for every participant: send each of them one, form-01.html to the first, and so on. When there are more people
than pages, begin again with form-01.html. A page opens by itself in a browser, without a network.

Participants send back a file answers-….json. Collect them in a folder; then run

  anonbench human-eval collect FOLDER --key KEY.json --output table2.csv

The key lies apart from this folder. It says which pair is which, so nobody who takes part may see it.
docs/human-eval.md says what to tell participants, and how to read the result.
"""
IGNORED = "# Real people: no file of this folder goes into git.\n*\n"


@dataclass(frozen=True)
class Source:
    """The stored pictures of a variant.

    variant: its name.
    pictures: path -> its manifest row.
    root: folder with the files.
    """

    variant: str
    pictures: Mapping[str, Picture]
    root: Path

    @classmethod
    def read(cls, variant: str, manifest: Path, root: Path) -> Source:
        return cls(variant, {picture.path: picture for picture in read_people(manifest)}, root)

    def image(self, path: str) -> RGB:
        """(H, W, 3) uint8. Raises `DataError` for a file that is not the one that its manifest lists."""
        data = read_bytes(self.root / path)
        if sha256(data) != self.pictures[path].sha256:
            raise DataError(
                f"{self.root / path}: is not the file that the manifest of {self.variant} lists. Make the pictures or "
                f"the manifest again."
            )
        return decode_image(data, self.root / path)


@dataclass(frozen=True)
class Kit:
    """What was drawn.

    id: ten hexadecimal digits that follow from the pairs and their pixels.
    forms: pairs of each participant, in the order in which they are shown.
    sha256: picture -> of its pixels as they are in the page.
    camera: path -> camera.
    """

    id: str
    study: Study
    seed: int
    label: str
    forms: Sequence[Sequence[Pair]]
    sha256: Mapping[Shown, str]
    camera: Mapping[str, int]


def check_allowed(study: Study, warning: str) -> None:
    """Raise `ConfigError` where people would be shown who are not drawn, and the config does not say that they may be.

    warning: what pictures of the people must say; "" where they are drawn.
    """
    if warning and not study.real_people:
        raise ConfigError(
            "these pictures show real people, who would be sent to every participant. Where the people are drawn, say "
            "--people rendered. Where they are real, and the dataset's terms and a review board allow to show them, "
            "say `real_people: true` in the spec."
        )


def common_pictures(sources: Sequence[Source], study: Study) -> list[Picture]:
    """The pictures that every variant has, as the first lists them.

    Raises `ConfigError` for a variant that is missing, `DataError` where variants do not agree on who a picture shows.
    """
    study.check_variants([source.variant for source in sources])
    needed = [source for source in sources if source.variant in study.variants]
    first, *others = needed
    for other in others:
        for path, picture in other.pictures.items():
            known = first.pictures.get(path)
            if known is not None and (dict(known.labels), known.split) != (dict(picture.labels), picture.split):
                raise DataError(
                    f"{path}: person, camera or split differ between {first.variant} ({dict(known.labels)}, "
                    f"{known.split}) and {other.variant} ({dict(picture.labels)}, {picture.split}). Make the copy "
                    f"again."
                )
    paths = set(first.pictures).intersection(*(other.pictures for other in others))
    if not paths:
        raise DataError(f"no picture is in all of {', '.join(s.variant for s in needed)}. Are they of one dataset?")
    return [first.pictures[path] for path in sorted(paths)]


def make_kit(sources: Sequence[Source], study: Study, seed: int, label: str) -> Kit:
    """Draw the pairs and read what they show once, so that the kit's id says which pictures were judged."""
    by_name = {source.variant: source for source in sources}
    pictures = common_pictures(sources, study)
    unlike = _Unlike(by_name[study.raw]) if study.controls else None
    forms = draw_forms(pictures, study, seed, unlike) if unlike else draw_forms(pictures, study, seed)
    shown = {picture for form in forms for pair in form for picture in (pair.left, pair.right)}
    digests = {}
    for picture in sorted(shown, key=lambda s: (s.variant, s.path)):
        image = by_name[picture.variant].image(picture.path)
        digests[picture] = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()
    camera = {picture.path: picture.labels["camid"] for picture in pictures}
    described = json.dumps(_pairs(forms, digests), sort_keys=True)
    return Kit(hashlib.sha256(described.encode()).hexdigest()[:10], study, seed, label, forms, digests, camera)


def pages(kit: Kit, sources: Sequence[Source], warning: str) -> Iterator[tuple[str, str]]:
    """(file name, HTML) of every form, one at a time: a form holds some megabytes of pictures."""
    by_name = {source.variant: source for source in sources}

    def png(shown: Shown) -> bytes:
        return encode_image(by_name[shown.variant].image(shown.path), ".png", 0)

    for number, form in enumerate(kit.forms, 1):
        pairs = [(pair.id, png(pair.left), png(pair.right)) for pair in form]
        yield f"form-{number:02d}.html", form_page(kit.id, number, pairs, kit.study.contact, warning)


def write_folder(folder: Path, files: Iterable[tuple[str, str]], real_people: bool) -> int:
    """Write the pages to a folder that is there; returns how many there are."""
    count = 0
    for name, text in files:
        (folder / name).write_text(text, encoding="utf-8")
        count += 1
    (folder / "README.txt").write_text(README, encoding="utf-8")
    if real_people:
        (folder / ".gitignore").write_text(IGNORED, encoding="utf-8")
    return count


def write_key(path: Path, kit: Kit) -> None:
    """Write what each pair is. It is not for participants."""
    tests = [pair for form in kit.forms for pair in form if pair.kind == GROUP]
    same = [pair for pair in tests if pair.truth == SAME]
    one_camera = sum(kit.camera[pair.left.path] == kit.camera[pair.right.path] for pair in same)
    times: dict[tuple[str, frozenset[str]], int] = {}
    for pair in tests:
        name = pair.group, frozenset([pair.left.path, pair.right.path])
        times[name] = times.get(name, 0) + 1
    key = {
        "format": KEY_FORMAT,
        "version": KEY_VERSION,
        "kit": kit.id,
        "label": kit.label,
        "seed": kit.seed,
        "study": asdict(kit.study),
        "drawn": {
            "pairs": len(tests),
            "same_person_from_one_camera": one_camera,
            "drawn_more_than_once": sum(n - 1 for n in times.values()),
        },
        "pairs": _pairs(kit.forms, kit.sha256),
    }
    write_text(path, json.dumps(key, indent=1) + "\n")


def _pairs(forms: Sequence[Sequence[Pair]], digests: Mapping[Shown, str]) -> dict[str, dict[str, Any]]:
    """Pair id -> what it is, in the order of forms."""
    found: dict[str, dict[str, Any]] = {}
    for number, form in enumerate(forms, 1):
        for pair in form:
            entry = asdict(pair)
            name = entry.pop("id")
            for side in ("left", "right"):
                entry[side]["pixels_sha256"] = digests[getattr(pair, side)]
            found[name] = {"form": number, **entry}
    return found


class _Unlike:
    """How little alike two people look: the distance between the mean colours of six strips of their pictures."""

    STRIPS = 6

    def __init__(self, source: Source) -> None:
        self.colours = functools.cache(lambda path: self._colours(source.image(path)))

    def __call__(self, a: str, b: str) -> float:
        return float(np.linalg.norm(self.colours(a) - self.colours(b)))

    def _colours(self, image: RGB) -> Any:
        """(6, 3) mean colours from head to foot of the middle half, where the person is."""
        width = image.shape[1]
        middle = image[:, width // 4 : max(width // 4 + 1, width - width // 4)].astype(np.float64)
        return np.stack([strip.mean(axis=(0, 1)) for strip in np.array_split(middle, self.STRIPS) if len(strip)])
